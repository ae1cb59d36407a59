"""Times of day in a column of their own, beside the one of the days."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.readers import bare_times as bare
from cofactor.data.readers import times as clock
from cofactor.data.readers.columns import Options
from cofactor.data.readers.name_words import is_clock, is_dated
from cofactor.data.readers.positions import are_clocks, dated
from cofactor.data.records import python_cells

# From names to the first cells of these columns.
CellsOf = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?$")
_NUMBERED_DAY = re.compile(r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_LAST_SECOND = 86_400


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
    if options.clock is not None:
        return roles | {"clock": options.clock}
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
        days, clocks = [], [n for n in rest if abs(list(names).index(n) - place) == 1]
    if not days and not clocks:
        return roles
    cells = cells_of([time, *days, *clocks])
    if are_clocks(cells[time]) or not any(map(str.strip, cells[time])):
        day = next((name for name in days if _are_days(cells[name], form)), None)
        return roles if day is None else roles | {"time": day, "clock": time}
    beside = next((name for name in clocks if are_clocks(cells[name])), None)
    if beside is None or not _are_days(cells[time], form):
        return roles
    return roles | {"clock": beside}


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


def at_clock(found: clock.ParsedTimes, column: pa.ChunkedArray) -> clock.ParsedTimes:
    """Return days with the times of day of another column, midnight where it holds nothing; days
    beside what is no time of day are `clock.MISSING`.
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
