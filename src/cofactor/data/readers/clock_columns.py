"""Times over several columns: the day beside a time of day; the year, the month and the day."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.readers import bare_times as bare
from cofactor.data.readers import times as clock
from cofactor.data.readers.columns import Options
from cofactor.data.readers.name_words import is_clock, is_dated, part_of_date, words
from cofactor.data.readers.positions import are_clocks, dated
from cofactor.data.records import python_cells

# From names to the first cells of these columns.
CellsOf = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
_NUMBERED_DAY = re.compile(r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_DIGITS = re.compile(r"^\d{1,6}$")
_NUMBERED_CLOCK = re.compile(r"^([01]\d|2[0-3])[0-5]\d([0-5]\d)?$")
_LAST_SECOND = 86_400
# What other columns may hold beside the one of the time.
PARTS = ("clock", "hhmm", "hhmmss", "month", "week", "day", "hour", "minute", "second")
# The bounds of the parts of a date, the year's first.
_BOUNDS = {
    "year": (1900, 2100),
    "month": (1, 12),
    "week": (1, 53),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 60),
}


def with_clock(
    roles: Mapping[str, str],
    names: Sequence[str],
    options: Options,
    cells_of: CellsOf,
    *,
    headed: bool = True,
) -> dict[str, str]:
    """Return roles in which a column of days is the time, and ``clock`` the column of the times of
    day beside it, if there are such.

    Parameters
    ----------
    roles
        The column of each role.
    names
        All columns, in order.
    options
        What the caller gave: a time column that is named stays alone.
    cells_of
        Gives the first cells of columns; called only if names make it likely that there are two.
    headed
        Whether the columns have names; without them, the two have to be neighbours.
    """
    roles = dict(roles)
    form = options.time_format or ""
    if options.time is not None or "time" not in roles or re.search("%[HIXc]", form):
        return roles
    time = roles["time"]
    rest = [name for name in names if name not in roles.values()]
    if headed:
        days, clocks = [n for n in rest if is_dated(n)], [n for n in rest if is_clock(n)]
        days = days if is_clock(time) else []
    else:
        place = list(names).index(time) if time in names else -2
        neighbours = {name for n, name in enumerate(names) if abs(n - place) == 1}
        days, clocks = [], [name for name in rest if name in neighbours]
    if not days and not clocks:
        return _without_clock(roles, cells_of) if headed else roles
    cells = cells_of([time, *days, *clocks])
    part = _clock_part(cells[time], time, headed=headed)
    if part is not None or not any(map(str.strip, cells[time])):
        day = next((name for name in days if _are_days(cells[name], form)), None)
        if day is None:
            return _without_clock(roles, cells_of) if headed else roles
        return roles | {"time": day, part or "clock": time}
    found = {name: _clock_part(cells[name], name, headed=headed) for name in clocks}
    beside = next(((part, name) for name, part in found.items() if part is not None), None)
    if beside is None or not _are_days(cells[time], form):
        return roles
    return roles | dict([beside])


def _without_clock(roles: dict[str, str], cells_of: CellsOf) -> dict[str, str]:
    """Roles without a time that is one of day alone by its name and its numbers (``trans_time``
    1631), which as seconds would be of 1970.
    """
    time = roles["time"]
    if not is_clock(time) or len(words(time)) < 2:
        return roles
    part = _clock_part(cells_of([time])[time], time, headed=True)
    numbered = part is not None and part != "clock"
    return {role: name for role, name in roles.items() if role != "time" or not numbered}


def _clock_part(cells: Sequence[str], name: str, *, headed: bool) -> str | None:
    """Which of `PARTS` a column of times of day holds: ``10:11``, and where it is named so 1011,
    101112, or the hour alone; None if it holds none.
    """
    if are_clocks(cells):
        return "clock"
    held = [cell.strip() for cell in cells if cell.strip()]
    if not headed or not held or not all(map(_DIGITS.match, held)):
        return None
    if part_of_date(name) == "hour":
        return "hour" if max(map(int, held)) < 24 else None
    width = 4 if max(map(len, held)) < 5 else 6
    padded = (cell.zfill(width) for cell in held)
    fits = all(map(_NUMBERED_CLOCK.match, padded)) and max(map(int, held)) > 23
    return ("hhmm" if width == 4 else "hhmmss") if fits else None


def with_calendar(
    roles: Mapping[str, str], names: Sequence[str], options: Options, cells_of: CellsOf
) -> dict[str, str]:
    """Return roles in which the columns of the year, the month and what else of a date has a
    column of its own are the time, if nothing else is (or a time of day alone).
    """
    roles = dict(roles)
    if options.time is not None:
        return roles
    found: dict[str, str] = {}
    time = roles.get("time")
    if time is not None and part_of_date(time) is not None:
        time = None
    for name in names:
        taken = name in roles.values() and name != roles.get("time")
        part = None if taken else part_of_date(name)
        if part is not None:
            found.setdefault(part, name)
    if "year" not in found or not found.keys() & {"month", "week"}:
        return roles
    # Weeks are within years, not within months; and they begin on Monday.
    others = {"week"} if "month" in found else set(_BOUNDS) - {"year", "week"}
    found = {part: name for part, name in found.items() if part not in others}
    cells = cells_of([*found.values(), *([] if time is None else [time])])
    if time is not None and not are_clocks(cells[time]):
        return roles
    bounds = {part: limits for part, limits in _BOUNDS.items() if part not in others}
    parts = dict(takewhile(lambda part: part[0] in found, bounds.items()))
    if not all(_within(cells[found[part]], *bounds) for part, bounds in parts.items()):
        return roles
    beside = {part: found[part] for part in parts if part != "year"}
    if time is not None:
        beside = {part: beside[part] for part in ("month", "week", "day") if part in beside}
        beside["clock"] = time
    return {**roles, "time": found["year"], **beside}


def _within(cells: Sequence[str], low: int, high: int) -> bool:
    """Whether all cells that hold anything are whole numbers within bounds, and some do."""
    held = [cell.strip().removesuffix(".0") for cell in cells if cell.strip()]
    return bool(held) and all(
        cell.isdecimal() and len(cell) < 10 and low <= int(cell) <= high for cell in held
    )


def cells_of_table(table: pa.Table) -> CellsOf:
    """Return what gives the first cells of a table's columns as texts."""
    return lambda names: {
        n: ["" if v is None or v != v else str(v) for v in python_cells(table.column(n)[:100])]
        for n in names
    }


