"""How a text file is written: encoding, delimiter, quotes and header, told from its first lines."""

from __future__ import annotations

import codecs
import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.readers.columns import USUAL, Options, folded, refuse_repeated

# The order decides between two that fit equally well.
DELIMITERS = ("::", "\t", ",", ";", "|", " ")
SPOKEN = {"\t": "tab", " ": "space"}
_KNOWN = frozenset(name for usual in USUAL.values() for name in usual)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class Dialect:
    """How a delimited file is written.

    Parameters
    ----------
    delimiter
        One or more characters.
    headed
        Whether the first line names the columns.
    names
        The columns: those of the header, or ``column 0``, ``column 1`` ...
    quoted
        Whether double quotes enclose fields.
    escape
        The character before a quote that is none, beside the doubled quote.
    encoding, bom
        The encoding, and the length of its mark at the beginning of the file.
    ragged
        Whether lines have different numbers of fields by nature: ``user item item ...``.
    """

    delimiter: str
    headed: bool
    names: tuple[str, ...]
    quoted: bool
    escape: str | None
    encoding: str
    bom: int = 0
    ragged: bool = False

    @property
    def spoken(self) -> str:
        """The delimiter as messages show it."""
        return SPOKEN.get(self.delimiter, repr(self.delimiter))


def sniff(sample: bytes, options: Options, source: str, *, whole: bool) -> Dialect:
    """Tell a file's dialect from its beginning.

    Parameters
    ----------
    sample
        The first bytes of the file.
    options
        What the caller gave; it wins over what is found.
    source
        For messages.
    whole
        Whether the sample is the whole file (its last line is complete).

    Raises
    ------
    DataError
        If the file is empty, has a single column, or its header repeats a name.
    """
    encoding, bom = _encoding(sample, options.encoding)
    text = _decoded(sample[bom:], encoding, options.encoding, source)
    lines = lines_of(text)
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    lines = [line for line in lines if line.strip()][:500]
    if not lines:
        raise DataError("the file is empty.", source=source)
    if "\0" in lines[0]:
        raise DataError(
            "this is no text file; give format=, or encoding= if it is UTF-16.", source=source
        )
    delimiter = options.delimiter if options.delimiter is not None else _delimiter(lines)
    if not isinstance(delimiter, str) or not delimiter:
        raise ArgumentError(
            f"delimiter must be a text of one or more characters, not {delimiter!r}."
        )
    quoted = options.quote if options.quote is not None else _quoted(lines, delimiter)
    first = split(lines[0], delimiter, quoted, options.escape)
    if len(first) < 2:
        raise DataError(
            f"the first line {lines[0][:60]!r} has one column, and at least a user and an item are"
            " needed; give delimiter= if it is none of tab, comma, semicolon, bar, space and"
            " '::'.",
            source=source,
        )
    rest = [split(line, delimiter, quoted, options.escape) for line in lines[1:100]]
    headed = options.header if options.header is not None else _headed(first, rest)
    names = (
        [name.strip() for name in first] if headed else [f"column {n}" for n in range(len(first))]
    )
    if headed:
        refuse_repeated(names, source)
    ragged = not headed and delimiter == " " and len({len(fields) for fields in rest}) > 1
    return Dialect(delimiter, headed, tuple(names), quoted, options.escape, encoding, bom, ragged)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, ended by LF, CRLF or CR; unlike `str.splitlines`, no other
    character ends a line.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def split(line: str, delimiter: str, quoted: bool, escape: str | None = None) -> list[str]:
    """Split one line into fields."""
    if len(delimiter) > 1 or not quoted:
        return line.rstrip("\r\n").split(delimiter)
    return next(csv.reader([line], delimiter=delimiter, escapechar=escape), [])


def _encoding(sample: bytes, asked: str | None) -> tuple[str, int]:
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return (asked or name), len(mark)
    if asked is not None:
        try:
            return codecs.lookup(asked).name, 0
        except LookupError:
            raise ArgumentError(
                "encoding must be one that Python knows, such as 'utf-8' or 'latin-1', not"
                f" {asked!r}."
            ) from None
    return "utf-8", 0


def _decoded(sample: bytes, encoding: str, asked: str | None, source: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(sample)
    except UnicodeDecodeError as error:
        if asked is not None:
            raise DataError(
                f"the file isn't {asked}: {error.reason} at byte {error.start}.", source=source
            ) from None
        return sample.decode("latin-1")


def _delimiter(lines: Sequence[str]) -> str:
    best, best_share = "", 0.0
    for delimiter in DELIMITERS:
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
    return best or ","


def _n_fields(line: str, delimiter: str) -> int:
    if len(delimiter) == 1 and '"' in line:
        return len(split(line, delimiter, True))
    return line.count(delimiter) + 1


def _quoted(lines: Sequence[str], delimiter: str) -> bool:
    if delimiter in (",", ";"):
        return True
    return any(
        field[:1] == '"' == field[-1:] and len(field) > 1
        for line in lines[:50]
        for field in line.split(delimiter)
    )


def _headed(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    if any(_is_number(field) for field in first):
        return False
    # One usual name alone may be an id ("book"); two are a header, and so are words above numbers.
    numbers_below = any(_is_number(field) for fields in rest[:20] for field in fields)
    return numbers_below or sum(folded(name) in _KNOWN for name in first) > 1


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
