"""How the texts of a column are written: the sign between the values of a list, the order of a
date. It is seen from all of them when features are fitted, and kept for new items."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Signs between values beside ``|`` and ``, ``, and what some dates have first; "read": nothing to
# tell.
_SIGNS, _DATES = (";", ",", "/"), ("day", "month", "read")
FORMS = ("", *_SIGNS, *_DATES)
_ENOUGH, _SHARE = 10, 0.9
_SECONDS = 86_400


def are_lists(strings: pa.Array, sign: str) -> bool:
    """Return whether texts are lists with a sign between values, few, short ones that repeat."""
    if len(strings) < _ENOUGH:
        return False
    parts = pc.list_flatten(pc.split_pattern(strings, sign))
    parts = pc.utf8_trim_whitespace(parts)
    often = len(parts) > 1.3 * len(strings) and pc.count_distinct(parts).as_py() < 0.3 * len(parts)
    return bool(often and pc.mean(pc.count_substring(parts, " ")).as_py() < 1)


def list_form(strings: pa.Array) -> str:
    """Return the sign between the values of texts that are lists; "" if they are none."""
    for sign in _SIGNS:
        if not are_lists(strings, sign):
            continue
        # Numbers and paths have commas and slashes too.
        parts = pc.list_flatten(pc.split_pattern(strings, sign))
        named = pc.mean(pc.match_substring_regex(parts, r"\pL").cast(pa.float64())).as_py()
        if sign == ";" or named > _SHARE:
            return sign
    return ""


def date_form(strings: pa.Array) -> str:
    """Return how texts that are dates are written: with the day or the month first, or as nothing
    has to tell; "" if they are none, or nothing tells which of both it is.
    """
    # What answers from a saved model loads no readers, unless it has such dates.
    from cofactor.data.readers.times import MISSING, ordered, seconds

    parsed = seconds(strings) if len(strings) else None
    if parsed is None or parsed.bare:
        return ""
    times, first = ordered(parsed)
    if first == "" or (times != MISSING).mean() <= _SHARE:
        return ""
    return first or "read"


def days_of(strings: pa.Array, form: str) -> np.ndarray:
    """Return the days since 1970 of dates of a form, float64 [n], NaN where there is none."""
    from cofactor.data.readers.times import AS_BEFORE, MISSING, seconds

    parsed = seconds(strings)
    times = parsed.times
    if form == "day" and parsed.day_first is not None:
        times = np.where(parsed.day_first != AS_BEFORE, parsed.day_first, times)
    bare = parsed.bare or (times == MISSING)
    return np.where(bare, np.nan, times / _SECONDS)
