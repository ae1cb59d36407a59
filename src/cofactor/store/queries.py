"""Queries of the store, over a connection that reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from cofactor.store.database import Database, Row, Session
from cofactor.store.records import Counts, History, ItemChange, StoredEvent, StoredItem
from cofactor.store.schema import STATES

Record = TypeVar("Record", bound=Struct)
# Records have the fields of their tables' rows.
_TABLES: Mapping[type[Struct], str] = {
    StoredEvent: "events",
    StoredItem: "items",
    ItemChange: "item_changes",
}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "features": lambda text: None if text is None else json.loads(text),
    "state": STATES.__getitem__,
}


def history(session: Session, user_id: str, limit: int) -> History:
    """Return a user's last events that count, oldest first; answered from one index alone."""
    sql = """SELECT item_id, kind, value, time, seq FROM events WHERE user_id = ? AND undone IS NULL
        ORDER BY time DESC, seq DESC LIMIT ?"""
    rows = session.rows(sql, (user_id, limit))
    if not rows:
        return History(item_ids=(), kinds=(), values=(), times=(), seqs=())
    items, kinds, values, times, seqs = zip(*reversed(rows), strict=True)
    return History(item_ids=items, kinds=kinds, values=values, times=times, seqs=seqs)


def user_events(session: Session, user_id: str) -> list[StoredEvent]:
    """Return all that is stored of a user, undone events too, in the order of arrival."""
    # Both parts have an index of their own; a condition without "undone" would have none.
    either = f"""WHERE user_id = ? AND undone IS NULL
        UNION ALL {_select(StoredEvent)} WHERE user_id = ? AND undone IS NOT NULL"""
    found = _records(session, StoredEvent, either, user_id, user_id)
    return sorted(found, key=lambda event: event.seq)


def event(session: Session, event_id: str) -> StoredEvent | None:
    """Return one event, undone or not."""
    return next(iter(_records(session, StoredEvent, "WHERE event_id = ?", event_id)), None)


def events_after(session: Session, seq: int, limit: int) -> list[StoredEvent]:
    """Return the next events in the order of arrival, undone ones too."""
    return _records(session, StoredEvent, "WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)


def items(session: Session, database: Database, item_ids: Sequence[str]) -> dict[str, StoredItem]:
    """Return what is stored of some items; those that the store doesn't know are left out."""
    where = f"WHERE item_id IN (SELECT given.value FROM {database.listed})"
    found = _records(session, StoredItem, where, database.list_of(item_ids))
    return {item.item_id: item for item in found}


def items_after(session: Session, item_id: str, limit: int) -> list[StoredItem]:
    """Return the next items in the order of their ids, hidden and deleted ones too."""
    where = "WHERE item_id > ? ORDER BY item_id LIMIT ?"
    return _records(session, StoredItem, where, item_id, limit)


def unseen_items(session: Session) -> dict[str, str]:
    """Return the items that must never be returned, with their state."""
    rows = session.rows("SELECT item_id, state FROM items WHERE state > 0")
    return {item_id: STATES[state] for item_id, state in rows}


def last_change(session: Session) -> int:
    """Return the number of the last change of an item; 0 when there is none."""
    return int(session.rows("SELECT coalesce(max(seq), 0) FROM item_changes")[0][0])


def last_erasure(session: Session) -> int:
    """Return the number of the last erasure; 0 when there was none."""
    return int(session.rows("SELECT coalesce(max(seq), 0) FROM erasures")[0][0])


def changes_after(session: Session, seq: int, limit: int) -> list[ItemChange]:
    """Return the next changes of items."""
    return _records(session, ItemChange, "WHERE seq > ? ORDER BY seq LIMIT ?", seq, limit)


def changes_of(session: Session, item_id: str) -> list[ItemChange]:
    """Return all changes of one item, the first one first."""
    return _records(session, ItemChange, "WHERE item_id = ? ORDER BY seq", item_id)


def counts(session: Session) -> Counts:
    """Return how much is in the store."""
    sql = (
        "SELECT name, value FROM counters UNION ALL SELECT 'last_change', coalesce(max(seq), 0)"
        " FROM item_changes"
    )
    return Counts(**dict(session.rows(sql)))


def kinds(session: Session) -> dict[str, int]:
    """Return how many events of each kind count, the most frequent first. Reads all of them."""
    return dict(
        session.rows(
            "SELECT kind, count(*) FROM events WHERE undone IS NULL GROUP BY kind ORDER BY count(*)"
            " DESC, kind"
        )
    )


def _select(kind: type[Struct]) -> str:
    return f"SELECT {', '.join(kind.__struct_fields__)} FROM {_TABLES[kind]}"


def _records(session: Session, kind: type[Record], where: str, *given: Any) -> list[Record]:
    """What stands in a table, as records."""
    names, rows = kind.__struct_fields__, session.rows(f"{_select(kind)} {where}", given)
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for name in _READ.keys() & names:
        for one in found:
            one[name] = _READ[name](one[name])
    return [kind(**one) for one in found]


def recent_users(
    session: Session, database: Database, after: int, upto: int, moment: int, kinds: Sequence[str]
) -> list[Row]:
    """Return how many users' last event with an item is how old: (item_id, hours, users).

    Parameters
    ----------
    after, upto
        Events behind the first place in the order of arrival, up to the second.
    moment
        Seconds since 1970: what was undone later still counts, and what is dated later counts as of
        then.
    kinds
        Kinds that don't count.
    """
    sql = f"""SELECT item_id, hours, count(*) FROM (
            SELECT item_id, user_id, (? - max(time)) / 3600 AS hours FROM events
            WHERE seq > ? AND seq <= ? AND (undone IS NULL OR undone > ?)
                AND kind NOT IN (SELECT given.value FROM {database.listed})
            GROUP BY item_id, user_id) AS latest
        GROUP BY item_id, hours"""
    return session.rows(sql, (moment, after, upto, moment, database.list_of(list(kinds))))


def last_seq(session: Session) -> int:
    """Return the place of the last event that arrived; 0 when none did."""
    return int(session.rows("SELECT coalesce(max(seq), 0) FROM events")[0][0])


def event_counts(session: Session, after: int, since: int, step: int) -> list[Row]:
    """Return how many events of each kind that count happened when: (start, kind, count).

    Parameters
    ----------
    after
        Events behind this place in the order of arrival.
    since
        Seconds since 1970.
    step
        Seconds of a stretch.
    """
    sql = """SELECT time / ? * ?, kind, count(*) FROM events
        WHERE seq > ? AND time >= ? AND undone IS NULL GROUP BY 1, 2"""
    return session.rows(sql, (step, step, after, since))


def events_before(session: Session, seq: int | None, limit: int) -> list[StoredEvent]:
    """Return the last events before a place in the order of arrival, the last one first; undone
    ones too.
    """
    before, given = ("", ()) if seq is None else ("WHERE seq < ?", (seq,))
    where = f"{before} ORDER BY seq DESC LIMIT ?"
    return _records(session, StoredEvent, where, *given, limit)
