"""SQLite: a file, without a server."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from cofactor.base import disk
from cofactor.base.disk import is_mounted, number_of, sync, what_is_full
from cofactor.base.errors import ArgumentError
from cofactor.base.names import without_password
from cofactor.base.sqlite_file import log_elsewhere, reading_uri
from cofactor.base.state_file import StateError, read_state
from cofactor.store.database import Database, Row, Session
from cofactor.store.exceptions import (
    StoreBusyError,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
)
from cofactor.store.locks import FileLock
from cofactor.store.manifest import BackupManifest, manifest_path

_COARSE = 2.0  # seconds by which a file system may round the time of a write, at most
_QUICK = 256 << 20  # bytes that are written again while somebody waits for the end
_BUSY, _LOCKED, _READONLY, _IOERR, _CORRUPT, _FULL, _CANTOPEN, _NOTADB = 5, 6, 8, 10, 11, 13, 14, 26


class SqliteSession:
    """A connection of the standard library's sqlite3, in autocommit: transactions begin and end
    where we say.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a query."""
        return self.connection.execute(sql, params).fetchall()

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        return self.connection.execute(sql, params).rowcount

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once for each of the rows and return how many rows changed in all."""
        return self.connection.executemany(sql, rows).rowcount

    def begin(self) -> None:
        """Begin a transaction that writes: the lock is taken now, so that nothing fails for it
        later.
        """
        self.connection.execute("BEGIN IMMEDIATE")

    def begin_reading(self) -> None:
        """Begin a transaction in which every query sees the same moment."""
        self.connection.execute("BEGIN")

    def commit(self) -> None:
        """End the transaction; on return the log is synced."""
        self.connection.execute("COMMIT")

    def rollback(self) -> None:
        """End the transaction as if it had never been."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class SqliteDatabase(Database):
    """A store in a SQLite file.

    Parameters
    ----------
    path
        The file; it need not exist, nor need its folder.
    busy_seconds
        How long to wait for another process that holds the file.
    """

    # The file is also opened, synced and looked at without SQLite.
    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)
    words = {
        "text": "TEXT",
        "int": "INTEGER",
        "real": "REAL",
        "serial": "INTEGER PRIMARY KEY AUTOINCREMENT",
    }
    listed = "json_each(?) AS given"
    shared = False  # the lock sees to it
    embedded = True

    def __init__(self, path: Path, busy_seconds: float = 5.0) -> None:
        super().__init__(str(path))
        # One file, one lock, by whatever name it is called.
        self.path = Path(os.path.realpath(path))
        self.busy_seconds = busy_seconds
        self._lock = FileLock(self.path.with_name(self.path.name + ".lock"))
        # The log and its index, without which others don't find what stands in it.
        self._logs = [self.path.with_name(self.path.name + end) for end in ("-wal", "-shm")]
        # The system's own numbers of the file and of these, once they are there.
        self._number: int | None = None
        self._log_numbers: list[int] | None = None
        # When the file was written last, and its size: by us, since we alone write.
        self._written: tuple[float, int] | None = None

    def connect(self, *, read_only: bool) -> Session:
        """Open a connection. Tests give a driver of their own here, which fails where they say."""
        if not read_only:
            # Made for its owner alone from the first moment; its log gets the same mode. SQLite
            # syncs the folder when it makes the log. A file that is there isn't opened: to close it
            # would let go the locks of all connections of this process (POSIX), and whoever looks
            # into the file next would take the log away under them.
            with contextlib.suppress(FileExistsError):
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        uri = reading_uri(self.path) if read_only else f"{self.path.as_uri()}?mode=rwc"
        return SqliteSession(
            sqlite3.connect(
                uri,
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=self.busy_seconds,
            )
        )

    def writer(self) -> Session:
        """Open the connection that writes: write-ahead log, full synchronisation, deleted
        content overwritten.
        """
        session = self.connect(read_only=False)
        self._log_numbers = self._written = None
        try:
            mode = session.rows("PRAGMA journal_mode = WAL")[0][0]
            if mode != "wal":
                raise StoreFormatError(
                    f"{self.shown} can't have a write-ahead log (its mode stays {mode!r}); use a"
                    " local disk."
                )
            self._keep_private()
            if self._number is None:
                self._number = self.path.stat().st_ino
            session.rows("PRAGMA synchronous = FULL")
            session.rows("PRAGMA secure_delete = ON")
            session.rows("PRAGMA cache_size = -32000")
            # Moving the log into the file holds the writer up: seldom, and for more pages at a
            # time, costs less in all.
            session.rows("PRAGMA wal_autocheckpoint = 4000")
        except BaseException:
            session.close()
            raise
        return session

    def reader(self) -> Session:
        """Open a connection that can't write."""
        return self.connect(read_only=True)

    def acquire(self) -> None:
        """Lock the store for this process: one writer, who alone moves the log into the file."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and not self.path.is_file():
                raise StoreUnavailableError(f"{self.shown} isn't a file; a store is one.")
            self._check_no_backup()
            self._lock.acquire()
            self._check_names()
        except OSError as error:
            raise StoreUnavailableError(
                f"{self.shown} can't be written: {error.strerror}; choose another place for it."
            ) from None

    def _check_no_backup(self) -> None:
        """Refuse to write to a backup, which its manifest wouldn't describe any more."""
        beside = manifest_path(self.path)
        if not (self.path.is_file() and beside.is_file()):
            return
        try:
            read_state(beside, BackupManifest)
        except StateError:
            return  # something else of that name
        raise StoreFormatError(
            f"{self.shown} is a backup, which stays as it is; make a store of it with `cofactor"
            f" events restore`, or remove {beside.name} if it is the store itself now."
        )

    def _check_names(self) -> None:
        """Refuse a file of two names: SQLite's log goes by the name, so two processes would each
        have their own.
        """
        another, cure = "", ""
        if self.path.exists() and self.path.stat().st_nlink > 1:
            another, cure = "a hard link", "remove one of the names, or copy the file"
        elif is_mounted(self.path):
            another, cure = "it is mounted by itself", "mount its folder instead"
        if another:
            self._lock.release()
            raise StoreBusyError(
                f"{self.shown} has another name too ({another}), under which another process"
                f" could write to it; {cure}."
            )

    def owns(self, path: Path) -> bool:
        """Return whether a path leads to the file, or to what stands beside it: its log, its lock,
        the socket for writes, lists that aren't written yet.
        """
        ends = ("", "-wal", "-shm", "-journal", ".lock", ".writes")
        place = Path(os.path.realpath(path))
        own = place.name in [self.path.name + end for end in ends]
        own = own or place.name.startswith(f"{self.path.name}-lists-")
        return own and place.parent == self.path.parent

    def _keep_private(self) -> None:
        """Make the file and its log their owner's alone: they hold what people did."""
        for end in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError, PermissionError):
                os.chmod(self.path.with_name(self.path.name + end), 0o600)

    def check_found(self) -> None:
        """Raise StoreUnavailableError if the log stands beside another name of the file."""
        if why := log_elsewhere(self.path):
            raise StoreUnavailableError(f"{self.shown} can't be read: {why}.")

    def check_ours(self) -> None:
        """Raise StoreUnavailableError if the file isn't the one that was opened, or if somebody
        removed the lock and another process has it.
        """
        self._check_file()
        if not self._lock.is_held():
            raise StoreUnavailableError(
                f"{self._lock.path.name} was removed, and another process has {self.shown} open for"
                " writing; stop one of the two."
            )

    def check_kept(self, *, written: bool = False) -> None:
        """Raise StoreUnavailableError if somebody removed the file, or its log since the connection
        that writes was opened: what is written to it is found by nobody. Likewise if another
        program wrote to the file since we last did, which may be just now.
        """
        self._check_file()
        known, found = self._written, self._stamp()
        if not written and known and not _same(known, found):
            raise self._changed()
        numbers = [number_of(log) for log in self._logs]
        if self._log_numbers is None:
            self._log_numbers = numbers
        for log, number, before in zip(self._logs, numbers, self._log_numbers, strict=True):
            if number == 0 or number != before:
                raise StoreUnavailableError(
                    f"{log.name} was removed while {self.shown} is open for writing; stop this"
                    " process and start it again."
                )
        self._written = found

    def _check_file(self) -> None:
        if self._number is None:
            return
        try:
            facts = self.path.stat()
        except OSError:
            facts = None
        if facts is None or facts.st_ino != self._number or not facts.st_size:
            raise self._changed()

    def _changed(self) -> StoreUnavailableError:
        return StoreUnavailableError(
            f"{self.shown} was moved, replaced, emptied or written to by another program while it"
            " is open for writing; stop this process, put the file back or restore a backup, and"
            " start it again."
        )

    def _stamp(self) -> tuple[float, int]:
        try:
            facts = self.path.stat()
        except OSError:
            return 0.0, 0
        return facts.st_mtime, facts.st_size

    def release(self) -> None:
        """Let others write again."""
        self._lock.release()
        self._number = None

    def settled(self, session: Session) -> None:
        """Sync the folder: a synced file whose name is lost in a power cut is lost too."""
        # And the folder above it, where the folder's own name stands: it may be new too.
        for folder in (self.path.parent, self.path.parent.parent):
            sync(folder)

    def scrub(self, session: Session) -> bool:
        """Move the log into the file and cut it to nothing: what was deleted is then gone from
        both.
        """
        with contextlib.suppress(*self.errors):
            # A long read (a backup) keeps the log; those who write don't wait for it, and it is
            # tried again.
            session.rows(f"PRAGMA busy_timeout = {int(min(self.busy_seconds, 0.1) * 1000)}")
            try:
                return session.rows("PRAGMA wal_checkpoint(TRUNCATE)")[0][0] == 0
            finally:
                self._written = self._stamp()
                session.rows(f"PRAGMA busy_timeout = {int(self.busy_seconds * 1000)}")
        return False

    def compact(self, session: Session) -> bool:
        """Write the file again: copies of rows that were moved from page to page stay in the gaps
        of pages, which ``secure_delete`` doesn't reach.

        Takes about a second for a million events (docs/store.md), in which no other write is done;
        reads go on.
        """
        session.run("VACUUM")
        self._written = self._stamp()
        return True

    @property
    def quickly_compacted(self) -> bool:
        """Whether the file is small enough."""
        try:
            return self.path.stat().st_size <= _QUICK
        except OSError:
            return False

    def list_of(self, texts: Sequence[str]) -> str:
        """Return texts as a JSON list."""
        return msgspec.json.encode(list(texts)).decode()

    def tables(self, session: Session) -> set[str]:
        """Return the names of the tables that are there."""
        return {
            row[0]
            for row in session.rows(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        }

    def failure(self, error: Exception, *, committing: bool = False) -> StoreError:
        """Return what an error of SQLite means to the store's callers."""
        code = self.code_of(error) & 0xFF
        # During a commit nothing is certain: its record may stand in the log already, and be found
        # there later.
        if code in (_BUSY, _LOCKED) and not committing:
            return StoreBusyError(
                f"{self.shown} is held by another process; nothing was stored; try again."
            )
        # SQLite doesn't say that its log's index, which it maps into memory, has no room.
        full = code == _FULL or (code == _IOERR and disk.has_no_bytes(self.path.parent))
        if full or (isinstance(error, OSError) and what_is_full(error)):
            what = f"the disk with {self.shown}, or a quota, is full"
            return StoreUnavailableError(f"{what}; free some space, then try again.")
        if code in (_CORRUPT, _NOTADB):
            return StoreFormatError(
                f"{self.shown} is damaged or no SQLite database ({error}); restore a backup."
            )
        if code == _CANTOPEN and not self.path.exists():
            return StoreUnavailableError(f"there is no event store at {self.shown}.")
        if code == _CANTOPEN and disk.has_no_inodes(self.path.parent):
            return StoreUnavailableError(
                f"the disk with {self.shown} has room for no more files (inodes), which its log"
                " needs; remove some, then try again."
            )
        if code == _CANTOPEN and not os.access(self.path.parent, os.W_OK):
            return StoreUnavailableError(
                f"{self.shown} can't be read where nothing may be written beside it (its log);"
                " copy it, with what has its name and -wal behind, to another folder."
            )
        why = error.strerror if isinstance(error, OSError) else error
        return StoreUnavailableError(f"{self.shown} can't be written or read: {why}.")

    def code_of(self, error: Exception) -> int:
        """Return SQLite's code of an error, 1 where it has none."""
        return int(getattr(error, "sqlite_errorcode", None) or 1)


def _same(one: tuple[float, int], other: tuple[float, int]) -> bool:
    """Whether two stamps of a file may be of the same write."""
    return one[1] == other[1] and abs(one[0] - other[0]) <= _COARSE


def path_of(url: str) -> Path:
    """Return the file of a URL such as ``sqlite:///events.db``; raise ArgumentError for another
    kind.
    """
    rest = url.partition("?")[0]
    name = unquote(rest.removeprefix("sqlite:///"))
    if not rest.startswith("sqlite:///") or not name or "\0" in name or name == ":memory:":
        raise ArgumentError(
            "a store's URL must be like sqlite:///folder/events.db or postgresql://host/name, not"
            f" {without_password(url)!r}."
        )
    return Path(os.path.expanduser(name))
