"""What a catalogue may be given as: files, a database's table, and anything in memory that has
names: frames, records, columns, a mapping by id."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.readers import frames
from cofactor.data.readers.arrays import of_array
from cofactor.data.readers.columns import folded, has_role
from cofactor.data.readers.nested_items import is_wrapped, opened
from cofactor.data.readers.rows import records_of
from cofactor.data.readers.sources import STDIN, matched, refuse_url
from cofactor.data.records import names_of, table_of, table_of_columns

_WANTED = (
    "a catalogue must be a file, a data frame, records ({'item_id': 7, 'title': 'A'}) or a mapping"
    " from id to title"
)


def paths_of(source: Any) -> list[Path] | None:
    """Return the files that a path, a pattern or a list of paths names; None for what is none."""
    if isinstance(source, (str, os.PathLike)):
        checks.path(source, "items")
        if os.fspath(source) == STDIN:
            raise ArgumentError(
                "items must not be '-': standard input is for interactions; write the catalogue to"
                " a file."
            )
        refuse_url(source)
        several = matched(os.fspath(source))
        return [Path(source)] if several is None else several
    is_list = isinstance(source, (list, tuple)) and len(source) > 0
    if is_list and all(isinstance(part, (str, os.PathLike)) for part in source):
        for part in source:
            refuse_url(part)
        return [Path(part) for part in source]
    return None


def in_memory(source: Any) -> pa.Table:
    """Return a catalogue that is held in memory as a table.

    Raises
    ------
    ArgumentError
        If it is nothing with names.
    DataError
        If there is nothing in it.
    """
    if isinstance(source, pa.Table):
        return without_structs(source)
    if isinstance(source, np.ndarray):
        source = of_array(source)
    if frames.is_pandas(source) and not hasattr(source, "columns") and hasattr(source, "to_dict"):
        source = source.to_dict()
    if isinstance(source, Mapping):
        return _of_mapping(source)
    if frames.is_pandas(source) or frames.is_frame(source):
        return _of_frame(source)
    if isinstance(source, Iterable):
        rows = list(source)
        if not rows:
            raise DataError("there are no lines in it.", source="the catalogue")
        records = records_of(rows)
        if records is not None:
            return table_of([opened(record) for record in records])
    raise ArgumentError(f"{_WANTED}, not {type(source).__name__}.")


def _of_frame(source: Any) -> pa.Table:
    if frames.is_pandas(source):
        source = frames.tamed(source)
        if any(isinstance(cell, dict) for name in source for cell in source[name].head(100)):
            return table_of([opened(row) for row in source.to_dict("records")])
    return without_structs(frames.whole_table(source))


def _of_mapping(source: Mapping[Any, Any]) -> pa.Table:
    names, parts = names_of([source]), list(source.values())
    if any(map(_is_named_id, names)):
        ids = [part for name, part in source.items() if _is_named_id(str(name))]
        if any(_is_column(part) for part in ids):
            lists = {str(name): part for name, part in source.items() if _is_column(part)}
            if len(lists) < len(source):
                single = next(name for name in source if str(name) not in lists)
                raise DataError(f"column {single!r} must be a list.", source="the catalogue")
            columns = {name: list(part) for name, part in lists.items()}
            lengths = {len(part) for part in columns.values()}
            if len(lengths) == 1:
                return table_of_columns(columns)
            raise DataError(
                f"its columns must be of one length, not {sorted(lengths)}.", source="the catalogue"
            )
        return table_of([opened(source)])
    if parts and all(isinstance(part, Mapping) for part in parts):
        return table_of([{"item_id": key, **opened(part)} for key, part in source.items()])
    if parts and all(isinstance(part, str) or part is None for part in parts):
        return table_of_columns({"item_id": list(source), "title": parts})
    raise ArgumentError(f"{_WANTED}; this mapping has the keys {', '.join(names[:5])}.")


def _is_named_id(name: str) -> bool:
    return has_role("item", [name]) or folded(name) == "id"


def _is_column(part: Any) -> bool:
    return isinstance(part, Collection) and not isinstance(part, str | bytes | Mapping)


def without_structs(table: pa.Table) -> pa.Table:
    """Return a table with the fields of its structs by their paths, as JSON's objects are read;
    wrapped ids stay.
    """
    while nested := [
        field.name
        for field in table.schema
        if pa.types.is_struct(field.type) and not is_wrapped(dict.fromkeys(_fields(field.type)))
    ]:
        for name in nested:
            place, column = table.column_names.index(name), table.column(name)
            inner = pa.table({name: column}).flatten()
            table = table.remove_column(place)
            for n, path in enumerate(inner.column_names):
                table = table.add_column(place + n, path, inner.column(n))
    return table


def _fields(kind: pa.StructType) -> list[str]:
    return [kind.field(n).name for n in range(kind.num_fields)]
