"""A lock between processes on a file, which the system releases when its holder dies."""

from __future__ import annotations

import os
from pathlib import Path

from cofactor.base.locks import lock
from cofactor.store.exceptions import StoreBusyError, StoreUnavailableError


class FileLock:
    """Exclusive, not waited for. The file stays when it is let go: to remove it would be a race.

    Parameters
    ----------
    path
        The file; made when it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        StoreBusyError
            If another process, or another store of this one, holds it.
        StoreUnavailableError
            If it is a link: the file that it leads to would be emptied.
        OSError
            If it can't be made, or there are no locks on its file system.
        """
        if self.path.is_symlink():
            raise StoreUnavailableError(f"{self.path} is a link; remove it: a lock is a file.")
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags, 0o600)
        try:
            lock(handle)
        except BlockingIOError:
            holder = os.read(handle, 40).decode("ascii", "replace").strip()
            os.close(handle)
            store = self.path.name.removesuffix(".lock")
            raise StoreBusyError(
                f"{store} is open for writing elsewhere (process {holder or 'unknown'}); stop that"
                " one, or write through it."
            ) from None
        except OSError:
            os.close(handle)
            raise
        os.truncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def is_held(self) -> bool:
        """Return whether the lock is still what others would ask for. If its file was removed it
        is made again and taken, unless somebody was faster.
        """
        if self._handle is None:
            return False
        try:
            there = os.stat(self.path)
        except OSError:
            there = None
        ours = os.fstat(self._handle)
        if there is not None and (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
            return True
        lost = self._handle
        try:
            self.acquire()
        except (StoreBusyError, OSError):
            return False
        os.close(lost)
        return True

    def release(self) -> None:
        """Let the lock go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
