"""Times of any writing as int64 seconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError

MISSING = np.iinfo(np.int64).min
UNITS: Mapping[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
# Seconds of 1970..5138 lie below 10^11, milliseconds of 1973..5138 below 10^14, and so on by
# thousands.
_SECONDS_BELOW = 10**11
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d+)?)?"
_OFFSET = r"(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})"
# Vectorised by Arrow's regular expressions; the first that fits counts. Day/month order is never
# guessed.
_FORMS = (
    rf"^(?P<y>\d{{4}})-(?P<m>\d{{1,2}})-(?P<d>\d{{1,2}})(?:[T ]{_CLOCK} ?{_OFFSET}?)?$",
    rf"^\w{{3}} (?P<b>[A-Za-z]{{3}}) +(?P<d>\d{{1,2}}) {_CLOCK} (?:{_OFFSET} )?(?P<y>\d{{4}})$",
    r"^(?P<m>\d{1,2}) (?P<d>\d{1,2}), (?P<y>\d{4})$",
    (
        r"^(?:\w{3}, )?(?P<d>\d{1,2})[ -](?P<b>[A-Za-z]{3})[a-z]*[ -](?P<y>\d{4})(?:"
        rf" {_CLOCK} ?{_OFFSET}?)?$"
    ),
    (
        rf"^(?P<b>[A-Za-z]{{3}})[a-z]*\.? (?P<d>\d{{1,2}}), (?P<y>\d{{4}})(?:,? {_CLOCK}"
        rf" ?{_OFFSET}?)?$"
    ),
    rf"^(?P<y>\d{{4}})/(?P<m>\d{{1,2}})/(?P<d>\d{{1,2}})(?: {_CLOCK})?$",
    (
        r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})T(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?"
        rf" ?{_OFFSET}?$"
    ),
)


def seconds(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, bool]:
    """Return a column's times as int64, `MISSING` where there is none that can be read, and whether
    they are bare numbers.

    Bare numbers come back as they are, in a unit still to be told (`unit_of`); dates and texts come
    back in seconds."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        # Arrow's timestamps count from 1970 in UTC, with a zone for display or without one (taken
        # as UTC).
        return _filled(pc.divide(_floored(column.cast(pa.int64()), UNITS[kind.unit]), 1)), False
    if pa.types.is_date(kind):
        return _filled(column.cast(pa.timestamp("s")).cast(pa.int64())), False
    if pa.types.is_integer(kind):
        return _filled(column.cast(pa.int64())), True
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = np.asarray(column.cast(pa.float64()).fill_null(np.nan), np.float64)
        return _floats(numbers), True
    if pa.types.is_dictionary(kind):
        plain = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        values, bare = seconds(plain.dictionary)
        codes = np.asarray(plain.indices.fill_null(len(values)))
        return np.append(values, MISSING)[codes], bare
    if pa.types.is_null(kind):
        return np.full(len(column), MISSING), True
    return _texts(column.cast(pa.string()))


def unit_of(times: np.ndarray, asked: str | None) -> tuple[str, np.ndarray]:
    """Return the unit of bare numbers, told by their size, and the positions that don't fit it
    (int64, mostly none).

    The unit of the greater number of times is the unit; times that would need another are the ones
    that don't fit."""
    if asked is not None:
        return asked, np.zeros(0, np.int64)
    # Nearly always all of them are seconds, which two passes without any copy tell.
    if not times.size or (times.max() < _SECONDS_BELOW and times.min() > -_SECONDS_BELOW):
        return "s", np.zeros(0, np.int64)
    known = times != MISSING
    size = np.abs(times, where=known, out=np.zeros_like(times))
    bounds = np.array([_SECONDS_BELOW * factor for factor in (1, 10**3, 10**6)])
    scale = np.searchsorted(bounds, size, side="right")
    counts = np.bincount(scale[known], minlength=4)
    unit = int(np.argmax(counts))
    return tuple(UNITS)[unit], np.flatnonzero((scale != unit) & known)


