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
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet as pq

from cofactor.base import checks
from cofactor.base.disk import what_is_full
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import counted
from cofactor.base.progress import Progress
from cofactor.base.run import Run
from cofactor.base.unfinished import Unfinished, folder_of, unfinished
from cofactor.data import fingerprints, shards, sorting
from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.data.guards import ValueFacts
from cofactor.data.ids import IdMap
from cofactor.data.interactions import KEEP, REPEATS, Interactions
from cofactor.data.joins import join_notes, merged
from cofactor.data.readers import items_side
from cofactor.data.readers.agreement import Agreement
from cofactor.data.readers.assemble import doubt_of_ids
from cofactor.data.readers.chunks import chunks
from cofactor.data.readers.columns import Options
from cofactor.data.readers.event_file import DealtFile, EventFile
from cofactor.data.readers.item_tables import catalogue_of
from cofactor.data.readers.links import doubt_of_links
from cofactor.data.readers.numbered_ids import Numbering, used_codes
from cofactor.data.readers.part_notes import PartNotes
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.shard_sources import key_of, opened, refuse_changed
from cofactor.data.readers.users_side import UsersSide

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
    checks.choice(repeats, "repeats", (*REPEATS, KEEP))
    target = Path(os.path.expanduser(out))
    if os.path.lexists(target):
        raise ArgumentError(f"{target} exists already; choose another folder, or remove it.")
    if not sources:
        raise ArgumentError("sources is empty; name at least one file.")
    memory = checks.integer(memory, "memory", low=LEAST_MEMORY)
    options = options if options is not None else Options()
    run = run if run is not None else Run(threads=1)
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
        self.notes = PartNotes(kept.facts.get("notes", ()))
        self.values = ValueFacts(**kept.facts.get("values", {}))
        self.kinds: set[str] = set(kept.facts.get("kinds", ()))
        self.tables: dict[str, str] = dict(kept.facts.get("tables", {}))  # their files
        self.known: dict[str, Any] = {}  # the last table of each name that came
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
                refuse_changed(self.kept.key)
                pa.default_memory_pool().release_unused()  # DuckDB comes with a pool of its own
                for side in ("users", "items"):
                    numbering.number(side, self._ids(side), self.work / f"{side}-rows.npy")
                    n = len(shards._ids(self.made, side))
                    self.notes.say(doubt_of_ids(side[:-1], self.events.n_events, n))
            self._deal_out()
        ids = {side: shards._ids(self.made, side) for side in ("users", "items")}
        if self.kept.stage != "sorted":
            self._sort(len(ids["users"]), len(ids["items"]), repeats)
        items_side.write(self.made, len(ids["items"]), self.memory)
        self._write_tables(ids, items, options)
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
        files, whole = opened(sources, options, self.notes.say)
        empty = NoRowsError("there are no interactions in it.", source=str(sources[0]))
        for number in range(facts["source"], len(files)):
            source, done = files[number], facts["done"]
            try:
                for chunk in chunks(source, options, facts["rows"], whole, done, agreement):
                    if facts["done"] is None:
                        self.notes.say(doubt_of_links(chunk.events))
                    self._keep(chunk.events, numbering)
                    self.kinds.update(chunk.done.get("known", {}).get("kinds", ()))
                    facts.update(source=number, done=chunk.done, agreed=agreement.facts())
                    if self.kept.is_due():
                        self._save_read(facts, numbering)
            except NoRowsError as error:
                empty = error
            if facts["done"] is None:
                self.notes.say([f"left out {source}: no interactions in it"])
            facts["done"] = None
        if self.file is None:
            raise empty
        lacking = [] if options.kinds is None else sorted(options.kinds.keys() - self.kinds)
        if self.kinds and lacking:
            self.notes.say([f"there is no event of kind {', '.join(lacking)}"])
        self.notes.say(self.values.doubts())

    def _save_read(self, facts: dict[str, Any], numbering: Numbering) -> None:
        self.events.file.flush()
        files = [self.events.path, *numbering.logs.values(), *self._tables()]
        self.kept.save("read", files, {**facts, **self._facts(self.events)})

    def _facts(self, events: EventFile | DealtFile) -> dict[str, Any]:
        """What another run needs to know of the events."""
        known = {"notes": self.notes.facts(), "tables": dict(self.tables)}
        known |= {"values": asdict(self.values), "kinds": sorted(self.kinds)}
        return {**known, "names": events.names, "starts": events.starts}

    def _tables(self) -> list[Path]:
        return [self.work / file for file in self.tables.values()]

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
            codes, distinct = used_codes(columns[side])
            columns[side] = numbering.add(side, distinct)[codes]
        self.file.append(columns)
        self.notes.add(events.notes)
        if events.values is not None:
            self.values.add(events.values)
        for side in ("user", "item"):
            self._keep_table(side, getattr(events, f"{side}_table"))

    def _keep_table(self, side: str, table: pa.Table | None) -> None:
        """Keep what a source knows of users or items, beside what others did."""
        if table is None or table is self.known.get(side):
            return
        self.known[side], earlier = table, self.tables.get(side)
        if earlier is not None:
            table = merged([pq.read_table(self.work / earlier), table], f"{side}_id")
        number = 0 if earlier is None else 1 + int(earlier.split(".")[1])
        self.tables[side] = f"{side}.{number}.parquet"  # a checkpoint may need the earlier one
        pq.write_table(table, self.work / self.tables[side])

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
        files = [*files, *map(self._ids, ("users", "items")), *self._tables()]
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
        large, shape = dealt.n_events >= sorting.LARGE, (n_users, n_items)
        side = UsersSide(self.made, self.work, dealt.names, shape, repeats, large=large)
        with closing(side), self.progress.task("sorting shards", len(cuts) - 1) as task:
            for s, (first, end) in enumerate(pairwise(cuts)):
                side.add(int(first), int(end), dealt.shard(s))
                task.advance()
            files = side.finish()
        if side.n_pairs < dealt.n_events and repeats != KEEP:
            repeated = dealt.n_events - side.n_pairs
            self.notes.say([f"{counted(repeated, 'repeated pair')} merged ({repeats})"])
        dealt.close()
        self._end("sorted", files, [self.work / n for n in ("dealt", "cuts.npy", "ends.npy")])

    def _write_tables(self, ids: dict[str, IdMap], items: Any, options: Options) -> None:
        """Write what is known of items and users, in row order."""
        found = {side: pq.read_table(self.work / file) for side, file in self.tables.items()}
        if items is not None:
            found["item"], notes = catalogue_of(lambda: ids["items"], items, options)
            self.notes.say(notes)
        for name, side in zip(shards.TABLES, ("item", "user"), strict=True):
            if side not in found:
                continue
            if side == "item":
                pq.write_table(found[side], self.made / shards.LISTED)
            self.notes.say(join_notes(ids[f"{side}s"], found[side], side))
            table = Catalogue.aligned(ids[f"{side}s"], found[side], f"{side}_id")
            metadata = {"title": table.title_column} if table.title_column else None
            whole = table.table.replace_schema_metadata(metadata)
            pq.write_table(whole, self.made / f"{name}.parquet")

    def _finish(self, ids: dict[str, IdMap], source: str) -> None:
        names = [f"by_user/{name}" for name in ("indptr", "item_rows", "values", "times")]
        arrays = [_loaded(self.made / f"{name}.npy") for name in names]
        in_order = _loaded(self.work / "in_order.npy") if arrays[-1] is None else None
        log = [_loaded(self.made / "log" / f"{name}.npy") for name in ("indptr", "item_rows")]
        kept = [array for array in log if array is not None]
        columns = [*arrays, in_order, *kept]
        mark = fingerprints.fingerprint_of(ids["users"], ids["items"], columns)
        shards.write_manifest(
            self.made,
            {
                "n_users": len(ids["users"]),
                "n_items": len(ids["items"]),
                "n_interactions": int(_loaded(self.made / f"{names[0]}.npy")[-1]),
                "source": source,
                "notes": list(self.notes),
                "fingerprint": mark,
            },
        )


def _loaded(path: Path) -> Any:
    """An array of a file, mapped; None if there is none."""
    return np.load(path, mmap_mode="r") if path.exists() else None


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
        if not (full := what_is_full(error)):
            raise
        folder = folder_of(target)
        kept = "Nothing was kept."
        if folder.exists():
            kept = (
                f"Make room and run the same again: it continues from what is kept in {folder},"
                " which may also be removed."
            )
        raise DataError(
            f"{full}; shards take some 40 bytes an interaction, and 30 more while they are made."
            f" {kept}",
            source=str(target),
        ) from error
