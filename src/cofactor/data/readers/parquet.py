"""Columnar files (Parquet, Feather) and Excel's workbooks: only the columns that are used are read,
ids of any integer, string or dictionary type.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as pq

from cofactor.base import memory
from cofactor.base.errors import CofactorError, DataError
from cofactor.base.extras import require
from cofactor.data.readers.arrow_memory import arrow_reader
from cofactor.data.readers.cell_roles import roles_of_columns
from cofactor.data.readers.clock_columns import CellsOf, cells_of_table
from cofactor.data.readers.columns import Options
from cofactor.data.readers.frames import are_numbered, raw_of_table, raw_of_whole
from cofactor.data.readers.headers import are_groups, has_roles
from cofactor.data.readers.json_shapes import is_nested
from cofactor.data.readers.nested_items import has_ids
from cofactor.data.readers.partitions import partition_of, with_partition
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.source_files import SMALL, SourceFile
from cofactor.data.records import table_of_columns

# How a stream of Arrow begins, a file of its own otherwise.
STREAM = b"\xff\xff\xff\xff"
# What a row takes in memory at the least, in each column: it may be a few bits in the file.
_BYTES = 8
# The format of numbers with zeros in front: postal codes, articles.
_ZEROS = re.compile(r"^0{2,}$")
# Of a workbook, by its format.
_LAST_ROW = 1 << 20


def read_parquet(entry: SourceFile, options: Options) -> Raw:
    """Read the four columns of a Parquet file.

    Raises
    ------
    DataError
        If the file is damaged, empty, or lacks a column.
    MemoryLimitError
        If it has more rows than memory can hold.
    """
    with opened(entry) as file:
        names, partition = file.schema_arrow.names, partition_of(entry)
        if not is_plain(file):
            _check_rows(file.metadata.num_rows, len(names), entry)
            return raw_of_whole(
                with_partition(_valid(file.read()), partition), options, entry.shown
            )
        roles = roles_of_columns(names, options, entry.shown, cells_of(file), partition=partition)
        n_rows = file.metadata.num_rows
        _check_rows(n_rows, len(roles), entry)
        with options.progress.task(f"reading {entry.name}", n_rows) as task:
            threads = _BYTES * n_rows > SMALL
            columns = [name for name in roles.values() if name in names]
            table = _valid(file.read(columns=columns, use_threads=threads))
            task.advance(table.num_rows)
        table = with_partition(table, partition)
        return raw_of_table(table, roles, options, entry.shown, names=names)


def cells_of(file: Any) -> CellsOf:
    """Return what gives the first cells of columns of an open Parquet file as texts."""

    def cells(names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        empty = pa.Table.from_batches([], file.schema_arrow).select(list(names)).to_batches()
        first = next(file.iter_batches(100, columns=list(names)), None)
        table = pa.table(empty) if first is None else pa.Table.from_batches([first])
        return cells_of_table(table)(names)

    return cells


def whole_table(entry: SourceFile) -> pa.Table:
    """Read all columns of a Parquet file."""
    with opened(entry) as file:
        _check_rows(file.metadata.num_rows, len(file.schema_arrow), entry)
        return _valid(file.read())


def names_of(entry: SourceFile) -> list[str]:
    """Return the names of a Parquet file's columns."""
    with opened(entry) as file:
        return list(file.schema_arrow.names)


def read_feather(entry: SourceFile, options: Options) -> Raw:
    """Read the four columns of a Feather (Arrow) file."""
    table = with_partition(feather_table(entry), partition_of(entry))
    return raw_of_whole(table, options, entry.shown)


def feather_table(entry: SourceFile) -> pa.Table:
    """Read all columns of a Feather (Arrow) file."""
    with _damage(entry, "Arrow" if entry.suffix == ".arrow" else "Feather"):
        held = entry.read(limit=1 << 32)
        if held.startswith(STREAM):
            return _valid(pa.ipc.open_stream(arrow_reader(held)).read_all())
        return _valid(feather.read_table(arrow_reader(held), use_threads=len(held) > SMALL))


def read_excel(entry: SourceFile, options: Options) -> Raw:
    """Read the four columns of a workbook's first sheet that has any; needs the extra ``excel``."""
    tables, chosen = _chosen_sheet(entry, has_ids)
    raw = raw_of_whole(tables[chosen], options, entry.shown)
    others = [name for name in tables if name != chosen]
    if others:
        raw.notes.append(f"the sheet {chosen!r} is read; not read: {', '.join(others)}")
    return raw


def excel_table(
    entry: SourceFile, wanted: Callable[[Sequence[str]], bool] = lambda _: True
) -> pa.Table:
    """Read the first sheet whose columns are the wanted ones, or the first with anything in it; its
    first row of several cells names the columns.

    Raises
    ------
    DataError
        If it isn't a workbook, or holds no table.
    """
    tables, chosen = _chosen_sheet(entry, wanted)
    return tables[chosen]


def _chosen_sheet(
    entry: SourceFile, wanted: Callable[[Sequence[str]], bool]
) -> tuple[dict[str, pa.Table], str]:
    """The tables of all sheets, and the name of the one to read."""
    tables = {name: _of_sheet(rows, entry) for name, rows in _sheets(entry).items()}
    found = [name for name, table in tables.items() if wanted(table.column_names)]
    return tables, next(iter(found or tables))


