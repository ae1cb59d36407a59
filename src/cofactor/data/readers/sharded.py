"""`shard`: a source that is larger than memory, into a folder of mapped arrays.

1. The source is read in chunks, by the readers' own rules. A chunk's ids become codes; the codes
   are kept aside, and its distinct ids go into DuckDB.
2. DuckDB sorts all distinct ids, on disk if need be: their places are the rows. It joins each
   chunk's ids with them.
3. Chunks are dealt out to shards of users with about as many events each; a shard is sorted and
   its repeats are merged by the code that `Interactions.build` uses.
4. The shards are transposed one after the other into the items' side.

`numbered_ids` is the only file that imports DuckDB.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from cofactor.base import checks
from cofactor.base.disk import is_full, room_beside
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import Progress
from cofactor.base.run import Run
from cofactor.data import shards, sorting
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.interactions import REPEATS, Interactions
from cofactor.data.readers.chunks import chunks
from cofactor.data.readers.columns import Options
from cofactor.data.readers.growing_array import GrowingArray
from cofactor.data.readers.item_tables import read_table
from cofactor.data.readers.numbered_ids import Numbering, coded
from cofactor.data.readers.read import read

LEAST_MEMORY = 256 << 20
LEAST_ROWS = 50_000  # of a chunk
_SORT_BYTES = 64  # that sorting a shard takes for each of its events, about
_CHUNK_BYTES = 400  # that reading a chunk takes for each of its events, about
_COLUMNS = {"users": np.int32, "items": np.int32, "values": np.float32, "times": np.int64}


def shard(
    sources: list[Any],
    out: str | Path,
    *,
    memory: int = 2 << 30,
    repeats: str = "last",
    options: Options | None = None,
    items: Any = None,
    run: Run | None = None,
) -> Interactions:
    """Make a folder of shards from one source or several, whose events follow each other.

    Parameters
    ----------
    sources
        What `read` takes. Parquet and delimited files are read in chunks; others have to fit into
        memory, one by one.
    out
        The folder, which must not exist. It appears when it is complete.
    memory
        Bytes to get along with, about; at least 256 MiB.
    repeats
        As in `Interactions.build`.
    options
        How the sources are read.
    items
        A catalogue, as in `read`.
    run
        Threads and progress.

    Returns
    -------
    Interactions
        The opened folder: equal to `Interactions.build` of all events.

    Raises
    ------
    DataError
        As `read` does; if the disk is full.
    MemoryLimitError
        If the distinct ids can't be sorted in so little memory.
    """
    checks.choice(repeats, "repeats", REPEATS)
    target = Path(out).expanduser()
    if target.exists():
        raise ArgumentError(f"{target} exists already; choose another folder, or remove it.")
    if not sources:
        raise ArgumentError("sources is empty; name at least one file.")
    memory = checks.integer(memory, "memory", low=LEAST_MEMORY)
    options = options if options is not None else Options()
    run = run if run is not None else Run(threads=1)
    if options.now == float("inf"):  # as `read` does: times in the future are bad
        options = replace(options, now=time.time())
    target.parent.mkdir(parents=True, exist_ok=True)
    with room_beside(target) as room, _disk_full(target), _memory_kept():
        made, work = room / "made", room / "work"
        for folder in (made / "by_user", made / "by_item", work):
            folder.mkdir(parents=True)
        _Sharding(made, work, memory, run.n_threads, run.progress).run(
            sources, repeats, options, items
        )
        os.replace(made, target)
    return shards.open_shards(target)


@dataclass
class _Sharding:
    """One run: what is known of the chunks so far, and where things lie."""

    made: Path
    work: Path
    memory: int
    threads: int
    progress: Progress
    lengths: list[int] = field(default_factory=list)
    firsts: dict[str, list[int]] = field(default_factory=lambda: {"users": [], "items": []})
    notes: list[str] = field(default_factory=list)
    tables: dict[str, Any] = field(default_factory=dict)
    columns: set[str] = field(default_factory=lambda: {"users", "items"})

    def run(self, sources: list[Any], repeats: str, options: Options, items: Any) -> None:
        with Numbering(self.work, self.memory, self.threads) as numbering:
            self._spool(sources, options, numbering)
            pa.default_memory_pool().release_unused()  # DuckDB comes with a pool of its own
            for side in ("users", "items"):
                numbering.number(side, self.made / f"{side}.arrow", self.work / f"{side}-rows.npy")
        ids = {side: shards._ids(self.made, side) for side in ("users", "items")}
        counts = self._count(len(ids["users"]))
        cuts = _cuts(counts, max(1, self.memory // 5 // _SORT_BYTES))
        self._deal_out(cuts)
        self._sort(cuts, len(ids["users"]), len(ids["items"]), repeats)
        self._transpose(cuts, len(ids["items"]))
        if items is not None:
            self.tables["item_table"] = read_table(items)
        for name, side, column in zip(
            shards.TABLES, ("items", "users"), ("item_id", "user_id"), strict=True
        ):
            self._write_table(name, ids[side], self.tables.get(f"{column[:4]}_table"), column)
        shown = ", ".join(str(source) for source in sources)
        self._finish(ids, shown)

    def _spool(self, sources: list[Any], options: Options, numbering: Numbering) -> None:
        rows = max(LEAST_ROWS, min(1_000_000, self.memory // 4 // _CHUNK_BYTES))
        for source in sources:
            for events in chunks(source, options, rows, lambda s: read(s, **_asked(options))):
                if len(events):
                    self._keep(events, numbering)
        if not self.lengths:
            raise DataError("there are no interactions in it.", source=str(sources[0]))

    def _keep(self, events: Events, numbering: Numbering) -> None:
        number = len(self.lengths)
        there = {"users", "items"}
        there |= {name for name in ("values", "times") if getattr(events, name) is not None}
        if number and there != self.columns:
            odd = ", ".join(sorted(there ^ self.columns))
            raise DataError(
                f"some sources or parts have {odd} and others don't; leave that column out, or name"
                " it for all.",
                source=events.source,
            )
        self.columns = there
        for side in ("users", "items"):
            codes, distinct = coded(getattr(events, side))
            self._write(number, side, codes)
            self.firsts[side].append(numbering.add(side, distinct))
        for name in there & {"values", "times"}:
            self._write(number, name, getattr(events, name))
        for note in events.notes:
            if note not in self.notes:
                self.notes.append(note)
        for name in ("item_table", "user_table"):
            table = getattr(events, name)
            if table is not None:
                self.tables.setdefault(name, table)
        self.lengths.append(len(events))

    def _write(self, number: int, name: str, array: np.ndarray) -> None:
        np.save(self.work / f"{number}-{name}.npy", np.ascontiguousarray(array, _COLUMNS[name]))

    def _chunk(self, number: int, name: str) -> np.ndarray:
        found: np.ndarray = np.load(self.work / f"{number}-{name}.npy")
        if name in ("users", "items"):  # codes, into rows
            rows = np.load(self.work / f"{name}-rows.npy", mmap_mode="r")
            found = rows[self.firsts[name][number] :][found]
        return found

    def _count(self, n_users: int) -> np.ndarray:
        counts = np.zeros(n_users, np.int64)
        for number in range(len(self.lengths)):
            counts += np.bincount(self._chunk(number, "users"), minlength=n_users)
        return counts

    def _deal_out(self, cuts: np.ndarray) -> None:
        """Append each chunk's events to the files of their shards of users."""
        n_shards, position = len(cuts) - 1, 0
        kind = np.min_scalar_type(max(n_shards - 1, 1))
        for number, length in enumerate(self.lengths):
            users = self._chunk(number, "users")
            owner = (np.searchsorted(cuts, users, side="right") - 1).astype(kind)
            by_shard = np.argsort(owner, kind="stable")
            ends = np.cumsum(np.bincount(owner, minlength=n_shards))
            for name in (*self.columns, "positions"):
                column = (
                    np.arange(position, position + length, dtype=np.int64)
                    if name == "positions"
                    else users
                    if name == "users"
                    else self._chunk(number, name)
                )[by_shard]
                for s, (start, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
                    with (self.work / f"shard-{s}-{name}").open("ab") as file:
                        column[start:end].tofile(file)
            position += length
            for path in self.work.glob(f"{number}-*.npy"):
                path.unlink()

    def _sort(self, cuts: np.ndarray, n_users: int, n_items: int, repeats: str) -> None:
        """Sort each shard, merge its repeats, and append it to the arrays by user."""
        n_events = sum(self.lengths)
        counted = "values" not in self.columns and repeats != "last"
        names = ["item_rows", "order", *sorted(self.columns & {"values", "times"})]
        names += ["values"] if counted else []
        names += ["in_order"] if "times" not in self.columns else []
        indptr, done, merged_any = np.zeros(n_users + 1, np.int64), 0, False
        with ExitStack() as stack:
            out = {name: stack.enter_context(GrowingArray(self._path(name))) for name in names}
            task = stack.enter_context(self.progress.task("sorting shards", len(cuts) - 1))
            for s, (first, end) in enumerate(pairwise(cuts)):
                part = {name: self._dealt(s, name) for name in (*self.columns, "positions")}
                users, shape = part["users"] - np.int32(first), (int(end - first), n_items)
                events = (users, part["items"], part.get("values"), part.get("times"))
                own, keep, values = sorting.to_csr(*events, *shape, repeats)
                kept = slice(None) if keep is None else keep
                rows, order = part["items"][kept], part["positions"][kept]
                indptr[first + 1 : end + 1] = done + own[1:]
                done += len(rows)
                out["item_rows"].append(rows)
                out["order"].append(order)
                if "times" in out:
                    out["times"].append(part["times"][kept])
                else:
                    out["in_order"].append(rows[sorting.chronological(own, order, None)])
                if "values" in out:
                    merged_any |= values is not None
                    ones = np.ones(len(rows), np.float32) if values is None else values
                    out["values"].append(ones)
                task.advance()
        if counted and not merged_any:
            self._path("values").unlink()
        np.save(self._path("indptr"), indptr)
        if done < n_events:
            self.notes.append(f"{n_events - done:,} repeated pairs merged ({repeats})")

    def _path(self, name: str) -> Path:
        return (self.work if name == "in_order" else self.made / "by_user") / f"{name}.npy"

    def _dealt(self, s: int, name: str) -> np.ndarray:
        path = self.work / f"shard-{s}-{name}"
        kind = np.int64 if name == "positions" else _COLUMNS[name]
        found = np.fromfile(path, kind) if path.exists() else np.zeros(0, kind)
        path.unlink(missing_ok=True)
        return found

    def _transpose(self, cuts: np.ndarray, n_items: int) -> None:
        """The items' side, a shard of users at a time: their rows ascend, so each item's do."""
        indptr = np.load(self._path("indptr"))
        item_rows = np.load(self._path("item_rows"), mmap_mode="r")
        counts = np.zeros(n_items, np.int64)
        bounds = [(int(indptr[a]), int(indptr[b])) for a, b in pairwise(cuts)]
        for start, end in bounds:
            counts += np.bincount(item_rows[start:end], minlength=n_items)
        begins = np.concatenate([[0], np.cumsum(counts)])
        folder = self.made / "by_item"
        np.save(folder / "indptr.npy", begins)
        users, positions = (
            np.lib.format.open_memmap(folder / f"{name}.npy", "w+", kind, (len(item_rows),))
            for name, kind in (("user_rows", np.int32), ("positions", np.int64))
        )
        place = begins[:-1].copy()
        for (start, end), (first, last) in zip(bounds, pairwise(cuts), strict=True):
            own = indptr[first : last + 1] - start
            local, rows, found = sorting.by_item(own, np.array(item_rows[start:end]), n_items)
            here = np.diff(local)
            at = np.repeat(place - local[:-1], here) + np.arange(end - start)
            users[at] = rows + np.int32(first)
            positions[at] = found + start
            place += here
        users.flush()
        positions.flush()

    def _write_table(self, name: str, ids: IdMap, table: pa.Table | None, column: str) -> None:
        if table is None:
            return
        found = Catalogue.aligned(ids, table, column)
        metadata = {"title": found.title_column} if found.title_column else None
        pq.write_table(found.table.replace_schema_metadata(metadata), self.made / f"{name}.parquet")

    def _finish(self, ids: dict[str, IdMap], source: str) -> None:
        arrays = {
            name: np.load(self._path(name), mmap_mode="r") if self._path(name).exists() else None
            for name in ("indptr", "item_rows", "values", "times", "in_order")
        }
        in_order = None if arrays["times"] is not None else arrays["in_order"]
        ordered = [arrays[name] for name in ("indptr", "item_rows", "values", "times")]
        mark = shards.fingerprint(ids["users"], ids["items"], ordered, in_order)
        rows = arrays["item_rows"]
        assert rows is not None
        shards.write_manifest(
            self.made,
            {
                "n_users": len(ids["users"]),
                "n_items": len(ids["items"]),
                "n_interactions": len(rows),
                "source": source,
                "notes": self.notes,
                "fingerprint": mark,
            },
        )


def _cuts(counts: np.ndarray, most: int) -> np.ndarray:
    """Where shards of users begin and end, so that one has about ``most`` events at most."""
    ends = np.cumsum(counts)
    n_shards = max(1, -(-int(ends[-1]) // most))
    goals = ends[-1] * np.arange(1, n_shards) / n_shards
    return np.unique([0, *(np.searchsorted(ends, goals) + 1), len(counts)])


def _asked(options: Options) -> dict[str, Any]:
    names = ("user", "item", "value", "time", "delimiter", "header", "encoding", "quote", "escape")
    found = {name: getattr(options, name) for name in names}
    return {**found, "on_bad": options.on_bad, "time_unit": options.time_unit, "now": options.now}


@contextmanager
def _memory_kept() -> Iterator[None]:
    """Arrow's memory from a pool that keeps what is freed: the default one hands it back to the
    system, which clears each page before it gives it out again.
    """
    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)


@contextmanager
def _disk_full(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        free = shutil.disk_usage(target.parent).free
        raise DataError(
            f"the disk is full ({free / 2**30:.1f} GiB are left); shards take some 60 bytes an"
            " interaction, and as many again while they are made. Nothing was kept.",
            source=str(target),
        ) from error
