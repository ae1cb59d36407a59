"""Cells that hold a list of items: a row for each item of each list."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.base.offsets import owners_of, ranges
from cofactor.data.arrow import coded, is_list_type, one_array, value_type
from cofactor.data.readers.columns import folded
from cofactor.data.readers.id_columns import as_words
from cofactor.data.readers.json_text import literal_of, record_of
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.values import Odd, numbers_and_odd

# Names that say that a cell holds several; with any other name a comma belongs to the id.
_PLURAL = frozenset(
    (
        *("items", "itemids", "products", "productids", "movies", "movieids", "books", "bookids"),
        *("articles", "articleids", "songs", "tracks", "trackids", "skus", "basket", "cart"),
        *("itemseq", "itemsequence", "itemlist", "itemidlist"),
    )
)
_BRACKETS = r"^\s*\[.*\]\s*$"
# In at least one of them: texts in quotes, numbers, or a comma and a blank; else it may be an id.
_LIST = r"""^\s*\[(\s*["'].*["']\s*|[-\d., ]+|.*, .*)\]\s*$"""
_ENTRY = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([^,]*[^,\s]))\s*(?:,|$)""")
# Between the parts of a list in Hive's files.
_HIVE = "\x02"
_SIGNS = (",", ";", "|")
# Sets of Python and arrays of PostgreSQL; and mappings, which aren't lists.
_BRACES = r"^\s*\{.*\}\s*$"
_MAPPING = r"""^\s*\{\s*("[^"]*"|'[^']*'|[-\w.]+)\s*:"""
_NUMBER = re.compile(r"^\s*-?\d+(\.\d+)?$")
# 2 x Hose, and Hose x2.
_TIMES = re.compile(r"^(\d+) ?[x×] (\S.*)$|^(.*\S) [x×] ?(\d+)$")
_NESTED = re.compile(r"^\s*\[\s*[\[({]")
_PAIR = re.compile(
    r"""[\[(]\s*(?:'([^']*)'|"([^"]*)"|([^'",\s]+))\s*,\s*(-?\d+(?:\.\d+)?)\s*[\])]"""
)
# Ids with digits between blanks: in names of things hardly every word has one.
_NUMBERS = r"^\s*\S*\d\S*( \S*\d\S*)*\s*$"


def explode_lists(raw: Raw, *, of_hive: bool = False) -> Raw:
    """Return raw columns with a row for each item where the cells of the items hold lists.

    They are lists if all stand in square brackets (``['a', 'b']``), if they hold commas, semicolons
    or bars in a column of a plural name, or Hive's sign in a file of its making (``of_hive``).
    """
    items = raw.items
    if pa.types.is_integer(value_type(items.type)) or not len(items):
        return raw
    items = as_words(items)
    words = items.chunk(0).dictionary
    name = folded(raw.columns.get("item", ""))
    parts = _splitter(words, name, of_hive=of_hive)
    numbered = name in _PLURAL and raw.values is None and raw.events is None
    if parts is None and not (numbered and _all_match(words, _BRACES, "{")):
        return raw
    cells: list[str] = ["" if word is None else word for word in words.to_pylist()]
    pairs = _with_values(cells, parts) if numbered else None
    if pairs is None and parts is None:
        return raw
    if pairs is None and parts is of_brackets:
        _refuse_nested(cells, raw)
    if pairs is None:
        lists = [list(parts(cell)) if parts and cell else [] for cell in cells]
    else:
        lists = [[item for item, _ in part] for part in pairs]
    lists.append([])  # of rows without any
    _, codes = coded(items)
    lengths = np.array([len(part) for part in lists], np.int64)[codes]
    found = _repeated(raw, [part for code in codes for part in lists[code]], lengths)
    if pairs is None:
        return found
    texts = [text for code in codes if code < len(words) for _, text in pairs[code]]
    numbers, odd = numbers_and_odd(pa.array(texts, pa.string()))
    notes = [*found.notes, f"the numbers beside them in {raw.named('item')} read as values"]
    return replace(found, values=numbers, odd=odd, notes=notes)


def _refuse_nested(cells: Sequence[str], raw: Raw) -> None:
    """Raise DataError if lists of items hold lists or objects."""
    nested = next((cell for cell in cells if _NESTED.match(cell)), None)
    if nested is not None:
        raise DataError(
            f"{raw.named('item')} holds lists within lists, such as {nested[:60]!r}; write a row"
            " for each user and item.",
            source=raw.source,
        )


def _all_match(words: pa.Array, form: str, sign: str) -> bool:
    """Whether all words that hold anything are of a form, each of which has a sign in it."""
    if not pc.match_substring(words, sign).true_count:
        return False
    held = words.filter(pc.not_equal(pc.utf8_trim_whitespace(words), ""))
    return bool(len(held)) and not pc.match_substring_regex(held, form).false_count


def _with_values(
    cells: Sequence[str], parts: Callable[[str], Sequence[str]] | None
) -> list[list[tuple[str, str]]] | None:
    """The items of each cell with their numbers, where the cells are mappings (``{'a': 3}``) or
    lists of pairs (``a:3,b:4``); None where they are neither.
    """
    pairs = []
    for cell in cells:
        found = _valued(cell, parts) if cell.strip() else []
        if found is None or len({item for item, _ in found}) < len(found):
            return None
        pairs.append(found)
    flat = [pair for part in pairs for pair in part]
    # Ids such as "movie:12" have few words and many numbers.
    few = len({item for item, _ in flat}) < len({text for _, text in flat})
    named = parts is not None and not any(map(_TIMES.match, parts(cells[0])))
    return None if not flat or (few and named) else pairs


def _valued(
    cell: str, parts: Callable[[str], Sequence[str]] | None
) -> list[tuple[str, str]] | None:
    if parts is None:
        return _mapping(cell)
    return _of_pairs(cell) if _NESTED.match(cell) else _pairs(parts(cell))


def _of_pairs(cell: str) -> list[tuple[str, str]] | None:
    """What a list of pairs holds, as JSON or Python write it: ``[['a', 3], ('b', 4)]``."""
    found = [part.groups() for part in _PAIR.finditer(cell)]
    rest = _PAIR.sub("", cell).strip().removeprefix("[").removesuffix("]")
    if not found or rest.strip(" ,"):
        return None
    return [(next(text for text in (a, b, c) if text is not None), n) for a, b, c, n in found]


def _mapping(cell: str) -> list[tuple[str, str]] | None:
    """What a mapping holds, as JSON or Python write it; None if it is none of numbers."""
    if not re.match(_MAPPING, cell):
        return None
    row = record_of(cell.encode()) or literal_of(cell.encode())
    found = [] if row is None else [(str(item), str(value)) for item, value in row.items()]
    return found if found and all(_NUMBER.match(text) for _, text in found) else None


def _pairs(parts: Sequence[str]) -> list[tuple[str, str]] | None:
    """Items and the numbers behind their colons, or those of how many there are; None if some have
    none.
    """
    counted = [_TIMES.match(part) for part in parts]
    if parts and all(counted):
        return [(c[2] or c[3], c[1] or c[4]) for c in counted if c]
    found = [part.rpartition(":") for part in parts]
    if not all(item and _NUMBER.match(text) for item, _, text in found):
        return None
    return [(item.strip(), text) for item, _, text in found]


def _splitter(
    words: pa.Array, name: str, *, of_hive: bool
) -> Callable[[str], Sequence[str]] | None:
    """How the cells are split; None if they hold no lists."""
    if _all_match(words, _BRACKETS, "["):
        return of_brackets if pc.match_substring_regex(words, _LIST).true_count else None
    if of_hive and pc.match_substring(words, _HIVE).true_count:
        return lambda cell: [part for part in cell.split(_HIVE) if part]
    if name not in _PLURAL:
        return None
    if _all_match(words, _BRACES, "{"):
        mapped = pc.match_substring_regex(words, _MAPPING).true_count
        return None if mapped else of_brackets
    held = words.filter(pc.not_equal(pc.utf8_trim_whitespace(words), ""))
    counts = {sign: pc.match_substring(held, sign).true_count for sign in _SIGNS}
    sign = max(_SIGNS, key=lambda sign: counts[sign])
    if not counts[sign]:
        numbers = not pc.match_substring_regex(held, _NUMBERS).false_count
        return str.split if numbers and pc.match_substring(held, " ").true_count else None
    return lambda cell: [part.strip() for part in cell.split(sign) if part.strip()]


def of_brackets(cell: str) -> list[str]:
    """Return the texts between the brackets of a cell: ``['a', 'b']``, ``[1 2]``, ``{a,b}``."""
    # NumPy writes no commas: ['a' 'b'], [1 2].
    inner = re.sub(r"""(['"])\s+(['"])""", r"\1, \2", cell.strip()[1:-1])
    if re.fullmatch(r"[-\d.\s]+", inner):
        return inner.split()
    found = (next(text for text in entry if text) for entry in _ENTRY.findall(inner) if any(entry))
    return [re.sub(r"\\(.)", r"\1", text) for text in found]


def _repeated(raw: Raw, items: list[str], lengths: np.ndarray) -> Raw:
    """The raw columns with row r ``lengths[r]`` times."""
    rows = owners_of(lengths)
    take = pa.array(rows)
    starts = np.cumsum(lengths) - lengths
    empty = int((lengths == 0).sum())
    notes = [*raw.notes, f"lists of items in {raw.named('item')} read as a row for each item"]
    if empty:
        notes.append(f"{empty:,} empty lists of items left out")
    return replace(
        raw,
        users=raw.users.take(take),
        items=pa.chunked_array([pa.array(items, pa.string())]),
        values=None if raw.values is None else raw.values[rows],
        times=None if raw.times is None else raw.times.take(rows),
        events=None if raw.events is None else raw.events.take(take),
        odd=None if raw.odd is None else _moved(raw.odd, starts, lengths),
        locate=lambda wanted: raw.locate(np.unique(rows[wanted])),
        notes=notes,
    )


def _moved(odd: Odd, starts: np.ndarray, lengths: np.ndarray) -> Odd:
    counts = lengths[odd.rows]
    texts = odd.texts.take(pa.array(owners_of(counts)))
    return Odd(ranges(starts[odd.rows], counts)[1], texts)


def with_list_rows(table: pa.Table, roles: Mapping[str, str], source: str) -> pa.Table:
    """Return a table whose items are lists with a row for each item of each list, and its own value
    and time where these are lists too.

    Raises
    ------
    DataError
        If such lists aren't as long as those of the items.
    """
    lists = {
        field.name: one_array(table.column(field.name))
        for field in table.schema
        if is_list_type(field.type)
    }
    if roles["item"] not in lists:
        return table
    items = lists[roles["item"]]
    lengths = pc.list_value_length(items).fill_null(0)
    for name, parts in lists.items():
        if not pc.list_value_length(parts).fill_null(0).equals(lengths):
            raise DataError(
                f"the lists in column {name!r} aren't as long as those in {roles['item']!r}; leave"
                " the column out with value=False or time=False, or name another.",
                source=source,
            )
    rest = table.drop_columns(list(lists)).take(pc.list_parent_indices(items))
    for name, parts in lists.items():
        rest = rest.append_column(name, pc.list_flatten(parts))
    return rest
