"""Distinct ids of any number in ascending order, and the row of each: what doesn't fit into memory
is spilled by DuckDB. The only file that imports it.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import extras
from cofactor.base.errors import DataError, MemoryLimitError
from cofactor.data import shards


class Numbering:
    """Distinct ids of all chunks in DuckDB, and their rows."""

    def __init__(self, work: Path, memory: int, threads: int) -> None:
        duckdb = extras.require("duckdb", purpose="sharding data larger than memory")
        self.errors = duckdb
        with self._typed():
            self.connection = duckdb.connect(str(work / "ids.duckdb"))
        self.kinds: dict[str, str] = {}
        for setting in (
            f"memory_limit='{memory * 55 // 100 >> 20}MiB'",
            f"threads={max(1, threads)}",
            f"temp_directory='{work / 'spilled'}'",
            "preserve_insertion_order=false",
        ):
            self.connection.execute(f"SET {setting}")

    def __enter__(self) -> Numbering:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, side: str, chunk: int, ids: pa.Array) -> None:
        """Add the distinct ids of a chunk; their places there are its codes."""
        kind = "BIGINT" if pa.types.is_integer(ids.type) else "VARCHAR"
        if side not in self.kinds:
            self._do(f"CREATE TABLE {side} (chunk INTEGER, code INTEGER, id {kind})")
            self.kinds[side] = kind
        elif kind != self.kinds[side] == "BIGINT":
            # One id that is no integer makes all of them text, which is the same digits.
            self._do(f"ALTER TABLE {side} ALTER id TYPE VARCHAR")
            self.kinds[side] = kind
        codes = pa.array(np.arange(len(ids), dtype=np.int32))
        part = pa.table({"code": codes, "id": ids})
        self.connection.register("part", part)
        self._do(f"INSERT INTO {side} SELECT {chunk}, code, id::{self.kinds[side]} FROM part")
        self.connection.unregister("part")

    def number(self, side: str, to: Path, lengths: list[int], work: Path) -> None:
        """Write the ids in ascending order, and for each chunk the rows of its codes."""
        self._do(f"CREATE TABLE {side}_rows (id {self.kinds[side]}, row INTEGER)")
        kind = pa.int64() if self.kinds[side] == "BIGINT" else pa.string()
        shards.write_ids(to, self._sorted(side), kind)
        reader = self._read(
            f"SELECT chunk, code, row FROM {side} JOIN {side}_rows USING (id) ORDER BY chunk, code"
        )
        waiting: list[np.ndarray] = []
        chunk = 0
        for batch in reader:
            owners, _, rows = (np.asarray(column) for column in batch.columns)
            while len(owners):
                end = int(np.searchsorted(owners, chunk, side="right"))
                waiting.append(rows[:end])
                if end < len(owners):
                    _save_rows(work, chunk, side, waiting)
                    chunk, waiting = chunk + 1, []
                owners, rows = owners[end:], rows[end:]
        _save_rows(work, chunk, side, waiting)
        self._do(f"DROP TABLE {side}; DROP TABLE {side}_rows")

    def _sorted(self, side: str) -> Iterator[pa.Array]:
        """The distinct ids in ascending order; their numbers are kept for the join."""
        count = 0
        reader = self._read(f"SELECT DISTINCT id FROM {side} ORDER BY id")
        cursor = self.connection.cursor()
        for batch in reader:
            ids = batch.column(0)
            rows = np.arange(count, count + len(ids), dtype=np.int64)
            if count + len(ids) > 2**31 - 1:
                raise DataError(f"there are more than {2**31 - 1:,} {side}, which rows can number.")
            cursor.register("numbered", pa.table({"id": ids, "row": pa.array(rows)}))
            cursor.execute(f"INSERT INTO {side}_rows SELECT id, row::INTEGER FROM numbered")
            cursor.unregister("numbered")
            count += len(ids)
            yield ids.cast(pa.string()) if not pa.types.is_integer(ids.type) else ids
        cursor.close()

    def _read(self, query: str) -> Iterator[Any]:
        with self._typed():
            found = self.connection.sql(query)
            # DuckDB 1.x has the reader under its older name.
            yield from getattr(found, "to_arrow_reader", found.fetch_arrow_reader)(100_000)

    def _do(self, statement: str) -> None:
        with self._typed():
            self.connection.execute(statement)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except self.errors.OutOfMemoryException:
            raise MemoryLimitError(
                "the distinct ids can't be sorted in so little memory (about 160 bytes each are"
                " needed); give more with --memory."
            ) from None
        except self.errors.IOException as error:
            said = str(error).lower()
            if "space" not in said and "too large" not in said:
                raise OSError(errno.EIO, str(error).splitlines()[0]) from error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _save_rows(work: Path, chunk: int, side: str, parts: list[np.ndarray]) -> None:
    np.save(work / f"{chunk}-{side}-rows.npy", np.concatenate(parts).astype(np.int32))


def coded(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the codes of a column of ids, int32, and the distinct ids they stand for."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    column = column.unify_dictionaries()
    codes = np.concatenate([np.asarray(chunk.indices, np.int32) for chunk in column.chunks])
    distinct = column.chunk(0).dictionary
    used = np.zeros(len(distinct), bool)
    used[codes] = True
    if used.all():
        return codes, distinct
    new = np.cumsum(used).astype(np.int32) - 1
    return new[codes], distinct.filter(pa.array(used))
