"""Records (dictionaries) as tables: the union of their keys, whichever has them first."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import is_text_type
from cofactor.data.id_queries import is_exact
from cofactor.data.id_text import texts_of_bytes

_DECIMALS = {Decimal, type(None)}
_PLAIN = {str, int, type(None)}
_SIMPLE = (int, float, Decimal, UUID, datetime.timedelta, np.generic)


def names_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys of all records, each once, in the order in which they come.

    Raises
    ------
    DataError
        If a key isn't Unicode (holds half a character).
    """
    names = list(dict.fromkeys(name_text(name) for row in rows for name in row))
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise DataError(
                f"the name {name!a} holds half a character (a lone surrogate), which isn't"
                " Unicode; write the data again from its source."
            ) from None
    return names


def name_text(name: Any) -> str:
    """Return a column's name as text; bytes, as Redis and old pickles have them, are UTF-8."""
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return records as an Arrow table over the union of their keys; null where a record lacks one.

    Columns of mixed or nested types become texts (JSON where they are nested), so that any records
    make a table.
    """
    names = names_of(rows)
    if not names:
        return pa.table({"": pa.nulls(len(rows))})
    if not all(isinstance(name, str) for row in rows for name in row):
        rows = [{name_text(name): value for name, value in row.items()} for row in rows]
    return table_of_columns({name: [row.get(name) for row in rows] for name in names})


# Marks of columns of mixed types: those of their texts that were no ids (booleans, dates, floats
# beyond exact whole numbers ...), as JSON; that some were bytes (in hex).
NO_IDS, BYTES = b"no ids", b"bytes"
# Never a part of a whole number, however they are written.
_MOMENTS = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


def table_of_columns(columns: Mapping[str, Sequence[Any] | pa.Array | pa.ChunkedArray]) -> pa.Table:
    """Return columns of any values as an Arrow table; the fields' metadata say which texts were
    `NO_IDS` or `BYTES`, which aren't ids or other ones.
    """
    arrays, fields = [], []
    for name, values in columns.items():
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            array, marks = values, None
        else:
            array, marks = column_and_marks(values)
        arrays.append(array)
        fields.append(pa.field(name, array.type, metadata=marks))
    return pa.table(arrays, pa.schema(fields))


def column_and_marks(values: Sequence[Any]) -> tuple[pa.Array, dict[bytes, bytes] | None]:
    """Return any values as an Arrow array, and the marks of its field (see `table_of_columns`)."""
    array, marks = column_of(values), dict[bytes, bytes]()
    if pa.types.is_string(array.type) and not {*map(type, values)} <= _PLAIN:
        odd = [row for row, value in enumerate(values) if _is_no_id(value)]
        if odd:
            marks[NO_IDS] = json.dumps(pc.unique(array.take(pa.array(odd))).to_pylist()).encode()
        held = [value for value in values if isinstance(value, bytes)]
        if held and texts_of_bytes(held)[1]:
            marks[BYTES] = b"1"
    return array, marks or None


def _is_no_id(value: Any) -> bool:
    """Whether a value among others can't be an id, though its text could: it would be refused in a
    column of its like.
    """
    if isinstance(value, (float, np.floating)):
        return value == value and not is_exact(value)
    if isinstance(value, Decimal):
        return value.is_infinite()
    return isinstance(value, (bool, np.bool_, *_MOMENTS)) and type(value).__name__ != "NaTType"


def without_no_ids(table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column of ids of a table, with a list, which isn't an id, in the place of each text
    that wasn't one.
    """
    column = table.column(name)
    odd = (table.schema.field(name).metadata or {}).get(NO_IDS)
    if odd is None or not is_text_type(column.type):
        return column
    texts = pa.array(json.loads(odd), column.type)
    first, last, between = (pa.scalar(part, column.type) for part in ('["', '"]', ""))
    listed = pc.binary_join_element_wise(first, column, last, between)
    return pc.if_else(pc.is_in(column, value_set=texts), listed, column)


def column_of(values: Sequence[Any]) -> pa.Array:
    """Return any values as an Arrow array.

    Raises
    ------
    DataError
        If a text isn't Unicode (holds half a character).
    """
    try:
        kinds = set(map(type, values))
        decimals = _decimals(values) if Decimal in kinds and kinds <= _DECIMALS else None
        if decimals is not None:
            return decimals
        if any(issubclass(kind, pa.Scalar) for kind in kinds):
            return column_of([v.as_py() if isinstance(v, pa.Scalar) else v for v in values])
        if any(issubclass(kind, (dict, UUID, Decimal)) for kind in kinds):
            # A struct of all keys that ever occur would be mostly empty.
            texts = texts_of_bytes(values)[0]
            return pa.array([_as_text(value) for value in texts], pa.string())
        if any(issubclass(kind, (set, frozenset)) for kind in kinds):
            # Sets come in another order in every run.
            values = [sorted(v, key=str) if isinstance(v, (set, frozenset)) else v for v in values]
        if bytes in kinds and str in kinds:
            return pa.array(texts_of_bytes(values)[0])
        if datetime.date in kinds and len(kinds - {datetime.date, type(None)}):
            # Arrow would cut off the time of day of the others.
            values = [_midnight(v) if type(v) is datetime.date else v for v in values]
        try:
            return pa.array(values)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            return _of_any(values)
    except UnicodeEncodeError as error:
        raise DataError(
            f"a text holds half a character (a lone surrogate), which isn't valid Unicode"
            f" ({error}); write the data again from its source."
        ) from None


def _decimals(values: Sequence[Any]) -> pa.Array | None:
    """Decimals as Arrow has them; None where it hasn't: of more than 76 digits, infinite, none."""
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError):  # TypeError of infinite ones
        return None


def python_cells(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Return a column's cells as Python has them; times beyond its calendar (the years 1 to 9999),
    or finer than it, as the integers that they are stored as.
    """
    try:
        return column.to_pylist()
    except (OverflowError, ValueError):
        kind = column.type
        if not pa.types.is_temporal(kind):
            raise
        return column.cast(pa.int64() if kind.bit_width == 64 else pa.int32()).to_pylist()


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time())


def _of_any(values: Sequence[Any]) -> pa.Array:
    """Values of mixed types, or of types that Arrow hasn't."""
    moments = [value for value in values if isinstance(value, np.datetime64)]
    if moments and len(moments) == sum(value is not None for value in values):
        stamps = np.array([np.datetime64("NaT") if v is None else v for v in values], "M8[s]")
        return pa.array(stamps)
    return pa.array([_as_text(value) for value in texts_of_bytes(values)[0]], pa.string())


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, float) and np.isnan(value):
        return None
    if isinstance(value, np.bool_):
        value = bool(value)
    if isinstance(value, Decimal) and value.is_finite():
        return f"{value:f}" if value else "0"
    if isinstance(value, (float, np.floating)) and value == 0:
        return "0.0"  # also of -0.0
    if isinstance(value, (dict, list, tuple, bool)):
        try:
            return json.dumps(value, ensure_ascii=False, default=str)
        except (TypeError, ValueError, RecursionError):
            return str(value)
    is_complex = isinstance(value, np.complexfloating)
    if is_complex or (not isinstance(value, _SIMPLE) and not hasattr(value, "isoformat")):
        raise DataError(
            f"a {type(value).__name__} can't be data: {str(value)[:60]!r};"
            " convert it to a number or a text first."
        )
    return str(value)
