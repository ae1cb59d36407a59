"""Catalogue columns of any Arrow type as one of the few that features are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import is_list_type, value_type


def plain_table(table: pa.Table) -> pa.Table:
    """Return a table with each column as `plain_column` gives it."""
    for n, name in enumerate(table.column_names):
        column = table.column(n)
        made = plain_column(column)
        if made is not column:
            table = table.set_column(n, name, made)
    return table


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as text, a number, a truth, a moment, a list of texts or a vector of numbers
    (lists of floats that are all as long); as nulls where it is none of these (objects, unreadable
    bytes).

    Durations become seconds, times of the day seconds since midnight, decimals and integers beyond
    64 bits floats."""
    kind = column.type
    if _is_plain(kind):
        return column
    try:
        return _converted(column, kind)
    except (pa.ArrowException, ValueError, OverflowError):
        return _nothing(len(column))


def is_readable(kind: pa.DataType) -> bool:
    """Return whether features can be computed from a type."""
    kind = value_type(kind)
    if isinstance(kind, pa.BaseExtensionType):
        return is_readable(kind.storage_type)
    if _is_list(kind):
        inner = kind.value_type
        if pa.types.is_struct(inner):
            return _naming(inner) is not None
        return is_readable(inner) if _is_list(inner) else not pa.types.is_nested(inner)
    return not pa.types.is_nested(kind) and "interval" not in str(kind)


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return pa.types.is_string(kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)
    if pa.types.is_dictionary(kind):
        return pa.types.is_string(kind.value_type)
    return (
        pa.types.is_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_timestamp(kind)
        or pa.types.is_date(kind)
        or pa.types.is_null(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    views = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    return is_list_type(kind) or bool(views)


def _converted(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if not is_readable(kind):
        return _nothing(len(column))
    if isinstance(kind, pa.BaseExtensionType):
        texts = [None if one is None else str(one) for one in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_dictionary(kind):
        return plain_column(pc.cast(column, kind.value_type))
    if pa.types.is_duration(kind):
        scale = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[kind.unit]
        return pc.multiply(column.cast(pa.int64()).cast(pa.float64(), safe=False), scale)
    if pa.types.is_time(kind):
        whole = column.cast(pa.time64("ns")).cast(pa.int64())
        return pc.multiply(whole.cast(pa.float64(), safe=False), 1e-9)
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    if _is_list(kind) and pa.types.is_nested(kind.value_type):
        lists = [None if cells is None else [*_texts(cells)] for cells in column.to_pylist()]
        return pa.chunked_array([pa.array(lists, pa.list_(pa.string()))])
    if _is_list(kind):
        column = column.cast(pa.list_(kind.value_type))
        vectors = _vectors(column) if pa.types.is_floating(kind.value_type) else None
        return column.cast(pa.list_(pa.string())) if vectors is None else vectors
    return column.cast(pa.string())


# What names an object within a list: {"id": 28, "name": "Action"}.
_NAMES = ("name", "title", "label", "value", "text")


def _naming(kind: pa.StructType) -> str | None:
    """The field that names an object; None if none does."""
    plain = {kind.field(n).name for n in range(kind.num_fields) if _is_plain(kind.field(n).type)}
    return next((name for name in _NAMES if name in plain), None)


def _texts(cells: Iterable[Any]) -> Iterator[str]:
    """The texts of a list, of lists within it, and the names of objects."""
    for cell in cells:
        if isinstance(cell, (list, tuple)):
            yield from _texts(cell)
            continue
        name = cell
        if isinstance(cell, Mapping):
            name = next((cell[name] for name in _NAMES if cell.get(name) is not None), None)
        if name is not None:
            yield str(name)


def _vectors(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Lists of floats that are all as long as vectors; None if they aren't."""
    lengths = pc.unique(pc.list_value_length(column)).drop_null().to_pylist()
    if len(lengths) != 1 or lengths[0] < 2:
        return None
    to = pa.list_(pa.float64(), lengths[0])
    if column.null_count:  # older versions of Arrow cast no nulls
        return pa.chunked_array([pa.array(column.to_pylist(), to)])
    return column.cast(pa.list_(pa.float64())).cast(to)


def _nothing(length: int) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(length)])


def numbers_of(column: pa.ChunkedArray) -> np.ndarray:
    """Return a plain column as float64, NaN where there is no number."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return numbers_of(column.cast(pa.uint8()))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        floats = column.cast(pa.float64(), safe=False).fill_null(np.nan)
        found = np.asarray(floats, np.float64)
        return np.where(np.isfinite(found), found, np.nan)
    if pa.types.is_string(kind):
        return np.array([_float(text) for text in column.to_pylist()], np.float64)
    return np.full(len(column), np.nan)


def _float(text: str | None) -> float:
    try:
        found = float(text) if text else np.nan
    except ValueError:
        return float("nan")
    return found if np.isfinite(found) else float("nan")
