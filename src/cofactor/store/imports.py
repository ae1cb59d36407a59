"""Events and items from files: JSON lines (also gzipped) and Parquet."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import SILENT, Progress
from cofactor.data.events import Events
from cofactor.store.exceptions import ConflictError, StoreUnavailableError
from cofactor.store.limits import DAY, check_ahead, checked_event, checked_item, outside_id
from cofactor.store.lines import EventLine, ItemLine, Lines, lines_of
from cofactor.store.records import Ack, Item
from cofactor.store.store import Store
from cofactor.store.table_lines import event_lines, item_lines

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2_000
_IN_FLIGHT = 4
_KEPT_REJECTS = 1_000


@dataclass
class Imported:
    """What an import did.

    Parameters
    ----------
    lines
        How many were read.
    changed, unchanged
        How many events or items were stored, and how many were so already.
    rejected
        How many were refused.
    rejects
        The first thousand of those: line number (from 1; the row in a Parquet file) and why.
    """

    lines: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: int = 0
    rejects: list[tuple[int, str]] = field(default_factory=list)

    def reject(self, line: int, why: str) -> None:
        """Count a line that was refused."""
        self.rejected += 1
        if len(self.rejects) < _KEPT_REJECTS:
            self.rejects.append((line, why))


def import_events(
    store: Store,
    path: str | os.PathLike[str],
    *,
    on_bad: str = "error",
    progress: Progress = SILENT,
) -> Imported:
    """Store the events of a file.

    An event without an id gets one made from its content and how often that came before in the
    file: to import the file again changes nothing. Events that were undone when they were exported
    are stored as undone.

    Parameters
    ----------
    store
        Open for writing.
    path
        ``.jsonl``, ``.jsonl.gz`` or ``.parquet`` with the columns ``user_id``, ``item_id`` and, if
        there are any, ``kind``, ``value``, ``time``, ``event_id``.
    on_bad
        ``"error"``: nothing is stored if a line is bad; ``"skip"``: the others are.
    progress
        Where to report to.

    Raises
    ------
    DataError
        If lines are bad and ``on_bad`` is ``"error"``: which, and why.
    """
    return _import(
        store, str(path), lines_of(Path(path), EventLine), _EventIntake(store), on_bad, progress
    )


def import_interactions(
    store: Store, events: Events, *, kind: str | None = None, progress: Progress = SILENT
) -> Imported:
    """Store what a reader gave: a CSV, a public dataset, a data frame.

    Parameters
    ----------
    store
        Open for writing.
    events
        Of `cofactor.data.readers.read`. They get ids made from their content, so that a second
        import changes nothing.
    kind
        What they are; None for the kinds that a column of their source names, else ``rating`` where
        they have values, else ``view``.
    progress
        Where to report to.

    Raises
    ------
    DataError
        If events are beyond the store's limits: which rows, and why.
    """
    lines = event_lines(events, kind)
    return _import(store, events.source, lines, _EventIntake(store), "error", progress)


def import_items(
    store: Store,
    path: str | os.PathLike[str],
    *,
    on_bad: str = "error",
    progress: Progress = SILENT,
) -> Imported:
    """Describe the items of a file; the parameters and errors are those of `import_events`, the
    columns those of `Item`.

    ``features`` may be an object, or its JSON as text, as it stands in Parquet files. Lines of
    deleted items delete them."""
    return _import(
        store, str(path), lines_of(Path(path), ItemLine), _ItemIntake(), on_bad, progress
    )


def import_catalogue(
    store: Store,
    table: pa.Table,
    source: str,
    *,
    on_bad: str = "error",
    progress: Progress = SILENT,
) -> Imported:
    """Describe the items of a table that `cofactor.data.readers.item_tables.read_table` gave.

    Its title and text are the items', all else are features; the other parameters and errors are
    those of `import_events`."""
    return _import(store, source, item_lines(table), _ItemIntake(), on_bad, progress)


Checked = tuple[int, Any]


class _EventIntake:
    """Lines of events: checked, and handed to the store."""

    def __init__(self, store: Store) -> None:
        self.store, self.latest = store, store.settings.moment() + DAY
        self.seen: dict[bytes, int] = {}

    def begin(self) -> None:
        self.seen = {}

    def checked(self, found: EventLine) -> tuple[EventLine, bool]:
        row = checked_event(found)
        if found.event_id is None:
            content = hashlib.sha256(msgspec.json.encode(row[1:])).digest()[:16]
            count = self.seen[content] = self.seen.get(content, 0) + 1
            found.event_id = f"import-{content.hex()}-{count}"
        moment = row[5] or 0
        # What is stored stays so where the clock was set back meanwhile.
        if moment > self.latest and self.store.event(found.event_id) is None:
            check_ahead(moment, self.latest)
        return found, found.undone is not None

    def send(self, store: Store, batch: Sequence[Checked]) -> list[Future[Ack]]:
        sent = [store.append([event for _, (event, _) in batch])]
        undone = [str(event.event_id) for _, (event, undone) in batch if undone]
        return [*sent, store.undo(undone)] if undone else sent

    def at_fault(self, batch: Sequence[Checked], error: ConflictError) -> set[int]:
        return {line for line, (event, _) in batch if event.event_id in error.event_ids}


class _ItemIntake:
    """Lines of items: checked, and handed to the store."""

    def begin(self) -> None:
        pass

    def checked(self, found: ItemLine) -> tuple[Item, bool]:
        features = (
            msgspec.json.decode(found.features)
            if isinstance(found.features, str)
            else found.features
        )
        hidden = found.hidden
        if found.state is not None:
            checks.choice(found.state, "state", ("visible", "hidden", "deleted"))
            hidden = found.state == "hidden"
        item = Item(
            item_id=found.item_id,
            title=found.title,
            text=found.text,
            features=features,
            hidden=hidden,
        )
        checked_item(item)
        return item, found.state == "deleted"

    def send(self, store: Store, batch: Sequence[Checked]) -> list[Future[Ack]]:
        # Of lines of one item the last counts, whether it describes or deletes it.
        last = {outside_id(one.item_id, "item_id"): (one, gone) for _, (one, gone) in batch}
        kept = [item for item, deleted in last.values() if not deleted]
        gone = [item.item_id for item, deleted in last.values() if deleted]
        return [
            *([store.put_items(kept)] if kept else []),
            *([store.delete_items(gone)] if gone else []),
        ]

    def at_fault(self, batch: Sequence[Checked], error: ConflictError) -> set[int]:
        return set()


def _import(
    store: Store,
    source: str,
    lines: Lines,
    intake: _EventIntake | _ItemIntake,
    on_bad: str,
    progress: Progress,
) -> Imported:
    checks.choice(on_bad, "on_bad", ("error", "skip"))
    if on_bad == "error":
        # Read once without storing anything: a bad line at the end must not leave half of the file
        # behind.
        trial = Imported()
        for _ in _good_lines(lines, intake, trial):
            pass
        _refuse(trial, source)
    done = Imported()
    waiting: deque[tuple[Sequence[Checked], list[Future[Ack]]]] = deque()
    good = _good_lines(lines, intake, done)
    with progress.task(f"importing {Path(source).name}", None) as task:
        while batch := list(islice(good, _BATCH)):
            waiting.append((batch, intake.send(store, batch)))
            if len(waiting) >= _IN_FLIGHT:
                _settle(store, intake, done, *waiting.popleft())
            task.advance(len(batch))
        while waiting:
            _settle(store, intake, done, *waiting.popleft())
    if on_bad == "error":
        _refuse(done, source)
    return done


def _settle(
    store: Store,
    intake: _EventIntake | _ItemIntake,
    done: Imported,
    batch: Sequence[Checked],
    sent: Sequence[Future[Ack]],
) -> None:
    """Wait for a batch; what conflicts is rejected by line, and the rest of it sent again."""
    try:
        acks = [future.result() for future in sent]
    except StoreUnavailableError as error:
        raise StoreUnavailableError(
            f"{str(error).rstrip('.')}; some of the lines may be stored: import the same again,"
            " which stores none twice.",
            unknown=error.unknown,
            retry_after=error.retry_after,
        ) from error
    except ConflictError as error:
        for rest in sent[1:]:
            rest.exception()  # an undo of events that were not stored
        wrong = intake.at_fault(batch, error)
        for line, _ in batch:
            if line in wrong:
                done.reject(line, "its event id is stored already with another content")
        left = [one for one in batch if one[0] not in wrong]
        if left and wrong:
            _settle(store, intake, done, left, intake.send(store, left))
        elif not wrong:
            raise
        return
    done.changed += acks[0].changed
    done.unchanged += acks[0].unchanged
    if isinstance(intake, _ItemIntake):
        done.changed += sum(ack.changed for ack in acks[1:])
        done.unchanged += sum(ack.unchanged for ack in acks[1:])


def _refuse(done: Imported, source: str) -> None:
    if done.rejected:
        raise DataError(
            f"{done.rejected:,} {'line is' if done.rejected == 1 else 'lines are'} refused; fix"
            " them, or leave them out with on_bad='skip':",
            source=source,
            rows=done.rejects[:5],
            total=done.rejected,
        )


def _good_lines(
    lines: Lines, intake: _EventIntake | _ItemIntake, done: Imported
) -> Iterator[Checked]:
    intake.begin()
    for number, read in lines():
        done.lines += 1
        try:
            yield number, intake.checked(read())
        except RecursionError:
            done.reject(number, "it is nested too deeply")
        except (ArgumentError, msgspec.DecodeError, ValueError) as error:
            done.reject(number, str(error))
