"""Headers of text files: whether there is one, what stands above it, and the names in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from cofactor.data.id_text import MISSING_WORDS
from cofactor.data.readers.columns import Options, folded
from cofactor.data.readers.name_words import is_id, is_reference, mentions, role_of, words
from cofactor.data.readers.positions import dated
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.readers.text_encoding import lines_of
from cofactor.data.readers.usual_names import DESCRIBING, KNOWN, USUAL

_KNOWN = frozenset(DESCRIBING).union(*USUAL.values())
# Hardly an id is one of these.
SURELY = {"user", *(name for name in USUAL["user"] if re.fullmatch(r"\w{3,}id", name))}
_NOTHING = MISSING_WORDS - {""}
# What graphs and lists call their two columns.
_EDGES = (
    *({"from", "to"}, {"source", "target"}, {"src", "dst"}, {"follower", "followee"}),
    {"subject", "predicate", "object"},
    *({"who", "what"}, {"u", "v"}, {"u", "i"}, {"u", "i", "r"}),
)
# Of shops' older programs; the first that knows a header's names is taken.
LEGACY = (
    *("cp1251", "shift_jis", "gb18030", "big5", "euc_kr", "cp1250", "cp1253", "cp1254", "koi8_r"),
    *("cp1255", "cp1256", "cp874", "cp1257", "cp850", "mac_roman"),
)
_DIGIT = re.compile(r"\d")
# Names as programs write them, of several words.
_IDENTIFIER = re.compile(r"^\s*[A-Za-z]+(_[A-Za-z]+)+\s*$|^\s*[a-z]+([A-Z][a-z]+)+(I[Dd])?\s*$")
_WHOLE, _COUNT = re.compile(r"^\s*-?\d{1,18}\s*$"), re.compile(r"^\s*[1-9]\d{0,17}\s*$")
# Rows that a first line may count; and how much larger than any rating such a number is.
_MANY = 1000
# Rows below a header whose names say nothing.
_ENOUGH = 5


def titles_above(rows: Sequence[Sequence[str]], options: Options) -> int:
    """Return how many lines of one field stand above a header of several."""
    if options.header is None and len(rows) > 2 and are_groups(rows[0], rows[1]):
        return 1
    below = next((n for n, row in enumerate(rows[:4]) if has_roles(row)), 0)
    if (
        below
        and options.header is None
        and not any(_known(row) > 1 or _is_data(row, rows[below + 1 :]) for row in rows[:below])
    ):
        # Names of groups above the names of the columns.
        return below
    usual = Counter(len(row) for row in rows if len(row) > 1).most_common(1)
    # Spreadsheets fill titles up with delimiters.
    count = next((n for n, row in enumerate(rows) if usual and _is_row(row, usual[0][0])), 0)
    if count == 0 or count > 10 or options.header is False:
        return 0
    rest = rows[count + 1 :]
    fits = sum(len(row) == len(rows[count]) for row in rest)
    headed = options.header or is_header(rows[count], rest)
    if any(
        _is_row(row, len(row)) and is_header(row, rows[n + 1 : count])
        for n, row in enumerate(rows[:count])
    ):
        return 0
    return count if rest and headed and 2 * fits > len(rest) else 0


def are_groups(first: Sequence[str], second: Sequence[str]) -> bool:
    """Return whether a row with gaps names groups of the columns that the row below it names."""
    names = [cell.strip() for cell in second]
    if len(first) != len(names) or all(cell.strip() for cell in first[1:-1]) or not all(names):
        return False
    known = sum(folded(name) in _KNOWN or is_reference(name) for name in names)
    return known > 1 and len({*names}) == len(names) and not any(map(_is_number, names))


def _is_data(row: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row above a header is full and has a number where all rows below it have one."""
    below = [other for other in below if len(other) == len(row)]
    numbers = [n for n, cell in enumerate(row) if _is_number(cell)]
    return all(cell.strip() for cell in row) and any(
        all(_is_number(other[n]) for other in below) for n in numbers
    )