def _sheets(entry: SourceFile) -> dict[str, list[Sequence[Any]]]:
    """The rows of each sheet that can be seen and has more than one, by name."""
    openpyxl = require("openpyxl", purpose="reading a workbook of Excel")
    with _damage(entry, "Excel"):
        book = openpyxl.load_workbook(
            io.BytesIO(entry.read(limit=1 << 28)), read_only=True, data_only=True
        )
        try:
            found = {
                sheet.title: _rows_of(sheet, entry)
                for sheet in book.worksheets
                if sheet.sheet_state == "visible"
            }
        finally:
            book.close()
    sheets = {name: rows for name, rows in found.items() if len(rows) > 1}
    if not sheets:
        raise DataError("the workbook has no sheet with a header and rows.", source=entry.shown)
    return sheets


def _rows_of(sheet: Any, entry: SourceFile) -> list[Sequence[Any]]:
    """A sheet's rows but for empty ones, which openpyxl makes up to any number that a row has."""
    # Programs write any size above the rows, often that of one cell, and openpyxl would believe it.
    sheet.reset_dimensions()
    rows, padded = [], any(map(_ZEROS.match, getattr(sheet.parent, "_number_formats", ())))
    for number, cells in enumerate(sheet.iter_rows(values_only=not padded)):
        row = [_shown(cell) for cell in cells] if padded else cells
        if number >= _LAST_ROW:
            raise DataError(
                f"the sheet {sheet.title!r} has a row beyond {_LAST_ROW:,}, the last of a workbook;"
                " the file is damaged: export it again.",
                source=entry.shown,
            )
        if any(map(_full, row)):
            rows.append(row)
    return rows


def _shown(cell: Any) -> Any:
    """A cell's value, with the zeros that its format shows in front of a whole number."""
    zeros = isinstance(cell.value, int) and _ZEROS.match(cell.number_format or "")
    return str(cell.value).zfill(len(zeros[0])) if zeros else cell.value


def _of_sheet(rows: Sequence[Sequence[Any]], entry: SourceFile) -> pa.Table:
    width = max(sum(map(_full, row)) for row in rows[:50])
    first = next(n for n, row in enumerate(rows) if sum(map(_full, row)) * 2 > width)
    # Names of groups may stand above those of the columns.
    first = next((n for n, row in enumerate(rows[:4]) if has_roles(filter(_full, row))), first)
    pair = [[str(cell) if _full(cell) else "" for cell in row] for row in rows[first : first + 2]]
    first += len(pair) == 2 and are_groups(*pair)
    named = [(n, str(name)) for n, name in enumerate(rows[first]) if _full(name)]
    if len({name for _, name in named}) < len(named):
        raise DataError("two columns of the sheet have the same name.", source=entry.shown)
    body = rows[first + 1 :]
    if not body:
        raise DataError("the sheet has a header but no rows.", source=entry.shown)
    return table_of_columns(
        {name: [row[n] if n < len(row) else None for row in body] for n, name in named}
    )


def _full(cell: Any) -> bool:
    return cell is not None and cell != ""


def _check_rows(n_rows: int, n_columns: int, entry: SourceFile) -> None:
    memory.require(
        2 * _BYTES * n_rows * max(1, n_columns),
        what=f"{entry.shown}: reading {n_rows:,} rows",
        cure="check where the file comes from, or cut it into parts",
    )


def _valid(table: pa.Table) -> pa.Table:
    """A table whose offsets and texts were checked: Arrow takes them from a file as they are, and
    reads beyond its memory where they are wrong.
    """
    table.validate(full=True)
    return table


def is_plain(file: Any) -> bool:
    """Return whether an open file's columns have names, and none holds others."""
    return not are_numbered(file.schema_arrow.names) and not is_nested(file.schema_arrow)


def batches(file: Any, rows: int, columns: list[str], start: int) -> Iterator[pa.RecordBatch]:
    """Yield so many rows at a time of an open file, from the row ``start`` on.

    Row groups before it aren't read.
    """
    ends = np.cumsum([file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)])
    first = int(np.searchsorted(ends, start, "right"))
    found = file.iter_batches(rows, row_groups=range(first, len(ends)), columns=columns)
    skip = start - (int(ends[first - 1]) if first else 0)
    if not skip:
        yield from found
        return
    # Cut so that each batch has the rows that it has when the file is read from its start.
    held: list[pa.RecordBatch] = []
    for batch in found:
        held.append(batch.slice(min(skip, batch.num_rows)))
        skip -= min(skip, batch.num_rows)
        table = pa.Table.from_batches(held)
        while table.num_rows >= rows:
            yield table.slice(0, rows).combine_chunks().to_batches()[0]
            table = table.slice(rows)
        held = table.to_batches()
    if sum(batch.num_rows for batch in held):
        yield pa.Table.from_batches(held).combine_chunks().to_batches()[0]


@contextmanager
def opened(entry: SourceFile, *, in_parts: bool = False) -> Iterator[Any]:
    """Open a Parquet file; ``in_parts``, to be read a part at a time: Arrow would otherwise keep
    the bytes of all that was read until the file is closed.
    """
    how: dict[str, Any] = {"pre_buffer": False, "buffer_size": 1 << 20} if in_parts else {}
    with _damage(entry, "Parquet"):
        source: Any = entry.path
        if entry.member is not None or entry.plain_bytes is None:
            source = arrow_reader(entry.read(limit=1 << 33))
        with pq.ParquetFile(source, **how) as file:
            yield file


@contextmanager
def _damage(entry: SourceFile, kind: str) -> Iterator[None]:
    """Turn what libraries raise at damaged files, and at files of another kind, into DataError."""
    try:
        yield
    except CofactorError:
        raise
    except Exception as error:
        # What a damaged file makes of a library's own code can be anything: an OSError of Arrow, a
        # KeyError of a workbook's parser, a MemoryError for a size that is nonsense.
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"this isn't a whole {kind} file ({first}); fetch or write it again.",
            source=entry.shown,
        ) from None
