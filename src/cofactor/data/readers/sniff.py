"""The format of a text file: encoding, delimiter, quotes and header, from its first lines."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.readers.columns import Options, folded, refuse_repeated
from cofactor.data.readers.usual_names import DESCRIBING, USUAL

# The order decides between two that fit equally well.
DELIMITERS = ("::", "\t", ",", ";", "|", " ")
# One or more spaces and tabs, written as pandas does.
WHITESPACE = r"\s+"
SPOKEN = {"\t": "tab", " ": "space", WHITESPACE: "whitespace"}
_KNOWN = frozenset(DESCRIBING).union(*USUAL.values())
_SEPARATED = re.compile(r"^\"?sep=(.)\"?\s*$", re.IGNORECASE)
# Items between commas without any space: "a,b,c".
_LIST = re.compile(r"^[^\s,]+(,[^\s,]+)*$")
_MARKUP = re.compile(r"^\s*<(!doctype|html|head|body|\?xml|table)\b", re.IGNORECASE)
_CLOCK = re.compile(r"^\d{1,2}:\d{2}$")
_DIGIT = re.compile(r"\d")
# Rows below a header whose names say nothing.
_ENOUGH = 5
_PAIR = re.compile(r"^\d+:-?\d+(\.\d+)?$")
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
        The quote that may enclose fields (``"`` or ``'``), empty if none does.
    escape
        The character before a quote that is none, beside the doubled quote.
    encoding, bom
        The encoding, and the length of its mark at the beginning of the file.
    ragged
        Whether lines are lists of different lengths by nature: ``user item item ...``.
    above
        How many lines stand above the header (or above the first row).
    title
        The first of them, if it is more than blank or a hint at the delimiter.
    cells
        Where columns have no names: their first cells.
    """

    delimiter: str
    headed: bool
    names: tuple[str, ...]
    quoted: str
    escape: str | None
    encoding: str
    bom: int = 0
    ragged: bool = False
    above: int = 0
    title: str = ""
    cells: Mapping[str, Sequence[str]] | None = field(default=None, compare=False)

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
    numbered = list(islice(((n, line) for n, line in enumerate(lines) if line.strip()), 500))
    if not numbered:
        raise DataError("the file is empty.", source=source)
    if "\0" in numbered[0][1]:
        raise DataError(
            "this is no text file; give format=, or encoding= if it is UTF-16.", source=source
        )
    if _MARKUP.match(numbered[0][1]):
        raise DataError(
            "this is a page in HTML or XML (of a login or of an error, perhaps), not a table; fetch"
            " or export the data again.",
            source=source,
        )
    said = _SEPARATED.match(numbered[0][1]) if len(numbered) > 1 else None
    numbered = numbered[1:] if said else numbered
    lines = [line for _, line in numbered]
    delimiter = options.delimiter or (said[1] if said else None) or _delimiter(lines)
    if not isinstance(delimiter, str):
        raise ArgumentError(
            f"delimiter must be a text of one or more characters, not {delimiter!r}."
        )
    quoted = _quoted(lines, delimiter) if options.quote is None else options.quote
    quoted = '"' if quoted is True else quoted or ""
    rows = [split(line, delimiter, quoted, options.escape) for line in lines[:120]]
    skipped = _titles(rows, options)
    rows, numbered = rows[skipped:], numbered[skipped:]
    first, rest = rows[0], rows[1:100]
    if options.header is None and _lacks_index(first, rest):
        first = ["", *first]
    if len(first) < 2:
        raise DataError(
            f"the first line {lines[0][:60]!r} has one column, and at least a user and an item are"
            " needed; give delimiter= if it is none of tab, comma, semicolon, bar, space and"
            " '::'.",
            source=source,
        )
    numbers = options.header is None and _numbered(first, rest)
    headed = options.header if options.header is not None else numbers or _headed(first, rest)
    named = headed and not numbers
    names = (
        [name.strip() for name in first] if named else [f"column {n}" for n in range(len(first))]
    )
    if named:
        names = _distinct(names, source)
    elif numbers and not first[0].strip():
        names[0] = ""
    ragged = not headed and _ragged(rows, delimiter, source)
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
        escape=options.escape,
        encoding=encoding,
        bom=bom,
        ragged=ragged,
        above=numbered[0][0],
        title=lines[0][:60] if skipped else "",
        cells=None if named else cells,
    )


def _titles(rows: Sequence[Sequence[str]], options: Options) -> int:
    """How many lines of one field stand above a header of several."""
    usual = Counter(len(row) for row in rows if len(row) > 1).most_common(1)
    count = next((n for n, row in enumerate(rows) if usual and len(row) == usual[0][0]), 0)
    if count == 0 or count > 10 or options.header is False:
        return 0
    rest = rows[count + 1 :]
    fits = sum(len(row) == len(rows[count]) for row in rest)
    is_header = options.header or _headed(rows[count], rest)
    if any(
        len(row) > 1 and _headed(row, rows[n + 1 : count]) for n, row in enumerate(rows[:count])
    ):
        return 0
    return count if rest and is_header and 2 * fits > len(rest) else 0


