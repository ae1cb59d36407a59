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
from cofactor.data.features.plain import is_readable, numbers_of, plain_column

KINDS = ("text", "category", "list", "number", "date", "vector")
# The names of what only interactions can tell: how much an item is liked or sold. A new item has
# none of it.
_LEAKS = re.compile(
    r"(^|_)(popularity|popular|n_?ratings?|num_?ratings?|ratings?_?count|rating|avg_?rating|"
    r"average_?rating|mean_?rating|votes?|"
    r"vote_?count|vote_?average|views?|clicks?|sales|sold|purchases|plays?|downloads|likes|rank|"
    r"bestseller|reviews?_?count)($|_)",
    re.IGNORECASE,
)
_IDS = re.compile(
    r"(^|_)(id|ids|asin|isbn|uuid|guid|sku|ean|upc|url|link|href|image|img|poster)($|_)"
    r"|(Id|ID)$|^id"
)
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
    """

    name: str
    kind: str


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
            Column(n, kind or kind_of(catalogue.table.column(n), text_too=False))
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
    if pc.mean(pc.match_substring(strings, "|").cast(pa.float64())).as_py() > 0.05:
        return "list"
    if _comma_lists(strings):
        return "list"
    if dates(strings)[1] > 0.9:
        return "date"
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


def _comma_lists(strings: pa.Array) -> bool:
    """Whether texts are lists such as ``Action, Drama``: their parts are few, short and repeat."""
    if len(strings) < 10:
        return False
    parts = pc.list_flatten(pc.split_pattern(strings, ", "))
    often = len(parts) > 1.3 * len(strings) and pc.count_distinct(parts).as_py() < 0.3 * len(parts)
    return bool(often and pc.mean(pc.count_substring(parts, " ")).as_py() < 1)


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
        if _LEAKS.search(name):
            notes.append(
                f"column {name!r} was left out: it reveals how popular an item is, which a new item"
                " can't know"
            )
        elif _IDS.search(name) or (kind == "category" and _all_differ(column)):
            notes.append(
                f"column {name!r} was left out: it looks like an id, which says nothing of a new"
                " item"
            )
        else:
            found.append(Column(name, kind))
    return tuple(found)


def _leak(catalogue: Catalogue, column: Column, counts: np.ndarray | None) -> list[str]:
    """Remarks on a column that reveals what only interactions can."""
    values = plain_column(catalogue.table.column(column.name))
    if column.kind in ("category", "number") and _IDS.search(column.name) and _all_differ(values):
        return [f"column {column.name!r} looks like an id: it can't say anything of a new item"]
    if column.kind != "number":
        return []
    if _LEAKS.search(column.name):
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
