"""What the store needs of a database: a few calls that SQLite and PostgreSQL both implement."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from cofactor.store import schema
from cofactor.store.exceptions import StoreError, StoreFormatError

Row = tuple[Any, ...]


class Session(Protocol):
    """One connection. Parameters stand as ``?`` in the statements."""

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Return all rows of a query."""

    def run(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run a statement once for each of the rows and return how many rows changed in all."""

    def begin(self) -> None:
        """Begin a transaction that writes; no other writes until it ends."""

    def begin_reading(self) -> None:
        """Begin a transaction in which every query sees the same moment."""

    def commit(self) -> None:
        """End the transaction; on return it is on disk."""

    def rollback(self) -> None:
        """End the transaction as if it had never been; without one, do nothing."""

    def close(self) -> None:
        """Close the connection."""


class Database(abc.ABC):
    """A place where a store lives.

    Parameters
    ----------
    shown
        Its name in messages, without passwords.
    """

    # What its driver raises.
    errors: tuple[type[Exception], ...]
    # The types of the columns, for the schema.
    words: Mapping[str, str]
    # A table ``given`` of one column ``value`` with the texts of a list, for queries about many ids
    # at once.
    listed: str
    # Whether other processes may write to it while this one does.
    shared = True
    # Whether a short read is answered from this process, without a wait for another one.
    embedded = False

    def __init__(self, shown: str) -> None:
        self.shown = shown

    @abc.abstractmethod
    def writer(self) -> Session:
        """Open the connection that writes."""

    @abc.abstractmethod
    def reader(self) -> Session:
        """Open a connection that can't write."""

    @abc.abstractmethod
    def acquire(self) -> None:
        """Make sure that nobody else writes to this store, where that can be known, and that the
        place exists.
        """

    def check_found(self) -> None:  # noqa: B027
        """Raise StoreUnavailableError if a reader may not find what was written last."""

    def check_ours(self) -> None:  # noqa: B027 (nothing to do is right for most)
        """Raise StoreUnavailableError if somebody else has come to write to this store alone."""

    def check_kept(self, *, written: bool = False) -> None:  # noqa: B027
        """Raise StoreUnavailableError if what is written now is found by nobody; ``written`` right
        after a commit of our own.
        """

    @abc.abstractmethod
    def release(self) -> None:
        """Let others write again."""

    @abc.abstractmethod
    def failure(self, error: Exception, *, committing: bool = False) -> StoreError:
        """Return what a driver's error means to the store's callers."""

    @abc.abstractmethod
    def list_of(self, texts: Sequence[str]) -> Any:
        """Return the parameter that fills `listed`."""

    @abc.abstractmethod
    def tables(self, session: Session) -> set[str]:
        """Return the names of the tables that are there."""

    @abc.abstractmethod
    def settled(self, session: Session) -> None:
        """Make what was created last as durable as what stands in it (a new file's name in its
        folder).
        """

    @abc.abstractmethod
    def scrub(self, session: Session) -> bool:
        """Remove what was deleted from the database's own logs, where that can be asked for;
        return whether it was done.
        """

    def compact(self, session: Session) -> bool:
        """Write the whole database again, without what was deleted from it, where that can be asked
        for; return whether it was done.
        """
        return True

    @property
    def quickly_compacted(self) -> bool:
        """Whether `compact` takes no longer than somebody who stops the service would wait."""
        return True

    def version(self, session: Session) -> int:
        """Return the version of the store's schema; 0 when there is no store.

        Raises
        ------
        StoreFormatError
            If the database holds something else, or a later version.
        """
        tables = self.tables(session)
        if "store_meta" not in tables:
            if tables:
                raise StoreFormatError(
                    f"{self.shown} isn't an event store: it holds the tables"
                    f" {', '.join(sorted(tables)[:5])}; give a new database."
                )
            return 0
        facts: dict[str, str] = dict(session.rows("SELECT name, value FROM store_meta"))
        if facts and facts.get("format") != schema.MARK:
            raise StoreFormatError(
                f"{self.shown} isn't an event store: its mark is {facts.get('format')!r}, not"
                f" {schema.MARK!r}."
            )
        stated = str(facts.get("schema", "0"))
        if not stated.isdecimal() or len(stated) > 9:
            raise StoreFormatError(f"{self.shown} is damaged: its schema is {stated[:40]!r}.")
        found = int(stated)
        if found > len(schema.MIGRATIONS):
            raise StoreFormatError(
                f"{self.shown} was written by a later version of Cofactor: its schema is {found},"
                f" and this one knows {len(schema.MIGRATIONS)}; update Cofactor."
            )
        return found

    def prepare(self, session: Session) -> int:
        """Create the tables, or bring those of an earlier version up to date, in one
        transaction; return the version found.
        """
        found = self.version(session)
        if found < len(schema.MIGRATIONS):
            session.begin()
            found = self.version(session)  # somebody else may have been first
            session.run(schema.META.format(**self.words))
            for statements in schema.MIGRATIONS[found:]:
                for statement in statements:
                    session.run(statement.format(**self.words))
            facts = [("format", schema.MARK), ("schema", str(len(schema.MIGRATIONS)))]
            session.run_many(schema.NOTE, facts)
            session.commit()
        self.settled(session)
        return found
