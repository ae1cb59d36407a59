"""What a write does, inside a transaction that the caller began and will commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cofactor.base.errors import ArgumentError
from cofactor.store.database import Database, Session
from cofactor.store.exceptions import ConflictError, UnknownEventError
from cofactor.store.limits import DAY, EventRow, ItemRow, check_ahead
from cofactor.store.records import Ack
from cofactor.store.schema import DELETED, HIDDEN, NOTE, VISIBLE

_INSERT = """INSERT INTO events (event_id, user_id, item_id, kind, value, time, received)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id) DO NOTHING"""
_PUT = """INSERT INTO items (item_id, title, text, features, state, time) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (item_id) DO UPDATE SET
        title = excluded.title, text = excluded.text, features = excluded.features,
    state = excluded.state, time = excluded.time"""
_CHANGE = (
    "INSERT INTO item_changes (item_id, title, text, features, state, time, action) VALUES (?, ?,"
    " ?, ?, ?, ?, ?)"
)
_ACTIONS = {VISIBLE: "show", HIDDEN: "hide", DELETED: "delete"}


@dataclass
class Work:
    """One group commit: where it writes, when, and what it adds to the counters.

    Parameters
    ----------
    session, database
        The connection that writes, and its kind.
    now
        Seconds since 1970.
    deltas
        Counter -> what the group adds to it so far.
    last_seq
        The place of the last event that arrived in the group; 0 when none did.
    known_seq
        The place of the last event in the store, once it has been read; None after something
        was taken back.
    """

    session: Session
    database: Database
    now: int
    deltas: Counter[str] = field(default_factory=Counter)
    last_seq: int = 0
    known_seq: int | None = None

    def alive(self, users: Iterable[str]) -> set[str]:
        """Return those of the users who have an event that counts."""
        sql = f"""SELECT given.value FROM {self.database.listed}
            WHERE EXISTS (SELECT 1 FROM events WHERE user_id = given.value AND undone IS NULL)"""
        return {row[0] for row in self.session.rows(sql, (self.database.list_of(list(users)),))}

    def stored(self, table: str, columns: str, ids: Sequence[str]) -> dict[Any, tuple[Any, ...]]:
        """Return columns of a table's rows with these ids, by id: the first of the columns."""
        sql = f"""SELECT {columns} FROM {table}
            WHERE {columns.partition(",")[0]} IN (SELECT given.value FROM {self.database.listed})"""
        return {row[0]: row for row in self.session.rows(sql, (self.database.list_of(ids),))}

    def last(self, table: str) -> int:
        """Return the highest number of a table, 0 when it is empty."""
        return int(self.session.rows(f"SELECT coalesce(max(seq), 0) FROM {table}")[0][0])

    def write_counters(self) -> None:
        """Add the deltas to the counters of the store."""
        changed = [(delta, name) for name, delta in sorted(self.deltas.items()) if delta]
        if changed:
            self.session.run_many("UPDATE counters SET value = value + ? WHERE name = ?", changed)
        if self.last_seq:
            self.session.run(
                "UPDATE counters SET value = ? WHERE name = 'last_seq' AND value < ?",
                (self.last_seq, self.last_seq),
            )


def append_events(work: Work, rows: Sequence[EventRow]) -> Ack:
    """Store events; those that are stored already, with the same content, change nothing.

    Raises
    ------
    ConflictError
        If an id is stored, or stands in the request, with another content.
    ArgumentError
        If the time of an event that isn't stored yet is more than a day ahead.
    """
    fresh = _without_repeats(rows)
    _check_times(work, rows)
    users = {row[1] for row in fresh}
    alive = work.alive(users)
    before = work.last("events") if work.known_seq is None else work.known_seq
    values = [(*row[:5], work.now if row[5] is None else row[5], work.now) for row in fresh]
    stored = work.session.run_many(_INSERT, values)
    if stored < len(fresh):
        users = _compare(work, fresh, before)
    work.deltas["events"] += stored
    work.deltas["users"] += len(users - alive)
    seq = before
    if stored:
        seq = work.last_seq = work.last("events")
    work.known_seq = seq
    return Ack(
        changed=stored,
        unchanged=len(rows) - stored,
        seq=seq,
        event_ids=tuple(row[0] for row in rows),
    )


def undo_events(work: Work, event_ids: Sequence[str], user_id: str | None = None) -> Ack:
    """Undo events; they stay as they are, marked, and count no longer. Those undone already change
    nothing.

    Raises
    ------
    UnknownEventError
        If an id was never stored, or isn't of the user that is given.
    """
    found = work.stored("events", "event_id, user_id, undone", event_ids)
    missing = [
        one
        for one in event_ids
        if one not in found or (user_id is not None and found[one][1] != user_id)
    ]
    if missing:
        raise UnknownEventError(missing)
    todo = [one for one in event_ids if found[one][2] is None]
    work.session.run_many(
        "UPDATE events SET undone = ? WHERE event_id = ?", [(work.now, one) for one in todo]
    )
    users = {found[one][1] for one in todo}
    work.deltas["events"] -= len(todo)
    work.deltas["undone"] += len(todo)
    work.deltas["users"] -= len(users - work.alive(users))
    return Ack(
        changed=len(todo),
        unchanged=len(event_ids) - len(todo),
        seq=work.last("events"),
        event_ids=tuple(event_ids),
    )