def _lacks_index(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a header names all columns but the first, of row names (R's write.table)."""
    return (
        len(first) > 1
        and len(rest) > 0
        and all(len(row) == len(first) + 1 for row in rest)
        and sum(folded(name) in _KNOWN for name in first) > 1
    )


def _numbered(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the header has numbers for names: 0, 1, 2 ..., perhaps after a nameless index."""
    indexed = first[0].strip() == "" and len(first) > 2
    names = [name.strip() for name in (first[1:] if indexed else first)]
    if names != [str(n) for n in range(len(names))]:
        return False
    return indexed or any(
        all(not _is_number(row[n]) for row in rest if len(row) > n) for n in range(2) if rest
    )


def _distinct(names: Sequence[str], source: str) -> list[str]:
    """Names, of which repeated ones get a number, unless they are of ids."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        if seen[name] > 1 and folded(name) in _KNOWN:
            refuse_repeated(names, source)
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def _ragged(rows: Sequence[Sequence[str]], delimiter: str, source: str) -> bool:
    """Whether lines are lists: of different lengths, or each after a count of what follows.

    Raises
    ------
    DataError
        If they are pairs of an index and a value (libsvm).
    """
    full = [[field for field in row if field] for row in rows]
    if delimiter == " " and all(_PAIR.match(field) for row in full for field in row[1:]):
        raise DataError(
            "lines of index:value (libsvm) can't be read; write a row for each user and item.",
            source=source,
        )
    if leads_with_owner(full):
        return True
    lengths = {len(row) for row in full}
    counted = len(full) > 1 and all(row and row[0] == str(len(row) - 1) for row in full)
    if delimiter == " " and len(lengths) > 1:
        return True
    if len(lengths) > 2 and delimiter in "\t,;|":
        return counted or all(
            "." not in field and '"' not in field for row in full for field in row
        )
    if delimiter == "\t" and lengths == {2} and any("," in row[1] for row in full):
        return all(_LIST.match(row[1]) for row in full)
    whole = all(field.isdigit() and len(field) < 9 for row in full for field in row)
    return counted and whole and len(full[0]) > 3


def leads_with_owner(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether every line begins with a user and a colon: ``u1: a, b, c``."""
    if len(rows) < 2 or any(len(row) < 1 for row in rows):
        return False
    parted = [row[0].partition(":") for row in rows]
    owners = {owner for owner, _, _ in parted}
    return (
        all(owner.strip() and colon for owner, colon, _ in parted)
        # A word that is the same on all lines is a prefix of ids, and 10:30 is a time.
        and len(owners) > 1
        and not all(_CLOCK.match(row[0]) for row in rows)
        and not any(":" in field for row in rows for field in row[1:])
        and not any(":" in rest for _, _, rest in parted)
    )


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, ended by LF, CRLF or CR; unlike `str.splitlines`, no other
    character ends a line.
    """
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def one_line_end(block: bytes, *, quoted: str) -> bytes:
    """Return a text whose lines all end with LF: a lone CR ends one too, unless it stands within
    quotes.
    """
    if b"\r" not in block or block.count(b"\r") == block.count(b"\r\n"):
        return block
    quote = quoted.encode()
    if not quote or quote not in block:
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    pieces = block.split(quote)
    # Every other piece is within quotes; a doubled quote leaves an empty one and changes nothing.
    pieces[::2] = [p.replace(b"\r\n", b"\n").replace(b"\r", b"\n") for p in pieces[::2]]
    return quote.join(pieces)


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


def _encoding(sample: bytes, given: str | None) -> tuple[str, int]:
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return (given or name), len(mark)
    if given is not None:
        try:
            return codecs.lookup(given).name, 0
        except LookupError:
            raise ArgumentError(
                "encoding must be one that Python knows, such as 'utf-8' or 'latin-1', not"
                f" {given!r}."
            ) from None
    return "utf-8", 0


def _decoded(sample: bytes, encoding: str, given: str | None, source: str) -> str:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        return decoder.decode(sample)
    except UnicodeDecodeError as error:
        if given is not None:
            raise DataError(
                f"the file isn't {given}: {error.reason} at byte {error.start}.", source=source
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
    if best == " " and not any('"' in line for line in lines) and _aligned(lines):
        return WHITESPACE
    return best or ","


def _aligned(lines: Sequence[str]) -> bool:
    """Whether columns are aligned by runs of spaces: every line has as many words."""
    runs = sum("  " in line.strip() for line in lines)
    return 2 * runs > len(lines) and len({len(line.split()) for line in lines}) == 1


def _n_fields(line: str, delimiter: str) -> int:
    if len(delimiter) == 1 and '"' in line:
        return len(split(line, delimiter, '"'))
    return line.count(delimiter) + 1


def _quoted(lines: Sequence[str], delimiter: str) -> str:
    # Single ones only where they stand around the whole header and every line: else they are
    # apostrophes.
    header = [field.strip() for field in lines[0].split(delimiter)]
    whole = [line.strip() for line in lines[:20]]
    if all(len(text) > 1 and text[0] == "'" == text[-1] for text in (*header, *whole)):
        return "'"
    if delimiter in (",", ";"):
        return '"'
    held = any(
        field[:1] == '"' == field[-1:] and len(field) > 1
        for line in lines[:50]
        for field in line.split(delimiter)
    )
    return '"' if held else ""


def _headed(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    if any(_is_number(field) for field in first):
        return False
    # One usual name alone may be an id ("book"); two are a header, and so are words above numbers.
    numbers_below = any(_is_number(field) for fields in rest[:20] for field in fields)
    return (
        numbers_below
        or sum(folded(name) in _KNOWN for name in first) > 1
        or _above_digits(first, rest)
    )


def _above_digits(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether words stand above a column of which every other cell has a digit, such as a header
    of unusual names above dates, prices or ids like ``K17``.
    """
    if len(rest) < _ENOUGH or any(not name.strip() or _DIGIT.search(name) for name in first):
        return False
    below = [row for row in rest if len(row) == len(first)]
    return len(below) == len(rest) and any(
        all(_DIGIT.search(row[n]) for row in below) for n in range(len(first))
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ".", 1))
    except ValueError:
        return False
    return True
