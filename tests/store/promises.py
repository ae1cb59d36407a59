"""What a store promised, and whether a database keeps it: confirmed ⊆ stored ⊆ sent, whole
requests, each event once.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from cofactor.store import Ack, Event, Impression, Store

Request = list[Event] | list[Impression]


@dataclass
class Promises:
    """Requests that were sent, by name, and those among them that were confirmed."""

    sent: dict[str, Request] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    refused: set[str] = field(
        default_factory=set
    )  # of which the store said that nothing was stored
    open: set[str] = field(default_factory=set)  # of which the store said that it doesn't know

    def broken_in_a_copy(self, path: Path) -> str | None:
        """The same, of a copy, so that the next to open the database finds it as it was left."""
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            for end in ("", "-wal", "-journal"):
                if path.with_name(path.name + end).exists():
                    shutil.copy(path.with_name(path.name + end), folder)
            return self.broken(Path(folder) / path.name)

    def broken(self, path: Path) -> str | None:
        """What the database in a file does not keep of them, in a sentence; None if it keeps
        all.
        """
        if not path.exists() or path.stat().st_size == 0:
            return (
                f"no database, but {sorted(self.confirmed)} confirmed" if self.confirmed else None
            )
        with closing(sqlite3.connect(path)) as connection:
            return self._broken(connection)

    def _broken(self, connection: sqlite3.Connection) -> str | None:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        if found != ["ok"]:
            return f"integrity: {found}"
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
            return f"no tables, but {sorted(self.confirmed)} confirmed" if self.confirmed else None
        rows = connection.execute(
            "SELECT event_id, user_id, item_id, kind, value, time FROM events"
        ).fetchall()
        stored = {row[0]: row[1:] for row in rows}
        if len(stored) != len(rows):
            return "an event is stored twice"
        lists = connection.execute(
            "SELECT request_id, user_id, version, items, probabilities FROM impressions"
        ).fetchall()
        stored |= {row[0]: row[1:] for row in lists}
        if len(stored) != len(rows) + len(lists):
            return "an impression is logged twice"
        for name, events in self.sent.items():
            there = [stored.pop(_id_of(event), None) for event in events]
            if name in self.confirmed and None in there:
                return f"request {name} was confirmed and is not stored whole"
            if name in self.refused and any(one is not None for one in there):
                return f"request {name} was refused and is stored"
            if None in there and any(one is not None for one in there):
                return f"request {name} is stored in part"
            for event, row in zip(events, there, strict=True):
                if row is not None and row != _content_of(event):
                    return f"event or impression {_id_of(event)} was changed"
        if stored:
            return f"never sent: {sorted(stored)[:5]}"
        counted = dict(connection.execute("SELECT name, value FROM counters"))
        users = len({row[1] for row in rows})
        if (counted["events"], counted["users"]) != (len(rows), users):
            return f"the counters {counted} contradict {len(rows)} events of {users} users"
        if counted["impressions"] != len(lists):
            return f"the counters {counted} contradict {len(lists)} impressions"
        return None


def request(name: str, size: int) -> list[Event]:
    """A request of some events whose content follows from its name."""
    return [
        Event(
            user_id=f"user {hash_of(name) % 7}",
            item_id=f"item {part}",
            kind="view",
            value=part / 4,
            time=1000 + part,
            event_id=f"{name}/{part}",
        )
        for part in range(size)
    ]


def mixed_request(name: str, size: int) -> Request:
    """A request of events, or of impressions, as follows from its name."""
    if hash_of(name) % 3:
        return request(name, size)
    return [
        Impression(
            request_id=f"{name}/{part}",
            user_id=f"user {hash_of(name) % 7}",
            version="v1",
            source="personal",
            items=("item 1", f"item {part}"),
            probabilities=(0.5, (part + 1) / 64),
        )
        for part in range(size)
    ]


def submit(store: Store, sent: Request) -> Future[Ack]:
    """Send a request to a store."""
    if isinstance(sent[0], Event):
        return store.append(sent)  # type: ignore[arg-type]
    return store.log_impressions(sent)  # type: ignore[arg-type]


def _id_of(one: Event | Impression) -> str:
    return str(one.event_id if isinstance(one, Event) else one.request_id)


def _content_of(one: Event | Impression) -> tuple[object, ...]:
    if isinstance(one, Event):
        return str(one.user_id), str(one.item_id), one.kind, one.value, one.time
    texts = [msgspec.json.encode(part).decode() for part in (one.items, one.probabilities)]
    return one.user_id, one.version, *texts


def hash_of(name: str) -> int:
    """A number that is the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name))
