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
import pyarrow.compute as pc

from cofactor.base import extras
from cofactor.base.errors import DataError, MemoryLimitError
from cofactor.data import shards
from cofactor.data.arrow import coded
from cofactor.data.readers.known_ids import KnownIds

BATCH = 100_000  # sorted ids that are looked at at once
FEW = 500_000  # distinct ids of chunks below which it isn't asked whether they came before


class Numbering:
    """Distinct ids of all chunks in DuckDB, and their rows.

    Parameters
    ----------
    work
        A folder, in which they are also written down as they come, so that another run can take
        them over.
    memory
        Bytes to get along with.
    threads
        Of DuckDB.
    """

    def __init__(self, work: Path, memory: int, threads: int) -> None:
        duckdb = extras.require("duckdb", purpose="sharding data larger than memory")
        self.errors = duckdb
        # In memory, and spilled when that is short: tables in a file would be compressed, and
        # written twice.
        self.connection = duckdb.connect(":memory:")
        self.kinds: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.known: dict[str, KnownIds] = {}
        self.memory = memory
        self.logs = {side: work / f"{side}.ids" for side in ("users", "items")}
        for setting in (
            f"memory_limit='{memory // 3 >> 20}MiB'",
            f"threads={max(1, threads)}",
            f"temp_directory='{work / 'spilled'}'",
            "preserve_insertion_order=false",
            "enable_progress_bar=false",  # it goes to standard output, among what we print there
        ):
            self.connection.execute(f"SET {setting}")

    def __enter__(self) -> Numbering:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def add(self, side: str, ids: pa.Array) -> np.ndarray:
        """Add the distinct ids of a chunk; return the place of each among all that came, int32."""
        ids = self._typed_ids(side, ids)
        first = self.counts[side]
        if first + len(ids) >= 2**31:
            raise MemoryLimitError(
                f"the distinct {side} of all chunks are too many; give more memory with --memory."
            )
        if first < FEW:
            places, new = np.arange(first, first + len(ids), dtype=np.int32), ids
        else:
            if side not in self.known:
                self.known[side] = KnownIds(self.memory // 24)
            places, fresh = self.known[side].places_of(ids, first)
            new = ids.take(pa.array(fresh))
        if len(new):
            self._insert(side, new)
            with self.logs[side].open("ab") as log, pa.ipc.new_stream(log, _schema(new)) as stream:
                stream.write_batch(pa.record_batch([new], schema=_schema(new)))
        return places

    def restore(self, side: str) -> None:
        """Take over the ids that another run wrote down, each with the place that it had there."""
        with pa.memory_map(str(self.logs[side])) as log:
            while log.tell() < log.size():
                ids = pa.ipc.open_stream(log).read_all().column(0).combine_chunks()
                self._insert(side, self._typed_ids(side, ids))

    def _typed_ids(self, side: str, ids: pa.Array) -> pa.Array:
        """Ids as the table has them, which is made, or becomes one of text."""
        kind = "BIGINT" if pa.types.is_integer(ids.type) else "VARCHAR"
        if side not in self.kinds:
            self._do(f"CREATE TABLE {side} (place BIGINT, id {kind})")
            self.kinds[side], self.counts[side] = kind, 0
        elif kind != self.kinds[side] == "BIGINT":
            # One id that isn't an integer makes all of them text, which is the same digits.
            self._do(f"ALTER TABLE {side} ALTER id TYPE VARCHAR")
            self.kinds[side] = kind
            self.known.pop(side, None)
        return ids.cast(pa.int64() if self.kinds[side] == "BIGINT" else pa.string())

    def _insert(self, side: str, ids: pa.Array) -> None:
        first = self.counts[side]
        self.counts[side] += len(ids)
        numbers = pa.array(np.arange(first, self.counts[side]))
        self.connection.register("part", pa.table({"place": numbers, "id": ids}))
        self._do(f"INSERT INTO {side} SELECT place, id FROM part")
        self.connection.unregister("part")

    def number(self, side: str, to: Path, rows: Path) -> None:
        """Write the ids in ascending order, and the row of each place, int32, as ``.npy``."""
        self.known.pop(side, None)
        kind = pa.int64() if self.kinds[side] == "BIGINT" else pa.string()
        of_places = np.lib.format.open_memmap(rows, "w+", np.int32, (self.counts[side],))
        shards.write_ids(to, self._sorted(side, kind, of_places), kind)
        of_places.flush()
        self._do(f"DROP TABLE {side}")

    def _sorted(self, side: str, kind: pa.DataType, of_places: np.ndarray) -> Iterator[pa.Array]:
        """The distinct ids in ascending order; the row of each place is written down."""
        count, last = 0, pa.scalar(None, kind)
        for batch in self._read(f"SELECT id, place FROM {side} ORDER BY id"):
            ids, places = batch.column(0).cast(kind), np.asarray(batch.column(1))
            is_new = np.ones(len(ids), bool)
            is_new[0] = not ids[0].equals(last)
            is_new[1:] = np.asarray(pc.not_equal(ids[1:], ids[:-1]))
            rows = count - 1 + np.cumsum(is_new)
            if rows[-1] >= 2**31 - 1:
                raise DataError(f"there are more than {2**31 - 1:,} {side}, which rows can number.")
            of_places[places] = rows
            count, last = int(rows[-1]) + 1, ids[-1]
            yield ids.filter(pa.array(is_new))

    def _read(self, query: str) -> Iterator[Any]:
        with self._typed():
            found = self.connection.sql(query)
            # DuckDB 1.x has the reader under its older name.
            yield from getattr(found, "to_arrow_reader", found.fetch_arrow_reader)(BATCH)

    def _do(self, statement: str) -> None:
        with self._typed():
            self.connection.execute(statement)

    @contextmanager
    def _typed(self) -> Iterator[None]:
        try:
            yield
        except self.errors.OutOfMemoryException:
            raise MemoryLimitError(
                "the distinct ids can't be sorted in so little memory; give more with --memory."
            ) from None
        except self.errors.IOException as error:
            said = str(error).lower()
            if "space" not in said and "too large" not in said:
                raise OSError(errno.EIO, str(error).splitlines()[0]) from error
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _schema(ids: pa.Array) -> pa.Schema:
    return pa.schema([("id", ids.type)])


def used_codes(column: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """Return the codes of a column of ids, int32, and the distinct ids they stand for."""
    distinct, whole = coded(column)
    codes = whole.astype(np.int32, copy=False)
    used = np.zeros(len(distinct), bool)
    used[codes] = True
    if used.all():
        return codes, distinct
    new = np.cumsum(used).astype(np.int32) - 1
    return new[codes], distinct.filter(pa.array(used))
