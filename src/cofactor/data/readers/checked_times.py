"""Times of raw columns: their unit, the order of day and month, and what can't be."""

from __future__ import annotations

import numpy as np

from cofactor.base.errors import DataError
from cofactor.data.readers import bare_times as bare
from cofactor.data.readers import times as clock
from cofactor.data.readers.columns import Options
from cofactor.data.readers.name_words import is_dated, period_of
from cofactor.data.readers.part import DATES
from cofactor.data.readers.raw import Fault, Raw

_DAY = 86400
# Before this there were hardly any recommenders to log anything: 1 January 1995.
_EARLIEST = 788918400
# The years 1300 to 1500, which no log is of: the Persian calendar is 621 years behind, the Islamic
# one 579.
_OTHER_YEARS = -21_143_116_800, -14_800_233_600
_OTHER_CALENDAR = (
    "a year from 1300 to 1500, as the Persian and the Islamic calendar have today (convert such"
    " dates, or leave times out with time=False)"
)
_READABLE = (
    "seconds, ISO 8601 or a dated text; time_format= says how others are written (as those"
    " with years of two digits), time=False leaves times out"
)
_AS_GIVEN = "written as time_format={form!r} says; time=False leaves times out"
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def checked_times(
    raw: Raw, parsed: clock.ParsedTimes, options: Options, faults: list[Fault], left_out: np.ndarray
) -> np.ndarray:
    """Return a raw column's times in seconds; rows without one that can be are added to
    ``faults``.

    Raises
    ------
    DataError
        If no time can be read, or day and month are ambiguous.
    """
    name, form = raw.named("time"), options.time_format
    readable = _READABLE if form is None else _AS_GIVEN.format(form=form)
    times, first = _in_order(raw, parsed, name)
    unit = f"{DATES}, the {first} first" if first else DATES
    unread = np.flatnonzero(times == clock.MISSING)
    unread = unread[~left_out[unread]] if left_out.size else unread
    if unread.size and len(unread) == len(times) - left_out.sum() and options.on_bad == "error":
        raise DataError(
            f"no time in {name} can be read ({readable}); give another column with time=, or leave"
            " times out with time=False:",
            source=raw.source,
            rows=raw.locate(unread[:5]),
            total=len(unread),
        )
    if unread.size:
        faults.append((f"no time in {name} that can be read ({readable})", unread))
    odd = np.zeros(0, np.int64)
    if not parsed.bare:
        _read_dates_among(times, raw)
        others = (times >= _OTHER_YEARS[0]) & (times < _OTHER_YEARS[1])
        if others.any():
            faults.append((_OTHER_CALENDAR, np.flatnonzero(others)))
    else:
        times, odd, unit = _of_numbers(raw, options, parsed, faults, name)
    if raw.parts is not None and len(unread) + left_out.sum() < len(times):
        raw.parts.add_times(unit, raw.source)
    if times.min() < _EARLIEST:
        _tell_past(raw, times, name)
    if np.isfinite(options.now) and times.max() > options.now + _DAY:
        late = times > options.now + _DAY
        late[odd] = False
        faults += _late(times, late, options.now)
    return times


def _late(times: np.ndarray, late: np.ndarray, now: float) -> list[Fault]:
    """The fault of times in the future, if there are any (bool [n])."""
    if not late.any():
        return []
    latest = clock.spoken(float(times[late].max()))
    what = (
        f"a time in the future (as late as {latest}; now is {clock.spoken(now)}; check the unit"
        " (time_unit=) or now=)"
    )
    return [(what, np.flatnonzero(late))]


def _read_dates_among(times: np.ndarray, raw: Raw) -> None:
    """Read dates as numbers (yyyymmdd) among written ones, in place: as seconds they would all be
    of August 1970, and none at midnight.
    """
    among = (times >= 1900_01_01) & (times <= 2100_12_31) & (times % _DAY != 0)
    found = bare.dates_of(times[among]) if among.any() else None
    if found is not None:
        times[among] = found
        raw.notes.append("dates written as numbers (yyyymmdd) among the times; read as dates")


def _in_order(raw: Raw, parsed: clock.ParsedTimes, name: str) -> tuple[np.ndarray, str | None]:
    """Times whose order of day and month follows from the whole column, and which is first."""
    times, first = clock.ordered(parsed)
    if first == "":
        assert parsed.day_first is not None
        rows = np.flatnonzero((parsed.day_first > clock.AS_BEFORE) & (parsed.day_first != times))
        raise DataError(
            f"nothing in {name} shows whether the day or the month is first; give"
            " time_format='%d/%m/%Y' or time_format='%m/%d/%Y':",
            source=raw.source,
            rows=raw.locate(rows[:5]),
            total=len(rows),
        )
    if first:
        raw.notes.append(f"times in {name} have the {first} first, as some of them tell")
    return times, first


def _of_numbers(
    raw: Raw, options: Options, parsed: clock.ParsedTimes, faults: list[Fault], name: str
) -> tuple[np.ndarray, np.ndarray, str]:
    """Bare numbers as seconds, the rows of another unit than the others, and the unit."""
    times, unit = parsed.times, options.time_unit
    column = raw.columns.get("time", "")
    if unit is None:
        dated, weeks = is_dated(column), period_of(column) == "week"
        found = bare.counted(times, parsed.fraction, dated=dated, weeks=weeks)
        if found is not None:
            raw.notes.append(found.note)
            odd = np.flatnonzero((found.times == clock.MISSING) & (times != clock.MISSING))
            if odd.size:
                faults.append((found.fault, odd))
            return found.times, odd, found.unit
        if bare.of_other_calendar(times):
            faults.append((_OTHER_CALENDAR, np.flatnonzero(times != clock.MISSING)))
            return times, np.zeros(0, np.int64), _UNITS["s"]
        if dated:
            _refuse_backward_dates(raw, times, name)
    unit, odd = bare.unit_of(times, unit)
    if odd.size:
        faults.append(
            (f"a time of another unit than the {_UNITS[unit]} of the others (give time_unit=)", odd)
        )
    if unit != "s":
        raw.notes.append(f"times are {_UNITS[unit]}; converted to seconds")
    return bare.to_seconds(times, unit), odd, _UNITS[unit]


def _refuse_backward_dates(raw: Raw, times: np.ndarray, name: str) -> None:
    """Raise DataError if numbers may be dates whose day or month stands before the year: as seconds
    they would all be of 1970.
    """
    forms = bare.backward_dates(times)
    if forms:
        ways = " or ".join(f"time_format='{form}'" for form in forms)
        raise DataError(
            f"numbers in {name} such as {times[times != clock.MISSING][0]} may be dates; give"
            f" {ways}, or time_unit='s' if they are seconds:",
            source=raw.source,
            rows=raw.locate(np.arange(min(5, len(times)))),
            total=len(times),
        )


def _tell_past(raw: Raw, times: np.ndarray, name: str) -> None:
    """Note times before there was anything to log."""
    early = (times < _EARLIEST) & (times != clock.MISSING)
    early &= (times < _OTHER_YEARS[0]) | (times >= _OTHER_YEARS[1])
    count = int(early.sum())
    if not count:
        return
    first, last = (clock.spoken(float(t)) for t in (times[early].min(), times[early].max()))
    which = "times" if count == len(times) else f"{count:,} of {len(times):,} times"
    raw.notes.append(
        f"{which} in {name} lie between {first} and {last}; if that can't be, say what they are"
        " with time_unit= or time_format=, or leave them out with time=False"
    )
