"""The event store: what users did and what items are, kept so that nothing acknowledged is ever
lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from cofactor.base import checks
from cofactor.store import operations, queries
from cofactor.store.database import Database, Session
from cofactor.store.exceptions import ReadOnlyError, StoreFormatError
from cofactor.store.impressions import (
    Impression,
    StoredImpression,
    checked_impressions,
    delete_impressions,
    experiment_impressions,
    impressions_after,
    impressions_by_id,
    log_impressions,
    log_lines,
    user_impressions,
)
from cofactor.store.limits import (
    checked_events,
    checked_id,
    checked_ids,
    checked_items,
    outside_id,
)
from cofactor.store.paging import PAGE, paged
from cofactor.store.read_connections import Readers
from cofactor.store.records import (
    Ack,
    Counts,
    EventLike,
    Health,
    History,
    Item,
    ItemChange,
    StoredEvent,
    StoredItem,
    StoreSettings,
)
from cofactor.store.schema import DELETED, HIDDEN, MIGRATIONS, VISIBLE
from cofactor.store.writer import WriteJob, Writer

Read = TypeVar("Read")

_BY_NAME: Mapping[str, Callable[..., Ack]] = {
    **operations.BY_NAME,
    "impressions": log_impressions,
    "lines": log_lines,
    "prune": delete_impressions,
}


class Store:
    """Events, items, and what became of them. Made by `open_store`; any number of threads may use
    it.

    A write returns a future at once. It is resolved with an `Ack` once the write is on disk, and
    never before; or with the error, after which nothing of the request is stored (see
    `StoreUnavailableError` for the one exception). Requests are done as a whole or not at all, in
    the order in which they came.

    A read sees every write that was acknowledged before it began.

    Parameters
    ----------
    database
        Where the store lives.
    read_only
        Whether writes are refused.
    settings
        Limits.
    """

    def __init__(
        self, database: Database, *, read_only: bool = False, settings: StoreSettings | None = None
    ) -> None:
        self.settings = settings or StoreSettings()
        self.database = database
        self._readers = Readers(database, self.settings.readers)
        self._writer: Writer | None = None
        self._schema = len(MIGRATIONS)
        if checks.boolean(read_only, "read_only"):
            self._schema = self._check_version()
            return
        database.acquire()
        try:
            self._writer = Writer(database, self.settings)
        except BaseException:
            database.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({self.database.shown!r}{', read only' if self._writer is None else ''})"

    def close(self) -> None:
        """Finish the writes that wait, and close all connections. Later calls raise
        `StoreClosedError`.
        """
        self._readers.close()
        if self._writer is not None:
            self._writer.close()
            self.database.release()

    # Writing

    def append(self, events: Sequence[EventLike]) -> Future[Ack]:
        """Store events, all of them or none.

        Parameters
        ----------
        events
            1 to 10,000, or what has an event's fields. An event whose id is stored already with the
            same content changes nothing (a time left open equals any).

        Returns
        -------
        Future[Ack]
            Fails with `ConflictError` if an id is stored with another content; it names the ids.
            Fails with `ArgumentError` if the time of an event that isn't stored yet is more than a
            day ahead; it names the event.

        Raises
        ------
        ArgumentError
            If an event is beyond the limits: which one, and why.
        OverloadError
            If too much waits already; nothing was taken.
        """
        rows = checked_events(events)
        return self._write("append", (rows,), len(rows))

    def undo(self, event_ids: Sequence[str], user_id: str | int | None = None) -> Future[Ack]:
        """Undo events: they stay in the store, marked, and count no longer; a retry of one doesn't
        bring it back.

        Parameters
        ----------
        event_ids
            1 to 10,000.
        user_id
            Whose they must be; None for anybody's.

        Returns
        -------
        Future[Ack]
            Fails with `UnknownEventError`, which names the ids that were never stored; then nothing
            was undone.
        """
        ids = checked_ids(event_ids, "event_ids", checked_id)
        user = None if user_id is None else outside_id(user_id, "user_id")
        return self._write("undo", (ids, user), len(ids))

    def erase_user(self, user_id: str | int) -> Future[Ack]:
        """Delete all that is stored of a user. It is overwritten in the files soon after, also
        after a crash (`health` says whether it is done); the log of erasures says when and how
        many, not who.
        """
        user = outside_id(user_id, "user_id")
        return self._write("erase", (user,), 1)

    def put_items(self, items: Sequence[Item]) -> Future[Ack]:
        """Describe items, all of them or none; each description replaces what was known. Of an id
        that repeats, the last counts.

        Raises
        ------
        ArgumentError
            If an item is beyond the limits: which one, and why.
        """
        rows = checked_items(items)
        return self._write("put", (rows,), len(rows))

    def hide_items(self, item_ids: Sequence[str | int]) -> Future[Ack]:
        """Hide items, also such as were never described: they must not be recommended until they
        are shown again.
        """
        return self._set_state(item_ids, HIDDEN)

    def show_items(self, item_ids: Sequence[str | int]) -> Future[Ack]:
        """Show hidden items again. A deleted item comes back by a new description alone."""
        return self._set_state(item_ids, VISIBLE)

    def delete_items(self, item_ids: Sequence[str | int]) -> Future[Ack]:
        """Delete items: nothing but their ids and their history of changes is kept, and they
        must never be recommended.
        """
        return self._set_state(item_ids, DELETED)

    def log_impressions(self, impressions: Sequence[Impression]) -> Future[Ack]:
        """Log lists that are shown, all of them or none; a request id that is logged already with
        the same content changes nothing.

        Returns
        -------
        Future[Ack]
            Fails with `ConflictError` if a request id is logged with another content.

        Raises
        ------
        ArgumentError
            If an impression is beyond the limits: which one, and why.
        """
        rows = checked_impressions(impressions)
        return self._write("impressions", (rows,), len(rows))

    def log_lines(self, lines: Sequence[bytes]) -> Future[Ack]:
        """Log lists by `impression_line`; a request id that is logged already changes nothing."""
        text = (b"[" + b",".join(lines) + b"]").decode()
        return self._write("lines", (text, len(lines)), len(lines))

    # Reading

    def history(self, user_id: str | int, limit: int = 1_000) -> History:
        """Return the last ``limit`` events of a user that count, oldest first; empty for a user
        who was never seen.
        """
        limit = checks.integer(limit, "limit", low=1)
        return self._read(queries.history, outside_id(user_id, "user_id"), limit)

    def user_events(self, user_id: str | int) -> list[StoredEvent]:
        """Return all that is stored of a user, undone events too, in the order of arrival: what
        an export holds.
        """
        return self._read(queries.user_events, outside_id(user_id, "user_id"))

    def event(self, event_id: str) -> StoredEvent | None:
        """Return one event, undone or not; None if it was never stored."""
        return self._read(queries.event, checked_id(event_id, "event_id"))

    def events(self, after: int = 0, limit: int | None = None) -> Iterator[StoredEvent]:
        """Yield events in the order of arrival, undone ones too, from the one after the place
        ``after``.
        """
        return paged(partial(self._read, queries.events_after), after, limit, "seq")

    def impressions(
        self, after: int = 0, limit: int | None = None, experiment: str | None = None
    ) -> Iterator[StoredImpression]:
        """Yield logged lists in the order of arrival, from the one after the place ``after``; those
        of one experiment, if it is named.
        """
        query: Any = impressions_after
        if experiment is not None:
            query = partial(experiment_impressions, experiment)
        # A list may have a thousand items.
        return paged(partial(self._lists, query), after, limit, "seq", PAGE // 10)

    def impressions_by_id(self, request_ids: Sequence[str]) -> list[StoredImpression]:
        """Return the lists logged for some requests, in the order of arrival."""
        return self._lists(impressions_by_id, self.database, request_ids)

    def user_impressions(self, user_id: str | int) -> list[StoredImpression]:
        """Return the lists logged for a user, in the order of arrival."""
        return self._lists(user_impressions, outside_id(user_id, "user_id"))

    def item(self, item_id: str | int) -> StoredItem | None:
        """Return what is stored of an item; None for one that was never described, hidden or
        deleted.
        """
        return next(iter(self.items([item_id]).values()), None)

    def items(self, item_ids: Sequence[str | int]) -> dict[str, StoredItem]:
        """Return what is stored of some items, by id as text; those that the store doesn't know
        are left out.
        """
        return self._read(queries.items, self.database, checked_ids(item_ids, "item_ids"))

    def all_items(self) -> Iterator[StoredItem]:
        """Yield all items in the order of their ids, hidden and deleted ones too."""
        return paged(partial(self._read, queries.items_after), "", None, "item_id")

    def unseen_items(self) -> dict[str, str]:
        """Return the items that must never be recommended: id -> ``hidden`` or ``deleted``."""
        return self._read(queries.unseen_items)

    def item_changes(self, after: int = 0, limit: int = PAGE) -> list[ItemChange]:
        """Return the next changes of items after the one numbered ``after``: what a copy in
        memory needs to keep up.
        """
        return self._read(queries.changes_after, after, checks.integer(limit, "limit", low=1))

    def item_history(self, item_id: str | int) -> list[ItemChange]:
        """Return all changes of one item, the first one first."""
        return self._read(queries.changes_of, outside_id(item_id, "item_id"))

    def counts(self) -> Counts:
        """Return how much is in the store."""
        return self._read(queries.counts)

    def kinds(self) -> dict[str, int]:
        """Return how many events of each kind count, the most frequent first. Reads all events."""
        return self._read(queries.kinds)

    def latest_events(self, limit: int, before: int | None = None) -> list[StoredEvent]:
        """Return the last events, the last one first, undone ones too; those before a place in
        the order of arrival if one is given.
        """
        return self._read(queries.events_before, before, limit)

    def event_counts(self, after: int, since: int, step: int) -> list[tuple[int, str, int]]:
        """Return how many events of each kind that count happened when: start of the stretch, kind,
        count; see `queries.event_counts`.
        """
        found = self._read(queries.event_counts, after, since, step)
        return [(int(start), str(kind), int(count)) for start, kind, count in found]

    def last_seq(self) -> int:
        """Return the place of the last event that is stored; 0 when there is none."""
        return self._read(queries.last_seq)

    def last_erasure(self) -> int:
        """Return the number of the last erasure of a user; 0 when there was none."""
        return self._read(queries.last_erasure)

    def recent_users(
        self, after: int, upto: int, moment: int, kinds: Sequence[str] = ()
    ) -> list[tuple[str, int, int]]:
        """Return how many users' last event with an item is how old: item, full hours, users; see
        `queries.recent_users`.
        """
        found = self._read(queries.recent_users, self.database, after, upto, moment, kinds)
        return [(str(item), int(hours), int(users)) for item, hours, users in found]

    def health(self) -> Health:
        """Return whether the store can be written, why not, and how its commits go. Touches no
        disk.
        """
        if self._writer is None:
            reason = "the store was opened for reading"
            return Health(writable=False, reason=reason)
        return self._writer.health()

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Lend a connection of its own in which every query sees the same moment; writes go on
        meanwhile.
        """
        errors = self.database.errors
        session = None
        try:
            session = self.database.reader()
            session.begin_reading()
            yield session
        except errors as error:
            raise self.database.failure(error) from error
        finally:
            if session is not None:
                session.close()

    def _write(self, name: str, arguments: tuple[Any, ...], size: int) -> Future[Ack]:
        """Queue a write by its name."""
        apply = _BY_NAME[name]
        return self._submit(lambda work: apply(work, *arguments), size, scrub=name == "erase")

    def _submit(self, apply: Any, size: int, *, scrub: bool = False) -> Future[Ack]:
        if self._writer is None:
            raise ReadOnlyError(f"the store {self.database.shown} was opened for reading.")
        return self._writer.submit(WriteJob(apply, size, scrub))

    def _set_state(self, item_ids: Sequence[str | int], state: int) -> Future[Ack]:
        ids = checked_ids(item_ids, "item_ids")
        return self._write("state", (ids, state), len(ids))

    def _read(self, query: Callable[..., Read], *arguments: Any) -> Read:
        """Return what a query says, over a connection that reads."""
        with self._readers.one() as session:
            return query(session, *arguments)

    def _lists(self, query: Callable[..., list[StoredImpression]], *arguments: Any) -> Any:
        """Return logged lists; a store of 0.1 that was opened for reading has none."""
        return self._read(query, *arguments) if self._schema > 1 else []

    def _check_version(self) -> int:
        with self._readers.one() as session:
            found = self.database.version(session)
        if found == 0:
            raise StoreFormatError(f"{self.database.shown} holds no event store.")
        return found
