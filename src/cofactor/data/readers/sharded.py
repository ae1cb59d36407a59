"""`shard`: a source that is larger than memory, into a folder of mapped arrays.

1. The source is read in chunks, by the readers' own rules. Each id gets a place, the one that it
   had before if it is still known; the places are kept aside, and new ids go into DuckDB.
2. DuckDB sorts the ids, on disk if need be, which gives each place its row.
3. Chunks are dealt out to shards of users with about as many events each, few enough for a
   processor's cache; a shard is sorted and its repeats are merged by the code that
   `Interactions.build` uses.
4. The users' side is spread over the items' side, as many items at a time as memory allows.

What is done lies beside the target, with a checkpoint every ten seconds while the source is read
and after step 3's halves; an interrupted run continues from there.

`numbered_ids` is the only file that imports DuckDB.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from cofactor.base import checks
from cofactor.base.disk import is_full
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import Progress
from cofactor.base.run import Run
from cofactor.base.unfinished import Unfinished, folder_of, unfinished
from cofactor.data import shards, sorting
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.interactions import REPEATS, Interactions
from cofactor.data.readers import items_side
from cofactor.data.readers.agreement import Agreement
from cofactor.data.readers.chunks import chunks
from cofactor.data.readers.columns import Options
from cofactor.data.readers.event_file import DealtFile, EventFile
from cofactor.data.readers.growing_array import GrowingArray
from cofactor.data.readers.item_tables import read_table
from cofactor.data.readers.numbered_ids import Numbering, coded
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.shard_sources import key_of, opened

LEAST_MEMORY = 256 << 20
LEAST_ROWS, MOST_ROWS = 50_000, 1_000_000  # of a chunk
SHARD_EVENTS = 1 << 17  # of a shard, about: what is sorted at a time stays in the cache
MOST_SHARDS = 4096
_CHUNK_BYTES = 400  # that reading a chunk takes for each of its events, about


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
        The folder, which must not exist. It appears when it is complete. What an interrupted run
        did is kept beside it, and the same call continues from there: if the sources are files that
        haven't changed since, the options are the same, and the version of Cofactor is.
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
    target.parent.mkdir(parents=True, exist_ok=True)
    key = key_of(sources, options, repeats)
    with _disk_full(target), _memory_kept(), unfinished(target, key, run.progress) as kept:
        with closing(_Sharding(kept, memory, run.n_threads, run.progress)) as sharding:
            sharding.run(sources, repeats, options, items)
        os.replace(sharding.made, target)
    return shards.open_shards(target)


class _Sharding:
    """One run: what is known of the chunks so far, and where things lie."""

    def __init__(self, kept: Unfinished, memory: int, threads: int, progress: Progress) -> None:
        self.kept, self.memory, self.threads, self.progress = kept, memory, threads, progress
        self.made, self.work = kept.folder / "made", kept.folder / "work"
        for folder in (self.made / "by_user", self.made / "by_item", self.work):
            folder.mkdir(parents=True, exist_ok=True)
        self.notes: list[str] = kept.facts.get("notes", [])
        self.tables = {
            name: pq.read_table(self._table(name)) for name in kept.facts.get("tables", ())
        }
        self.file: EventFile | None = None
        self.dealt: DealtFile | None = None

    def close(self) -> None:
        """Close what is open."""
        for file in (self.file, self.dealt):
            if file is not None:
                file.close()

    def run(self, sources: list[Any], repeats: str, options: Options, items: Any) -> None:
        """Make the folder, from where an interrupted run ended."""
        if self.kept.stage not in ("dealt", "sorted"):
            with Numbering(self.work, self.memory, self.threads) as numbering:
                self._spool(sources, options, numbering)
                pa.default_memory_pool().release_unused()  # DuckDB comes with a pool of its own
                for side in ("users", "items"):
                    numbering.number(side, self._ids(side), self.work / f"{side}-rows.npy")
            self._deal_out()
        ids = {side: shards._ids(self.made, side) for side in ("users", "items")}
        if self.kept.stage != "sorted":
            self._sort(len(ids["users"]), len(ids["items"]), repeats)
        items_side.write(self.made, len(ids["items"]), self.memory)
        if items is not None:
            self.tables["item_table"] = read_table(items)
        for name, side, column in zip(
            shards.TABLES, ("items", "users"), ("item_id", "user_id"), strict=True
        ):
            self._write_table(name, ids[side], self.tables.get(f"{column[:4]}_table"), column)
        self._finish(ids, ", ".join(str(source) for source in sources))

    def _spool(self, sources: list[Any], options: Options, numbering: Numbering) -> None:
        """Read the sources, from where an interrupted run ended."""
        rows = max(LEAST_ROWS, min(MOST_ROWS, self.memory // 4 // _CHUNK_BYTES))
        # As `read` does: times in the future are bad.
        now = time.time() if options.now == float("inf") else options.now
        facts = {"source": 0, "done": None, "rows": rows, "now": now, **self.kept.facts}
        agreement = Agreement(**facts.get("agreed", {}))
        if self.kept.stage:
            self.file = EventFile(self.work / "events", facts["names"], facts["starts"])
            for side in ("users", "items"):
                numbering.restore(side)
        options = replace(options, now=facts["now"])
        files, whole = opened(sources, options, self._note)
        empty = NoRowsError("there are no interactions in it.", source=str(sources[0]))
        for number in range(facts["source"], len(files)):
            source, done = files[number], facts["done"]
            try:
                for chunk in chunks(source, options, facts["rows"], whole, done, agreement):
                    self._keep(chunk.events, numbering)
                    facts.update(source=number, done=chunk.done, agreed=agreement.facts())
                    if self.kept.is_due():
                        self._save_read(facts, numbering)
            except NoRowsError as error:
                empty = error
            if facts["done"] is None:
                self._note([f"left out {source}: no interactions in it"])
            facts["done"] = None
        if self.file is None:
            raise empty

    def _save_read(self, facts: dict[str, Any], numbering: Numbering) -> None:
        self.events.file.flush()
        files = [self.events.path, *numbering.logs.values(), *map(self._table, self.tables)]
        self.kept.save("read", files, {**facts, **self._facts(self.events)})

    def _facts(self, events: EventFile | DealtFile) -> dict[str, Any]:
        """What another run needs to know of the events."""
        known = {"notes": self.notes, "tables": list(self.tables)}
        return {**known, "names": events.names, "starts": events.starts}

    def _table(self, name: str) -> Path:
        return self.work / f"{name}.parquet"

    def _ids(self, side: str) -> Path:
        return self.made / f"{side}.arrow"

    def _keep(self, events: Events, numbering: Numbering) -> None:
        there = {"users", "items"}
        there |= {name for name in ("values", "times") if getattr(events, name) is not None}
        if self.file is None:
            self.file = EventFile(self.work / "events", there)
        if there != set(self.file.names):
            odd = ", ".join(sorted(there ^ set(self.file.names)))
            raise DataError(
                f"some sources or parts have {odd} and others don't; leave that column out, or name"
                " it for all.",
                source=events.source,
            )
        columns = {name: getattr(events, name) for name in there}
        for side in ("users", "items"):
            codes, distinct = coded(columns[side])
            columns[side] = numbering.add(side, distinct)[codes]
        self.file.append(columns)
        self._note(events.notes)
        for name in ("item_table", "user_table"):
            table = getattr(events, name)
            if table is not None and name not in self.tables:
                pq.write_table(table, self._table(name))
                self.tables[name] = table

    def _note(self, notes: Iterable[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]

    @property
    def events(self) -> EventFile:
        """What was kept of the source."""
        assert self.file is not None
        return self.file

    def _rows(self, name: str, places: np.ndarray) -> np.ndarray:
        rows = np.load(self.work / f"{name}-rows.npy", mmap_mode="r")
        return np.take(rows, places)

    def _count(self, n_users: int) -> np.ndarray:
        counts, large = np.zeros(n_users, np.int64), self.events.n_events >= sorting.LARGE
        for number in range(len(self.events)):
            places = self.events.columns(number, "users")["users"]
            sorting.count(self._rows("users", places), counts, large)
        return counts

    def _deal_out(self) -> None:
        """Put each chunk's events by their shards of users."""
        counts = self._count(len(shards._ids(self.made, "users")))
        cuts = items_side.cuts(counts, max(SHARD_EVENTS, self.events.n_events // MOST_SHARDS))
        dealt = self.dealt = DealtFile(self.work / "dealt", self.events.names, self.events.starts)
        for number in range(len(self.events)):
            columns = self.events.columns(number)
            for name in ("users", "items"):
                columns[name] = self._rows(name, columns[name])
            dealt.deal_out(columns, cuts)
        dealt.file.flush()
        self.events.close()
        np.save(self.work / "cuts.npy", cuts)
        np.save(self.work / "ends.npy", np.stack(dealt.ends))
        spent = [f"{side}{kind}" for side in ("users", "items") for kind in ("-rows.npy", ".ids")]
        files = [self.work / name for name in ("dealt", "cuts.npy", "ends.npy")]
        self._end("dealt", files, [self.work / name for name in ("events", *spent)])

    def _end(self, stage: str, files: list[Path], spent: list[Path]) -> None:
        assert self.dealt is not None
        files = [*files, *map(self._ids, ("users", "items")), *map(self._table, self.tables)]
        self.kept.end_stage(stage, files, self._facts(self.dealt), spent)

    def _all_dealt(self) -> tuple[DealtFile, np.ndarray]:
        """The events by shard, and where the shards' users begin; of an interrupted run too."""
        cuts = np.load(self.work / "cuts.npy")
        if self.dealt is None:
            ends, facts = np.load(self.work / "ends.npy"), self.kept.facts
            self.dealt = DealtFile(self.work / "dealt", facts["names"], facts["starts"], ends)
        return self.dealt, cuts

    def _sort(self, n_users: int, n_items: int, repeats: str) -> None:
        """Sort each shard, merge its repeats, and append it to the arrays by user."""
        dealt, cuts = self._all_dealt()
        columns, n_events = set(dealt.names), dealt.n_events
        large = n_events >= sorting.LARGE
        counted = "values" not in columns and repeats != "last"
        names = ["item_rows", "order", *sorted(columns & {"values", "times"})]
        names += ["values"] if counted else []
        names += ["in_order"] if "times" not in columns else []
        indptr, done, merged_any = np.zeros(n_users + 1, np.int64), 0, False
        with ExitStack() as stack:
            out = {name: stack.enter_context(GrowingArray(self._path(name))) for name in names}
            task = stack.enter_context(self.progress.task("sorting shards", len(cuts) - 1))
            for s, (first, end) in enumerate(pairwise(cuts)):
                part = dealt.shard(s)
                users, shape = part["users"] - np.int32(first), (int(end - first), n_items)
                events = (users, part["items"], part.get("values"), part.get("times"))
                own, keep, values = sorting.to_csr(*events, shape, repeats, large=large)
                kept = slice(None) if keep is None else keep
                rows, order = part["items"][kept], part["positions"][kept]
                indptr[first + 1 : end + 1] = done + own[1:]
                done += len(rows)
                out["item_rows"].append(rows)
                out["order"].append(order)
                if "times" in out:
                    out["times"].append(part["times"][kept])
                else:
                    by_time = sorting.chronological(own, order, None, large=large)
                    out["in_order"].append(rows[by_time])
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
        self._end_sorting(dealt)

    def _end_sorting(self, dealt: DealtFile) -> None:
        dealt.close()
        spent = [self.work / name for name in ("dealt", "cuts.npy", "ends.npy")]
        files = [*(self.made / "by_user").iterdir(), *self.work.glob("in_order.npy")]
        self._end("sorted", files, spent)

    def _path(self, name: str) -> Path:
        return (self.work if name == "in_order" else self.made / "by_user") / f"{name}.npy"

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
        folder = folder_of(target)
        kept = "Nothing was kept."
        if folder.exists():
            kept = (
                f"Make room and run the same again: it continues from what is kept in {folder},"
                " which may also be removed."
            )
        raise DataError(
            f"the disk is full ({free / 2**30:.1f} GiB are left); shards take some 40 bytes an"
            f" interaction, and 30 more while they are made. {kept}",
            source=str(target),
        ) from error
