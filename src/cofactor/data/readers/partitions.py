"""Columns that stand in the names of folders: ``user=7/date=2024-01-01/part-0.parquet``, as Hive,
Spark and DuckDB write partitioned tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from urllib.parse import unquote

import pyarrow as pa

from cofactor.data.readers.source_files import SourceFile

# Column -> its value in all rows of a file.
Partition = Mapping[str, str | None]
_NOTHING = "__HIVE_DEFAULT_PARTITION__"


def partition_of(entry: SourceFile) -> Partition:
    """Return the columns that the folders right above a file name, and their values."""
    found: dict[str, str | None] = {}
    path = entry.member or str(entry.path)
    if "=" not in path:
        return found
    for folder in reversed(PurePath(path).parts[:-1]):
        name, equals, value = folder.partition("=")
        if not (name and equals):
            break
        found = {unquote(name): None if value == _NOTHING else unquote(value), **found}
    return found


def with_partition(table: pa.Table, partition: Partition) -> pa.Table:
    """Return a file's table with the columns that only its folders name."""
    for name in partition:
        if name not in table.column_names:
            codes = pa.nulls(table.num_rows, pa.int32()).fill_null(0)
            words = pa.array([partition[name]], pa.string())
            table = table.append_column(name, pa.DictionaryArray.from_arrays(codes, words))
    return table
