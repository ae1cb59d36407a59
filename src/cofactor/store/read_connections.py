"""Connections for reading: a few, each used by one thread at a time."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cofactor.base.errors import CofactorError
from cofactor.store.database import Database, Session
from cofactor.store.exceptions import StoreClosedError, StoreFormatError


class Readers:
    """A pool of connections that can't write.

    Parameters
    ----------
    database
        Where to read.
    count
        How many connections there may be; more threads than that wait for each other.
    """

    def __init__(self, database: Database, count: int) -> None:
        self._database = database
        self._closed = False
        # Last in, first out: the one whose cache is warm. None stands for one that isn't open yet.
        self._free: queue.LifoQueue[Session | None] = queue.LifoQueue()
        self._count = count
        for _ in range(count):
            self._free.put(None)

    @contextmanager
    def one(self) -> Iterator[Session]:
        """Lend a connection; a driver's error becomes the store's, and the connection is not
        used again.
        """
        if self._closed:
            raise StoreClosedError(f"the store {self._database.shown} was closed.")
        session = self._free.get()
        try:
            if session is None:
                session = self._database.reader()
            yield session
        except self._database.errors as error:
            if session is not None:
                with suppress(*self._database.errors):
                    session.close()
            session = None
            raise self._database.failure(error) from error
        except CofactorError:
            raise
        except (ValueError, LookupError, TypeError) as error:
            # What was read isn't what a store writes.
            raise StoreFormatError(
                f"{self._database.shown} is damaged ({type(error).__name__}: {error}); restore a"
                " backup."
            ) from error
        finally:
            self._free.put(session)

    def close(self) -> None:
        """Close all connections, once those who hold one are done."""
        self._closed = True
        for _ in range(self._count):
            session = self._free.get()
            if session is not None:
                with suppress(*self._database.errors):
                    session.close()
        for _ in range(self._count):
            self._free.put(None)
