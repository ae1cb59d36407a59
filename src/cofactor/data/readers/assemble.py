"""From raw columns to events: ids typed, values and times checked, bad rows collected before
anything is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.events import Events
from cofactor.data.readers import times as clock
from cofactor.data.readers.columns import Options

Locate = Callable[[np.ndarray], list[tuple[int, str]]]
_DAY = 86400


@dataclass
class Raw:
    """What a format gives: columns as they came.

    Parameters
    ----------
    users, items
        Ids: integers or strings, dictionaries of them too; nulls and empty strings are missing ids.
    values
        float32, NaN where a value is missing or no number; or None.
    times
        int64 of `clock.seconds`, or None.
    bare_times
        Whether the times are bare numbers of a unit still to be told.
    source
        For messages.
    locate
        From up to five row numbers (ascending) to their line and text.
    notes
        Sentences for the user.
    columns
        The column of each role, for messages.
    """

    users: pa.ChunkedArray
    items: pa.ChunkedArray
    values: np.ndarray | None
    times: np.ndarray | None
    source: str
    locate: Locate
    bare_times: bool = True
    notes: list[str] = field(default_factory=list)
    columns: Mapping[str, str] = field(default_factory=dict)


def assemble(raw: Raw, options: Options) -> Events:
    """Check raw columns and make events of them.

    Raises
    ------
    DataError
        If rows are bad and ``options.on_bad`` is ``"error"``; with the lines, and how many there
        are in all.
    """
    if len(raw.users) == 0:
        raise DataError("there are no rows in it.", source=raw.source)
    faults: list[tuple[str, np.ndarray]] = []
    for what, column in (("user", raw.users), ("item", raw.items)):
        _fault(faults, f"no {what} id", _missing_ids(column))
    if raw.values is not None:
        # One that isn't finite makes the sum so: most columns are asked only that.
        with np.errstate(over="ignore", invalid="ignore"):
            whole = np.isfinite(raw.values.sum())
        odd = np.zeros(0, np.int64) if whole else np.flatnonzero(~np.isfinite(raw.values))
        if len(odd) == len(raw.values) and options.on_bad == "error":
            raise DataError(
                f"no value of {_name(raw, 'value')} is a finite number, so it is the wrong column;"
                " give another with value=, or leave values out with value=False:",
                source=raw.source,
                rows=raw.locate(odd[:5]),
                total=len(odd),
            )
        _fault(
            faults,
            f"a value in {_name(raw, 'value')} that is missing, NaN, infinite or no number",
            odd,
        )
    if raw.times is not None:
        raw.times = _checked_times(raw, options, faults)
    keep = _refuse_or_drop(raw, options, faults)
    events = Events(
        typed_ids(raw.users),
        typed_ids(raw.items),
        raw.values,
        raw.times,
        source=raw.source,
        notes=tuple(raw.notes),
    )
    return events if keep is None else events.where(keep)


def numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return a column as float32, NaN where it is missing or no number."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = pc.cast(column, kind.value_type)
        kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan, np.float32)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ):
        return _numbers_of_text(column)
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        return np.full(len(column), np.nan, np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(column.cast(pa.float64()).fill_null(np.nan)).astype(np.float32)


def typed_ids(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    """Return ids as a dictionary of int64 where each is the usual decimal text of one, else of
    strings.

    ``"007"`` and ``"+7"`` are no such texts: one of them makes the whole column strings, so that no
    id is ever changed."""
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    if pa.types.is_integer(column.type):
        return column.cast(pa.int64())
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column.cast(pa.string()))
    column = column.unify_dictionaries()
    if column.num_chunks == 0:
        return column
    # Arrow keeps a dictionary per chunk, all the same after unification; they have to stay one
    # object.
    words = column.chunk(0).dictionary
    ids = canonical(words)
    return pa.chunked_array(
        [pa.DictionaryArray.from_arrays(_narrow(chunk.indices), ids) for chunk in column.chunks]
    )


def _narrow(indices: pa.Array) -> pa.Array:
    return indices if indices.type == pa.int32() else indices.cast(pa.int32())


def canonical(words: pa.Array) -> pa.Array:
    """Return texts as int64 if each is the usual decimal text of one, else as strings."""
    if pa.types.is_integer(words.type):
        return words.cast(pa.int64())
    words = words.cast(pa.string())
    usual = pc.match_substring_regex(words, r"^(0|-?[1-9][0-9]{0,18})$")
    if not pc.all(usual.fill_null(True)).as_py() or words.null_count == len(words):
        return words
    try:
        return words.cast(pa.int64())
    except pa.ArrowInvalid:
        # Nineteen digits beyond 2^63.
        return words


def id_column(column: pa.ChunkedArray | pa.Array, source: str, what: str) -> pa.ChunkedArray:
    """Return a typed column (of a frame, a Parquet file ...) as one that `assemble` takes: integers
    or strings.

    Raises
    ------
    DataError
        If it holds something that can't be an id.
    """
    column = column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return column
        column = pc.cast(column, kind)
    if pa.types.is_string(kind) or pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_uint64(kind):
        fits = not len(column) or (pc.max(column).as_py() or 0) < 2**63
        return column.cast(pa.int64() if fits else pa.string())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_floating(kind):
        whole = np.asarray(column.fill_null(0.0), np.float64)
        if (
            np.isfinite(whole).all()
            and (whole == np.floor(whole)).all()
            and np.abs(whole).max(initial=0) <= 2**53
        ):
            # A column of integers with gaps is floats in some frames; the gaps stay missing.
            return pa.chunked_array(
                [pa.array(whole.astype(np.int64), mask=np.asarray(column.is_null()))]
            )
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind):
        try:
            return column.cast(pa.string())
        except pa.ArrowInvalid:
            pass
    raise DataError(
        f"the {what} column holds {kind}, and ids must be integers or strings; convert it first.",
        source=source,
    )


def _missing_ids(column: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.zeros(0, np.int64)
    if not pa.types.is_dictionary(column.type):
        absent = column.is_null()
        if pa.types.is_string(column.type):
            absent = pc.or_(absent, pc.equal(column, "").fill_null(True))
        return np.flatnonzero(np.asarray(absent))
    found, start = [], 0
    for chunk in column.chunks:
        empty = np.flatnonzero(
            np.asarray(pc.equal(chunk.dictionary.cast(pa.string()), "").fill_null(True))
        )
        if chunk.null_count:
            found.append(start + np.flatnonzero(np.asarray(chunk.is_null())))
        if empty.size:
            found.append(
                start + np.flatnonzero(np.isin(np.asarray(chunk.indices.fill_null(-1)), empty))
            )
        start += len(chunk)
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _numbers_of_text(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    coded = pc.dictionary_encode(column)
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    table = np.array(
        [_number(text) for text in coded.dictionary.to_pylist()] + [np.nan], np.float64
    )
    codes = np.asarray(coded.indices.fill_null(len(table) - 1))
    with np.errstate(over="ignore"):
        return table.astype(np.float32)[codes]


def _number(text: str | None) -> float:
    try:
        return float(text) if text and "_" not in text else float("nan")
    except ValueError:
        return float("nan")


def _checked_times(raw: Raw, options: Options, faults: list[tuple[str, np.ndarray]]) -> np.ndarray:
    times = raw.times
    assert times is not None
    unread = np.flatnonzero(times == clock.MISSING)
    if len(unread) == len(times) and options.on_bad == "error":
        raise DataError(
            f"no time in {_name(raw, 'time')} can be read (seconds, ISO 8601 or a dated text); give"
            " another column with time=, or leave times out with time=False:",
            source=raw.source,
            rows=raw.locate(unread[:5]),
            total=len(unread),
        )
    _fault(
        faults,
        f"no time in {_name(raw, 'time')} that can be read (seconds, ISO 8601 or a dated text)",
        unread,
    )
    if raw.bare_times:
        unit, odd = clock.unit_of(times, clock.checked_unit(options.time_unit, raw.source))
        if odd.size:
            _fault(
                faults,
                f"a time of another unit than the {_UNITS[unit]} of the others (give time_unit=)",
                odd,
            )
        if unit != "s":
            raw.notes.append(f"times are {_UNITS[unit]}; converted to seconds")
            times = clock.to_seconds(times, unit)
    else:
        odd = np.zeros(0, np.int64)
    if np.isfinite(options.now) and times.max() > options.now + _DAY:
        late = times > options.now + _DAY
        late[odd] = False
        latest = clock.spoken(float(times[late].max(initial=0)))
        _fault(
            faults,
            f"a time in the future (as late as {latest}; now is {clock.spoken(options.now)}; check"
            " the unit, or give now= if the clock is right)",
            np.flatnonzero(late),
        )
    return times


_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def _fault(faults: list[tuple[str, np.ndarray]], what: str, rows: np.ndarray) -> None:
    if rows.size:
        faults.append((what, rows))


def _refuse_or_drop(
    raw: Raw, options: Options, faults: Sequence[tuple[str, np.ndarray]]
) -> np.ndarray | None:
    if not faults:
        return None
    if options.on_bad == "error":
        what, rows = faults[0]
        others = "".join(f", and {_have(len(r))} {w}" for w, r in faults[1:])
        raise DataError(
            f"{_have(len(rows))} {what}{others}; mend them, or drop them with on_bad='skip':",
            source=raw.source,
            rows=raw.locate(rows[:5]),
            total=len(rows),
        )
    keep = np.ones(len(raw.users), bool)
    for what, rows in faults:
        keep[rows] = False
        line = raw.locate(rows[:1])
        at = f" (the first on line {line[0][0]:,})" if line else ""
        raw.notes.append(
            f"skipped {len(rows):,} {'row' if len(rows) == 1 else 'rows'} with {what}{at}"
        )
    if not keep.any():
        raise DataError(f"no row is left: all of them have {faults[0][0]}.", source=raw.source)
    # Masked values would warn when they are cast; they go with their rows.
    return keep


def _have(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"


def _name(raw: Raw, role: str) -> str:
    return f"column {raw.columns[role]!r}" if role in raw.columns else f"the {role}s"
