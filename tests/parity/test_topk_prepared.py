"""Items ordered once give what the plain search gives."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import topk_prepared as fast
from cofactor.kernels.reference import topk_prepared as slow
from cofactor.kernels.reference.topk import topk_dot
from cofactor.retrieval.topk import OrderedItems, best_dots


@pytest.mark.parametrize(
    ("n_users", "n_items", "k", "seed"),
    [(1, 5000, 7, 0), (3, 2300, 10, 1), (2, 40, 60, 2), (0, 9, 3, 3), (37, 700, 5, 5)],
)
def test_ordered_search_equals_the_plain_one_on_exact_products(
    n_users: int, n_items: int, k: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    # Small integers: products are exact, and many scores are equal, so that ties are tried too.
    x = random.integers(-3, 4, (n_users, 6)).astype(np.float32)
    y = (random.integers(-2, 3, (n_items, 6)) * random.integers(0, 4, (n_items, 1))).astype(
        np.float32
    )
    offsets = random.integers(-1, 2, n_items).astype(np.float32)
    allowed = random.random(n_items) < 0.8
    lists = [np.unique(random.integers(0, n_items, 30)).astype(np.int32) for _ in range(n_users)]
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    indices = np.concatenate([*lists, np.zeros(0, np.int32)]).astype(np.int32)
    wanted = topk_dot(x, y, offsets, k, indptr, indices, allowed, 1)
    for kernels in (fast, slow):
        prepared = kernels.prepare_items(y, offsets)
        got = kernels.topk_prepared(x, prepared, k, indptr, indices, allowed[prepared[2]], 1)
        for one, other in zip(got, wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_ordered_items_answer_as_best_dots() -> None:
    random = np.random.default_rng(4)
    x = random.standard_normal((5, 16)).astype(np.float32)
    y = (random.standard_normal((6000, 16)) * random.pareto(1.5, (6000, 1))).astype(np.float32)
    allowed = random.random(6000) < 0.5
    items = OrderedItems(y)
    got, wanted = (
        items.best(x, 12, allowed=items.in_order(allowed)),
        best_dots(x, y, 12, allowed=allowed),
    )
    np.testing.assert_array_equal(got.rows, wanted.rows)
    np.testing.assert_allclose(got.scores, wanted.scores, rtol=1e-5)


def test_packed_search_loses_nothing_where_scores_are_close_lengths_odd_or_numbers_extreme() -> (
    None
):
    """The bound must hold: against every exact score, in float32 as the search computes them,
    whatever the vectors are like.
    """
    random = np.random.default_rng(6)
    # One direction and a little noise: hundreds of scores lie within the error of 8 bits, and only
    # exact ones tell them apart.
    close = (np.ones((1500, 31)) + 1e-4 * random.standard_normal((1500, 31))).astype(np.float32)
    wild = (random.standard_normal((900, 31)) * 10.0 ** random.integers(-38, 18, (900, 1))).astype(
        np.float32
    )
    odd = random.standard_normal((300, 31)).astype(np.float32)
    odd[3], odd[5, 2], odd[9, 1], odd[11] = 0, np.nan, np.inf, 3e30
    for y, least in ((close, 10), (wild, 10), (odd, 10)):
        x = random.standard_normal((4, 31)).astype(np.float32)
        x[3] = 0
        offsets = (random.standard_normal(len(y)) * 1e-5).astype(np.float32)
        none = np.zeros(5, np.int64), np.zeros(0, np.int32)
        prepared = fast.prepare_items(y, offsets)
        rows, best, count = fast.topk_prepared(x, prepared, 10, *none, np.ones(len(y), bool), 1)
        alone = [
            fast.topk_prepared(
                x[n : n + 1], prepared, 10, none[0][:2], none[1], np.ones(len(y), bool), 1
            )
            for n in range(4)
        ]
        for n in range(4):
            np.testing.assert_array_equal(alone[n][0][0], rows[n])
            np.testing.assert_array_equal(alone[n][1][0], best[n])
        with np.errstate(invalid="ignore", over="ignore"):
            exact = x.astype(np.float64) @ y.astype(np.float64).T + offsets
            size = np.abs(x.astype(np.float64)) @ np.abs(y.astype(np.float64)).T + np.abs(offsets)
        assert (count >= least).all()
        for n in range(4):
            eligible = np.flatnonzero(exact[n] > -np.inf)
            tenth = np.sort(exact[n, eligible])[-10]
            # Nothing that is clearly better than the last one found may be missing.
            clearly = eligible[exact[n, eligible] > tenth + 1e-5 * size[n, eligible] + 1e-12]
            assert set(clearly) <= set(rows[n].tolist())
