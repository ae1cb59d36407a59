"""Checks of all incoming data: values, times and repeated entries, from any source."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data import moments
from cofactor.data.ids import MOST, IdMap
from cofactor.data.moments import SECONDS_BELOW

_NUMBERS = (int, float, Decimal, np.number, np.bool_)


def checked_values(values: Any, source: str) -> np.ndarray:
    """Return values as float32 [n].

    Raises
    ------
    DataError
        If they are complex or texts, or any is masked, NaN, infinite or beyond
        `checks.LARGEST_VALUE`.
    """
    found = real_numbers(values, source)
    if not checks.are_small(found):
        odd = np.flatnonzero(~(np.abs(found) <= checks.LARGEST_VALUE))
        raise DataError(
            f"{len(odd):,} of {len(found):,} values are NaN, infinite or beyond"
            f" {checks.LARGEST_VALUE:g}, whose square float32 can't hold (the first is entry"
            f" {odd[0]:,}); drop, fix or scale them.",
            source=source,
        )
    return found


def real_numbers(values: Any, source: str) -> np.ndarray:
    """Return numbers, NaN and infinite ones too, as float32 [n]; raise DataError if they are
    complex, texts or masked.
    """
    array = _unmasked(values, "values", source)
    if array.dtype.kind == "O":  # Python's decimals and integers beyond 64 bits
        odd = next((one for one in array.flat if not isinstance(one, _NUMBERS)), None)
        what = "None" if odd is None else type(odd).__name__
        array = array.astype(np.float64) if odd is None and None not in array.flat else array
    else:
        what = "complex" if array.dtype.kind == "c" else str(array.dtype)
    if array.dtype.kind not in "biuf":
        raise DataError(f"values must be real numbers, not {what}.", source=source)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ascontiguousarray(array, np.float32)


def refuse_infinite(table: pa.Table, ids: str, source: str) -> None:
    """Raise DataError if a number of a catalogue is infinite; missing ones (NaN) may stand there.

    Parameters
    ----------
    table
        What is known of items or users.
    ids
        The column of their ids, for messages.
    source
        For messages.
    """
    for name in table.column_names:
        column = table.column(name)
        if not pa.types.is_floating(column.type):
            continue
        odd = np.flatnonzero(np.isinf(column.to_numpy()))
        if odd.size:
            row = int(odd[0])
            raise DataError(
                f"{name!r} of {table.column(ids)[row].as_py()!r} (row {row + 1:,}) is infinite;"
                " give a number, or nothing if it isn't known.",
                source=source,
            )


def checked_seconds(times: Any, source: str) -> np.ndarray:
    """Return times as int64 seconds since 1970 [n].

    Raises
    ------
    DataError
        If they aren't whole numbers (or dates of NumPy or Python), are masked, or can't be seconds.
    """
    array = whole_seconds(times, source)
    if array.size and (array.max() >= SECONDS_BELOW or array.min() <= -SECONDS_BELOW):
        raise DataError(
            f"a time is {int(array[np.argmax(np.abs(array.astype(np.float64)))])}, which can't be a"
            " second since 1970; convert milliseconds, microseconds or nanoseconds to seconds.",
            source=source,
        )
    return array


def whole_seconds(times: Any, source: str) -> np.ndarray:
    """Return times as int64 [n]: whole numbers as they are, floats rounded down, dates and moments
    of NumPy and Python as seconds since 1970; raise DataError for anything else.
    """
    array = _unmasked(times, "times", source)
    if array.dtype.kind == "O":
        try:
            array = np.array([moments.seconds(one, "a time") for one in array.flat], np.int64)
        except ArgumentError as error:
            raise DataError(str(error), source=source) from None
    if array.dtype.kind == "M":
        if np.isnat(array).any():
            raise DataError("a time is missing (NaT).", source=source)
        return array.astype("M8[s]").astype(np.int64)
    if (
        array.dtype.kind == "f"
        and np.isfinite(array).all()
        and np.abs(array).max(initial=0) < 2**62
    ):
        array = np.floor(array).astype(np.int64)
    if array.dtype.kind not in "iu" or (array.dtype == np.uint64 and array.max(initial=0) >= 2**63):
        raise DataError(
            f"times must be finite seconds since 1970, not {array.dtype}.", source=source
        )
    return np.ascontiguousarray(array, np.int64)


def refuse_written_dates(times: np.ndarray, source: str) -> None:
    """Raise DataError if all times are dates written without signs (20190105)."""
    if moments.are_written_dates(times):
        raise DataError(
            f"times such as {times[0]} are written like dates, and as seconds would all be in 1970;"
            " give them as dates, such as np.array(['2019-01-05'], 'M8[s]').",
            source=source,
        )


def _unmasked(column: Any, name: str, source: str) -> np.ndarray:
    """A column as an array; what a mask hides isn't data, though NumPy keeps it."""
    if checks.is_masked(column):
        raise DataError(f"some of the {name} are masked; drop these entries first.", source=source)
    array = np.asarray(column)
    if array.ndim != 1:
        raise DataError(
            f"{name} must be a vector, not of shape {list(array.shape)}.", source=source
        )
    return array


