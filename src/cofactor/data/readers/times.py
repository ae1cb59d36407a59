"""Times of any writing as int64 seconds since 1970 (UTC)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArgumentError
from cofactor.data.arrow import coded, is_text_type, one_array
from cofactor.data.histories import picked
from cofactor.data.readers import calendar_days
from cofactor.data.readers.calendar_days import day_of_week_date, day_of_year, of_calendar, of_day
from cofactor.data.readers.month_names import MONTHS, ZONES
from cofactor.data.readers.time_forms import FORMS, UNORDERED, in_usual_form, unwrapped

MISSING = calendar_days.MISSING
# In `ParsedTimes.day_first`: not written with two numbers before the year.
AS_BEFORE = MISSING + 1
UNITS: Mapping[str, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FEW = 64
# No count of days that is in use is as large.
_DAYS_BELOW = 10**7


class ParsedTimes(NamedTuple):
    """Times of a column.

    Parameters
    ----------
    times
        int64 [n], `MISSING` where there is none that can be read. Bare numbers are as they came, in
        a unit not yet known (`unit_of`); dates and texts are seconds.
    bare
        Whether they are bare numbers.
    day_first
        int64 [n] or None: the same where ``1/5/2019`` is read with the day first (in ``times`` the
        month is first).
    fraction
        float64 [n] or None: what bare numbers have behind the point, where all are as small as
        counts of days.
    """

    times: np.ndarray
    bare: bool
    day_first: np.ndarray | None = None
    fraction: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> ParsedTimes:
        """Return the times of some rows, in their order."""
        more = picked(self.day_first, rows), picked(self.fraction, rows)
        return ParsedTimes(self.times[rows], self.bare, *more)


def joined(parts: Sequence[ParsedTimes]) -> ParsedTimes | None:
    """Return the times of several parts as one; None if there are no parts."""
    if len(parts) < 2:
        return parts[0] if parts else None
    more: list[np.ndarray | None] = []
    for name, absent in (("day_first", AS_BEFORE), ("fraction", 0.0)):
        held = [getattr(part, name) for part in parts]
        filled = (
            np.full(len(part.times), absent) if one is None else one
            for part, one in zip(parts, held, strict=True)
        )
        more.append(None if all(one is None for one in held) else np.concatenate(list(filled)))
    whole = np.concatenate([part.times for part in parts])
    return ParsedTimes(whole, all(part.bare for part in parts), *more)


def seconds(column: pa.ChunkedArray | pa.Array, form: str | None = None) -> ParsedTimes:
    """Return a column's times; ``form`` is how texts are written (as for `datetime.strptime`), None
    to tell it.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        words, codes = coded(column)
        if column.null_count:
            words = pa.concat_arrays([words, pa.nulls(1, words.type)])
        return seconds(words, form).take(codes)
    if form is not None and not pa.types.is_temporal(kind):
        # Numbers lose their zeros at the beginning: 01112024.
        texts = pc.utf8_lpad(column.cast(pa.string()), calendar_days.digits_of(form), "0")
        return ParsedTimes(_by_form(texts, form), False)
    if pa.types.is_timestamp(kind):
        # Arrow's count from 1970 in UTC, with a zone for display or without one (taken as UTC).
        return ParsedTimes(
            _filled(pc.divide(_floored(column.cast(pa.int64()), UNITS[kind.unit]), 1)), False
        )
    if pa.types.is_date(kind):
        return ParsedTimes(_filled(column.cast(pa.timestamp("s")).cast(pa.int64())), False)
    if pa.types.is_uint64(kind):
        return ParsedTimes(_floats(np.asarray(column.fill_null(2**63), np.float64)), True)
    if pa.types.is_integer(kind):
        return ParsedTimes(_filled(column.cast(pa.int64())), True)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = np.asarray(column.cast(pa.float64()).fill_null(np.nan), np.float64)
        return ParsedTimes(_floats(numbers), True, fraction=_fraction(numbers))
    if pa.types.is_null(kind):
        return ParsedTimes(np.full(len(column), MISSING), True)
    if not is_text_type(kind):
        return ParsedTimes(np.full(len(column), MISSING), False)
    return _texts(column.cast(pa.string()))


def ordered(parsed: ParsedTimes) -> tuple[np.ndarray, str | None]:
    """Return times where the order of day and month is settled, and how: ``"day"`` or ``"month"``
    is first, ``""`` if nothing tells, None if there was nothing to settle.
    """
    times, day_first = parsed.times, parsed.day_first
    if day_first is None:
        return times, None
    month_ok, day_ok = times != MISSING, day_first > AS_BEFORE
    # What isn't written this way is in `times` alone, marked by `AS_BEFORE` in the other.
    written = day_first != AS_BEFORE
    only_month = int((written & month_ok & ~day_ok).sum())
    only_day = int((written & day_ok & ~month_ok).sum())
    as_day = np.where(written, day_first, times)
    if only_day > only_month:
        return as_day, "day"
    if only_month:
        return times, "month"
    return (times, None) if (as_day == times).all() else (times, "")


