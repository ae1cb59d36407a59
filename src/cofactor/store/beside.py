"""A store that a service has open, written by other commands of the same machine: imports and
pruning hand their writes to the service.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from cofactor.store.database import Database
from cofactor.store.exceptions import StoreBusyError
from cofactor.store.opening import database_of, open_store
from cofactor.store.records import StoreSettings
from cofactor.store.shared import Followed, SharedStore, WriteServer, wait_for_writer
from cofactor.store.sqlite import SqliteDatabase
from cofactor.store.store import Store

_LONGEST = 100  # bytes of a socket's path, which systems limit


def events_of(folder: Path) -> Path:
    """Return the file in which a service keeps its events if nothing else is said: beside what it
    serves.
    """
    place = folder.absolute()
    return place.with_name(place.name + "-events.db")


def serve_beside(store: Store, followed: Followed | None = None) -> WriteServer | None:
    """Take the writes of other processes at a socket beside a store's file, so that imports can be
    made while it is in use; None where it has no file, or a socket can't be made there.
    """
    path = _beside(store.database)
    if path is None:
        return None
    try:
        return WriteServer(store, path, followed)
    except OSError:
        return None


def open_beside(url: str) -> Store:
    """Open a store to write; by way of the process that has it open, if there is one that takes
    writes.

    Raises
    ------
    StoreBusyError
        If another process has it open, and takes none.
    """
    try:
        return open_store(url)
    except StoreBusyError:
        settings = StoreSettings()
        database = database_of(url, settings)
        path = _beside(database)
        if path is None or not wait_for_writer(path, 0.1):
            raise
        return SharedStore(database, path, settings)


def _beside(database: Database) -> Path | None:
    """Where the process that has a store open takes writes."""
    if not isinstance(database, SqliteDatabase) or not hasattr(socket, "AF_UNIX"):
        return None
    path = database.path.with_name(database.path.name + ".writes")
    return path if len(os.fsencode(path)) < _LONGEST else None
