"""Values and times that callers give as arrays, lists and series."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse

import cofactor
from cofactor.base.errors import ArgumentError, CofactorError, DataError
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions

_ODD_VALUES: list[tuple[Any, str]] = [
    ([np.nan, 1], "NaN"),
    ([np.inf, 1], "infinite"),
    ([1e39, 1], "beyond"),
    ([1j, 1], "complex"),
    (["a", "b"], "real numbers"),
]


@pytest.mark.parametrize(("values", "said"), _ODD_VALUES)
def test_values_are_guarded_by_every_reader(values: Any, said: str) -> None:
    rows = np.array([0, 1])
    with pytest.raises(DataError, match=said):
        Interactions.from_rows(rows, rows, np.array(values), users=2, items=2)
    if np.array(values).dtype.kind in "fc":
        matrix = sparse.coo_matrix((np.array(values), (rows, rows)), shape=(2, 2))
        for reader in (Interactions.from_matrix, cofactor.read):
            with pytest.raises(DataError, match=said):
                reader(matrix)
    if np.array(values).dtype.kind == "f":
        with pytest.raises(DataError, match=said), np.errstate(over="ignore"):
            Interactions.build(Events(pa.array([0, 1]), pa.array([0, 1]), np.array(values)))


_DATES = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
_MOMENTS = [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC)]


@pytest.mark.parametrize(
    "times",
    [
        _DATES,
        _DATES.astype("M8[ns]"),
        _DATES.astype("M8[s]").astype(np.int64),
        _DATES.astype("M8[s]").astype(np.float64) + 0.5,
        _MOMENTS,
        [_MOMENTS[0].date(), "2020-01-02"],
        pd.Series(_MOMENTS[:1] * 2) + pd.to_timedelta([0, 1], "D"),
        pd.Series(pd.to_datetime(_DATES)).dt.tz_localize("UTC"),
    ],
    ids=lambda times: f"{type(times).__name__} {getattr(times, 'dtype', '')}",
)
def test_times_mean_the_same_wherever_arrays_are_given(times: Any) -> None:
    rows = np.array([0, 1])
    right = [1_577_836_800, 1_577_923_200]
    made = Interactions.from_rows(rows, rows, None, times, users=2, items=2)
    assert made.times is not None
    assert made.times.tolist() == right
    events = Events(pa.array([0, 1]), pa.array([0, 1]), None, np.asarray(times))
    assert events.times is not None
    assert events.times.tolist() == right


@pytest.mark.parametrize(
    "times",
    [[True, False], ["x", "y"], [None, 5], [_DATES[0], np.datetime64("NaT")], [1j, 2], [2**63, 5]],
)
def test_what_is_no_time_is_refused_wherever_arrays_are_given(times: Any) -> None:
    rows = np.array([0, 1])
    with pytest.raises(DataError, match=r"a time|times must be"):
        Interactions.from_rows(rows, rows, None, times, users=2, items=2)
    with pytest.raises(DataError, match=r"a time|times must be"):
        Events(pa.array([0, 1]), pa.array([0, 1]), None, np.array(times))


def test_dates_written_as_numbers_are_no_seconds() -> None:
    rows = np.array([0, 1])
    with pytest.raises(DataError, match="20190105 are written like dates"):
        Interactions.from_rows(rows, rows, None, [20190105, 20190106], users=2, items=2)
    made = Interactions.from_rows(rows, rows, None, [20190105, 5], users=2, items=2)
    assert made.times is not None


@pytest.mark.parametrize("values", [[1j, 2], ["4", "5"], [b"4", b"5"], [[1], [2]], [None, 1.0]])
def test_what_is_no_value_is_refused_wherever_arrays_are_given(values: Any) -> None:
    rows, held = np.array([0, 1]), np.array(values)
    with pytest.raises(CofactorError, match="values must be|one length"):
        Interactions.from_rows(rows, rows, values, users=2, items=2)
    with pytest.raises(CofactorError, match="values must be|one length"):
        Interactions.build(Events(pa.array([0, 1]), pa.array([0, 1]), held))


def test_decimals_and_integers_of_any_size_are_values() -> None:
    rows, values = np.array([0, 1]), [Decimal("4.5"), 2**63]
    made = Interactions.from_rows(rows, rows, values, users=2, items=2)
    assert made.values is not None
    assert made.values.tolist() == [4.5, 2.0**63]
    with pytest.raises(DataError, match=r"beyond 1\.8e\+19"):
        Interactions.from_rows(rows, rows, [1, 2**70], users=2, items=2)


def test_times_that_can_be_no_seconds_are_refused_by_every_reader() -> None:
    rows, times = np.array([0, 1]), np.array([1_546_646_400_000_000_000, 5])
    with pytest.raises(DataError, match="nanoseconds"):
        Interactions.from_rows(rows, rows, None, times, users=2, items=2)
    with pytest.raises(DataError, match="nanoseconds"):
        Interactions.build(Events(pa.array([0, 1]), pa.array([0, 1]), None, times))
    dates = np.array(["2019-01-05", "2019-01-06"], "M8[D]")
    made = Interactions.from_rows(rows, rows, None, dates, users=2, items=2)
    assert made.times is not None
    assert made.times.tolist() == [1546646400, 1546732800]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ArgumentError, match="one length"):
        Interactions.from_rows(np.array([0, 1]), np.array([0, 1]), np.ones(3), users=2, items=2)
