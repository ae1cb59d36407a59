"""Rows in memory: tuples, dictionaries, named tuples, dataclasses and their like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import DataError
from cofactor.data.readers.arrays import is_header
from cofactor.data.readers.columns import Options, find_roles
from cofactor.data.readers.frames import raw_of_table, read_frame
from cofactor.data.readers.json_shapes import table_of_json
from cofactor.data.readers.positions import dated, timed
from cofactor.data.readers.raw import NoRowsError, Raw
from cofactor.data.records import table_of, table_of_columns


def read_tuples(source: Iterable[Any], options: Options) -> Raw:
    """Read tuples ``(user, item[, value[, time]])``, or dictionaries with the usual names."""
    rows = list(source)
    if not rows:
        raise NoRowsError("there are no rows in it.", source="rows")
    _refuse_columns(source, rows)
    records = records_of(rows)
    if records is not None:
        return read_frame(table_of_json(records, "rows"), options, "rows")
    if len(rows) > 1 and is_header(rows[0]):
        records = [dict(zip(rows[0], row, strict=False)) for row in rows[1:]]
        return read_frame(table_of(records), options, "rows")
    odd = [row for row in rows if not _is_row(row)]
    if odd and hasattr(odd[0], "tocoo"):
        raise DataError("a matrix is read alone, not in a list.", source="rows")
    odd = odd or [row for row in rows if len(row) != len(rows[0])]
    if odd:
        raise DataError(
            f"rows must be tuples (user, item[, value[, time]]) of one length, not {odd[0]!r}.",
            source="rows",
        )
    names = ["user", "item", "value", "time"][: len(rows[0])]
    if len(names) == 3 and options.value is None and dated([str(row[2]) for row in rows]):
        names[2] = "time"
    if len(names) == 4 and options.value is None and options.time is None:
        third, fourth = ([str(row[n]) for row in rows] for n in (2, 3))
        if timed(third) and not timed(fourth):
            names[2:] = names[:1:-1]
    columns = zip(names, zip(*rows, strict=True), strict=True)
    table = table_of_columns({name: [_scalar(v) for v in column] for name, column in columns})
    return raw_of_table(table, find_roles(names, options, "rows"), options, "rows")


def records_of(rows: Sequence[Any]) -> list[dict[str, Any]] | None:
    """Return mappings, named tuples, dataclasses and their like as dictionaries; None if some rows
    have no names.
    """
    if not all(isinstance(row, Mapping) or _names_of_row(row) for row in rows):
        return None
    return [dict(row) if isinstance(row, Mapping) else _record(row) for row in rows]


def _refuse_columns(source: Iterable[Any], rows: Sequence[Any]) -> None:
    """Raise DataError for frames in a list, and columns in a tuple, which look like rows."""
    if any(hasattr(row, "columns") for row in rows):
        raise DataError("it holds data frames; join them first (concat).", source="rows")
    if isinstance(source, tuple) and all(hasattr(row, "__array__") for row in rows):
        raise DataError(
            "a tuple of arrays may be rows or columns; pass {'user': ..., 'item': ...}.",
            source="rows",
        )


def _names_of_row(row: Any) -> list[str]:
    """The names that a row itself has (named tuples, rows of database drivers); none of a tuple."""
    keys = getattr(row, "_fields", None) or getattr(row, "keys", None)
    return [str(name) for name in (keys() if callable(keys) else keys or _attributes(row))]


def _attributes(row: Any) -> list[str]:
    """The fields that a row's class declares: a dataclass, or a class of attrs or pydantic."""
    kind = type(row)
    declared = getattr(kind, "__dataclass_fields__", None) or getattr(kind, "model_fields", None)
    return list(declared or (part.name for part in getattr(kind, "__attrs_attrs__", ())))


def _record(row: Any) -> dict[str, Any]:
    if names := _attributes(row):
        return {name: getattr(row, name) for name in names}
    return dict(zip(_names_of_row(row), row, strict=True))


def _is_row(row: Any) -> bool:
    return (
        hasattr(row, "__len__")
        and not isinstance(row, (str, bytes, Mapping, set, frozenset))
        and not hasattr(row, "tocoo")
        and 2 <= len(row) <= 4
    )


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic):
        # The width of a float says which whole numbers it holds.
        kept = value.dtype.kind in "mM" or (value.dtype.kind == "f" and value.itemsize < 8)
        return value if kept else value.item()
    if checks.is_masked(value):
        return None
    # Of another library, such as a tensor with one number.
    return value.item() if hasattr(value, "__array__") and np.ndim(value) == 0 else value
