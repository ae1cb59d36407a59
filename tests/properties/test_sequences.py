from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.sequences import PADDING, next_items, padded

LISTS = st.lists(st.lists(st.integers(0, 10), max_size=9), max_size=7)


def histories(lists: list[list[int]]) -> Histories:
    flat = sum(map(len, lists))
    made = Histories.of(
        lists, 11, [[float(i) / 2 for i in one] for one in lists] if lists else None
    )
    return Histories(
        made.indptr, made.item_rows, made.values, np.arange(flat, dtype=np.int64) + 100, 11
    )


@given(lists=LISTS, length=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_padded_holds_the_last_items_at_the_right_edge(lists, length):
    made = padded(histories(lists), length)
    assert made.item_rows.shape == (len(lists), length)
    assert made.item_rows.dtype == np.int32
    assert made.targets is None
    for row, one in enumerate(lists):
        kept = one[-length:]
        assert made.item_rows[row].tolist() == [PADDING] * (length - len(kept)) + kept
        assert made.lengths[row] == len(kept)
    if made.values is not None:
        np.testing.assert_array_equal(
            made.values, np.where(made.mask, made.item_rows / 2, 0).astype(np.float32)
        )


@given(lists=LISTS, length=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_next_items_put_the_following_item_beside_each(lists, length):
    made = next_items(histories(lists), length)
    long_enough = [n for n, one in enumerate(lists) if len(one) > 1]
    assert made.owners.tolist() == long_enough
    for row, owner in enumerate(long_enough):
        one = lists[owner]
        pairs = list(itertools.pairwise(one))[-length:]
        fill = [(PADDING, PADDING)] * (length - len(pairs))
        assert (
            list(zip(made.item_rows[row].tolist(), made.targets[row].tolist(), strict=True))
            == fill + pairs
        )


@given(lists=LISTS, length=st.integers(1, 5))
@settings(max_examples=100, deadline=None)
def test_windows_make_every_event_but_the_first_a_target_once(lists, length):
    whole = histories(lists)
    made = next_items(whole, length, windows=True)
    assert ((made.item_rows == PADDING) == (made.targets == PADDING)).all()
    assert (np.diff(made.owners) >= 0).all()
    for owner, one in enumerate(lists):
        rows = made.owners == owner
        assert made.targets[rows][made.mask[rows]].tolist() == one[1:]
        assert made.item_rows[rows][made.mask[rows]].tolist() == one[:-1]
        # Only the oldest window may be short.
        assert (made.lengths[rows][1:] == length).all()
    if made.times is not None:
        assert (made.times[~made.mask] == 0).all()


def test_max_length_is_checked():
    with pytest.raises(ArgumentError, match="max_length must be an integer at least 1"):
        padded(Histories.of([[1]], 3), 0)
