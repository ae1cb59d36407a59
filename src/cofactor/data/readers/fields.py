"""How a line of delimited text is split into fields: delimiters, quotes, escapes."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence

# The order decides between two that fit equally well.
DELIMITERS = ("::", "\t", ",", ";", "|", "\x01", "\x1f", " ")
# One or more spaces and tabs, written as pandas does.
WHITESPACE = r"\s+"
# A number with a decimal comma.
_HALVES = re.compile(r"^-?\d+,\d+$")
# Looked for where none of those is there.
_RARE = ("^", "~", "¦", "§", "\x1e")
# What may stand on both sides of one.
_FRAMES = "~#@^|*&!=:;+"
SPOKEN = {"\t": "tab", "\x01": "\\x01", "\x1f": "\\x1f", " ": "space", WHITESPACE: "whitespace"}


def escape_of(lines: Sequence[str], delimiter: str, quoted: str) -> str | None:
    """Return the backslash, if one stands before a quote within quotes, and no quote is doubled."""
    if not quoted or len(delimiter) > 1:
        return None
    q, sign = quoted, re.escape(delimiter)
    within = re.compile(rf"(?:^|{sign}){q}[^{q}]*[^{q}\\]\\{q}(?!\s*(?:{sign}|$))")
    doubled = re.compile(rf"(?<=[^{sign}\\]){q}{q}|(?<!\\){q}{q}(?=[^{sign}\s])")
    found = any(map(within.search, lines[:120]))
    return "\\" if found and not any(map(doubled.search, lines[:120])) else None


def unpadded_lines(lines: list[str], delimiter: str, quoted: str) -> tuple[list[str], bool]:
    """Return lines without the blanks around quotes, and whether there were such."""
    if not quoted or not any(_is_padded(line, delimiter) for line in lines[:50]):
        return lines, False
    return [unpadded(line, delimiter) for line in lines], True


def unpadded(text: str, delimiter: str) -> str:
    """Return text without the blanks between delimiters and quotes, which parsers would take for a
    part of the field.
    """
    sign = re.escape(delimiter)
    text = re.sub(rf'((?:^|{sign})) +(?=")', r"\1", text, flags=re.MULTILINE)
    return re.sub(rf'(?<=") +(?={sign}|$)', "", text, flags=re.MULTILINE)


def _is_padded(line: str, delimiter: str) -> bool:
    sign = re.escape(delimiter)
    whole = rf'{sign} +"[^"]*" *(?:{sign}|$)|(?:^|{sign})"[^"]*" +{sign}'
    return delimiter in (",", ";", "|") and bool(re.search(whole, line))


def split(line: str, delimiter: str, quoted: str, escape: str | None = None) -> list[str]:
    """Split one line into fields."""
    if delimiter == WHITESPACE:
        return line.split()
    if len(delimiter) > 1 or not quoted:
        return line.rstrip("\r\n").split(delimiter)
    try:
        return next(
            csv.reader([line], delimiter=delimiter, quotechar=quoted, escapechar=escape), []
        )
    except csv.Error:
        # A line end in a field without quotes, or a field beyond that module's limit.
        return line.rstrip("\r\n").split(delimiter)


def delimiter_of(lines: Sequence[str]) -> str:
    """Return the delimiter that most lines have as often."""
    best, best_share, whole = "", 0.0, "\n".join(lines)
    for delimiter in DELIMITERS:
        if delimiter not in whole:
            continue
        counts = Counter(_n_fields(line, delimiter) for line in lines)
        _, n_lines = max(
            ((n, c) for n, c in counts.items() if n > 1), key=lambda pair: pair[1], default=(1, 0)
        )
        # A space is only a delimiter where nothing else is: it stands within names and times too.
        share = n_lines / len(lines)
        if delimiter == " " and n_lines == 0:
            continue
        if share > best_share + 1e-9 and (delimiter != " " or best_share < 0.5):
            best, best_share = delimiter, share
    if best == ",":
        best = next((sign for sign in (";", "|", " ") if _is_outer(lines, sign)), ",")
    if best == "\t" and all(line.count(",\t") == line.count("\t") for line in lines):
        best = ","
    if best == " " and _are_phrases(lines):
        return ","
    if best == " " and not any('"' in line for line in lines) and _aligned(lines):
        return WHITESPACE
    return _framed(lines, best or next((d for d in _RARE if _is_even(lines, d)), ","))


def _framed(lines: Sequence[str], sign: str) -> str:
    """A delimiter with the sign that stands on both sides of it, in all lines as often: ``~|~``."""
    at = lines[0].find(sign)
    frame = lines[0][at - 1] if at > 0 else ""
    whole = f"{frame}{sign}{frame}"
    if not frame or frame not in _FRAMES:
        return sign
    framed = lines[0].count(sign) == lines[0].count(whole) and _is_even(lines, whole)
    return whole if framed else sign


def _is_outer(lines: Sequence[str], sign: str) -> bool:
    """Whether a sign stands as often in all lines, and before all commas, which then are decimal
    ones, or within lists; or whether blanks follow commas alone, which then are part of texts; or
    whether it is what stands between quotes. A blank is one only where all commas are decimal ones.
    """
    if all(f'"{sign}"' in line and '","' not in line for line in lines):
        return sign != " "
    if not _is_even(lines, sign) or any(line[:1] == '"' for line in lines):
        return False
    if sign == " ":
        held = [field for line in lines for field in line.split(" ") if "," in field]
        return all(map(_HALVES.match, held)) and lines[0].count(" ") > 1
    first = all(0 < line.find(sign) < line.find(",") for line in lines if "," in line)
    spaced = all(line.count(", ") == line.count(",") for line in lines)
    spaced = spaced and not any(line[:1] == sign or sign + " " in line for line in lines)
    return first or spaced


def _are_phrases(lines: Sequence[str]) -> bool:
    """Whether lines are of different numbers of blanks, and most of them of few words between
    commas: ``whole milk,brown bread``.
    """
    with_commas = [line for line in lines if "," in line]
    if 2 * len(with_commas) < len(lines) or _is_even(lines, " "):
        return False
    phrases = [part.split() for line in with_commas for part in line.split(",")]
    return all(phrases) and sum(map(len, phrases)) <= 3 * len(phrases)


def _is_even(lines: Sequence[str], sign: str) -> bool:
    """Whether a sign stands in all lines, and as often."""
    counts = {line.count(sign) for line in lines}
    return len(counts) == 1 and 0 not in counts


def _aligned(lines: Sequence[str]) -> bool:
    """Whether columns are aligned by runs of spaces: every line has as many words, the header
    perhaps one less (frames as pandas and R print them have no name for their index).
    """
    runs = sum("  " in line.strip() for line in lines)
    first, *others = (len(line.split()) for line in lines)
    widths = set(others) or {first}
    return 2 * runs > len(lines) and len(widths) == 1 and widths <= {first, first + 1}


def _n_fields(line: str, delimiter: str) -> int:
    if len(delimiter) == 1 and '"' in line:
        return len(split(line, delimiter, '"'))
    return line.count(delimiter) + 1


def quote_of(lines: Sequence[str], delimiter: str) -> str:
    """Return the quote that may enclose fields, empty if none does."""
    # Single ones only where they stand around the whole header and every line: else they are
    # apostrophes.
    header = [field.strip() for field in lines[0].split(delimiter)]
    whole = [line.strip() for line in lines[:20]]
    if all(len(text) > 1 and text[0] == "'" == text[-1] for text in (*header, *whole)):
        return "'"
    if delimiter in (",", ";"):
        return '"'
    sign = re.escape(delimiter)
    field = re.compile(rf'(?:^|{sign})"(?:[^"]|"")*"(?:{sign}|$)')
    held = any('"' in line and field.search(line) for line in lines[:50])
    return '"' if held else ""
