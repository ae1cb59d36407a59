"""Arrow's columns and types, where it has several for one thing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array of its values, whatever encodes them."""
    whole = _whole(column)
    return whole.dictionary_decode() if pa.types.is_dictionary(whole.type) else whole


def from_python(column: Any) -> pa.Array:
    """Return a column of Python, NumPy or pandas as an Arrow array, whatever its byte order."""
    if isinstance(column, np.ndarray) and not column.dtype.isnative:
        column = column.astype(column.dtype.newbyteorder("="))
    return pa.array(column)


def coded(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Return the distinct values of a column, and the number of each row's value among them; where
    there is none, their count.
    """
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = _whole(column)
    indices = whole.indices
    missing = len(whole.dictionary)
    return whole.dictionary, np.asarray(
        indices.fill_null(missing) if indices.null_count else indices
    )


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    # One chunk isn't copied.
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def with_column(table: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    """Return a table with a column in the place of the one of that name."""
    return table.set_column(table.column_names.index(name), name, column)


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values, whatever encodes them."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_list_type(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_text_type(kind: pa.DataType) -> bool:
    """Whether values are strings."""
    types = pa.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def is_number_type(kind: pa.DataType) -> bool:
    """Whether values are numbers, of whatever kind."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def without_views(column: Any, kind: pa.DataType) -> Any:
    """Return an array of views, or of 64-bit offsets, as one of Arrow's plain kind."""
    try:
        return column.cast(kind)
    except pa.ArrowNotImplementedError:  # Arrow 17 casts no views
        made = pa.array(column.to_pylist(), kind)
        return pa.chunked_array([made]) if isinstance(column, pa.ChunkedArray) else made
