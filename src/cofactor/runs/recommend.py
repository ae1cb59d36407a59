"""Write recommendations for all users to a file, block by block, so that not all are held in
memory.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import cofactor
from cofactor.base import checks
from cofactor.base.disk import check_regular, check_replaced, naming_full, what_is_full
from cofactor.base.engine import Engine, EngineError, Local, in_turn
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of
from cofactor.base.staging import staging_folder
from cofactor.base.unfinished import unfinished
from cofactor.models.recommender import Recommender
from cofactor.models.shipped import ShippedModel
from cofactor.retrieval.filters import Filters
from cofactor.retrieval.rerank.rules import Rerank
from cofactor.retrieval.topk import items_unchanged

# Users whose lists are computed and written at a time.
_BLOCK = 16_384


def recommend_all(
    model: Recommender,
    out: str | os.PathLike[str],
    k: int = 10,
    *,
    filters: Filters | None = None,
    rerank: Rerank | None = None,
    exclude_seen: bool = True,
    run: Run | None = None,
) -> tuple[Path, int]:
    """Write the k best items of every user to a file.

    Parameters
    ----------
    model
        A fitted model.
    out
        A file that ends in .parquet, .csv or .jsonl, or a new folder (``"lists/"``) for Parquet
        files of some users each; it is written atomically. Parts of a folder that an interrupted
        run wrote are kept beside it, and the same call continues from them.
    k
        Items per user, at most.
    filters
        Which items may be recommended.
    run
        Threads and progress; with an engine, each block of users is a piece of work that writes its
        own file of the folder, so every host must see the folder.
    rerank
        How lists are chosen from the best items.
    exclude_seen
        Whether items that a user has interacted with are left out.

    Returns
    -------
    tuple
        The file or folder, and its number of rows.
    """
    run = run_of(run)
    blocks = [
        (s, min(s + _BLOCK, model.data.n_users)) for s in range(0, model.data.n_users, _BLOCK)
    ]
    listing = Listing(model, k, filters, rerank, exclude_seen, run)
    with items_unchanged():
        if str(out).endswith(("/", os.sep)):
            return _write_parts(listing, blocks, checks.path(out, "out"))
        return write_tables(_tables(listing, blocks), out)


def write_tables(tables: Iterator[pa.Table], out: str | os.PathLike[str]) -> tuple[Path, int]:
    """Write lists to a file that ends in .parquet, .csv or .jsonl; it is written atomically.

    Parameters
    ----------
    tables
        At least one, all of the same columns.
    out
        The file.

    Returns
    -------
    tuple
        The file, and its number of rows.
    """
    target = checks.path(out, "out")
    ending = target.suffix.lower()
    if ending not in _WRITERS:
        raise ArgumentError(f"out must end in {', '.join(_WRITERS)}, not {os.fspath(out)!r}.")
    try:
        check_regular(target)
        check_replaced(target, _is_listing, "recommendations")
        with staging_folder(target) as staging:
            count = _WRITERS[ending](staging / target.name, tables)
            os.replace(staging / target.name, target)
    except OSError as error:
        why = what_is_full(error) or error.strerror or error
        raise ArgumentError(
            f"can't write {target}: {why}; nothing was written. Choose another place."
        ) from error
    return target, count


@dataclass(frozen=True)
class Listing:
    """The recommendations to all users."""

    model: Recommender | ShippedModel
    k: int
    filters: Filters | None
    rerank: Rerank | None
    exclude_seen: bool
    run: Run

    def shared(self, engine: Engine) -> Any:
        """Return a reference to it on an engine."""
        assert isinstance(self.model, Recommender)
        return engine.share(replace(self, model=ShippedModel(self.model), run=self.run.alone()))

    def table(self, start: int, end: int) -> pa.Table:
        """Return the lists of some users."""
        model = self.model.model if isinstance(self.model, ShippedModel) else self.model
        users = model.data.users.take(np.arange(start, end))
        lists = model.recommend(
            users,
            self.k,
            filters=self.filters,
            rerank=self.rerank,
            exclude_seen=self.exclude_seen,
            run=self.run,
        )
        return lists.to_arrow()

    def part(self, start: int, end: int, path: str) -> int:
        """Write the lists of some users to a Parquet file; return its number of rows."""
        table = self.table(start, end)
        # The same piece may be running elsewhere too.
        mine = f"{path}.{secrets.token_hex(6)}"
        pq.write_table(table, mine, compression="zstd")
        os.replace(mine, path)
        return int(table.num_rows)

    def key(self) -> dict[str, Any]:
        """Return what the lists depend on, as JSON."""
        assert isinstance(self.model, Recommender)
        digest = hashlib.sha256(self.model.data.fingerprint.encode())
        for name, array in sorted(self.model.state().items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        catalogue = (
            self.model.data.catalogue.table
        )  # titles are written, and filters read the columns
        digest.update(repr(catalogue.column_names).encode())
        for batch in catalogue.to_batches():
            digest.update(batch.serialize())
        return {
            "version": cofactor.__version__,
            "model": f"{self.model.name} {digest.hexdigest()}",
            "how": repr((self.k, self.filters, self.rerank, self.exclude_seen, _BLOCK)),
        }


def _tables(listing: Listing, blocks: list[tuple[int, int]]) -> Iterator[pa.Table]:
    engine = listing.run.engine
    found: Iterator[pa.Table] = (listing.table(*block) for block in blocks)
    if engine is not None:
        shared = listing.shared(engine)
        found = in_turn(engine, Listing.table, ((shared, *block) for block in blocks))
    with listing.run.progress.task("recommending", blocks[-1][1]) as task:
        for table, (start, end) in zip(found, blocks, strict=True):
            yield table
            task.advance(end - start)


def _write_parts(listing: Listing, blocks: list[tuple[int, int]], target: Path) -> tuple[Path, int]:
    """Write a folder of Parquet files, each by the piece that computes it; files of an interrupted
    run are kept.
    """
    if target.exists():
        raise ArgumentError(f"{target} exists already; choose another folder, or remove it.")
    engine, progress = listing.run.engine or Local(), listing.run.progress
    with (
        naming_full(target, "the same call continues from what was written"),
        unfinished(target, listing.key(), progress) as kept,
    ):
        made = kept.folder / "parts"
        made.mkdir(exist_ok=True)
        lines: list[int] = kept.facts.get("lines", [])
        paths = [made / f"part-{number:05}.parquet" for number in range(len(blocks))]
        shared, done = listing.shared(engine), len(lines)
        pieces = ((shared, *blocks[n], str(paths[n])) for n in range(done, len(blocks)))
        with progress.task("recommending", len(blocks)) as task:
            task.advance(done)
            for found in in_turn(engine, Listing.part, pieces):
                lines.append(found)
                task.advance()
                if kept.is_due() and all(path.exists() for path in paths[: len(lines)]):
                    kept.save("parts", paths[: len(lines)], {"lines": lines})
        for path in {*made.iterdir()} - {*paths}:  # of workers that died
            path.unlink()
        if len(list(made.iterdir())) != len(blocks):
            raise EngineError(
                f"some hosts wrote their files to a {target.parent} of their own; name a folder"
                " that all hosts share under the same path."
            )
        os.replace(made, target)
    return target, sum(lines)


def _is_listing(path: Path) -> bool:
    """Whether a file has the columns of lists written here."""
    if path.suffix.lower() == ".parquet":
        try:
            names = pq.read_schema(path).names
        except pa.ArrowException:
            return False
    else:
        with path.open("rb") as stream:
            head = stream.readline(1 << 20)
        names = re.findall(r'"(\w+)"', head.decode(errors="replace"))
    return {"rank", "item_id", "score"} <= set(names)


def _write_tables(opened: Callable[..., Any], path: Path, tables: Iterator[pa.Table]) -> int:
    """Write tables one after the other; return their number of rows."""
    first, count = next(tables), 0
    with opened(path, first.schema) as writer:
        for table in chain([first], tables):
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


_WRITERS: dict[str, Callable[[Path, Iterator[pa.Table]], int]] = {
    ".parquet": partial(_write_tables, partial(pq.ParquetWriter, compression="zstd")),
    ".csv": partial(_write_tables, pyarrow.csv.CSVWriter),
    ".jsonl": _write_lines,
}
