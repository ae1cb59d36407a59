"""Lists that were shown and aren't in the store yet, in a file: a process that is killed leaves
them to the next one.

Lines are written without waiting for the disk, so the system has them from the moment a list goes
out, and a power cut may take them. That is known by the name of the file, which holds the
identity of the system's start: what an earlier start left half on disk is removed unread."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cofactor.base.locks import lock
from cofactor.store.database import Database
from cofactor.store.exceptions import StoreError
from cofactor.store.impressions import is_impression_line
from cofactor.store.sqlite import SqliteDatabase

if TYPE_CHECKING:
    from cofactor.store.store import Store

_MARK = "-lists-"
_STARTED = Path("/proc/sys/kernel/random/boot_id")
_KEPT = 1 << 20  # bytes that a file keeps when it is cleared
_STEP = 1_000  # lines of one write


class Journal:
    """A file of lines beside a store's file, locked as long as its process lives.

    Parameters
    ----------
    path
        The file, which mustn't exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self._end = 0
        # Whoever looks for what was left may have been faster, and removed the empty file.
        try:
            lock(self._handle)
            path.stat()
        except OSError:
            os.close(self._handle)
            raise

    @classmethod
    def beside(cls, database: Database) -> Journal | None:
        """Make one for a store; None where it has no file, the system doesn't tell when it was
        started, or the folder can't be written.
        """
        mark = _mark_of(database)
        if mark is None:
            return None
        with contextlib.suppress(OSError):
            return cls(mark.with_name(mark.name + secrets.token_hex(8)))
        return None

    def add(self, line: bytes) -> None:
        """Add a line, which has no line break.

        Raises
        ------
        OSError
            If there is no room for it; then nothing of it stays.
        """
        written = os.pwrite(self._handle, line + b"\n", self._end)
        if written <= len(line):
            os.pwrite(self._handle, bytes(written), self._end)
            raise OSError(f"{self.path} couldn't take a whole line.")
        self._end += written

    def clear(self) -> None:
        """Overwrite all lines: they are in the store, and erasing a user mustn't leave any here."""
        kept = 0
        with contextlib.suppress(OSError):  # a full disk that never writes in place
            if os.pwrite(self._handle, bytes(self._end), 0) == self._end:
                kept = _KEPT
        if self._end > kept:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, kept)
        self._end = 0

    def close(self) -> None:
        """Remove the file if it holds nothing; else leave it to whoever opens the store next."""
        if not self._end:
            with contextlib.suppress(OSError):  # the next one to open the store removes it
                self.path.unlink()
        os.close(self._handle)


def take_in(store: Store) -> int:
    """Log what processes that were killed have left in their journals; return how many lists.

    Those of living processes stay. What can't be stored now is left for the next time.
    """
    count = 0
    mark = _mark_of(store.database)
    if mark is None:
        return 0
    name = mark.name[: mark.name.rindex(_MARK)] + _MARK
    for path in sorted(mark.parent.glob(f"{glob.escape(name)}*")):
        with contextlib.suppress(OSError, StoreError), _taken(path) as handle:
            if path.name.startswith(mark.name):
                lines = _lines_of(handle)
                for start in range(0, len(lines), _STEP):
                    count += store.log_lines(lines[start : start + _STEP]).result().changed
            path.unlink()
    return count


@contextlib.contextmanager
def _taken(path: Path) -> Iterator[int]:
    """Open a file whose process is gone; raise OSError while it lives, and for what isn't a file: a
    pipe would be read for ever.
    """
    handle = os.open(path, os.O_RDWR)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} isn't a file.")
        lock(handle)
        yield handle
    finally:
        os.close(handle)


def _lines_of(handle: int) -> list[bytes]:
    """The whole lines of a journal: up to the first that was overwritten or isn't complete."""
    with os.fdopen(os.dup(handle), "rb") as stream:
        found = stream.read().partition(b"\0")[0].split(b"\n")[:-1]
    return [line for line in found if is_impression_line(line)]


def _mark_of(database: Database) -> Path | None:
    """What the names of a store's journals of this start of the system begin with."""
    if not isinstance(database, SqliteDatabase):
        return None
    try:
        started = _STARTED.read_text().strip().replace("-", "")
    except OSError:
        return None
    return database.path.with_name(f"{database.path.name}{_MARK}{started}-")