def _are_days(cells: Sequence[str], form: str) -> bool:
    """Whether cells are dates without a time of day."""
    bare_days = [_MIDNIGHT.sub("", cell.strip()) for cell in cells if cell.strip()]
    if not bare_days or any(":" in cell for cell in bare_days):
        return False
    return bool(form) or dated(bare_days) or all(map(_NUMBERED_DAY.match, bare_days))


def moments(
    columns: Mapping[str, pa.ChunkedArray | pa.Array], form: str | None
) -> clock.ParsedTimes:
    """Return the times in the columns of roles, with what stands beside the one of the time."""
    if "week" in columns:
        week = _part(columns, "week", "")
        found = clock.seconds(pc.binary_join_element_wise(_part(columns, "time", ""), week, "-W"))
    elif "month" not in columns:
        found = clock.seconds(columns["time"], form)
    else:
        year, month = _part(columns, "time", ""), _part(columns, "month", "")
        dates = [year, month, _part(columns, "day", "1")]
        clocks = [_part(columns, part, "00") for part in ("hour", "minute", "second")]
        day = pc.binary_join_element_wise(*dates, "-")
        found = clock.seconds(
            pc.binary_join_element_wise(day, pc.binary_join_element_wise(*clocks, ":"), " ")
        )
    role = next((role for role in ("clock", "hhmm", "hhmmss", "hour") if role in columns), None)
    if role is None or (role == "hour" and "month" in columns):
        return found
    return at_clock(found, _written_clock(columns[role], role))


def _written_clock(column: pa.ChunkedArray | pa.Array, role: str) -> pa.ChunkedArray | pa.Array:
    """Times of day of any of `PARTS` as ``10:11:12``."""
    if role == "clock":
        return column
    texts = pc.replace_substring_regex(
        pc.utf8_trim_whitespace(column.cast(pa.string()).fill_null("")), r"\.0+$", ""
    )
    width = 2 if role == "hour" else len(role)
    padded = pc.if_else(pc.equal(texts, ""), "", pc.utf8_lpad(texts, width, "0"))
    form = r"^(\d\d)$" if role == "hour" else r"^(\d\d)(\d\d)(\d\d)?$"
    written = r"\1:00" if role == "hour" else r"\1:\2:\3"
    return pc.replace_substring_regex(pc.replace_substring_regex(padded, form, written), ":$", "")


def _part(
    columns: Mapping[str, pa.ChunkedArray | pa.Array], role: str, absent: str
) -> pa.ChunkedArray | pa.Array:
    """A part of a date as texts, of two digits at least."""
    if role not in columns:
        return pa.array([absent] * len(columns["time"]), pa.string())
    texts = pc.utf8_trim_whitespace(columns[role].cast(pa.string()).fill_null(""))
    return pc.utf8_lpad(pc.replace_substring_regex(texts, r"\.0+$", ""), 2, "0")


def at_clock(found: clock.ParsedTimes, column: pa.ChunkedArray) -> clock.ParsedTimes:
    """Return days with the times of day of another column, midnight where it holds nothing; days
    beside what isn't a time of day are `clock.MISSING`.
    """
    times = found.times
    if found.bare:
        dates = bare.dates_of(times)
        times = np.full(len(times), clock.MISSING) if dates is None else dates
    seconds = _seconds_of_day(column)

    def added(days: np.ndarray) -> np.ndarray:
        none = (days == clock.MISSING) | (days == clock.AS_BEFORE)
        whole = np.where(none, days, days + np.where(seconds == clock.MISSING, 0, seconds))
        return np.where(~none & (seconds == clock.MISSING), clock.MISSING, whole)

    return clock.ParsedTimes(
        added(times), False, None if found.day_first is None else added(found.day_first)
    )


def _seconds_of_day(column: pa.ChunkedArray) -> np.ndarray:
    """The seconds since midnight, int64 [n]; `clock.MISSING` where there is something else."""
    texts = pc.fill_null(column.cast(pa.string()), "")
    first = pa.scalar("1970-01-01")
    found = clock.seconds(pc.binary_join_element_wise(first, pc.utf8_trim_whitespace(texts), " "))
    outside = (found.times < 0) | (found.times > _LAST_SECOND)
    return np.where(outside, clock.MISSING, found.times)
