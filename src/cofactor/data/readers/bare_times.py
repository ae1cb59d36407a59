"""Times that are bare numbers: dates without signs, days, ticks, and seconds of any unit."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.data.readers.calendar_days import (
    MISSING,
    day_of_week_date,
    day_of_year,
    of_calendar,
    of_day,
)
from cofactor.data.readers.times import UNITS

# Seconds of 1970..5138 lie below 10^11, milliseconds of 1973..5138 below 10^14, and so on by
# thousands.
_SECONDS_BELOW = 10**11
# Counts of days: what they count from, its first day of 1970, and which of them are looked for
# (1970 to 2100 as spreadsheets count; 1995 to 2040 since 1970, below those; 1995 to 2100 as
# astronomers count, whose days begin at noon).
_JULIAN, _SHEET = "Julian days", 25_569
_DAYS = (
    ("a spreadsheet's days (since 30 December 1899)", _SHEET, 25_569, 73_051),
    ("days since 1970", 0, 9_131, 25_569),
    (_JULIAN, 2_440_588, 2_449_718, 2_488_070),
)
# What makes a year, or a month, its first day as yyyymmddHHMMSS.
_FIRST_DAY = {4: 101_000_000, 6: 1_000_000}
_HOURS_FROM = 2001_01_01_00
# Where such counts begin, in seconds since 1970, and how many there are in a second.
_TICKS = {
    ".NET's ticks (100 ns since the year 1)": (-62_135_596_800, 10**7),
    "Windows' file times (100 ns since 1601)": (-11_644_473_600, 10**7),
    "a browser's microseconds since 1601": (-11_644_473_600, 10**6),
}


class Counted(NamedTuple):
    """Times that were bare numbers of something else than a unit of seconds.

    Parameters
    ----------
    times
        int64 [n] in seconds, `MISSING` where a number is none of them.
    unit
        What they count.
    note, fault
        What there is to say of all, and of those that are none.
    """

    times: np.ndarray
    unit: str
    note: str
    fault: str = ""


def counted(
    times: np.ndarray, fraction: np.ndarray | None, *, dated: bool, weeks: bool
) -> Counted | None:
    """Return bare numbers that are weeks (in a column named like those), dates, days or ticks as
    seconds; None if they are none of these. ``fraction`` and ``dated`` are as in `of_days`.
    """
    found = of_weeks(times) if weeks else None
    if found is not None:
        note = "times are weeks written as numbers (yyyyww); read as their Mondays"
        fault = "a week that its year doesn't have (ISO 8601, from 01)"
        return Counted(found, "weeks written as numbers", note, fault)
    found = dates_of(times, dated=dated)
    if found is not None:
        note = "times are dates written as numbers (yyyymmdd ...); read as dates"
        fault = "a time that isn't a date as the others are (yyyymmdd ...)"
        return Counted(found, "dates written as numbers", note, fault)
    return of_days(times, fraction, dated=dated) or of_ticks(times)


def _in_seconds(times: np.ndarray, seconds: np.ndarray, unit: str) -> Counted:
    known = np.where(times == MISSING, MISSING, seconds)
    return Counted(known, unit, f"times are {unit}; converted to seconds")


def dates_of(times: np.ndarray, *, dated: bool = False) -> np.ndarray | None:
    """Return bare numbers most of which are dates (yyyy, yyyymm, yyyyddd, yyyymmdd, yyyymmddHHMM,
    yyyymmddHHMMSS, yyyymmddHH) as seconds, `MISSING` where one is none; None if most aren't.
    """
    # A thousand of them tell how many digits they have; mostly it isn't a date's number.
    some = times[:: max(1, len(times) // 1000)]
    some = some[some != MISSING]
    digits = len(str(int(np.median(some)))) if some.size else 0
    if digits not in (4, 6, 7, 8, 10, 12, 14):
        return None
    known = times[times != MISSING]
    # As seconds yyyymmddHH would be of 2033 and later.
    hours = digits == 10 and not dated
    if hours and known.min() < _HOURS_FROM:
        return None
    low, high = (year * 10 ** (digits - 4) for year in (1900 if digits != 10 else 2000, 2101))
    inside = (times >= low) & (times < high)
    if 2 * inside.sum() <= len(known):
        return None
    within = np.where(inside, times, low)
    total = _days_of_years(within) if digits == 7 else _written(within, digits)
    total = np.where(inside, total, MISSING)
    found = int((total != MISSING).sum())
    # A few digits less might count anything.
    strictly = digits == 7 or hours
    return total if 2 * found > len(known) and (found == len(known) or not strictly) else None


def of_weeks(times: np.ndarray) -> np.ndarray | None:
    """Return bare numbers that are all weeks of ISO 8601 (yyyyww) as the seconds at which their
    Mondays begin, `MISSING` where the year doesn't have that week; None if they aren't.
    """
    known = times != MISSING
    year, week = np.divmod(np.where(known, times, 1970_01), 100)
    if not known.any() or year.min() < 1900 or year.max() > 2100 or week.max() > 53:
        return None
    found = of_day(year, day_of_week_date(year, week, np.ones_like(year)))
    return np.where(known, found, MISSING)


def of_other_calendar(times: np.ndarray) -> bool:
    """Return whether bare numbers may all be dates (yyyymmdd) of a calendar that counts years as
    the Persian and the Islamic one do: as seconds they would all be of half a year.
    """
    known = times[times != MISSING]
    if not known.size or known.min() < 1300_01_01 or known.max() > 1500_12_31:
        return False
    month, day = known // 100 % 100, known % 100
    return bool(((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all())


def backward_dates(times: np.ndarray) -> tuple[str, ...]:
    """Return how bare numbers may all be dates with the year of two digits or at the end, as
    `datetime.strptime` writes it; () if they can't be.
    """
    known = times[times != MISSING]
    if not known.size or known.min() < 10_100 or known.max() >= 10**8:
        return ()
    first, second, last = known // 10**6, known // 10**4 % 100, known % 10**4
    ways = {"%d%m%Y": (last, second, first), "%m%d%Y": (last, first, second)}
    if known.max() < 10**6:
        first, second, last = known // 10**4, known // 100 % 100, known % 100
        ways = {
            "%y%m%d": (2000 + first, second, last),
            "%d%m%y": (2000 + last, second, first),
            "%m%d%y": (2000 + last, first, second),
        }
    return tuple(form for form, parts in ways.items() if _are_days(*parts))


def _are_days(year: np.ndarray, month: np.ndarray, day: np.ndarray) -> bool:
    found = of_calendar(year, month, day)
    return bool(((found != MISSING) & (year >= 1900) & (year <= 2100)).all())


def _days_of_years(times: np.ndarray) -> np.ndarray:
    """yyyyddd as seconds."""
    year, day = np.divmod(times, 1000)
    return of_day(year, day_of_year(year, day))


def _written(times: np.ndarray, digits: int) -> np.ndarray:
    """yyyymmddHHMMSS, of which the last digits may be missing, as seconds."""
    rest = times * 10 ** (14 - digits) + _FIRST_DAY.get(digits, 0)
    parts = []
    for _ in range(5):
        rest, part = np.divmod(rest, 100)
        parts.append(part)
    return of_calendar(rest, *reversed(parts))


def of_days(times: np.ndarray, fraction: np.ndarray | None, *, dated: bool) -> Counted | None:
    """Return bare numbers that are all Julian days, or in a column named like dates (``dated``) or
    with whole seconds behind the point a spreadsheet's, or in such a column days since 1970, as
    seconds; None if they aren't.

    Parameters
    ----------
    times
        int64 [n]: the whole days.
    fraction
        float64 [n]: what of a day stands behind the point; None if nothing does.
    """
    known = times[times != MISSING]
    for unit, first, low, high in _DAYS:
        if known.size and low <= known.min() and known.max() < high:
            sheet = first == _SHEET and fraction is not None and _are_seconds(fraction)
            if not (dated or sheet or unit == _JULIAN):
                return None
            within = np.zeros(len(times)) if fraction is None else fraction
            # A whole Julian day is the one whose noon it is.
            late = 0.5 if unit == _JULIAN and fraction is not None else 0.0
            passed = np.rint((within + late) * 86400).astype(np.int64)
            days = (np.where(times == MISSING, 0, times) - first) * 86400
            return _in_seconds(times, days + passed, unit)
    return None


def _are_seconds(fraction: np.ndarray) -> bool:
    """Whether parts of days, of several rows, are whole seconds, which those of seconds aren't."""
    passed = fraction * 86400
    return len(np.unique(passed)) > 2 and bool((np.abs(passed - np.rint(passed)) < 0.05).all())


