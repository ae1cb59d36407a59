"""Arrow's columns and types, where it has several for one thing."""

from __future__ import annotations

import pyarrow as pa


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array of its values, whatever encodes them."""
    if isinstance(column, pa.ChunkedArray):  # one chunk isn't copied
        column = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def value_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of a column's values, whatever encodes them."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def is_list_type(kind: pa.DataType) -> bool:
    """Whether values are lists."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def is_text_type(kind: pa.DataType) -> bool:
    """Whether values are strings."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_number_type(kind: pa.DataType) -> bool:
    """Whether values are numbers, of whatever kind."""
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))
