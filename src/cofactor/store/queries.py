"""Queries of the store, over a connection that reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from cofactor.store.database import Database, Row, Session
from cofactor.store.records import Counts, History, ItemChange, StoredEvent, StoredItem
from cofactor.store.schema import STATES

# Records have the fields of their tables' rows.
_EVENT, _ITEM, _CHANGE = (
    ", ".join(kind.__struct_fields__) for kind in (StoredEvent, StoredItem, ItemChange)
)


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
    sql = f"""SELECT {_EVENT} FROM events WHERE user_id = ? AND undone IS NULL
        UNION ALL SELECT {_EVENT} FROM events WHERE user_id = ? AND undone IS NOT NULL"""
    return sorted(
        (_event(row) for row in session.rows(sql, (user_id, user_id))), key=lambda event: event.seq
    )


def event(session: Session, event_id: str) -> StoredEvent | None:
    """Return one event, undone or not."""
    rows = session.rows(f"SELECT {_EVENT} FROM events WHERE event_id = ?", (event_id,))
    return _event(rows[0]) if rows else None


def events_after(session: Session, seq: int, limit: int) -> list[StoredEvent]:
    """Return the next events in the order of arrival, undone ones too."""
    rows = session.rows(
        f"SELECT {_EVENT} FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    )
    return [_event(row) for row in rows]


def items(session: Session, database: Database, item_ids: Sequence[str]) -> dict[str, StoredItem]:
    """Return what is stored of some items; those that the store doesn't know are left out."""
    sql = f"SELECT {_ITEM} FROM items WHERE item_id IN (SELECT given.value FROM {database.listed})"
    return {row[0]: _item(row) for row in session.rows(sql, (database.list_of(item_ids),))}


def items_after(session: Session, item_id: str, limit: int) -> list[StoredItem]:
    """Return the next items in the order of their ids, hidden and deleted ones too."""
    rows = session.rows(
        f"SELECT {_ITEM} FROM items WHERE item_id > ? ORDER BY item_id LIMIT ?", (item_id, limit)
    )
    return [_item(row) for row in rows]


def unseen_items(session: Session) -> dict[str, str]:
    """Return the items that must never be returned, with their state."""
    rows = session.rows("SELECT item_id, state FROM items WHERE state > 0")
    return {item_id: STATES[state] for item_id, state in rows}


def last_change(session: Session) -> int:
    """Return the number of the last change of an item; 0 when there is none."""
    return int(session.rows("SELECT coalesce(max(seq), 0) FROM item_changes")[0][0])


def changes_after(session: Session, seq: int, limit: int) -> list[ItemChange]:
    """Return the next changes of items."""
    rows = session.rows(
        f"SELECT {_CHANGE} FROM item_changes WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    )
    return [_change(row) for row in rows]


def changes_of(session: Session, item_id: str) -> list[ItemChange]:
    """Return all changes of one item, the first one first."""
    rows = session.rows(
        f"SELECT {_CHANGE} FROM item_changes WHERE item_id = ? ORDER BY seq", (item_id,)
    )
    return [_change(row) for row in rows]


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


def _event(row: Row) -> StoredEvent:
    return StoredEvent(**dict(zip(StoredEvent.__struct_fields__, row, strict=True)))


def _item(row: Row) -> StoredItem:
    return StoredItem(**_described(StoredItem, row))


def _change(row: Row) -> ItemChange:
    return ItemChange(**_described(ItemChange, row))


def _described(kind: type[Struct], row: Row) -> dict[str, Any]:
    """A row's fields by name, with the features and the state read."""
    found = dict(zip(kind.__struct_fields__, row, strict=True))
    return {**found, "features": _features(found["features"]), "state": STATES[found["state"]]}


def _features(text: str | None) -> dict | None:
    return None if text is None else json.loads(text)


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
    where, given = ("", ()) if seq is None else ("WHERE seq < ?", (seq,))
    sql = f"SELECT {_EVENT} FROM events {where} ORDER BY seq DESC LIMIT ?"
    return [_event(row) for row in session.rows(sql, (*given, limit))]
