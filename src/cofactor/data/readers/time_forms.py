"""How times are written as texts: the forms that are read, and what others are rewritten to."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.readers.month_names import ZONES

_ENGLISH = "(?:uary|ruary|ch|il|e|y|ust|t|tember|ober|ember)?"
_CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,]\d+)?)?(?: ?(?P<p>[AaPp])\.?[Mm]\.?)?"
# Java writes [Europe/Berlin] behind it.
_NAMED = "|".join(sorted(filter(None, ZONES), key=len, reverse=True))
_SHIFT = r"(?:GMT|UTC)[+-]\d{1,2}(?::?\d{2})?|[+-]\d{2}:?\d{2}|[+-]\d{2}"
_OFFSET = rf"(?:(?P<zone>{_NAMED}|{_SHIFT})(?:\[[\w/+-]+\])?)"
# A month in any language, and what may stand behind the year. (Python's \s has \v, Arrow's not.)
_WORD, _WEEKDAY = r"(?P<n>[^\d\s\x0b.,]{3,12})\.?,?", r"(?:[^\d\s\x0b,.]{2,12}[.,]{0,2} )?"
_TIMED = rf"(?:,? (?:um |at |à |a las |alle |kl\.? ?)?{_CLOCK} ?(?:Uhr|h|{_OFFSET})?)?"
# Two numbers before the year: which of them is the day, only the whole column can tell.
UNORDERED = (
    rf"^(?P<m>\d{{1,2}})[/-](?P<d>\d{{1,2}})[/-](?P<y>\d{{4}})(?:,?[T ]{_CLOCK} ?{_OFFSET}?)?$"
)
# Vectorised by Arrow's regular expressions; the first that fits counts.
FORMS = (
    rf"^(?P<y>\d{{4}})-(?P<m>\d{{1,2}})(?:-(?P<d>\d{{1,2}})(?:[Tt ]{_CLOCK} ?{_OFFSET}?)?)?$",
    rf"^\w{{3}} (?P<b>[A-Za-z]{{3}}) +(?P<d>\d{{1,2}}) {_CLOCK} (?:{_OFFSET} )?(?P<y>\d{{4}})$",
    # JavaScript's Date, written as text.
    (
        rf"^\w{{3}} (?P<b>[A-Za-z]{{3}}) (?P<d>\d{{1,2}}) (?P<y>\d{{4}}) {_CLOCK}"
        rf" GMT{_OFFSET}(?: \(.*\))?$"
    ),
    # Logs of web servers.
    rf"^\[?(?P<d>\d{{1,2}})/(?P<b>[A-Za-z]{{3}})/(?P<y>\d{{4}}):{_CLOCK} ?{_OFFSET}?\]?$",
    r"^(?P<m>\d{1,2}) (?P<d>\d{1,2}), (?P<y>\d{4})$",
    (
        rf"^(?:\w{{3}}, )?(?P<d>\d{{1,2}})[ -](?P<b>[A-Za-z]{{3}}){_ENGLISH}[ -](?P<y>\d{{4}})(?:"
        rf" {_CLOCK} ?{_OFFSET}?)?$"
    ),
    (
        r"^(?:\w{6,9}, )?"
        rf"(?P<b>[A-Za-z]{{3}}){_ENGLISH}\.?(?: +|-)(?P<d>\d{{1,2}})(?:,? |-)(?P<y>\d{{4}})"
        rf"(?:,?(?: at| @)? +{_CLOCK} ?{_OFFSET}?)?$"
    ),
    (
        rf"^(?P<y>\d{{4}})[/.年] ?(?P<m>\d{{1,2}})[/.月] ?(?P<d>\d{{1,2}})[日.]?"
        rf"(?:[T ]{_CLOCK} ?{_OFFSET}?)?$"
    ),
    # ISO 8601's days of the year, and weeks, which without a day begin on Monday.
    rf"^(?P<y>\d{{4}})-(?P<j>\d{{3}})(?:[Tt ]{_CLOCK} ?{_OFFSET}?)?$",
    (rf"^(?P<y>\d{{4}})-?W(?P<w>\d{{2}})(?:-?(?P<k>[1-7])(?:[Tt ]{_CLOCK} ?{_OFFSET}?)?)?$"),
    rf"^(?P<d>\d{{1,2}})\.(?P<m>\d{{1,2}})\.(?P<y>\d{{4}})(?:,? {_CLOCK} ?(?:Uhr|{_OFFSET})?)?$",
    (
        rf"^{_WEEKDAY}(?P<d>\d{{1,2}})(?:\.|er|º|°|st|nd|rd|th)?[ -](?:de |d'|of )?{_WORD}"
        rf"(?: del?)?[ -](?P<y>\d{{4}})(?: r\.| г\.)?{_TIMED}$"
    ),
    rf"^{_WEEKDAY}{_WORD} (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}}){_TIMED}$",
    (
        r"^(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})T(?P<H>\d{2})(?P<M>\d{2})(?P<S>\d{2})?"
        rf" ?{_OFFSET}?$"
    ),
)

# Digits of Arabic, Persian, Hindi and full width.
_DIGITS = str.maketrans(
    {chr(zero + n): str(n) for zero in (0x660, 0x6F0, 0x966, 0xFF10) for n in range(10)}
)
_MONGO = r'^\{"\$date": ?(?:\{"\$numberLong": ?)?"?(?P<ms>-?\d{1,18})"?\}?\}$'
# Characters beyond which a text isn't a time.
_LONG = 200
# 2021-03-05 10:11:12 Europe/Berlin.
_ZONED = re.compile(r"^(\d{4}-.*\d) ?\[?([A-Z][A-Za-z]+(?:/[A-Za-z0-9_+-]+)+)\]?$")


def _padded_clock(found: re.Match[str]) -> str:
    return ":".join(part.zfill(2) for part in found.groups() if part)


_QUARTER = re.compile(r"^(\d{4})[ -]?Q([1-4])$")
_REWRITTEN = tuple(
    (re.compile(form), other)
    for form, other in (
        # 2024년 3월 5일, 10時11分12秒.
        (r"(\d{4}) ?[年년] ?(\d{1,2}) ?[月월] ?(\d{1,2}) ?[日일]", r"\1-\2-\3"),
        (r"[上午]{2} ?(\d[\d:]*)|오전 ?(\d[\d:]*)", r"\1\2 AM"),
        (r"[下午]{2} ?(\d[\d:]*)|오후 ?(\d[\d:]*)", r"\1\2 PM"),
        (r"(\d{1,2}) ?[時时시] ?(\d{1,2}) ?[分분](?: ?(\d{1,2}) ?[秒초])?", _padded_clock),
        # 05.03.2024 10.11.12 and 10h11.
        (r"(?<=\d )(?:klo )?(\d{1,2})\.(\d{2})\.(\d{2})$", r"\1:\2:\3"),
        (r"(?<=\d{4} )(?:klo )?(\d{1,2})\.(\d{2})$", r"\1:\2"),
        (r"(?<=\d )(?:à )?(\d{1,2}) ?h ?(\d{2})(?: ?min| ?m)?$", r"\1:\2"),
        # SAS, and milliseconds behind a colon.
        (r"^(\d{1,2})([A-Za-z]{3})(\d{4})$", r"\1 \2 \3"),
        (r"^(\d{1,2})([A-Za-z]{3})(\d{4})[: ](?=\d)", r"\1 \2 \3 "),
        (r"(\d{2}:\d{2}:\d{2}):(\d{1,6})$", r"\1.\2"),
        # Git's log, LDAP, and Spanish a. m.
        (r"^(\w{3} \w{3} \d{1,2} [\d:]+) (\d{4}) ([+-]\d{4})$", r"\1 \3 \2"),
        (r"^(\d{8})(\d{6})(?:[.,]\d+)?(Z|[+-]\d{4})$", r"\1T\2\3"),
        (r"(\d) ?([AaPp])\. ?([Mm])\.$", r"\1 \2\3"),
        # A date with a zone, a month's name before its year, weeks of one digit.
        (r"^(\d{4}-\d{2}-\d{2})(Z|[+-]\d{2}:\d{2})$", r"\1 00:00:00\2"),
        (r"^([^\W\d_]{3,12})\.? (\d{4})$", r"1 \1 \2"),
        (r"^(\d{1,2})/(\d{4})$", r"\2-\1"),
        # Dates without signs before a clock.
        (r"^(\d{8}) (\d{6})$", r"\1T\2"),
        (r"^(\d{4})(\d{2})(\d{2}) (?=\d{1,2}:)", r"\1-\2-\3 "),
        (r"^(\d{4})[ -]?W(\d)$", r"\1-W0\2"),
        (r"^(\d{4}) W(\d{2})$", r"\1-W\2"),
        # Of one comma with three digits, the number may be a thousand.
        (r"^(\d{4,18}),(\d+)$", r"\1.\2"),
    )
)


def unwrapped(texts: pa.Array) -> pa.Array:
    """Return texts without the blanks and the objects that stand around times."""
    # Browsers write 1:05\u202fPM.
    texts = pc.utf8_trim_whitespace(texts)
    for blank in "\u00a0\u202f":
        texts = pc.replace_substring(texts, blank, " ")
    if pc.starts_with(texts, "{").true_count:
        # {"$date": ...} of MongoDB: a text, or milliseconds with or without $numberLong.
        counted = pc.extract_regex(texts, _MONGO)
        texts = pc.replace_substring_regex(texts, r'^\{"\$(?:date|numberLong)": ?(.*)\}$', r"\1")
        if counted.null_count < len(counted):
            held = counted.filter(counted.is_valid()).field(0).cast(pa.int64())
            seconds = pa.array(np.asarray(held) // 1000).cast(pa.string())
            texts = pc.replace_with_mask(texts, counted.is_valid(), seconds)
        # Firestore's and Protobuf's.
        texts = pc.replace_substring_regex(
            texts, r'^\{"_?seconds": ?"?(-?\d+)"?(?:, ?"_?nano(?:second)?s": ?\d+)?\}$', r"\1"
        )
        texts = pc.utf8_trim(texts, '"')
    if pc.starts_with(texts, "/Date(").true_count:
        texts = pc.replace_substring_regex(texts, r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$", r"\1")
    return texts


def in_usual_form(texts: pa.Array) -> pa.Array | None:
    """Return texts of times as `FORMS` or numbers have them, where they are written in another way
    that is known; None if none of them is.
    """
    coded = pc.dictionary_encode(texts)
    words = coded.dictionary.to_pylist()
    found = [_rewritten(word) for word in words]
    if found == words:
        return None
    return pa.array(found, pa.string()).take(coded.indices)


def _rewritten(text: str) -> str:
    if len(text) > _LONG:
        return text
    text = text.translate(_DIGITS)
    quarter = _QUARTER.match(text)
    if quarter:
        return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02}"
    zoned = _ZONED.match(text)
    if zoned:
        return _with_offset(zoned[1], zoned[2]) or text
    for form, other in _REWRITTEN:
        text = form.sub(other, text)
    return text


def _with_offset(local: str, zone: str) -> str | None:
    """A time of day in a zone with the zone's offset from UTC instead; None if it can't be read."""
    try:
        return (
            datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).isoformat(" ", "seconds")
        )
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return None
