"""Rows that aren't data: headers further down, and types below a header."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import coded, value_type
from cofactor.data.notes import Note
from cofactor.data.readers.columns import folded
from cofactor.data.readers.fields import split
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.sniff import Dialect
from cofactor.data.readers.usual_names import USUAL

# Words up to which Arrow's functions take longer to call than Python's to compare.
_FEW = 64
_BETWEEN = r"[\s_.-]+"
_TYPES = frozenset(
    (
        *("string", "str", "text", "char", "varchar", "object", "category", "token", "uuid"),
        *("int", "int32", "int64", "integer", "bigint", "long", "number", "numeric", "float"),
        *("float32", "float64", "double", "discrete", "continuous", "nominal", "ordinal"),
        *("int8", "int16", "uint8", "uint16", "uint32", "uint64", "smallint", "tinyint", "real"),
        *("decimal", "bool", "boolean", "date", "datetime", "datetime64", "timestamp", "date32"),
        *("fixedstring", "bytes", "binary"),
    )
)
# What ClickHouse writes around a type.
_AROUND = re.compile(r"^(?:nullable|lowcardinality)\((.*)\)$")
# Names of columns that can hardly be ids themselves, as ``customer`` and ``book`` can.
_IDS = {
    role: {name for name in USUAL[role] if name.endswith("id") and len(name) > 4}
    for role in ("user", "item")
}
# How columns of a text without a header are called.
_UNNAMED = "column "


def repeated_headers(raw: Raw) -> np.ndarray:
    """Return whether rows repeat the header, or say types below it, bool [n]; counted in the notes.

    Raises
    ------
    DataError
        If a header further down has its columns in another order: then so have the rows below.
    """
    left_out = np.zeros(len(raw.users), bool)
    if not raw.headed and raw.columns.get("user", "").startswith(_UNNAMED):
        _refuse_header_below(raw)
    if not raw.headed or not {"user", "item"} <= raw.columns.keys():
        return left_out
    if raw.parts is None or raw.parts.is_first:
        left_out[: _below_header(raw)] = True
    usual = {
        role: {folded(raw.columns[role]), _squeezed(raw.columns[role])} | _IDS[role]
        for role in ("user", "item")
    }
    again = _both(raw, usual["user"], usual["item"])
    count = int(again.sum())
    if count:
        raw.notes.append(Note.counting("left out", count, "repeat", " of the header"))
    turned = _both(raw, usual["item"] - usual["user"], usual["user"] - usual["item"])
    if turned.any():
        raise DataError(
            "a header further down has the user and the item in another order, and so have the rows"
            " below it; read the files that were joined one by one:",
            source=raw.source,
            rows=raw.locate(np.flatnonzero(turned)[:5]),
            total=int(turned.sum()),
        )
    return left_out | again


def _refuse_header_below(raw: Raw) -> None:
    """Raise DataError if a header stands below rows without one."""
    rows = np.flatnonzero(_both(raw, {"user", *_IDS["user"]}, {"item", *_IDS["item"]}))
    if rows.size:
        raise DataError(
            "there is a header below rows that have none, so the columns of those rows are unknown;"
            " put a header above all rows:",
            source=raw.source,
            rows=raw.locate(rows[:5]),
            total=len(rows),
        )


def without_headers(block: bytes, head: bytes, dialect: Dialect) -> bytes:
    """Return the rows of a table, with blank lines in place of the types below its header and of
    headers further down.
    """
    header = head.rstrip(b"\n").rpartition(b"\n")[2]
    first, end, rest = block.partition(b"\n")
    if are_types(split(first.decode(), dialect.delimiter, dialect.quoted)):
        block = end + rest
    return (b"\n" + block).replace(b"\n" + header + b"\n", b"\n\n")[1:] if header else block


def _squeezed(name: str) -> str:
    return re.sub(_BETWEEN, "", name).lower()


def _below_header(raw: Raw) -> int:
    """How many rows (0 or 1) below the header say the columns' types."""
    cells = [str(column[0].as_py()).strip().lower() for column in (raw.users, raw.items)]
    if not are_types(cells):
        return 0
    shown = ", ".join(cells)
    raw.notes.append(f"left out the line below the header ({shown}), which says types")
    return 1


def are_types(cells: Sequence[str]) -> bool:
    """Return whether all cells that hold anything are names of types, and some do."""
    held = [_bare_type(cell.strip().lower()) for cell in cells if cell.strip()]
    return bool(held) and all(cell.partition("(")[0] in _TYPES for cell in held)


def _bare_type(kind: str) -> str:
    """A type's name without what may be around it."""
    found = _AROUND.match(kind)
    return _bare_type(found[1]) if found else kind


def _both(raw: Raw, users: set[str], items: set[str]) -> np.ndarray:
    """Which rows have a name of some as their user and of some as their item, bool [n]."""
    found = _among(raw.users, users)
    return found & _among(raw.items, items) if found.any() else found


def _among(column: pa.ChunkedArray, names: set[str]) -> np.ndarray:
    """Which rows hold one of some folded names, bool [n]."""
    found, start = np.zeros(len(column), bool), 0
    if not pa.types.is_string(value_type(column.type)):
        return found
    for chunk in column.chunks:
        words, codes = coded(chunk)
        hit = _are(words, names)
        if hit.any():
            found[start : start + len(chunk)] = np.append(hit, False)[codes]
        start += len(chunk)
    return found


def _are(words: pa.Array, names: set[str]) -> np.ndarray:
    if len(words) <= _FEW:
        cells = (cell or "" for cell in words.to_pylist())
        return np.array([_squeezed(cell.strip()) in names for cell in cells], bool)
    # Patterns are slow: only what ends as a name does is compared.
    words = pc.utf8_trim_whitespace(words)
    ends = {name[-1:] for name in names}
    suspect = [pc.ends_with(words, end) for end in sorted({*ends, *map(str.upper, ends)})]
    found = np.flatnonzero(np.any([np.asarray(one.fill_null(False)) for one in suspect], axis=0))
    some = pc.utf8_lower(pc.replace_substring_regex(words.take(pa.array(found)), _BETWEEN, ""))
    hit = np.zeros(len(words), bool)
    hit[found] = np.asarray(pc.is_in(some, value_set=pa.array(sorted(names), pa.string())))
    return hit
