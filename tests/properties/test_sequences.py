from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.sequences import PADDING, cut_windows, padded_right, plan_batches
from examples import examples

LISTS = st.lists(st.lists(st.integers(0, 10), max_size=9), max_size=7)


@given(lists=LISTS, length=st.integers(2, 5))
@settings(max_examples=examples(30))
def test_windows_make_every_event_but_the_first_a_target_once(lists, length):
    histories = Histories.of(lists, 11)
    made = cut_windows(histories, length)
    assert (made.lengths <= length).all()
    assert (made.lengths >= 2).all()
    targets = [
        (int(owner), position)
        for owner, start, size in zip(made.owners, made.starts, made.lengths, strict=True)
        for position in range(start + 1, start + size)
    ]
    expected = [
        (n, int(histories.indptr[n]) + at)
        for n, one in enumerate(lists)
        for at in range(1, len(one))
    ]
    assert sorted(targets) == expected


@given(lists=LISTS, length=st.integers(2, 5), last=st.integers(1, 3))
@settings(max_examples=examples(30))
def test_the_last_windows_end_with_the_history(lists, length, last):
    histories = Histories.of(lists, 11)
    made = cut_windows(histories, length, last=last)
    owners = np.unique(made.owners)
    assert owners.tolist() == [n for n, events in enumerate(lists) if len(events) > 1]
    for owner in owners:
        own = made.owners == owner
        assert own.sum() <= last
        assert (made.starts + made.lengths)[own][-1] == histories.indptr[owner + 1]


@given(
    lengths=st.lists(st.integers(1, 30), max_size=80),
    tokens=st.integers(30, 100),
    super_batch=st.integers(1, 4),
)
@settings(max_examples=examples(30))
def test_batches_hold_each_window_once_within_the_budget(lengths, tokens, super_batch):
    sizes = np.array(lengths, np.int64)
    batches = plan_batches(sizes, tokens, np.random.default_rng(3), super_batch=super_batch)
    flat = np.concatenate(batches) if batches else np.zeros(0, np.int64)
    assert sorted(flat.tolist()) == list(range(len(sizes)))
    assert all(len(batch) * sizes[batch].max() <= tokens for batch in batches)


def test_batches_are_full_and_mixed_again_by_the_generator():
    rng = np.random.default_rng(0)
    lengths = np.minimum(200, 20 + rng.geometric(0.01, 6000)).astype(np.int64)
    first, second = (plan_batches(lengths, 12_800, np.random.default_rng(seed)) for seed in (1, 2))
    places = sum(len(batch) * lengths[batch].max() for batch in first)
    assert lengths.sum() >= 0.95 * places  # little padding
    assert {tuple(sorted(b)) for b in first} != {tuple(sorted(b)) for b in second}
    again = plan_batches(lengths, 12_800, np.random.default_rng(1))
    assert all((one == two).all() for one, two in zip(first, again, strict=True))


def test_a_window_beyond_the_budget_is_refused():
    with pytest.raises(ArgumentError, match="a window has 40 events and a batch 30 places"):
        plan_batches(np.array([40]), 30, np.random.default_rng(0))


@given(lists=LISTS, length=st.integers(2, 5))
@settings(max_examples=examples(24))
def test_padding_stands_after_the_events(lists, length):
    histories = Histories.of(lists, 11)
    windows = cut_windows(histories, length)
    rows = padded_right(histories, windows, np.arange(len(windows.owners)))
    for n, (start, size) in enumerate(zip(windows.starts, windows.lengths, strict=True)):
        events = histories.item_rows[start : start + size].tolist()
        assert rows[n].tolist() == events + [PADDING] * (rows.shape[1] - size)
