"""Recommend to all users, into a file, in blocks: all lists are never held in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from cofactor.base.disk import room_beside
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.models.recommender import Recommender
from cofactor.retrieval.filters import Filters
from cofactor.retrieval.rerank.rules import Rerank

# Users whose lists are made and written at a time.
_BLOCK = 16_384


def recommend_all(
    model: Recommender,
    out: str | os.PathLike[str],
    k: int = 10,
    *,
    filters: Filters | None = None,
    rerank: Rerank | None = None,
    run: Run | None = None,
) -> tuple[Path, int]:
    """Write the k best items of every user to a file.

    Parameters
    ----------
    model
        A fitted model.
    out
        A file that ends in .parquet, .csv or .jsonl; it appears whole or not at all.
    k
        Items a user, at most.
    filters
        Which items may come back.
    rerank
        How lists are chosen from the best items.

    Returns
    -------
    tuple
        The file, and how many lines it has.
    """
    run = run if run is not None else Run()
    return write_tables(_tables(model, k, filters, rerank, run), out)


def write_tables(tables: Iterator[pa.Table], out: str | os.PathLike[str]) -> tuple[Path, int]:
    """Write lists to a file that ends in .parquet, .csv or .jsonl; it appears whole or not at all.

    Parameters
    ----------
    tables
        At least one, all of the same columns.
    out
        The file.

    Returns
    -------
    tuple
        The file, and how many lines it has.
    """
    target = Path(os.path.abspath(out))
    if target.suffix not in _WRITERS:
        raise ArgumentError(f"out must end in {', '.join(_WRITERS)}, not {target.name!r}.")
    try:
        with room_beside(target) as room:
            count = _WRITERS[target.suffix](room / target.name, tables)
            os.replace(room / target.name, target)
    except OSError as error:
        raise ArgumentError(
            f"can't write {target}: {error.strerror or error}; nothing was written. Choose another"
            " place."
        ) from error
    return target, count


def _tables(
    model: Recommender, k: int, filters: Filters | None, rerank: Rerank | None, run: Run
) -> Iterator[pa.Table]:
    n_users = model.data.n_users
    with run.progress.task("recommending", n_users) as task:
        for start in range(0, n_users, _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, n_users))
            users = model.data.users.take(rows)
            lists = model.recommend(users, k, filters=filters, rerank=rerank, run=run)
            yield lists.to_arrow()
            task.advance(len(rows))


def _write_parquet(path: Path, tables: Iterator[pa.Table]) -> int:
    first = next(tables)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        return _written(writer, chain([first], tables))


def _write_csv(path: Path, tables: Iterator[pa.Table]) -> int:
    first = next(tables)
    with pyarrow.csv.CSVWriter(path, first.schema) as writer:
        return _written(writer, chain([first], tables))


def _written(writer: Any, tables: Iterator[pa.Table]) -> int:
    """Write tables one after the other; return how many lines they have."""
    count = 0
    for table in tables:
        writer.write_table(table)
        count += table.num_rows
    return count


def _write_lines(path: Path, tables: Iterator[pa.Table]) -> int:
    import msgspec

    count = 0
    with path.open("wb") as stream:
        for table in tables:
            for line in table.to_pylist():
                stream.write(msgspec.json.encode(line) + b"\n")
            count += table.num_rows
    return count


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv, ".jsonl": _write_lines}
