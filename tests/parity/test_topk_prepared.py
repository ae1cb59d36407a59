"""Items ordered once give what the plain search gives."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import topk as fast
from cofactor.kernels.reference import topk as slow
from cofactor.retrieval.topk import OrderedItems, best_dots


@pytest.mark.parametrize(("n_users", "n_items", "k", "seed"), [(1, 5000, 7, 0), (3, 2300, 10, 1), (2, 40, 60, 2), (0, 9, 3, 3)])
def test_ordered_search_equals_the_plain_one_on_exact_products(n_users: int, n_items: int, k: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    # Small integers: products are exact, and many scores are equal, so that ties are tried too.
    x = random.integers(-3, 4, (n_users, 6)).astype(np.float32)
    y = (random.integers(-2, 3, (n_items, 6)) * random.integers(0, 4, (n_items, 1))).astype(np.float32)
    offsets = random.integers(-1, 2, n_items).astype(np.float32)
    allowed = random.random(n_items) < 0.8
    lists = [np.unique(random.integers(0, n_items, 30)).astype(np.int32) for _ in range(n_users)]
    indptr = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
    indices = np.concatenate([*lists, np.zeros(0, np.int32)]).astype(np.int32)
    wanted = slow.topk_dot(x, y, offsets, k, indptr, indices, allowed, 1)
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
    got, wanted = items.best(x, 12, allowed=items.in_order(allowed)), best_dots(x, y, 12, allowed=allowed)
    np.testing.assert_array_equal(got.rows, wanted.rows)
    np.testing.assert_allclose(got.scores, wanted.scores, rtol=1e-5)
