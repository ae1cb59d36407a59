"""Locks of open files between processes, which the system releases when their holder dies.

Where another process holds one, that is a BlockingIOError; any other OSError says that there are no
locks on that file system."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        # Far behind the content, which others may then still read.
        os.lseek(handle, 1 << 20, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        os.lseek(handle, 0, os.SEEK_SET)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def lock(handle: int) -> None:
    """Lock an open file.

    Raises
    ------
    BlockingIOError
        If another one holds it.
    OSError
        If it can't be locked at all.
    """
    try:
        _take(handle)
    except PermissionError as error:  # what Windows says, and some file systems
        raise BlockingIOError(*error.args) from None
