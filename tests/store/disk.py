"""A disk that can fail and lose power: a shim between SQLite (apsw's copy) and the files, and the
store on top of it.

Every change of a file is recorded before it is done. `image` then says what a disk may hold when
the power goes at some moment: what was synced, and of the rest any part, in any order, sector by
sector; names of files too are lost until their folder is synced. A fault can be set for the n-th
call."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from cofactor.store.database import Row, Session
from cofactor.store.sqlite import SqliteDatabase

SECTOR = 512
_NUMBERS = itertools.count()


@dataclass(frozen=True)
class Step:
    """One thing that happened: ``create``, ``write``, ``truncate``, ``sync``, ``delete``,
    ``syncdir``, or ``note``.
    """

    what: str
    name: str = ""
    offset: int = 0
    data: bytes = b""
    fact: Any = None


@dataclass
class Disk:
    """What happened, and what shall fail.

    ``fault`` is asked at every call with the call's number (from 1) and name; it may raise.
    """

    steps: list[Step] = field(default_factory=list)
    fault: Callable[[int, str], None] | None = None
    calls: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, what: str) -> None:
        with self.lock:
            self.calls += 1
            number = self.calls
        if self.fault is not None:
            self.fault(number, what)

    def happened(
        self, what: str, name: str = "", offset: int = 0, data: bytes = b"", fact: Any = None
    ) -> None:
        with self.lock:
            self.steps.append(Step(what, name, offset, data, fact))

    def note(self, fact: Any) -> None:
        self.happened("note", fact=fact)

    def facts(self, end: int) -> list[Any]:
        """What was noted before a moment."""
        return [step.fact for step in self.steps[:end] if step.what == "note"]


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, base: str, filename: Any, flags: list[int]) -> None:
        self.disk = disk
        self.path = filename.filename() if hasattr(filename, "filename") else filename
        self.name = os.path.basename(self.path) if self.path else ""
        self.kept = bool(self.name)
        new = self.kept and not os.path.exists(self.path)
        super().__init__(base, filename, flags)
        if new:
            disk.happened("create", self.name)

    def xRead(self, amount: int, offset: int) -> bytes:
        self.disk.call("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        self.disk.call("write")
        if self.kept:
            self.disk.happened("write", self.name, offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self.disk.call("truncate")
        if self.kept:
            self.disk.happened("truncate", self.name, size)
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        self.disk.call("sync")
        super().xSync(flags)
        if self.kept:
            self.disk.happened("sync", self.name)

    def xLock(self, level: int) -> None:
        self.disk.call("lock")
        super().xLock(level)

    def xFileSize(self) -> int:
        self.disk.call("size")
        return super().xFileSize()


class _Vfs(apsw.VFS):
    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.name = f"cofactor-shim-{next(_NUMBERS)}"
        super().__init__(self.name, "")

    def xOpen(self, name: Any, flags: list[int]) -> Any:
        self.disk.call("open")
        return _File(self.disk, "", name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        self.disk.call("delete")
        super().xDelete(name, syncdir)
        self.disk.happened("delete", os.path.basename(name))
        if syncdir:
            self.disk.happened("syncdir")


class _Session:
    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return list(self.connection.execute(sql, tuple(params)))

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        self.connection.execute(sql, tuple(params))
        return self.connection.changes()

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        before = self.connection.total_changes()
        self.connection.executemany(sql, [tuple(row) for row in rows])
        return self.connection.total_changes() - before

    def begin(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        self.connection.execute("BEGIN")

    def commit(self) -> None:
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        self.connection.close()


class ShimDatabase(SqliteDatabase):
    """The store's SQLite on a `Disk`. Its log is moved into the file often, so that there is
    something to interrupt.
    """

    errors = (apsw.Error,)

    def __init__(
        self, path: Path, disk: Disk, *, checkpoint: int = 12, busy_seconds: float = 0.05
    ) -> None:
        super().__init__(path, busy_seconds)
        self.disk = disk
        self.checkpoint = checkpoint
        self._vfs = _Vfs(disk)

    def connect(self, *, read_only: bool) -> Session:
        flags = (
            apsw.SQLITE_OPEN_READONLY
            if read_only
            else apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
        )
        connection = apsw.Connection(str(self.path), flags=flags, vfs=self._vfs.name)
        connection.set_busy_timeout(int(self.busy_seconds * 1000))
        return _Session(connection)

    def writer(self) -> Session:
        session = super().writer()
        session.rows(f"PRAGMA wal_autocheckpoint = {self.checkpoint}")
        return session

    def settled(self, session: Session) -> None:
        self.disk.call("syncdir")
        super().settled(session)
        self.disk.happened("syncdir")

    def code_of(self, error: Exception) -> int:
        # What the shim itself raises passes through without a code.
        injected = {apsw.FullError: 13, apsw.IOError: 10, apsw.BusyError: 5}
        return int(getattr(error, "result", injected.get(type(error), 1)))


# What may be on the disk when the power goes


@dataclass
class _Inode:
    synced: bytes = b""
    pending: list[Step] = field(default_factory=list)


def image(steps: Sequence[Step], end: int, rng: np.random.Generator, folder: Path) -> None:
    """Write into a folder what the disk may hold if the power goes before step ``end``."""
    inodes: dict[int, _Inode] = {}
    synced_names: dict[str, int] = {}
    names: dict[str, int] = {}
    waiting: list[Callable[[dict[str, int]], None]] = []  # changes of the folder that aren't synced
    for number, step in enumerate(steps[:end]):
        if step.what == "create":
            inodes[number] = _Inode()
            names[step.name] = number
            waiting.append(lambda where, name=step.name, at=number: where.__setitem__(name, at))  # type: ignore[misc]
        elif step.what == "delete":
            names.pop(step.name, None)
            waiting.append(lambda where, name=step.name: where.pop(name, None))  # type: ignore[misc]
        elif step.what == "syncdir" or (
            step.what == "sync" and step.name.endswith(("-wal", "-journal")) and step.name in names
        ):
            # SQLite syncs the folder with the first sync of a log; to do it at each one is no
            # different.
            for change in waiting:
                change(synced_names)
            waiting = []
        if step.what in ("write", "truncate") and step.name in names:
            inodes[names[step.name]].pending.append(step)
        if step.what == "sync" and step.name in names:
            inode = inodes[names[step.name]]
            inode.synced, inode.pending = _all(inode), []
    for change in waiting[: _cut(len(waiting), rng)]:
        change(synced_names)
    how = rng.choice(["none", "all", "prefix", "any", "any", "any"])
    for name, at in synced_names.items():
        if not name.endswith("-shm"):
            (folder / name).write_bytes(_survivors(inodes[at], str(how), rng))


def _cut(count: int, rng: np.random.Generator) -> int:
    return int(rng.integers(count + 1))


def _all(inode: _Inode) -> bytes:
    content = bytearray(inode.synced)
    for step in inode.pending:
        _apply(content, step, None)
    return bytes(content)


def _survivors(inode: _Inode, how: str, rng: np.random.Generator) -> bytes:
    content = bytearray(inode.synced)
    share = float(rng.random())
    pending = inode.pending if how != "prefix" else inode.pending[: _cut(len(inode.pending), rng)]
    for step in pending if how != "none" else []:
        if how != "any":
            _apply(content, step, None)
        elif step.what == "truncate":
            if rng.random() < share:
                _apply(content, step, None)
        else:
            sectors = (len(step.data) + SECTOR - 1) // SECTOR
            _apply(content, step, rng.random(sectors) < share, grow=bool(rng.random() < 0.5))
    return bytes(content)


def _apply(content: bytearray, step: Step, kept: np.ndarray | None, grow: bool = False) -> None:
    if step.what == "truncate":
        del content[step.offset :]
        content.extend(b"\0" * (step.offset - len(content)))
        return
    for sector in range((len(step.data) + SECTOR - 1) // SECTOR):
        part = step.data[sector * SECTOR : (sector + 1) * SECTOR]
        at = step.offset + sector * SECTOR
        if kept is not None and not kept[sector]:
            if grow:  # the size made it to the disk, the content didn't
                content.extend(b"\0" * (at + len(part) - len(content)))
            continue
        content.extend(b"\0" * (at - len(content)))
        content[at : at + len(part)] = part
