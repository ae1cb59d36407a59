"""Moments: points in time as people write them, and as int64 seconds since 1970 (UTC)."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError

# Seconds of 1970 to 5138 lie below; what is greater counts milliseconds or less.
SECONDS_BELOW = 10**11


def seconds(moment: Any, name: str) -> int:
    """Return a moment as whole seconds since 1970 (UTC).

    Parameters
    ----------
    moment
        Seconds since 1970, a `datetime` or `date`, a NumPy datetime64, or ISO text such as
        ``"2015-03-31"`` or ``"2015-03-31T12:00:00+02:00"``. What has no time zone is UTC.
    name
        The argument's name, for the message.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if isinstance(moment, np.datetime64) and not np.isnat(moment):
        return int(moment.astype("datetime64[s]").astype(np.int64))
    if isinstance(moment, (int, float, np.integer, np.floating)) and not isinstance(moment, bool):
        return _of_number(moment, name)
    if type(moment).__name__ == "NaTType":
        raise _bad(moment, name)
    if isinstance(moment, str):
        try:
            moment = datetime.datetime.fromisoformat(moment.strip())
        except ValueError:
            raise _bad(moment, name) from None
    if isinstance(moment, datetime.date) and not isinstance(moment, datetime.datetime):
        moment = datetime.datetime(moment.year, moment.month, moment.day)
    if isinstance(moment, datetime.datetime):
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=datetime.UTC)
        return int(zoned.timestamp() // 1)
    raise _bad(moment, name)


def _of_number(moment: Any, name: str) -> int:
    """Whole seconds; no dates without signs and no milliseconds."""
    if moment != moment or abs(moment) == float("inf") or moment != int(moment):
        raise _bad(moment, name)
    second = int(moment)
    if abs(second) >= SECONDS_BELOW:
        raise ArgumentError(
            f"{name} must be seconds since 1970, and {second} is too large for them; divide"
            " milliseconds by 1,000 (microseconds by 1,000,000)."
        )
    if is_written_date(second):
        raise ArgumentError(
            f"{name}={second} is written like a date, and as seconds would be in 1970; write"
            f" '{second // 10_000}-{second // 100 % 100:02}-{second % 100:02}'."
        )
    return second


def is_written_date(second: int) -> bool:
    """Return whether a number is a date of 1900 to 2100 without signs (yyyymmdd), which is hardly
    a second of August 1970.
    """
    month, day = second // 100 % 100, second % 100
    return 19_000_000 <= second < 21_010_000 and 1 <= month <= 12 and 1 <= day <= 31


def are_written_dates(seconds: np.ndarray) -> bool:
    """Return whether there are times, all of them written like dates (see `is_written_date`)."""
    if not len(seconds) or seconds.min() < 19_000_000 or seconds.max() >= 21_010_000:
        return False
    return all(map(is_written_date, np.unique(seconds).tolist()))


def text(moment: int) -> str:
    """Return seconds since 1970 as readable UTC; the number itself where the calendar doesn't
    reach.
    """
    try:
        return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).strftime(
            "%Y-%m-%d %H:%M:%S UTC"
        )
    except (OverflowError, OSError, ValueError):
        return f"second {moment}"


def _bad(moment: Any, name: str) -> ArgumentError:
    wanted = "seconds since 1970, a datetime, or ISO text like '2015-03-31'"
    return ArgumentError(f"{name} must be {wanted}, not {moment!r}.")
