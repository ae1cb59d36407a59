from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import ranking as fast
from cofactor.kernels.reference import ranking as slow


def csr(lists):
    indptr = np.zeros(len(lists) + 1, np.int64)
    np.cumsum([len(rows) for rows in lists], out=indptr[1:])
    return indptr, np.concatenate([np.sort(rows) for rows in lists] or [[]]).astype(np.int32)


def case(rng, n_users, n_items, *, kind="random"):
    """Scores, truth and seen items, the two disjoint; ``kind`` says what is nasty about the
    scores.
    """
    scores = rng.normal(size=(n_users, n_items)).astype(np.float32)
    if kind == "ties":
        scores = rng.integers(0, 3, size=(n_users, n_items)).astype(np.float32)
    elif kind == "equal":
        scores[:] = 1.5
    elif kind == "broken":
        scores[rng.random(scores.shape) < 0.3] = np.nan
        scores[rng.random(scores.shape) < 0.3] = -np.inf
        scores[rng.random(scores.shape) < 0.1] = np.inf
    truth, seen = [], []
    for _ in range(n_users):
        shuffled = rng.permutation(n_items)
        n_truth = (
            int(rng.integers(0, n_items + 1))
            if rng.random() < 0.5
            else int(rng.integers(0, min(4, n_items + 1)))
        )
        n_seen = int(rng.integers(0, n_items - n_truth + 1))
        if rng.random() < 0.2:  # everything that isn't true is excluded: no negatives
            n_seen = n_items - n_truth
        truth.append(shuffled[:n_truth])
        seen.append(shuffled[n_truth : n_truth + n_seen])
    return scores, csr(truth), csr(seen)


@pytest.mark.parametrize("kind", ["random", "ties", "equal", "broken"])
@pytest.mark.parametrize("with_auc", [False, True])
def test_positive_ranks_equal_the_reference_on_nasty_input(kind, with_auc):
    rng = np.random.default_rng(1)
    for n_users, n_items in [(5, 37), (7, 1), (0, 6), (3, 130), (2, 2)]:
        scores, truth, seen = case(rng, n_users, n_items, kind=kind)
        for limit in (1, 5, 2**31 - 1):
            got = fast.positive_ranks(scores, *truth, *seen, limit, with_auc)
            wanted = slow.positive_ranks(scores, *truth, *seen, limit, with_auc)
            np.testing.assert_array_equal(got[0], wanted[0])
            np.testing.assert_allclose(got[1], wanted[1], atol=1e-12)
            assert [a.dtype for a in got] == [a.dtype for a in wanted]


def test_candidate_ranks_equal_the_reference_with_padding_repeats_and_broken_scores():
    rng = np.random.default_rng(2)
    for kind in ("random", "ties", "broken"):
        scores, _, _ = case(rng, 6, 31, kind=kind)
        owners = rng.integers(0, 6, 23)
        items = rng.integers(0, 31, 23).astype(np.int32)
        negatives = rng.integers(-1, 31, (23, 9)).astype(np.int32)
        negatives[3] = -1
        negatives[4] = items[4]
        got = fast.candidate_ranks(scores, owners, items, negatives)
        wanted = slow.candidate_ranks(scores, owners, items, negatives)
        np.testing.assert_array_equal(got[0], wanted[0])
        np.testing.assert_allclose(got[1], wanted[1], atol=1e-12)


def test_list_ranks_equal_the_reference_with_repeats_and_short_lists():
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 13, (11, 8)).astype(np.int32)
    count = rng.integers(0, 9, 11).astype(np.int32)
    truth = csr([rng.permutation(13)[: rng.integers(0, 14)] for _ in range(11)])
    np.testing.assert_array_equal(
        fast.list_ranks(rows, count, *truth), slow.list_ranks(rows, count, *truth)
    )


def test_rank_metrics_equal_the_reference():
    rng = np.random.default_rng(4)
    lists = [rng.permutation(29)[: rng.integers(0, 20)] - 4 for _ in range(17)]
    lists[5] = np.full(3, -1)
    indptr = np.concatenate([[0], np.cumsum([len(rows) for rows in lists])]).astype(np.int64)
    ranks = np.maximum(np.concatenate(lists), -1).astype(np.int32)
    cutoffs = np.array([1, 5, 10, 2**31 - 1])
    for got, wanted in zip(
        fast.rank_metrics(indptr, ranks, cutoffs),
        slow.rank_metrics(indptr, ranks, cutoffs),
        strict=True,
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-12)


def test_drawn_negatives_equal_the_reference_and_are_distinct_and_allowed():
    rng = np.random.default_rng(5)
    n_items = 23
    forbidden = [np.sort(rng.permutation(n_items)[:n]) for n in (0, 5, 22, 23, 11)]
    owners = np.array([0, 1, 1, 2, 3, 4, 4])
    got = fast.draw_negatives(*csr(forbidden), owners, n_items, 8, np.uint64(7))
    np.testing.assert_array_equal(got, slow.draw_negatives(*csr(forbidden), owners, n_items, 8, 7))
    for owner, line in zip(owners, got, strict=True):
        drawn = line[line >= 0]
        assert len(set(drawn)) == len(drawn) == min(8, n_items - len(forbidden[owner]))
        assert not set(drawn) & set(forbidden[owner])
        assert (drawn < n_items).all()


def test_drawn_negatives_are_uniform_over_the_allowed_items():
    forbidden = np.array([0, 3, 4, 11])
    drawn = fast.draw_negatives(*csr([forbidden]), np.zeros(20_000, np.int64), 12, 3, np.uint64(1))
    counts = np.bincount(drawn.ravel(), minlength=12)
    allowed = np.setdiff1d(np.arange(12), forbidden)
    # 60,000 draws over 8 items: the standard error of a count is below 81.
    assert np.abs(counts[allowed] - 7500).max() < 400


def test_resampled_means_equal_the_reference_and_the_mean_has_the_known_error():
    rng = np.random.default_rng(6)
    values = rng.normal(size=(50, 3))
    np.testing.assert_allclose(
        fast.resampled_means(values, 7, np.uint64(9)),
        slow.resampled_means(values, 7, 9),
        atol=1e-12,
    )
    means = fast.resampled_means(values, 4000, np.uint64(9))
    np.testing.assert_allclose(means.std(axis=0), values.std(axis=0) / np.sqrt(50), rtol=0.08)
    np.testing.assert_allclose(means.mean(axis=0), values.mean(axis=0), atol=0.02)
