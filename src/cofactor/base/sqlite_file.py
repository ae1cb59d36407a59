"""SQLite files, opened for reading."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path


def opened(path: Path) -> closing[sqlite3.Connection]:
    """Return a SQLite file opened for reading alone, to be closed by ``with``: where there is none
    it is an error, and no new one.
    """
    return closing(sqlite3.connect(reading_uri(path), uri=True))


def reading_uri(path: Path) -> str:
    """Return the URI under which a SQLite file is read.

    One with a write-ahead log is read by way of files beside it, which can't be made on a read-only
    disk. There nobody writes, so it is read without them, unless a log is there already."""
    log = path.with_name(path.name + "-wal")
    settled = _is_read_only(path) and not (log.exists() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if settled else ''}"


def _is_read_only(path: Path) -> bool:
    """Whether a file is on a disk that is mounted for reading alone."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # Windows has no such call
        return False
