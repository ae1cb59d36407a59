"""Opening a store by its URL."""

from __future__ import annotations

from cofactor.base.errors import ArgumentError
from cofactor.store.database import Database
from cofactor.store.journal import take_in
from cofactor.store.records import StoreSettings
from cofactor.store.store import Store


def open_store(
    url: str, *, read_only: bool = False, settings: StoreSettings | None = None
) -> Store:
    """Open a store, and make it where there is none.

    Parameters
    ----------
    url
        ``sqlite:///folder/events.db`` (``sqlite:////folder/events.db`` from the root), or
        ``postgresql://user@host/name``.
    read_only
        Whether only to read: works beside the process that writes, and makes nothing.
    settings
        Limits; None for the usual ones.

    Raises
    ------
    ArgumentError
        If the URL is of another kind.
    StoreBusyError
        If another process has it open for writing.
    StoreUnavailableError
        If it can't be reached, read or written.
    StoreFormatError
        If there is something else, or a later version's store.
    """
    settings = settings or StoreSettings()
    database = database_of(url, settings)
    if read_only:
        database.check_found()
    store = Store(database, read_only=read_only, settings=settings)
    if not read_only:
        take_in(store)
    return store


def database_of(url: str, settings: StoreSettings) -> Database:
    """Return the database of a URL."""
    if not isinstance(url, str):
        raise ArgumentError(
            f"a store's URL must be a text like sqlite:///folder/events.db, not {url!r}."
        )
    if url.startswith(("postgresql://", "postgres://")):
        from cofactor.store.postgres import PostgresDatabase

        return PostgresDatabase(url, settings.busy_seconds)
    from cofactor.store.sqlite import SqliteDatabase, path_of

    return SqliteDatabase(path_of(url), settings.busy_seconds)