def check_events(events: Any) -> None:
    """Raise DataError if there are no events, or a value or time is impossible."""
    if events.values is not None:
        checked_values(events.values, events.source)
    if events.times is not None:
        checked_seconds(events.times, events.source)
    if len(events) == 0:
        raise DataError("there are no interactions in it.", source=events.source)


def id_map(given: Any, name: str) -> IdMap:
    """Return an id map, or that of the ids 0, 1, ... up to a count.

    Raises
    ------
    ArgumentError
        If it is neither, or an id stands in it twice.
    """
    if isinstance(given, IdMap):
        if not given.is_distinct:
            raise ArgumentError(f"{name} must hold each id once (IdMap.of takes ids that repeat).")
        return given
    if not isinstance(given, (int, np.integer)) or isinstance(given, bool):
        raise ArgumentError(
            f"{name} must be an IdMap or a count, not {type(given).__name__};"
            " cofactor.data.ids.IdMap makes one of an array of ids in the order of the rows."
        )
    return IdMap(np.arange(checks.integer(given, name, low=0, high=MOST), dtype=np.int64))


def same_length(source: str, **columns: Any) -> None:
    """Raise ArgumentError unless all columns that are given are vectors of one length."""
    lengths = {name: np.shape(column) for name, column in columns.items() if column is not None}
    if len(set(lengths.values())) > 1 or any(len(shape) != 1 for shape in lengths.values()):
        shapes = ", ".join(f"{name} {list(shape)}" for name, shape in lengths.items())
        raise ArgumentError(f"the columns of {source} must be vectors of one length, not {shapes}.")


def summed(matrix: Any) -> Any:
    """Return a SciPy sparse matrix in COO form, with entries that repeat added up, as SciPy itself
    takes them; the caller's stays as it is.

    Raises
    ------
    ArgumentError
        If it isn't a sparse matrix, or a damaged one.
    """
    if not hasattr(matrix, "tocoo"):
        raise ArgumentError(
            f"matrix must be a SciPy sparse matrix of users by items, not"
            f" {type(matrix).__name__}; scipy.sparse.csr_matrix(array) makes one."
        )
    try:
        ends = np.asarray(getattr(matrix, "indptr", (0,)))
        if ends[0] != 0 or (ends[1:] < ends[:-1]).any():
            raise ValueError("indptr must begin at 0 and never fall")
        coo = matrix.tocoo(copy=True)
    except ValueError as error:  # its indices lie outside its shape
        raise ArgumentError(f"the matrix is damaged: {error}.") from None
    if len(coo.shape) != 2:
        raise ArgumentError(
            f"matrix must have users as rows and items as columns, not the shape {coo.shape}."
        )
    if coo.dtype.kind in "iu":
        # Sums of small integers don't fit into their own type.
        coo = coo.astype(np.float64)
    coo.sum_duplicates()
    return coo