def to_seconds(times: np.ndarray, unit: str) -> np.ndarray:
    """Return bare numbers of a unit as seconds, rounded down; `MISSING` stays."""
    if unit == "s":
        return times
    return np.where(times == MISSING, MISSING, times // UNITS[unit])


def spoken(second: float) -> str:
    """Return a second since 1970 as a UTC date and time, for messages."""
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {second:.0f}"


def checked_unit(unit: str | None, source: str) -> str | None:
    """Return a unit of `UNITS` or None; raise DataError for another."""
    if unit is not None and unit not in UNITS:
        raise DataError(
            f"time_unit must be one of {', '.join(map(repr, UNITS))}, not {unit!r}.", source=source
        )
    return unit


def _floored(column: pa.ChunkedArray, factor: int) -> pa.ChunkedArray:
    if factor == 1:
        return column
    # Arrow's integer division cuts towards zero; times before 1970 have to go down.
    numbers = np.asarray(column.fill_null(MISSING))
    return pa.array(np.where(numbers == MISSING, MISSING, numbers // factor))


def _filled(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(column.fill_null(MISSING)), np.int64)


def _floats(numbers: np.ndarray) -> np.ndarray:
    fits = np.isfinite(numbers) & (np.abs(numbers) < 2.0**62)
    return np.where(fits, np.floor(np.where(fits, numbers, 0.0)).astype(np.int64), MISSING)


def _texts(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, bool]:
    texts = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    texts = pc.utf8_trim_whitespace(texts)
    bare = pc.match_substring_regex(texts, r"^-?\d{1,18}(\.\d*)?$").fill_null(False)
    found = np.full(len(texts), MISSING)
    numeric = np.asarray(bare)
    if numeric.any():
        whole = pc.replace_substring_regex(texts.filter(bare), r"\..*$", "")
        found[numeric] = np.asarray(whole.cast(pa.int64()))
    todo = np.flatnonzero(~numeric)
    for form in _FORMS:
        if not todo.size:
            break
        fields = pc.extract_regex(texts.take(pa.array(todo)), form)
        hit = np.asarray(fields.is_valid())
        if hit.any():
            found[todo[hit]] = _from_fields(fields.filter(pa.array(hit)))
            todo = todo[~hit]
    return found, bool(numeric.any()) and bool((numeric | (found == MISSING)).all())


def _from_fields(fields: pa.StructArray) -> np.ndarray:
    names = {fields.type.field(n).name: n for n in range(fields.type.num_fields)}

    def number(name: str) -> np.ndarray:
        if name not in names:
            return np.zeros(len(fields), np.int64)
        text = fields.field(names[name])
        return np.asarray(pc.if_else(pc.equal(text, ""), "0", text).cast(pa.int64()))

    year, day = number("y"), number("d")
    if "b" in names:
        named = pc.index_in(pc.utf8_lower(fields.field(names["b"])), value_set=pa.array(_MONTHS))
        month = np.asarray(named.fill_null(-1)).astype(np.int64) + 1
    else:
        month = number("m")
    hours, minutes, secs = number("H"), number("M"), number("S")
    first = ((year - 1970) * 12 + month - 1).astype("M8[M]")
    date = first.astype("M8[D]") + (day - 1)
    good = (month >= 1) & (month <= 12) & (day >= 1) & (date.astype("M8[M]") == first)
    good &= (hours <= 24) & (minutes <= 59) & (secs <= 60)
    total = date.astype(np.int64) * 86400 + hours * 3600 + minutes * 60 + secs
    if "zone" in names:
        total = total - _offsets(fields.field(names["zone"]))
    return np.where(good, total, MISSING)


def _offsets(zones: pa.Array) -> np.ndarray:
    """The seconds that zones such as ``-0700`` are ahead of UTC."""
    coded = pc.dictionary_encode(zones)
    table = np.array([_offset(zone) for zone in coded.dictionary.to_pylist()], np.int64)
    return table[np.asarray(coded.indices)] if len(table) else np.zeros(len(zones), np.int64)


def _offset(zone: str) -> int:
    if zone in ("", "Z", "UTC", "GMT"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    ahead = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -ahead if zone[0] == "-" else ahead
