"""Dates as seconds since 1970: by year, month and day, by the day of the year, by weeks."""

from __future__ import annotations

import re

import numpy as np

# Where there is no time.
MISSING = np.iinfo(np.int64).min
# Of no day of a year; a first week begins on day -2 at the earliest.
_NO_DAY = -3
# How many digits the parts of a date have, as `datetime.strptime` names them.
_DIGITS = {"%Y": 4, "%j": 3, **dict.fromkeys(("%y", "%m", "%d", "%H", "%I", "%M", "%S"), 2)}
_DIRECTIVE = re.compile("|".join(_DIGITS))


def of_calendar(
    year: np.ndarray,
    month: np.ndarray,
    day: np.ndarray,
    hours: np.ndarray | int = 0,
    minutes: np.ndarray | int = 0,
    secs: np.ndarray | int = 0,
) -> np.ndarray:
    """Return the seconds since 1970 of dates and times, `MISSING` where there is no such one."""
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    date = first.astype("M8[D]") + (day - 1)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (date.astype("M8[M]") == first)
    good &= np.less_equal(hours, 24) & np.less_equal(minutes, 59) & np.less_equal(secs, 60)
    total = date.astype(np.int64) * 86400 + hours * 3600 + minutes * 60 + secs
    return np.where(good, total, MISSING)


def of_day(year: np.ndarray, day: np.ndarray, *clock: np.ndarray) -> np.ndarray:
    """Return the seconds since 1970 of days counted from the first of a year (1), as
    `day_of_year` and `day_of_week_date` give them, and of times of day (hours, minutes, seconds) on
    them; `MISSING` where there is no such one.
    """
    ones = np.ones_like(year)
    first = of_calendar(year, ones, ones, *clock)
    return np.where((first != MISSING) & (day > _NO_DAY), first + (day - 1) * 86400, MISSING)


def day_of_year(year: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return the same day where the year has it (ISO 8601's ordinal dates)."""
    return np.where((day >= 1) & (day <= _length(year)), day, _NO_DAY)


def day_of_week_date(year: np.ndarray, week: np.ndarray, day: np.ndarray) -> np.ndarray:
    """Return the day of the year of a day (1 is Monday) of a week of ISO 8601, where the year has
    the week: one with its Thursday in that year.
    """
    fourth = (year - 1970).astype("M8[Y]").astype("M8[D]").astype(np.int64) + 3
    # 4 January is in the first week, and 1 January 1970 was a Thursday.
    thursday = 4 - (fourth + 3) % 7 + 7 * (week - 1) + 3
    return np.where((week >= 1) & (thursday <= _length(year)), thursday - 4 + day, _NO_DAY)


def _length(year: np.ndarray) -> np.ndarray:
    first = (year - 1970).astype("M8[Y]")
    return ((first + 1).astype("M8[D]") - first.astype("M8[D]")).astype(np.int64)


def digits_of(form: str) -> int:
    """Return how many digits dates of a form have (as `datetime.strptime` writes it), if they are
    nothing but digits; else 0.
    """
    parts = _DIRECTIVE.findall(form)
    return sum(_DIGITS[part] for part in parts) if "".join(parts) == form else 0
