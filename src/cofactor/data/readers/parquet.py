"""Parquet files: only the columns that are used are read, ids of any integer, string or
dictionary type.
"""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from pyarrow import parquet as pq

from cofactor.base.errors import DataError
from cofactor.data.readers.assemble import Raw
from cofactor.data.readers.columns import Options, find_roles
from cofactor.data.readers.frames import raw_of_table
from cofactor.data.readers.places import Entry


def read_parquet(entry: Entry, options: Options) -> Raw:
    """Read the four columns of a Parquet file.

    Raises
    ------
    DataError
        If the file is damaged, empty, or lacks a column.
    """
    file = _opened(entry)
    roles = find_roles(file.schema_arrow.names, options, entry.shown)
    if file.metadata.num_rows == 0:
        raise DataError("the file has columns but no rows.", source=entry.shown)
    with options.progress.task(f"reading {entry.name}", file.metadata.num_rows) as task:
        table = file.read(columns=list(roles.values()))
        task.advance(table.num_rows)
    return raw_of_table(table, roles, options, entry.shown)


def whole_table(entry: Entry) -> pa.Table:
    """Read all columns of a Parquet file."""
    return _opened(entry).read()


def _opened(entry: Entry) -> Any:
    try:
        if entry.member is None and not entry.path.name.endswith(".gz"):
            return pq.ParquetFile(entry.path)
        return pq.ParquetFile(pa.BufferReader(io.BytesIO(entry.read()).getbuffer()))
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(
            f"this is no whole Parquet file ({_first_line(error)}); fetch or write it again.",
            source=entry.shown,
        ) from None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
