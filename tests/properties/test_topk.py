"""The law of the k best, and that the fast kernels keep it in thousands of random cases."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import topk as fast
from cofactor.kernels.reference import topk as slow
from cofactor.retrieval.topk import best_dots, items_unchanged


def exclusions(generator, n_rows, n_items, share):
    """Ascending exclusions per row, some of them empty, some repeated, some everything."""
    lists = []
    for _ in range(n_rows):
        kind = generator.integers(0, 8)
        if kind == 0 or n_items == 0:
            lists.append(np.zeros(0, np.int32))
        elif kind == 1:
            lists.append(np.arange(n_items, dtype=np.int32))
        else:
            lists.append(
                np.sort(
                    generator.integers(0, n_items, generator.integers(0, 1 + int(share * n_items)))
                )
            )
    indptr = np.zeros(n_rows + 1, np.int64)
    np.cumsum([len(part) for part in lists], out=indptr[1:])
    return indptr, np.concatenate([*lists, np.zeros(0, np.int32)]).astype(np.int32)


def law(scores, k, indptr, indices, allowed):
    """The written law, word by word: sort the eligible by (-score, row)."""
    answer = []
    for b, row in enumerate(scores):
        barred = set(indices[indptr[b] : indptr[b + 1]].tolist())
        eligible = [
            (-float(s), i)
            for i, s in enumerate(row)
            if allowed[i] and i not in barred and s > -np.inf
        ]
        answer.append([(i, -s) for s, i in sorted(eligible)[:k]])
    return answer


def as_lists(rows, best, count):
    found = []
    for b in range(len(count)):
        assert (rows[b, count[b] :] == -1).all()
        assert np.isnan(best[b, count[b] :]).all()
        found.append(
            [
                (int(i), float(s))
                for i, s in zip(rows[b, : count[b]], best[b, : count[b]], strict=True)
            ]
        )
    return found


def random_scores(generator, n_rows, n_items):
    """Scores with many ties, all equal, ascending, descending, or with NaN and infinities."""
    kind = generator.integers(0, 6)
    shape = (n_rows, n_items)
    if kind == 0:
        scores = generator.normal(size=shape)
    elif kind == 1:
        scores = generator.integers(-2, 3, shape).astype(float)
    elif kind == 2:
        scores = np.zeros(shape)
    elif kind == 3:
        scores = np.arange(n_items) * generator.choice([-1.0, 1.0]) + np.zeros(shape)
    else:
        scores = generator.integers(-9, 9, shape).astype(float)
        special = generator.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], size=shape)
        scores = np.where(generator.random(shape) < 0.3, special, scores)
    return scores.astype(np.float32)


@pytest.mark.parametrize("seed", range(4))
def test_topk_scores_equals_stable_sort_by_score_then_row(seed):
    generator = np.random.default_rng(seed)
    for _ in range(500):
        n_rows, n_items = (
            generator.integers(0, 5),
            int(generator.choice([0, 1, 2, 7, 63, 64, 65, 150])),
        )
        k = int(generator.choice([0, 1, 2, 3, 10, 64, 200]))
        scores = random_scores(generator, n_rows, n_items)
        indptr, indices = exclusions(generator, n_rows, n_items, 0.5)
        allowed = generator.random(n_items) < generator.choice([0.0, 0.1, 0.8, 1.0])
        wanted = law(scores, k, indptr, indices, allowed)
        for kernel in (fast, slow):
            got = kernel.topk_scores(
                scores, k, indptr, indices, allowed, int(generator.integers(1, 4))
            )
            assert as_lists(*got) == wanted


@pytest.mark.parametrize("seed", range(4))
def test_topk_dot_equals_the_definition_on_exact_products(seed):
    # Small whole numbers: products and sums are exact in float32, so even the ties have to agree.
    generator = np.random.default_rng(100 + seed)
    for _ in range(150):
        n_users, n_items = (
            int(generator.integers(0, 7)),
            int(generator.choice([0, 1, 5, 64, 300, 1025])),
        )
        factors, k = int(generator.integers(1, 6)), int(generator.choice([0, 1, 4, 20, 1100]))
        x = generator.integers(-3, 4, (n_users, factors)).astype(np.float32)
        y = generator.integers(-3, 4, (n_items, factors)).astype(np.float32)
        offsets = (generator.integers(-2, 3, n_items) * generator.integers(0, 2)).astype(np.float32)
        offsets[generator.random(n_items) < 0.02] = generator.choice([np.nan, -np.inf])
        indptr, indices = exclusions(generator, n_users, n_items, 0.2)
        allowed = (generator.random(n_items) < generator.choice([0.05, 1.0])).astype(np.uint8)
        with native_threads(2, blas=1):
            got = fast.topk_dot(x, y, offsets, k, indptr, indices, allowed, 2)
        wanted = slow.topk_dot(x, y, offsets, k, indptr, indices, allowed, 2)
        assert as_lists(*got) == as_lists(*wanted)


@pytest.mark.parametrize("with_offsets", [False, True])
@pytest.mark.parametrize("kind", ["skewed", "ties", "hostile"])
def test_pruned_search_loses_nothing(kind, with_offsets):
    generator = np.random.default_rng(7)
    n_users, n_items, factors, k = fast.PRUNE_FROM + 45, 5 * fast.ITEM_BLOCK + 77, 6, 11
    x = generator.integers(-3, 4, (n_users, factors)).astype(np.float32)
    y = generator.integers(-2, 3, (n_items, factors)).astype(np.float32)
    if kind == "skewed":
        y *= 2.0 ** -generator.integers(0, 12, (n_items, 1)).astype(np.float32)
        x[:, 0], y[:, 0] = np.abs(x[:, 0]) + 3, 4 * np.abs(y[:, 0])
    elif kind == "hostile":
        y[generator.integers(0, n_items, 9)] = np.nan
        y[5, :] = 0.0
        y[6, 0] = np.inf
        x[3], x[4, 0], x[7] = 0.0, np.nan, 0.0
    offsets = np.zeros(n_items, np.float32)
    if with_offsets:
        offsets = generator.integers(-40, 3, n_items).astype(np.float32)
        offsets[::97] = -np.inf if kind == "skewed" else np.nan
    indptr, indices = exclusions(generator, n_users, n_items, 0.1)
    allowed = generator.random(n_items) < 0.7
    with native_threads(2, blas=1):
        got = fast.topk_dot(x, y, offsets, k, indptr, indices, allowed, 2)
    wanted = slow.topk_dot(x, y, offsets, k, indptr, indices, allowed, 2)
    assert as_lists(*got) == as_lists(*wanted)


def test_pruned_search_really_skips_items():
    generator = np.random.default_rng(8)
    x = np.abs(generator.normal(size=(300, 4))).astype(np.float32)
    y = np.abs(generator.normal(size=(4 * fast.ITEM_BLOCK, 4))).astype(np.float32)
    y[fast.ITEM_BLOCK :] *= 1e-3
    items = fast.ordered_items(x, y, np.zeros(len(y), np.float32))
    order, reach = items.rows, items.reach
    assert set(order[: fast.ITEM_BLOCK].tolist()) == set(range(fast.ITEM_BLOCK))
    assert reach[0] == pytest.approx(np.linalg.norm(y, axis=1).max(), rel=1e-6)
    assert reach[1] < 1e-2
    # A bound that claims too little must lose items: the test above would see it.
    y[fast.ITEM_BLOCK :] *= 1e6
    items = items._replace(vectors=y[order], reach=reach * 0.0)
    none, nothing = np.zeros(301, np.int64), np.zeros(0, np.int32)
    offsets, allowed = np.zeros(len(y), np.float32), np.ones(len(y), bool)
    with native_threads(1, blas=1):
        rows, _, _ = fast.topk_dot(x, y, offsets, 3, none, nothing, allowed, 1, items)
    assert (rows < fast.ITEM_BLOCK).all()


def test_result_does_not_depend_on_threads():
    generator = np.random.default_rng(9)
    x, y = (generator.normal(size=(n, 8)).astype(np.float32) for n in (37, 2100))
    none, nothing, allowed = np.zeros(38, np.int64), np.zeros(0, np.int32), np.ones(2100, bool)
    offsets = np.zeros(2100, np.float32)
    with native_threads(2, blas=1):
        one, two, many = (
            fast.topk_dot(x, y, offsets, 9, none, nothing, allowed, n) for n in (1, 2, 50)
        )
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[0], many[0])


def test_items_that_do_not_change_are_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sorts: list[int] = []
    sort = fast.ordered_items

    def counted(*arrays: np.ndarray) -> fast.ItemOrder:
        sorts.append(len(arrays[1]))
        return sort(*arrays)

    monkeypatch.setattr(fast, "ordered_items", counted)
    draw = np.random.default_rng(3)
    users, items = (draw.normal(size=(n, 4)).astype(np.float32) for n in (600, 2_500))
    offsets = draw.normal(size=2_500).astype(np.float32)

    def found() -> list[np.ndarray]:
        halves = (users[:300], users[300:])
        tops = [
            best_dots(half, items, 5, item_offsets=c) for c in (None, offsets) for half in halves
        ]
        return [top.rows for top in tops]

    alone = found()
    assert len(sorts) == 4
    with items_unchanged(), items_unchanged():
        kept = found()
        assert len(sorts) == 6
    for one, other in zip(alone, kept, strict=True):
        np.testing.assert_array_equal(one, other)
    items *= draw.random((2_500, 1)).astype(np.float32)
    assert not np.array_equal(found()[0], alone[0])
    assert len(sorts) == 10