def doubts(values: np.ndarray | None) -> tuple[str, ...]:
    """Return remarks on values that don't say "liked": labels of 0 and 1, and negative ones."""
    if values is None:
        return ()
    found = ValueFacts()
    found.add(values)
    return found.doubts()


def ruling(values: np.ndarray | None) -> tuple[str, ...]:
    """Return a remark on a value by which a fit to values is ruled: at least 20 times the range of
    the others away from their middle, and with more variance than they can have. Of fewer than 20
    values, or others that are all the same, nothing is said.
    """
    if values is None or len(values) < 20:
        return ()
    middle = float(np.median(values[:: len(values) // 20_000 + 1]))
    odd = max(values.min(), values.max(), key=lambda value: abs(float(value) - middle))
    away, others = abs(float(odd) - middle), values != odd
    low, high = (float(f(values, where=others, initial=middle)) for f in (np.min, np.max))
    count, room = len(values) - int(np.count_nonzero(others)), high - low
    if not room or away < 20 * room or count * away**2 < len(values) * room**2 / 4:
        return ()
    which = f"one of {len(values):,} values is" if count == 1 else f"{count:,} values are"
    return (
        f"{which} {odd:g}, far beyond all others, which hardly count beside it: correct it, or"
        " leave it out",
    )


@dataclass
class ValueFacts:
    """What remarks on values depend on, of one part or of several.

    Parameters
    ----------
    n, negative, zeros
        How many values there are, below 0, and equal to 0.
    low, high
        The least and the greatest.
    labels
        Whether all are 0 or 1.
    """

    n: int = 0
    negative: int = 0
    zeros: int = 0
    low: float = float("inf")
    high: float = float("-inf")
    labels: bool = True

    def add(self, values: np.ndarray) -> None:
        """Add the values of a part."""
        if not len(values):
            return
        low, high = float(values.min()), float(values.max())
        self.n, self.low, self.high = (
            self.n + len(values),
            min(self.low, low),
            max(self.high, high),
        )
        if low < 0:
            self.negative += int((values < 0).sum())
        if low <= 0:
            self.zeros += int((values == 0).sum())
        self.labels = self.labels and low >= 0 and high <= 1
        self.labels = self.labels and bool(((values == 0) | (values == 1)).all())

    def doubts(self) -> tuple[str, ...]:
        """Return the remarks."""
        if not self.n:
            return ()
        large = _LARGE if max(-self.low, self.high) >= 2**24 else ()
        spans = ((scale * 788_918_400, scale * 4_102_444_800) for scale in (1, 1000))
        if any(low <= self.low and self.high < high for low, high in spans):
            large = _TIMES
        return (*large, *self._unliked())

    def _unliked(self) -> tuple[str, ...]:
        if self.low < 0:
            also = f" and {self.zeros:,} are 0" if self.zeros else ""
            return (
                f"{self.negative:,} of {self.n:,} values are negative{also}; models of implicit"
                " feedback count every stored interaction as liked: keep those from some value on"
                " with min_value=",
            )
        if self.low == 0.0 == self.high:
            return (
                "all values are 0, which models of implicit feedback count as liked all the same",
            )
        if self.low == 0.0:
            labels = self.high == 1.0 and self.labels
            what, least = ("values are labels: ", "1") if labels else ("", "")
            return (
                f"{what}{self.zeros:,} of {self.n:,} are 0; models of implicit feedback count every"
                f" stored interaction as liked: leave them out with min_value={least}",
            )
        return ()


_TIMES = ("all values lie like times (since 1970): a column of times is named with time=",)
_LARGE = ("values of 16,777,216 and more keep seven digits (float32)",)
