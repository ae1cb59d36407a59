"""What a column of a catalogue is: text, a category, a list, a number or a date; declared by
name, or detected and shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.names import unknown_name
from cofactor.data.arrow import is_list_type, is_number_type, value_type
from cofactor.data.catalogue import Catalogue
from cofactor.data.features.forms import are_lists, date_form, list_form
from cofactor.data.features.plain import is_readable, numbers_of, plain_column

KINDS = ("text", "category", "list", "number", "date", "vector")
# The names of what only interactions can tell: how much an item is liked or sold. A new item has
# none of it. They are looked at word by word: viewCount is view_count.
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^\w]+|_+")
_LEAKS = re.compile(
    r"(^|_)((n|num|number_of|count_of|total)_?(ratings?|reviews?|votes?|orders?|sales|users?)|"
    r"(rating|review|vote|view|play|order|like|favou?rite)s?_?(count|number|average|avg)|"
    r"((avg|average|mean)_?)?ratings?|reviews|votes?|views?|clicks?|sales|sold|purchases|plays?|"
    r"downloads|likes|favou?rites|listeners|(sales_?)?rank)($|_)"
)
# What is graded by others than those who buy: from which age on, how much power it takes.
_GRADES = re.compile(
    r"(^|_)(age|content|maturity|mpaa|esrb|pegi|fsk|usk|bbfc|parental|energy|safety)_ratings?($|_)"
)
_POPULAR = re.compile(r"(^|_)(popularity|popular|bestseller)($|_)")
_IDS = re.compile(
    r"(^|_)(ids?|asin|uuid|guid|sku|(isbn|ean|upc|gtin|barcode)_?\d*)($|_)"
    # What numbers the lines of a data frame that was written as text.
    r"|^unnamed_\d+$|^id(product|item|artic|prod)"
)
_LINKS = re.compile(
    r"(^|_)(ur[li]s?|links?|href|image|img|poster|thumbnail|photo|picture)s?\d*($|_)"
)
_URL = r"^\s*(https?://|www\.|/)\S+\.\S+"
_DATES = ("%Y-%m-%d", "%d-%b-%Y", "%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True)
class Column:
    """A column that is read, and as what.

    Parameters
    ----------
    name
        Its name in the catalogue.
    kind
        ``"text"``, ``"category"``, ``"list"``, ``"number"``, ``"date"``, or ``"vector"`` (encoded
        text, of a fixed length).
    form
        How its texts are written, if not as usual; see `forms`.
    """

    name: str
    kind: str
    form: str = ""


def choose(
    catalogue: Catalogue,
    text: Iterable[str],
    features: Iterable[str],
    counts: np.ndarray | None = None,
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns to read and remarks on them.

    Parameters
    ----------
    catalogue
        The table.
    text
        Columns to read as text.
    features
        Columns to read as what their type says: category, list, number, date. If neither is given,
        all that look useful are.
    counts
        int64 [n]: interactions of each row; a number that goes with them too closely is warned of.

    Raises
    ------
    UnknownNameError
        If a named column isn't there.
    """
    declared = [(n, "text") for n in text] + [(n, "") for n in features]
    for name, _ in declared:
        if name not in catalogue.column_names:
            raise unknown_name("column of the catalogue", name, catalogue.column_names)
    notes: list[str] = []
    if declared:
        chosen = tuple(
            _column(n, kind or kind_of(catalogue.table.column(n), text_too=False), catalogue)
            for n, kind in declared
        )
    else:
        chosen = _detected(catalogue, notes)
        shown = ", ".join(f"{c.name} ({c.kind})" for c in chosen) or "nothing"
        notes.append(f"features found: {shown}")
    for column in chosen:
        notes.extend(_leak(catalogue, column, counts))
    return chosen, tuple(notes)


def kind_of(column: pa.ChunkedArray, *, text_too: bool = True) -> str:
    """Return what a column looks like; ``text_too`` lets strings be text, otherwise they are a
    category, list or date.
    """
    column = plain_column(column)
    kind = value_type(column.type)
    if pa.types.is_fixed_size_list(kind):
        return "vector"
    if is_list_type(kind):
        return "list"
    if pa.types.is_boolean(kind):
        return "category"
    if is_number_type(kind):
        return "number"
    if pa.types.is_temporal(kind):
        return "date"
    strings = _filled(column)
    if len(strings) == 0:
        return "category"
    if _has_bars(strings):
        return "list"
    if dates(strings)[1] > 0.9 or date_form(strings):
        return "date"
    if are_lists(strings, ", ") or list_form(strings):
        return "list"
    words = pc.mean(pc.add(pc.count_substring(strings, " "), 1)).as_py()
    return (
        "text"
        if text_too and words >= 2 and pc.count_distinct(strings).as_py() > 0.5 * len(strings)
        else "category"
    )


def dates(strings: pa.Array) -> tuple[np.ndarray, float]:
    """Return days since 1970 of text (NaN where it isn't a date), float64 [n], and the share that
    could be read.
    """
    best, share = np.full(len(strings), np.nan), 0.0
    for form in _DATES:
        parsed = pc.strptime(strings, format=form, unit="s", error_is_null=True)
        read = 1 - parsed.null_count / max(1, len(parsed))
        if read > share:
            best, share = (
                np.asarray(parsed.cast(pa.int64()).cast(pa.float64()).fill_null(np.nan)) / 86400,
                read,
            )
        if share > 0.9:
            break
    return best, share


