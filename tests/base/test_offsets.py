"""Offsets: ranges one after another, and where runs begin."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import begins, ranges


def test_ranges_stand_one_after_another() -> None:
    starts, sizes = np.array([7, 0, 3, 5]), np.array([2, 0, 3, 1])
    indptr, positions = ranges(starts, sizes)
    assert indptr.tolist() == [0, 2, 2, 5, 6]
    assert positions.tolist() == [7, 8, 3, 4, 5, 5]
    assert ranges(0, sizes)[1].tolist() == [0, 1, 0, 1, 2, 0]
    assert ranges(0, np.zeros(0, np.int64))[1].tolist() == []


def test_runs_begin_where_an_entry_differs_from_the_one_before() -> None:
    rows, values = np.array([1, 1, 2, 2, 2]), np.array([4, 4, 4, 5, 5])
    assert begins(rows).tolist() == [True, False, True, False, False]
    assert begins(rows, values).tolist() == [True, False, True, True, False]
    assert begins(rows[:0]).tolist() == []