def of_ticks(times: np.ndarray) -> Counted | None:
    """Return bare numbers that are all counts of `_TICKS` (of 2000 to 2100) as seconds; None if
    they aren't. As nano- or microseconds since 1970 they would be of 1974, 1990 or 2370 and later.
    """
    known = times[times != MISSING]
    if not known.size:
        return None
    for unit, (since, each) in _TICKS.items():
        low, high = ((second - since) * each for second in (946_684_800, 4_102_444_800))
        if low <= known.min() and known.max() < high:
            return _in_seconds(times, times // each + since, unit)
    return None


def unit_of(times: np.ndarray, given: str | None) -> tuple[str, np.ndarray]:
    """Return the unit of bare numbers, by their size, and the positions that don't fit it
    (int64, mostly none).

    The unit of the greater number of times is the unit; times that would need another are the ones
    that don't fit."""
    if given is not None:
        return given, np.zeros(0, np.int64)
    # Nearly always all of them are seconds, which two passes without any copy tell.
    if not times.size or (times.max() < _SECONDS_BELOW and times.min() > -_SECONDS_BELOW):
        return "s", np.zeros(0, np.int64)
    known = times != MISSING
    size = np.abs(times, where=known, out=np.zeros_like(times))
    bounds = np.array([_SECONDS_BELOW * factor for factor in (1, 10**3, 10**6)])
    scale = np.searchsorted(bounds, size, side="right")
    # Before 1970 even few units of a finer one are likelier than many of a coarser one.
    sure = known & ((times >= 0) | (scale > 0))
    counts = np.bincount(scale[sure if sure.any() else known], minlength=4)
    unit = int(np.argmax(counts))
    fits = (scale == unit) | ((times < 0) & (scale < unit))
    return tuple(UNITS)[unit], np.flatnonzero(~fits & known)


def to_seconds(times: np.ndarray, unit: str) -> np.ndarray:
    """Return bare numbers of a unit as seconds, rounded down; `MISSING` stays."""
    if unit == "s":
        return times
    return np.where(times == MISSING, MISSING, times // UNITS[unit])
