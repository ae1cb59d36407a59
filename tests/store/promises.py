"""What a store promised, and whether a database keeps it: confirmed ⊆ stored ⊆ sent, whole
requests, each event once.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cofactor.store import Event


@dataclass
class Promises:
    """Requests that were sent, by name, and those among them that were confirmed."""

    sent: dict[str, list[Event]] = field(default_factory=dict)
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
        for name, events in self.sent.items():
            there = [stored.pop(str(event.event_id), None) for event in events]
            if name in self.confirmed and None in there:
                return f"request {name} was confirmed and is not stored whole"
            if name in self.refused and any(one is not None for one in there):
                return f"request {name} was refused and is stored"
            if None in there and any(one is not None for one in there):
                return f"request {name} is stored in part"
            for event, row in zip(events, there, strict=True):
                if row is not None and row != (
                    str(event.user_id),
                    str(event.item_id),
                    event.kind,
                    event.value,
                    event.time,
                ):
                    return f"event {event.event_id} was changed"
        if stored:
            return f"never sent: {sorted(stored)[:5]}"
        counted = dict(connection.execute("SELECT name, value FROM counters"))
        users = len({row[1] for row in rows})
        if (counted["events"], counted["users"]) != (len(rows), users):
            return f"the counters {counted} contradict {len(rows)} events of {users} users"
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


def hash_of(name: str) -> int:
    """A number that is the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(name))
