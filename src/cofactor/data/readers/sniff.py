"""The format of a text file: encoding, delimiter, quotes and header, from its first lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.readers.columns import Options
from cofactor.data.readers.fields import (
    SPOKEN,
    delimiter_of,
    escape_of,
    quote_of,
    split,
    unpadded_lines,
)
from cofactor.data.readers.headers import (
    completed,
    distinct_names,
    has_numbered_names,
    has_roles,
    header_encoding,
    is_header,
    is_size_line,
    titles_above,
)
from cofactor.data.readers.links import is_graph
from cofactor.data.readers.no_tables import FIELDS, comments, refuse_binary, refuse_no_table
from cofactor.data.readers.ragged import between_items
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.source_files import SourceFile
from cofactor.data.readers.text_encoding import BY_LINE, decoded, encoding_of, lines_of

_SEPARATED = re.compile(r"^\"?sep=(.)\"?\s*$", re.IGNORECASE)
_AGAIN = re.compile(r"[,;|]")
# A field whose quotes don't end on the line.
_OPEN = re.compile(r'(^|[,;\t|])"(?:[^"]|"")*$')


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
        The quote that may enclose fields (``"`` or ``'``), empty if none does.
    escape
        The character before a quote that is none, beside the doubled quote.
    encoding, bom
        The encoding, and the length of its mark at the beginning of the file.
    padded
        Whether blanks stand between the delimiter and quotes: ``"u1", "a"``.
    ragged
        Where lines are lists (``user item item ...``): what stands between the items beside
        whitespace; None if they aren't.
    above
        How many lines stand above the header (or above the first row).
    title
        The first of them, if it is more than blank or a hint at the delimiter.
    graph
        The comment that says that rows are edges of a graph, if one does.
    named
        Whether the columns have names.
    sample
        The first cells of every column.
    """

    delimiter: str
    headed: bool
    names: tuple[str, ...]
    quoted: str
    escape: str | None
    encoding: str
    bom: int = 0
    padded: bool = False
    ragged: str | None = None
    above: int = 0
    title: str = ""
    graph: str = ""
    named: bool = True
    sample: Mapping[str, Sequence[str]] = field(default_factory=dict, compare=False)

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
    encoding, bom = _encoding(sample, options, source)
    text = decoded(sample[bom:], encoding, options.encoding, source)
    numbered = _first_lines(text, source, options.delimiter, whole=whole)
    graph = next((line for _, line in numbered[:9] if is_graph(line)), "")
    delimiter, quoted, numbered, title = _separators(numbered, options)
    lines, padded = unpadded_lines([line for _, line in numbered], delimiter, quoted)
    rows = [split(line, delimiter, quoted, options.escape) for line in lines[:120]]
    skipped = titles_above(rows, options)
    if not (skipped or options.header):
        skipped = int(is_size_line(rows, text if whole else None))
    rows, numbered = rows[skipped:], numbered[skipped:]
    rest = rows[1:100]
    first = _first_row(rows[0], rest, delimiter, options, source)
    headed, named, names = _names(first, rest, _header(first, options), source)
    if not (headed or options.header is False):
        _refuse_late_header(rows, numbered, source)
    cells = {
        name: [row[n] for row in (rest if headed else rows) if len(row) == len(names)]
        for n, name in enumerate(names)
        if name
    }
    return Dialect(
        delimiter=delimiter,
        headed=headed,
        names=tuple(names),
        quoted=quoted,
        escape=options.escape or escape_of(lines, delimiter, quoted),
        encoding=encoding,
        bom=bom,
        padded=padded,
        ragged=None if headed else between_items(rows, delimiter, source),
        above=numbered[0][0],
        title=(title or (lines[0] if skipped else ""))[:60],
        graph=graph,
        named=named,
        sample=cells,
    )