def erase_user(work: Work, user_id: str) -> Ack:
    """Delete all that is stored of a user, undone events too, and log that it was done, without
    the id.
    """
    was = len(work.alive([user_id]))
    live = work.session.run("DELETE FROM events WHERE user_id = ? AND undone IS NULL", (user_id,))
    undone = work.session.run(
        "DELETE FROM events WHERE user_id = ? AND undone IS NOT NULL", (user_id,)
    )
    lists = work.session.run("DELETE FROM impressions WHERE user_id = ?", (user_id,))
    work.known_seq = None
    work.session.run("INSERT INTO erasures (time, events) VALUES (?, ?)", (work.now, live + undone))
    # In the same transaction: a crash right after it must not make forgotten what is to be done.
    work.session.run(NOTE, ("owed", str(work.now)))
    work.deltas.update({"events": -live, "undone": -undone, "users": -was, "impressions": -lists})
    return Ack(changed=live + undone, unchanged=0, seq=work.last("events"))


def put_items(work: Work, rows: Sequence[ItemRow]) -> Ack:
    """Describe items; what was known of them is replaced. Equal descriptions change nothing."""
    known = _items(work, [row[0] for row in rows])
    written = []
    for item_id, title, text, features, hidden in rows:
        old = known.get(item_id)
        shown = VISIBLE if old is None or old[4] == DELETED else old[4]
        state = shown if hidden is None else HIDDEN if hidden else VISIBLE
        new = (item_id, title, text, features, state)
        if new != old:
            written.append(new)
            _count_state(work, None if old is None else old[4], state)
    return _write_items(work, written, len(rows), "put")


def set_state(work: Work, item_ids: Sequence[str], state: int) -> Ack:
    """Hide, show or delete items, described or not: an item that only the model knows can be
    hidden too.
    """
    known = _items(work, item_ids)
    written = []
    for item_id in item_ids:
        old = known.get(item_id)
        was = None if old is None else old[4]
        # What is deleted comes back by a new description alone; what was never hidden need not be
        # shown.
        if was in (state, DELETED) or (was is None and state == VISIBLE):
            continue
        kept = old[1:4] if old is not None and state != DELETED else (None, None, None)
        written.append((item_id, *kept, state))
        _count_state(work, was, state)
    return _write_items(work, written, len(item_ids), _ACTIONS[state])


def is_owed(work: Work) -> bool:
    """Return whether something was erased that isn't known to be overwritten everywhere."""
    return bool(work.session.rows("SELECT 1 FROM store_meta WHERE name = 'owed'"))


def settle(work: Work) -> None:
    """Note that all that was erased is overwritten."""
    work.session.run("DELETE FROM store_meta WHERE name = 'owed'")


def probe(work: Work) -> None:
    """Write something small. Its commit also syncs whatever an earlier process left in the log
    without syncing it.
    """
    found = work.session.rows("SELECT value FROM store_meta WHERE name = 'opened'")
    # A row that keeps its value is written nevertheless in SQLite; a changing one needs no such
    # knowledge.
    count = (found[0][0] if found else "").rpartition(" ")[2]
    work.session.run(NOTE, ("opened", f"{work.now} {int(count) + 1 if count.isdecimal() else 1}"))


ItemState = tuple[str, str | None, str | None, str | None, int]


def _items(work: Work, item_ids: Sequence[str]) -> dict[str, ItemState]:
    found: Any = work.stored("items", "item_id, title, text, features, state", item_ids)
    return found


def _write_items(work: Work, written: Sequence[ItemState], count: int, action: str) -> Ack:
    work.session.run_many(_PUT, [(*row, work.now) for row in written])
    work.session.run_many(_CHANGE, [(*row, work.now, action) for row in written])
    return Ack(changed=len(written), unchanged=count - len(written), seq=work.last("item_changes"))


def _count_state(work: Work, was: int | None, now: int) -> None:
    work.deltas["items"] += (now != DELETED) - (was not in (None, DELETED))
    work.deltas["hidden"] += (now == HIDDEN) - (was == HIDDEN)


def _without_repeats(rows: Sequence[EventRow]) -> list[EventRow]:
    """The rows with each id once; the same event twice in a request is a retry within it."""
    by_id: dict[str, EventRow] = {}
    for row in rows:
        if by_id.setdefault(row[0], row) != row:
            raise ConflictError(
                [row[0]],
                f"the event id {row[0]!r} occurs twice in the request, with different contents.",
            )
    return list(by_id.values())


def _check_times(work: Work, rows: Sequence[EventRow]) -> None:
    """Refuse new events of a time too far ahead. A retry stays one where the clock was set back
    meanwhile: refusing it would say that nothing of it is stored.
    """
    latest = work.now + DAY
    ahead = [
        (place, row[0], row[5])
        for place, row in enumerate(rows)
        if row[5] is not None and row[5] > latest
    ]
    known = work.stored("events", "event_id", [name for _, name, _ in ahead]) if ahead else {}
    for place, name, moment in ahead:
        if name not in known:
            try:
                check_ahead(moment, latest)
            except ArgumentError as error:
                raise ArgumentError(f"events[{place}]: {error}") from None


def _compare(work: Work, rows: Sequence[EventRow], before: int) -> set[str]:
    """Compare a request with what is stored under its ids; return the users of the events that
    are new.
    """
    columns = "event_id, user_id, item_id, kind, value, time, seq"
    found = work.stored("events", columns, [row[0] for row in rows])
    # A time that the caller left open was set on arrival: a retry, which leaves it open again, is
    # the same event.
    wrong = [
        row[0]
        for row in rows
        if found[row[0]][:5] != row[:5] or row[5] not in (None, found[row[0]][5])
    ]
    if wrong:
        raise ConflictError(wrong)
    return {row[1] for row in found.values() if row[6] > before}


# What a write is called where it is asked for by name, with its arguments.
BY_NAME: Mapping[str, Callable[..., Ack]] = {
    "append": append_events,
    "undo": undo_events,
    "erase": erase_user,
    "put": put_items,
    "state": set_state,
}
