from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cofactor.kernels.cpu import csr as fast
from cofactor.kernels.reference import csr as slow

NONE = np.empty(0, np.float32)
NO_TIMES = np.empty(0, np.int64)


def pairs(kind: str) -> tuple[np.ndarray, np.ndarray, int, int]:
    """User rows, item rows, and their counts: with empty users and items, repeats, and one giant
    row.
    """
    generator = np.random.default_rng(11)
    n_users, n_items = 37, 23
    if kind == "none":
        users, items = np.zeros(0, np.int32), np.zeros(0, np.int32)
    elif kind == "one user":
        users, items = (
            np.full(400, 5, np.int32),
            generator.integers(2, n_items, 400).astype(np.int32),
        )
    else:
        users = generator.integers(1, n_users - 1, 900).astype(np.int32)
        items = generator.integers(1, n_items, 900).astype(np.int32)
    if kind == "grouped":
        users.sort()
    return users, items, n_users, n_items


KINDS = ("none", "one user", "shuffled", "grouped")


@pytest.mark.parametrize("kind", KINDS)
def test_csr_order_equals_the_reference(kind: str) -> None:
    users, items, n_users, _ = pairs(kind)
    for ours, theirs in zip(
        fast.csr_order(users, items, n_users), slow.csr_order(users, items, n_users), strict=True
    ):
        assert ours.dtype == theirs.dtype == np.int64
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [fast.LAST, fast.SUM, fast.MEAN, fast.MAX])
@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("valued", [False, True])
def test_merged_repeats_equal_the_reference(kind: str, how: int, timed: bool, valued: bool) -> None:
    users, items, n_users, _ = pairs(kind)
    generator = np.random.default_rng(13)
    values = generator.normal(0, 3, len(users)).astype(np.float32) if valued else NONE
    # Few different times, so that equal ones occur within a pair.
    times = generator.integers(-2, 3, len(users)) if timed else NO_TIMES
    indptr, order = slow.csr_order(users, items, n_users)
    ours = fast.merge_repeats(indptr, order, items, values, times, how)
    theirs = slow.merge_repeats(indptr, order, items, values, times, how)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])
    np.testing.assert_allclose(ours[2], theirs[2], rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_transpose_equals_the_reference(kind: str) -> None:
    users, items, n_users, n_items = pairs(kind)
    indptr, order = slow.csr_order(users, items, n_users)
    for ours, theirs in zip(
        fast.transpose(indptr, items[order], n_items),
        slow.transpose(indptr, items[order], n_items),
        strict=True,
    ):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("timed", [False, True])
def test_chronological_equals_the_reference(kind: str, timed: bool) -> None:
    users, items, n_users, _ = pairs(kind)
    indptr, order = slow.csr_order(users, items, n_users)
    times = np.random.default_rng(17).integers(0, 9, len(users)) if timed else NO_TIMES
    for source in (order, NO_TIMES):
        ours, theirs = (
            fast.chronological(indptr, source, times),
            slow.chronological(indptr, source, times),
        )
        assert ours.dtype == theirs.dtype == np.int64
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("kind", [*KINDS, "sorted"])
def test_sorted_pairs_are_recognised_and_their_rows_found(kind: str) -> None:
    users, items, n_users, n_items = pairs("shuffled" if kind == "sorted" else kind)
    if kind == "sorted":
        kept = np.unique(users.astype(np.int64) * n_items + items)
        users, items = (kept // n_items).astype(np.int32), (kept % n_items).astype(np.int32)
    ours, theirs = (
        fast.indptr_if_sorted(users, items, n_users),
        slow.indptr_if_sorted(users, items, n_users),
    )
    assert ours.dtype == theirs.dtype == np.int64
    np.testing.assert_array_equal(ours, theirs)
    assert len(ours) == (n_users + 1 if kind in ("sorted", "none") else 0)


def test_one_repeat_or_step_back_among_sorted_pairs_is_seen() -> None:
    users, items = np.array([0, 0, 2, 2], np.int32), np.array([1, 3, 0, 5], np.int32)
    for module in (fast, slow):
        assert module.indptr_if_sorted(users, items, 4).tolist() == [0, 2, 2, 4, 4]  # type: ignore[attr-defined]
        assert not len(module.indptr_if_sorted(users, np.array([1, 1, 0, 5], np.int32), 4))  # type: ignore[attr-defined]
        assert not len(module.indptr_if_sorted(users[::-1].copy(), items, 4))  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_spreading_items_in_parts_is_the_transpose(kind: str) -> None:
    users, items, n_users, n_items = pairs(kind)
    indptr, order = slow.csr_order(users, items, n_users)
    rows = items[order]
    by_item, owners, positions = slow.transpose(indptr, rows, n_items)
    for module in (fast, slow):
        found = np.full(len(rows), -1, np.int32), np.full(len(rows), -1, np.int64)
        for first, end in ((0, 1), (1, 13), (13, n_items)):
            module.spread(indptr, rows, by_item[first : end + 1], first, *found)
        np.testing.assert_array_equal(found[0], owners)
        np.testing.assert_array_equal(found[1], positions)


@pytest.mark.parametrize("cuts", [[0, 40], [0, 1, 2, 17, 39, 40], list(range(41))])
def test_events_are_dealt_to_shards_in_their_order(cuts: list[int]) -> None:
    draw = np.random.default_rng(0)
    events = draw.integers(0, 40, (300, 4)).astype(np.int32)
    made = []
    for module in (fast, slow):
        dealt, ends = np.empty_like(events), np.zeros(len(cuts), np.int64)
        module.deal(events, np.array(cuts), dealt, ends)
        made.append((dealt, ends))
        counts = np.arange(40)
        module.count(events[:, 0].copy(), counts)
        np.testing.assert_array_equal(
            counts, np.arange(40) + np.bincount(events[:, 0], minlength=40)
        )
    np.testing.assert_array_equal(made[0][0], made[1][0])
    np.testing.assert_array_equal(made[0][1], made[1][1])
    for s, (first, end) in enumerate(pairwise(cuts)):
        mine = events[(events[:, 0] >= first) & (events[:, 0] < end)]
        np.testing.assert_array_equal(made[0][0][made[0][1][s] : made[0][1][s + 1]], mine)