def _without_comments(numbered: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """The lines below those of comment, the last of which may be the header."""
    count = comments([line for _, line in numbered])
    if not count:
        return numbered
    place, last = numbered[count - 1]
    names = last.lstrip("%# ")
    headed = has_roles(re.split(r"[\s,;|]+", names))
    return [*([(place, names)] if headed else []), *numbered[count:]]


def _encoding(sample: bytes, options: Options, source: str) -> tuple[str, int]:
    refuse_binary(sample, source)
    encoding, bom = encoding_of(sample, options.encoding)
    if encoding == "utf-8" and options.encoding is None:
        encoding = header_encoding(sample[bom:]) or BY_LINE
    return encoding, bom


def _separators(
    numbered: list[tuple[int, str]], options: Options
) -> tuple[str, str, list[tuple[int, str]], str]:
    """The delimiter, the quote, the lines below one that says the delimiter and below comments, and
    the first comment.
    """
    said = _SEPARATED.match(numbered[0][1]) if len(numbered) > 1 else None
    numbered = numbered[1:] if said else numbered
    below = _without_comments(numbered)
    title = "" if len(below) == len(numbered) else numbered[0][1]
    lines = [line for _, line in below]
    delimiter = options.delimiter
    if delimiter is None:
        delimiter = said[1] if said else delimiter_of(lines)
    if not (isinstance(delimiter, str) and delimiter):
        raise ArgumentError(
            f"delimiter must be a text of one or more characters, not {delimiter!r}."
        )
    quoted = quote_of(lines, delimiter) if options.quote is None else options.quote
    quoted = '"' if quoted is True else quoted or ""
    return delimiter, quoted, below, title


def _header(first: Sequence[str], options: Options) -> bool | None:
    """Whether there is a header, as the caller says: also by columns that the first line names."""
    if options.header is not None:
        return options.header
    given = (options.user, options.item, options.value, options.time)
    return any(isinstance(name, str) and name in first for name in given) or None


def _names(
    first: Sequence[str], rest: Sequence[Sequence[str]], header: bool | None, source: str
) -> tuple[bool, bool, list[str]]:
    """Whether the first line is a header, whether it has names, and those of the columns."""
    numbers = header is None and has_numbered_names(first, rest)
    headed = header if header is not None else numbers or is_header(first, rest)
    if headed and not numbers:
        _refuse_fields(first, rest, header, source)
        return True, True, distinct_names([name.strip() for name in first], source)
    names = [f"column {n}" for n in range(len(first))]
    if numbers and not first[0].strip():
        names[0] = ""
    return headed, False, names


def _refuse_fields(
    first: Sequence[str], rest: Sequence[Sequence[str]], header: bool | None, source: str
) -> None:
    """Raise DataError if the first lines name a field each, as mails and settings do."""
    if header is None and rest and all(row[0].endswith(":") for row in (first, *rest[:1])):
        raise DataError(f"this is {FIELDS[0]}, not a table; {FIELDS[1]}.", source=source)


def _first_row(
    first: Sequence[str],
    rest: Sequence[Sequence[str]],
    delimiter: str,
    options: Options,
    source: str,
) -> Sequence[str]:
    """The fields of the first line, with the name that a header lacks."""
    # A decimal comma may have cut numbers in two.
    sure = delimiter != "," or options.header is True
    first = first if options.header is False else completed(first, rest, sure=sure)
    if len(first) < 2:
        shown = delimiter.join(first)[:60]
        raise DataError(
            f"the first line {shown!r} has one column, and at least two are needed (a user and an"
            " item; of a catalogue an id and a title); give delimiter= if it is none of tab,"
            " comma, semicolon, bar, space and '::'.",
            source=source,
        )
    return first


def _refuse_late_header(
    rows: Sequence[Sequence[str]], numbered: Sequence[tuple[int, str]], source: str
) -> None:
    """Raise DataError if a header stands among the first rows of a file that has none above."""
    at = next((n for n, row in enumerate(rows) if has_roles(row)), None)
    if at is None and rows and any(has_roles(_AGAIN.split(cell)) for cell in rows[0]):
        at = 0
    if at is not None:
        raise DataError(
            "there is a header below rows that have none, or behind a line number; put it above all"
            " rows, or say that there is none with header=False:",
            source=source,
            rows=[(numbered[at][0] + 1, numbered[at][1])],
        )


def _first_lines(
    text: str, source: str, split_at: str | None, *, whole: bool
) -> list[tuple[int, str]]:
    """The first 500 lines that hold something, with their places."""
    lines = lines_of(text)
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    lines = _whole_header(lines)
    numbered = list(islice(((n, line) for n, line in enumerate(lines) if line.strip()), 500))
    if not numbered:
        raise NoRowsError("the file is empty.", source=source)
    if text.startswith("SQLite format 3"):
        raise DataError("this is an SQLite database; read it as sqlite:///PATH.", source=source)
    if "\0" in numbered[0][1]:
        raise DataError(
            "this isn't a text file; give format=, or encoding= if it is UTF-16.", source=source
        )
    refuse_no_table([line for _, line in numbered], source, split_at=split_at)
    return numbered


def _whole_header(lines: list[str]) -> list[str]:
    """The lines, of which those that a header's quoted names are spread over are one, followed by
    blanks.
    """
    first = next((n for n, line in enumerate(lines[:12]) if _OPEN.search(line)), None)
    if first is None:
        return lines
    for end in range(first + 1, min(first + 20, len(lines))):
        if sum(line.count('"') for line in lines[first : end + 1]) % 2 == 0:
            joined = "\n".join(lines[first : end + 1])
            return [*lines[:first], joined, *[""] * (end - first), *lines[end + 1 :]]
    return lines


def dialect_of(entry: SourceFile, options: Options) -> Dialect:
    """Tell how a file is written from its beginning."""
    size = 1 << 18
    sample = entry.head(size)
    return sniff(sample, options, entry.shown, whole=len(sample) < size)
