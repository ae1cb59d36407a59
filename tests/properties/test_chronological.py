from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cofactor.data.interactions import Interactions
from examples import examples


@given(
    cells=st.lists(st.integers(0, 7 * 5 - 1), min_size=1, max_size=30, unique=True),
    stamps=st.lists(st.integers(-3, 3), min_size=30, max_size=30),
    scale=st.sampled_from([1, 10**9, 2**60]),
)
@settings(max_examples=examples(45))
def test_chronological_is_by_user_then_time_then_position(cells, stamps, scale):
    users, items = np.divmod(np.array(cells), 5)
    times = np.array(stamps[: len(cells)], np.int64)
    data = Interactions.from_rows(users, items, None, times, users=7, items=5)
    data = replace(data, times=data.times * scale)
    np.testing.assert_array_equal(
        data.chronological, np.lexsort((data.order, data.times, data.user_rows))
    )


@pytest.mark.parametrize("times", [np.zeros(0, np.int64), None])
def test_chronological_of_nothing_is_empty(times):
    data = Interactions.from_rows(
        np.zeros(0, np.int32), np.zeros(0, np.int32), None, times, users=2, items=3
    )
    assert len(data.chronological) == 0


def test_chronological_without_times_is_the_order_of_the_source():
    data = Interactions.from_rows(
        np.array([1, 0, 1, 0, 1]), np.array([4, 3, 0, 1, 2]), users=2, items=5
    )
    assert data.item_rows[data.chronological].tolist() == [3, 1, 4, 0, 2]