def _has_bars(strings: pa.Array) -> bool:
    return bool(pc.mean(pc.match_substring(strings, "|").cast(pa.float64())).as_py() > 0.05)


def _column(name: str, kind: str, catalogue: Catalogue) -> Column:
    """A column of a kind, with how its texts are written."""
    column = plain_column(catalogue.table.column(name))
    if kind not in ("list", "date") or not pa.types.is_string(value_type(column.type)):
        return Column(name, kind)
    strings = _filled(column)
    if kind == "date":
        return Column(name, kind, "" if dates(strings)[1] > 0.9 else date_form(strings))
    usual = _has_bars(strings) or are_lists(strings, ", ")
    return Column(name, kind, "" if usual else list_form(strings))


def _words(name: str) -> str:
    """A column's name in small letters, with ``_`` between its words."""
    return _WORDS.sub("_", name).strip("_").lower()


def _named_id(name: str) -> bool:
    return _IDS.search(_words(name)) is not None


def _reveals(name: str, kind: str) -> bool:
    """Whether a column's name says how popular an item is; a text that does (``age_rating``: PG) is
    mostly another thing.
    """
    words = _words(name)
    if _POPULAR.search(words):
        return True
    return kind == "number" and bool(_LEAKS.search(_GRADES.sub("_", words)))


def _detected(catalogue: Catalogue, notes: list[str]) -> tuple[Column, ...]:
    found = []
    for name in catalogue.column_names:
        column = catalogue.table.column(name)
        if not is_readable(column.type):
            notes.append(
                f"column {name!r} was left out: it holds {column.type}, of which no feature is made"
            )
            continue
        column = plain_column(column)
        if column.null_count == len(column) or pa.types.is_null(column.type):
            continue
        kind = "text" if name == catalogue.title_column else kind_of(column)
        if _reveals(name, kind):
            notes.append(
                f"column {name!r} was left out: it reveals how popular an item is, which a new item"
                " can't know"
            )
        elif (kind != "text" and _LINKS.search(_words(name))) or _are_links(column):
            notes.append(f"column {name!r} was left out: it holds links, which say nothing")
        elif _is_id(name, kind, column):
            what = "it looks like an id" if _named_id(name) else "each item has another value in it"
            notes.append(f"column {name!r} was left out: {what}, which says nothing of a new item")
        else:
            # Ids that many items share, of brands or sellers, are names of theirs.
            shared = kind == "number" and _named_id(name)
            found.append(_column(name, "category" if shared else kind, catalogue))
    return tuple(found)


def _are_links(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_string(value_type(column.type)):
        return False
    strings = _filled(column)
    return bool(len(strings)) and pc.all(pc.match_substring_regex(strings, _URL)).as_py()


def _is_id(name: str, kind: str, column: pa.ChunkedArray) -> bool:
    """Whether a column holds ids of the items themselves: each has its own."""
    if kind == "category" and _all_differ(column):
        return True
    if kind not in ("category", "number") or not _named_id(name):
        return False
    known = len(column) - column.null_count
    # What has two items or more each is something that they have in common.
    several = 2 * pc.count_distinct(column).as_py() <= known
    return not several or pa.types.is_floating(value_type(column.type))


def _leak(catalogue: Catalogue, column: Column, counts: np.ndarray | None) -> list[str]:
    """Remarks on a column that reveals what only interactions can."""
    values = plain_column(catalogue.table.column(column.name))
    named = _named_id(column.name) or _LINKS.search(_words(column.name))
    if column.kind in ("category", "number") and named and _all_differ(values):
        return [f"column {column.name!r} looks like an id: it can't say anything of a new item"]
    if column.kind != "number":
        return []
    if _reveals(column.name, column.kind):
        return [
            f"column {column.name!r} leaks: it reveals an item's popularity, which a new item can't"
            " know"
        ]
    if counts is None or len(counts) < 10:
        return []
    numbers = numbers_of(values)
    good = np.isfinite(numbers)
    if good.sum() > 10 and numbers[good].std() > 0 and counts[good].std() > 0:
        together = np.corrcoef(_ranks(numbers[good]), _ranks(counts[good]))[0, 1]
        if together > 0.9:
            return [
                f"column {column.name!r} leaks: it goes with the number of interactions (rank"
                f" correlation {together:.2f})"
            ]
    return []


def _all_differ(column: pa.ChunkedArray) -> bool:
    kind = value_type(column.type)
    if pa.types.is_floating(kind) or pa.types.is_nested(kind):
        return False
    known = len(column) - column.null_count
    return bool(known > 10 and pc.count_distinct(column).as_py() > 0.98 * known)


def _filled(column: pa.ChunkedArray) -> pa.Array:
    strings = column.cast(pa.string()).drop_null().slice(0, 5000).combine_chunks()
    return strings.filter(pc.greater(pc.binary_length(pc.utf8_trim_whitespace(strings)), 0))


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable").astype(np.float64)