def _known(row: Sequence[str]) -> int:
    return sum(folded(cell) in _KNOWN for cell in row)


def _is_row(row: Sequence[str], width: int) -> bool:
    return len(row) == width and (sum(bool(cell.strip()) for cell in row) > 1 or width == 1)


def completed(first: Sequence[str], rest: Sequence[Sequence[str]], *, sure: bool) -> list[str]:
    """Return the names of a header that names all columns but one, with "" in its place: the first,
    of row numbers (R's write.table), or the last, which a delimiter that ends every row makes.
    Unless it is ``sure``, the rows may have one more by decimal commas.
    """
    if not rest or any(len(row) != len(first) + 1 for row in rest):
        return list(first)
    if all(not row[-1].strip() for row in rest):
        return [*first, ""] if is_header(first, rest) else list(first)
    numbered = _number_rows([row[0] for row in rest], strictly=not sure and _halved(rest))
    return ["", *first] if len(first) > 1 and _known(first) > 1 and numbered else list(first)


def _number_rows(cells: Sequence[str], *, strictly: bool) -> bool:
    """Whether cells number the rows: integers that ascend; ``strictly``, by one at a time."""
    if not all(map(_WHOLE.match, cells)):
        return False
    numbers = [int(cell.strip()) for cell in cells]
    if strictly:
        return len(cells) >= _ENOUGH and numbers == list(range(numbers[0], numbers[0] + len(cells)))
    return all(a < b for a, b in pairwise(numbers))