def spoken(second: float) -> str:
    """Return a second since 1970 as a UTC date and time, for messages."""
    try:
        return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"second {second:.0f}"


def _floored(column: pa.ChunkedArray, factor: int) -> pa.ChunkedArray:
    if factor == 1:
        return column
    # Arrow's integer division cuts towards zero; times before 1970 have to go down.
    numbers = np.asarray(column.fill_null(MISSING))
    return pa.array(np.where(numbers == MISSING, MISSING, numbers // factor))


def _filled(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    whole = column.fill_null(MISSING) if column.null_count else column
    return np.ascontiguousarray(np.asarray(whole), np.int64)


def _fraction(numbers: np.ndarray) -> np.ndarray | None:
    """What stands behind the points of numbers that may count days; None of others, or if nothing
    does.
    """
    held = numbers[np.isfinite(numbers)]
    if not held.size or held.min() < 0 or held.max() >= _DAYS_BELOW:
        return None
    part = np.where(np.isfinite(numbers), numbers - np.floor(numbers), 0.0)
    return part if part.any() else None


def _floats(numbers: np.ndarray) -> np.ndarray:
    fits = np.isfinite(numbers) & (np.abs(numbers) < 2.0**62)
    return np.where(fits, np.floor(np.where(fits, numbers, 0.0)).astype(np.int64), MISSING)


def _by_form(column: pa.ChunkedArray | pa.Array, form: str) -> np.ndarray:
    """Texts of one form, each different one once; without a zone they are UTC."""
    words, codes = coded(column)
    try:
        datetime.strptime(datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).strftime(form), form)
    except (ValueError, re.error) as error:  # `%Y%Y` is a faulty pattern of `re`
        raise ArgumentError(
            f"time_format must be written as for strptime, such as '%d/%m/%Y %H:%M', not {form!r}"
            f" ({error})."
        ) from None

    def moment(text: str) -> int:
        try:
            found = datetime.strptime(text.strip(), form)
            return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() // 1)
        except (ValueError, OverflowError):
            return MISSING

    return np.array([moment(text) for text in words.to_pylist()] + [MISSING], np.int64)[codes]


def _texts(column: pa.ChunkedArray | pa.Array) -> ParsedTimes:
    texts = unwrapped(one_array(column))
    read = _of_forms(texts)
    none = read.times == MISSING
    if read.day_first is not None:
        none &= read.day_first <= AS_BEFORE
    unread = pa.array(none)
    other = in_usual_form(texts.filter(unread)) if none.any() else None
    return read if other is None else _of_forms(pc.replace_with_mask(texts, unread, other))


def _of_forms(texts: pa.Array) -> ParsedTimes:
    """The times of texts that are numbers or of one of the usual forms."""
    found = np.full(len(texts), MISSING)
    numeric, fraction = _numbers(texts, found)
    numeric = numeric | _scientific(texts, found)
    todo = np.flatnonzero(~numeric)
    some = texts.take(pa.array(todo)) if 0 < todo.size <= _FEW else None
    words = None if some is None else dict(zip(todo.tolist(), some.to_pylist(), strict=True))
    for form in FORMS:
        if not todo.size:
            break
        todo = _read_form(texts, words, form, found, todo)
    day_first = None
    if todo.size:
        before = todo
        todo = _read_form(texts, words, UNORDERED, found, todo)
        swapped = UNORDERED.replace("<m>", "<x>").replace("<d>", "<m>").replace("<x>", "<d>")
        other = np.full(len(texts), AS_BEFORE)
        other[before] = MISSING
        left = _read_form(texts, words, swapped, other, before)
        if len(left) < len(before):
            other[left] = np.where(found[left] == MISSING, AS_BEFORE, MISSING)
            day_first = other
    read = (found != MISSING) | (False if day_first is None else day_first > AS_BEFORE)
    all_bare = bool(numeric.any()) and bool((numeric | ~read).all())
    return ParsedTimes(found, all_bare, day_first, fraction if all_bare else None)


def _read_form(
    texts: pa.Array,
    words: Mapping[int, str | None] | None,
    form: str,
    found: np.ndarray,
    todo: np.ndarray,
) -> np.ndarray:
    """Read the texts at ``todo`` that fit a form into ``found``; the positions of the others.
    ``words`` are the texts by their positions, if they are few.
    """
    if words is None:
        groups = pc.extract_regex(texts.take(pa.array(todo)), form)
        hit = np.asarray(groups.is_valid())
        held = groups.filter(pa.array(hit)) if hit.any() else None
    else:
        # Arrow compiles a form at each call, which takes longer than looking at few texts.
        fits = [_compiled(form).match(words[n] or "") for n in todo.tolist()]
        hit = np.array([fit is not None for fit in fits])
        rows = [fit.groupdict("") for fit in fits if fit is not None]
        held = (
            pa.StructArray.from_arrays(
                [pa.array([row[name] for row in rows], pa.string()) for name in rows[0]], [*rows[0]]
            )
            if rows
            else None
        )
    if held is None:
        return todo
    found[todo[hit]] = _from_fields(held)
    return todo[~hit]


@cache
def _compiled(form: str) -> re.Pattern[str]:
    return re.compile(form, re.ASCII)


def _numbers(texts: pa.Array, found: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Read numbers into ``found``; where they are, and their `_fraction`."""
    # Nanoseconds of today have nineteen digits.
    bare = pc.match_substring_regex(texts, r"^-?(\d{1,18}|[1-8]\d{18})(\.\d*)?$").fill_null(False)
    numeric = np.asarray(bare)
    if not numeric.any():
        return numeric, None
    written = texts.filter(bare)
    whole = pc.replace_substring_regex(written, r"\..*$", "")
    found[numeric] = np.asarray(whole.cast(pa.int64()))
    if not pc.any(pc.match_substring(written, ".")).as_py():
        return numeric, None
    numbers = np.full(len(texts), np.nan)
    numbers[numeric] = np.asarray(pc.utf8_rtrim(written, ".").cast(pa.float64()))
    return numeric, _fraction(numbers)


def _scientific(texts: pa.Array, found: np.ndarray) -> np.ndarray:
    """Read numbers such as ``1.5e9`` into ``found``; where they are."""
    some = np.asarray(
        pc.match_substring_regex(texts, r"^\d+(\.\d+)?[eE]\+?\d{1,2}$").fill_null(False)
    )
    if some.any():
        found[some] = _floats(np.asarray(texts.filter(pa.array(some)).cast(pa.float64())))
    return some


def _from_fields(fields: pa.StructArray) -> np.ndarray:
    names = {fields.type.field(n).name: n for n in range(fields.type.num_fields)}

    def number(name: str) -> np.ndarray:
        if name not in names:
            return np.zeros(len(fields), np.int64)
        text = fields.field(names[name])
        absent = "1" if name in "dk" else "0"
        if len(text) <= _FEW:
            return np.array([int(digits or absent) for digits in text.to_pylist()], np.int64)
        return np.asarray(pc.if_else(pc.equal(text, ""), absent, text).cast(pa.int64()))

    if names.keys() & {"b", "n"}:
        word = pc.utf8_lower(fields.field(names.get("b", names.get("n"))))
        place = pc.index_in(word, value_set=pa.array(list(MONTHS)))
        month = np.array([*MONTHS.values(), 0])[np.asarray(place.fill_null(-1))]
    else:
        month = number("m")
    hours = number("H")
    if "p" in names:
        half = pc.utf8_lower(fields.field(names["p"]))
        marked = np.asarray(pc.not_equal(half, ""))
        hours = np.where(marked & ((hours < 1) | (hours > 12)), 99, hours)
        hours = np.where(marked & (hours < 13), hours % 12, hours)
        hours = hours + 12 * np.asarray(pc.equal(half, "p"))
    clocks = hours, number("M"), number("S")
    if "j" in names:
        total = of_day(number("y"), day_of_year(*map(number, "yj")), *clocks)
    elif "w" in names:
        total = of_day(number("y"), day_of_week_date(*map(number, "ywk")), *clocks)
    else:
        total = of_calendar(number("y"), month, number("d"), *clocks)
    if "zone" in names:
        shift = _offsets(fields.field(names["zone"]))
        total = np.where(total == MISSING, MISSING, total - shift)
    return total


def _offsets(zones: pa.Array) -> np.ndarray:
    """The seconds that zones such as ``-0700`` are ahead of UTC."""
    names, codes = coded(zones)
    return np.array([_offset(zone) for zone in names.to_pylist()] + [0], np.int64)[codes]


def _offset(zone: str) -> int:
    if zone in ZONES:
        return 3600 * ZONES[zone]
    signed = zone.lstrip("GMTUC").replace(":", "")
    hours, minutes = (signed, "0") if len(signed) < 4 else (signed[:-2], signed[-2:])
    ahead = abs(int(hours)) * 3600 + int(minutes) * 60
    return -ahead if signed[0] == "-" else ahead
