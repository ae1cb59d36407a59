"""SQLite files, opened for reading."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from cofactor.base.disk import is_mounted


def opened(path: Path, *, repair: bool = False) -> closing[sqlite3.Connection]:
    """Return a SQLite file opened for reading alone, to be closed by ``with``: where there is none
    it is an error, and no new one.

    Parameters
    ----------
    path
        The file.
    repair
        Whether a change that a killed process left half written may be taken back.

    Raises
    ------
    sqlite3.OperationalError
        If what was written last may be missing; see `log_elsewhere`.
    """
    if why := log_elsewhere(path):
        raise sqlite3.OperationalError(why)
    uri = f"{path.absolute().as_uri()}?mode=rw" if repair else reading_uri(path)
    return closing(sqlite3.connect(uri, uri=True))


def reading_uri(path: Path) -> str:
    """Return the URI under which a SQLite file is read.

    One with a write-ahead log is read by way of files beside it, which can't be made on a read-only
    disk. There nobody writes, so it is read without them, unless a log is there already."""
    log = path.with_name(path.name + "-wal")
    settled = _is_read_only(path) and not (log.exists() and log.stat().st_size)
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if settled else ''}"


def log_elsewhere(path: Path) -> str:
    """Return why what was written last may be missing under this name, empty if it isn't.

    SQLite finds a write-ahead log by the name of its file: under another name it is missing, and
    nothing says so.
    """
    try:
        facts = path.stat()
    except OSError:
        return ""
    if facts.st_nlink > 1:
        why = "a hard link"
        cure = "read it by the name under which it is written, or remove one of the names"
    elif is_mounted(path):
        why, cure = "it is mounted by itself", "mount its folder instead"
    else:
        return ""
    log = path.with_name(path.name + "-wal")
    if not _has_log(path) or (log.exists() and log.stat().st_size):
        return ""
    return f"it has another name too ({why}), beside which its log may stand; {cure}"


def _has_log(path: Path) -> bool:
    """Whether a SQLite file is written by way of a write-ahead log."""
    with path.open("rb") as stream:
        return stream.read(20)[18:] == b"\2\2"


def _is_read_only(path: Path) -> bool:
    """Whether a file is on a disk that is mounted for reading alone."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):  # Windows has no such call
        return False