def _halved(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows may end with a number that a decimal comma has cut in two."""
    return all(_WHOLE.match(row[-2]) and _WHOLE.match(row[-1]) for row in rows)


def is_size_line(rows: Sequence[Sequence[str]], text: str | None) -> bool:
    """Return whether the first of some rows says how many users, items and rows there are.

    Parameters
    ----------
    rows
        The first lines of a file.
    text
        All of it, whose lines are counted; None if there is more.
    """
    first, rest = [cell for cell in rows[0] if cell.strip()], rows[1:]
    if len(rest) < 2 or not 1 <= len(first) <= 3 or not all(map(_COUNT.match, first)):
        return False
    width = len(rest[0])
    if width < 3 or any(len(row) != width for row in rest) or len(first) > width:
        return False
    sizes = [int(cell.strip()) for cell in first]
    columns = [[row[n] for row in rest] for n in range(len(sizes))]
    # Numbers of users and items are no smaller than any number of one, where these are numbered.
    held = [[int(cell.strip()) for cell in cells if _COUNT.match(cell)] for cells in columns]
    if len(sizes) > 1 and any(max(h, default=0) > n for h, n in zip(held[:2], sizes, strict=False)):
        return False
    if text is not None:
        return sizes[-1] == sum(bool(line.strip()) for line in lines_of(text)) - 1
    return len(sizes) == 3 and sizes[2] > _MANY * max(held[2], default=0) and sizes[2] > _MANY


def has_numbered_names(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the header has numbers for names: 0, 1 ..., perhaps after a nameless index."""
    indexed = first[0].strip() == "" and len(first) > 2
    names = [name.strip() for name in (first[1:] if indexed else first)]
    if names != [str(n) for n in range(len(names))]:
        return False
    return indexed or any(
        all(not _is_number(row[n]) for row in rest if len(row) > n) for n in range(2) if rest
    )


def distinct_names(names: Sequence[str], source: str) -> list[str]:
    """Return names, of which repeated ones get a number, unless they are of ids."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        if seen[name] > 1 and folded(name) in _KNOWN:
            refuse_repeated(names, source, is_text=True)
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


def is_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Return whether the first line names the columns of the rest."""
    if any(field.strip() in _NOTHING for field in first):
        return False
    numbers = {field for field in first if _is_number(field)}
    if numbers:
        # Counts without a name, and tables with a column for each year, or for each item.
        named = numbers == {"0"} or all(map(_COUNT.match, numbers))
        return (named and has_roles(first)) or _names_numbers(first)
    # One usual name alone may be an id ("book"); two are a header, and so are words above numbers.
    numbers_below = any(_is_number(field) for fields in rest[:20] for field in fields)
    return (
        numbers_below
        or _known(first) > 1
        or any(folded(name) in SURELY for name in first)
        or _names_things(first)
        or {name.strip().casefold() for name in first} in _EDGES
        or _say_roles(first)
        or _are_identifiers(first, rest)
        or _above_digits(first, rest)
        or _above_dates(first, rest)
        or _above_addresses(first, rest)
    )


def _names_numbers(first: Sequence[str]) -> bool:
    """Whether whole numbers, all different, stand behind the name of a user's column."""
    others = [field.strip() for field in first[1:]]
    named = folded(first[0]) in SURELY and len(others) > 1
    return named and all(map(_COUNT.match, others)) and len(set(others)) == len(others)


def _names_things(names: Sequence[str]) -> bool:
    """Whether an id stands beside what a catalogue says of things (``id,title``)."""
    folds = {folded(name) for name in names}
    return "id" in folds and not folds.isdisjoint(DESCRIBING)


def _say_roles(names: Sequence[str]) -> bool:
    """Whether words name a user's column and an item's: a usual name beside a word for the other
    (``book`` alone may be an item), or two names of several words each.
    """
    folds = {folded(name) for name in names}
    said = {role_of(name) for name in names}
    if folds & KNOWN["user"]:
        return any(mentions(name, "item") for name in names if folded(name) not in KNOWN["user"])
    if "user" in said and any(fold in ("item", "product", "itemid", "productid") for fold in folds):
        return True
    return {"user", "item"} <= {role_of(name) for name in names if len(words(name)) > 1}


def _are_identifiers(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether several cells are identifiers that mention a role (``prev_items``), and no cell below
    is one.
    """
    said = sum(map(_is_identifier, first))
    return said > 1 and not any(_is_identifier(cell) for row in rest for cell in row)


def _is_identifier(cell: str) -> bool:
    return bool(_IDENTIFIER.match(cell)) and (
        is_id(cell) or any(mentions(cell, role) for role in ("user", "item", "value", "time"))
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


def _above_dates(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a word stands above a column of dates."""
    below = [row for row in rest if len(row) == len(first)]
    return len(below) == len(rest) > 0 and any(
        name.strip() and not _DIGIT.search(name) and dated([row[n] for row in below])
        for n, name in enumerate(first)
    )


def _above_addresses(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether words stand above a column of addresses of mail."""
    below = [row for row in rest if len(row) == len(first)]
    if any("@" in name for name in first) or len(below) != len(rest) or len(below) < 2:
        return False
    return any(all("@" in row[n] for row in below) for n in range(len(first)))


def header_encoding(sample: bytes) -> str | None:
    """Return the encoding other than UTF-8 and Latin-1 in which a header's names are usual ones;
    None if the header is clear without it, or if there is no such.
    """
    line = sample.replace(b"\r", b"\n").partition(b"\n")[0]
    if line.isascii() or _known_in(line, "utf-8") > 1:
        return None
    # Turkish and Western letters are the same bytes but for six: the most names decide.
    known = {name: _known_in(line, name) for name in ("cp1252", *LEGACY)}
    best = max(known, key=lambda name: known[name])
    return best if known[best] > 1 and best != "cp1252" else None


def _known_in(line: bytes, encoding: str) -> int:
    """How many fields of a line are usual names in an encoding."""
    try:
        fields = re.split(r"[,;\t|]", line.decode(encoding))
    except UnicodeDecodeError:
        return 0
    names = [name.strip(" \"'") for name in fields]
    return sum(folded(name) in _KNOWN or role_of(name) is not None for name in names)


def has_roles(names: Iterable[str]) -> bool:
    """Return whether some names are those of a user and of an item."""
    known = {folded(str(name)) for name in names}
    if {"u", "i"} <= known <= {"u", "i", "r", "t"}:
        return True
    return bool(known & KNOWN["user"]) and bool(known & KNOWN["item"])


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", ".", 1))
    except ValueError:
        return False
    return True
