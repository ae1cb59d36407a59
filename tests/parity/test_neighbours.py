"""The neighbour kernels against their plain NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import neighbours as fast
from cofactor.kernels.cpu._selection import keep_best, workspace
from cofactor.kernels.reference import neighbours as slow
from parity.nasty import KINDS, both_orders, nasty


def law_of(kind, x):
    """(p, q, a, b, w) of cosine, of cosine with shrinkage, of Jaccard on the pattern."""
    square = (x.astype(np.float64) ** 2).sum(axis=0).astype(np.float32)
    zero, one = np.zeros_like(square), np.ones_like(square)
    if kind == "cosine":
        return np.sqrt(square), np.sqrt(square), zero, zero, 0.0
    if kind == "shrunk":
        return np.sqrt(square), np.sqrt(square), 7 * one, zero, 0.0
    return zero, zero, square, square, -1.0


@pytest.mark.parametrize("shared", [True, False], ids=["whole Gram", "row by row"])
@pytest.mark.parametrize("law", ["cosine", "shrunk", "jaccard"])
@pytest.mark.parametrize("kind", KINDS)
def test_top_neighbours_agree_with_the_reference(kind, law, shared, monkeypatch):
    monkeypatch.setattr(fast, "SHARED_UP_TO", 2**20 if shared else 0)
    generator = np.random.default_rng(3)
    # the wide shape has rows with few products, which list what they touch
    shapes = [(61, 9)] if shared else [(61, 9), (12, 400)]
    for n_users, n_items in shapes:
        x = nasty(kind, generator, n_users, n_items)
        if n_items == 400:
            x *= generator.random(x.shape) < 0.1
        for k in (1, 4, 50):
            got = fast.top_neighbours(*both_orders(x), *law_of(law, x), k, 2)
            wanted = slow.top_neighbours(*both_orders(x), *law_of(law, x), k, 1)
            np.testing.assert_array_equal(got[2], wanted[2])
            np.testing.assert_array_equal(got[0], wanted[0])
            np.testing.assert_allclose(got[1], wanted[1], rtol=1e-6)


def test_top_neighbours_keep_the_lower_rows_of_equal_ones():
    # Everybody took everything: all similarities are 1, and the edge cuts through the ties.
    x = np.ones((4, 9), np.float32)
    rows, similarity, count = fast.top_neighbours(*both_orders(x), *law_of("cosine", x), 3, 1)
    assert rows[0].tolist() == [1, 2, 3]
    assert rows[2].tolist() == [0, 1, 3]
    assert (count == 3).all()
    np.testing.assert_allclose(similarity, 1.0, rtol=1e-6)


def test_selection_by_bins_equals_sorting_on_close_values():
    generator = np.random.default_rng(4)
    for spread in (1e-7, 1e-3, 1.0, 1e30):
        for n, k in ((1, 1), (300, 7), (300, 299), (300, 300), (2500, 100)):
            values = np.abs(1 + spread * generator.normal(size=n)).astype(np.float32)
            values[generator.random(n) < 0.3] = values[0]
            found, bits = generator.permutation(n).astype(np.int32), values.view(np.int32).copy()
            rows, kept = np.full(k, -1, np.int32), np.full(k, np.nan, np.float32)
            count = keep_best(found.copy(), bits, n, workspace(n), rows, kept)
            order = np.lexsort((found, -values))[:k]
            assert count == min(n, k)
            assert rows.tolist() == sorted(found[order].tolist())
            np.testing.assert_array_equal(np.sort(kept), np.sort(values[order]))


@pytest.mark.parametrize("positive", [0, 1, 5, 39, 40, 41, 300])
def test_selection_loses_none_where_fewer_are_positive_than_are_kept(positive):
    generator = np.random.default_rng(positive)
    n, k = 2_500, 40
    values = np.zeros(n, np.float32)
    values[generator.permutation(n)[:positive]] = generator.random(positive).astype(
        np.float32
    ) + np.float32(1e-3)
    rows, kept = np.full(k, -1, np.int32), np.full(k, np.nan, np.float32)
    count = keep_best(
        np.arange(n, dtype=np.int32), values.view(np.int32).copy(), n, workspace(n), rows, kept
    )
    assert count == min(positive, k)
    assert rows[:count].tolist() == np.sort(np.argsort(-values, kind="stable")[:count]).tolist()
    np.testing.assert_array_equal(kept[:count], values[rows[:count]])


@pytest.mark.parametrize("n", [1, 2, 9, 70])
def test_strongest_entries_agree_with_the_reference(n):
    generator = np.random.default_rng(n)
    matrix = generator.integers(-3, 4, (n, n)).astype(np.float32) * generator.choice(
        [1e-6, 1.0, 50.0], (n, n)
    )
    matrix = np.ascontiguousarray(matrix, np.float32)
    for keep in (1, 5, 80):
        for ours, theirs in zip(
            fast.strongest(matrix, keep, 3), slow.strongest(matrix, keep, 1), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
