"""Databases by URL: a table or a SELECT of SQLite, or an event store, in SQLite or PostgreSQL;
read in batches, never written.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import pyarrow as pa

from cofactor.base import sqlite_file
from cofactor.base.errors import ArgumentError, CofactorError, DataError
from cofactor.base.extras import require
from cofactor.base.names import unknown_name, without_password
from cofactor.data.events import Events
from cofactor.data.readers import event_store
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.cell_roles import roles_of_columns
from cofactor.data.readers.columns import Options
from cofactor.data.readers.frames import raw_of_table
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.records import column_and_marks, table_of_columns

_BATCH = 200_000
# Rows that any database may give, and seconds that it may take without giving any.
_ROWS = 2_000_000
_PATIENCE = 120.0
_ITEM_TABLES = ("items", "products", "catalogue", "catalog", "movies", "books", "articles")
_USUAL_TABLES = ("events", "interactions", "ratings", "history", "feedback")


def read_database(
    url: str, options: Options, table: str | None = None, query: str | None = None
) -> Events:
    """Read interactions from ``sqlite:///relative.db``, ``sqlite:////absolute.db``, with
    ``?table=NAME`` or ``table=``.

    A service's event store is recognised by its tables, and read as `event_store.read_store` says,
    with ``?kinds=``; also in ``postgresql://user@host/name``, which needs the extra ``postgres``.

    Raises
    ------
    DataError
        If the database isn't there, isn't one, or has no rows; if one of PostgreSQL holds no event
        store.
    UnknownNameError
        If the table doesn't exist.
    """
    if not url.startswith("sqlite:"):
        return _read_postgres(url, options)
    with _opened(url) as (connection, parameters):
        table = table or parameters.get("table")
        query = query or parameters.get("query")
        if table and query:
            raise ArgumentError("give either table= or query=, not both.")
        fetch, names = _fetch(connection), _tables(connection)
        if not (table or query) and event_store.is_store(fetch, set(names)):
            shown = f"sqlite:///{_path(url)[0]}"
            return event_store.read_store(fetch, options, shown, parameters)
        if query is not None:
            return assemble(_read(connection, query, options, url), options)
        chosen = _table(names, table, url)
        events = assemble(_read(connection, _whole(chosen), options, url), options)
    others = [name for name in names if name != chosen]
    if table is not None or not others:
        return events
    return events.noted(f"the table {chosen!r} is read; not read: {', '.join(others)}")


def whole_table(url: str) -> pa.Table:
    """Return a table of SQLite with all its columns, such as a catalogue.

    Raises
    ------
    ArgumentError
        If it is another database.
    DataError
        If the database isn't there, isn't one, or the table has no rows.
    """
    with _opened(url) as (connection, parameters):
        query = parameters.get("query")
        if query is None:
            query = _whole(_table(_tables(connection), parameters.get("table"), url, _ITEM_TABLES))
        cursor, columns = _selected(connection, query, url)
        rows = cursor.fetchmany(_ROWS)
    if not rows:
        raise DataError("the table has no rows.", source=url)
    return table_of_columns(dict(zip(columns, zip(*rows, strict=True), strict=True)))


@contextmanager
def _opened(url: str) -> Iterator[tuple[sqlite3.Connection, dict[str, str]]]:
    """A database of SQLite while it is read, and what the URL asks of it."""
    path, parameters = _path(url)
    try:
        with sqlite_file.opened(path) as connection:
            # ATTACH would make a file.
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            yield connection, parameters
    except (sqlite3.Error, UnicodeDecodeError) as error:
        why = f"no row came for {_PATIENCE:.0f} s" if str(error) == "interrupted" else error
        raise DataError(f"the database can't be read: {why}.", source=url) from None


def _selected(
    connection: sqlite3.Connection, query: str, url: str
) -> tuple[sqlite3.Cursor, list[str]]:
    """The rows of a SELECT, and their columns."""
    cursor = connection.execute(query)
    if cursor.description is None:
        raise DataError("the query gives no columns; it must be a SELECT.", source=url)
    names = [column[0] for column in cursor.description]
    refuse_repeated(names, url)
    return cursor, names


def _read_postgres(url: str, options: Options) -> Events:
    with _postgres(url) as (fetch, shown, ours):
        if fetch is None:
            raise DataError(
                "it holds no event store; export the table to a file, or pass a data frame.",
                source=shown,
            )
        return event_store.read_store(fetch, options, shown, ours)


@contextmanager
def _postgres(url: str) -> Iterator[tuple[event_store.Fetch | None, str, dict[str, str]]]:
    """A PostgreSQL database while it is read: what reads its event store, None where it holds none;
    its name in messages; what the URL asks of the store.
    """
    psycopg = require("psycopg", purpose="reading a PostgreSQL database")
    parts = urlsplit(url)
    parameters = dict(parse_qsl(parts.query))
    ours = {name: parameters.pop(name) for name in event_store.URL_PARAMETERS if name in parameters}
    shown = f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
    try:
        with psycopg.connect(f"{url.partition('?')[0]}?{urlencode(parameters)}") as connection:
            connection.read_only = True

            def fetch(statement: str) -> Iterator[Sequence[tuple[Any, ...]]]:
                # A cursor of the server's: the rows come as they are read.
                with connection.cursor("cofactor") as cursor:
                    cursor.execute(statement)
                    yield from iter(lambda: cursor.fetchmany(_BATCH), [])

            tables = {str(row[0]) for batch in fetch(_POSTGRES_TABLES) for row in batch}
            yield fetch if event_store.is_store(fetch, tables) else None, shown, ours
    except psycopg.Error as error:
        raise DataError(
            f"the database can't be read: {' '.join(str(error).split())}.", source=shown
        ) from None


def last_event(url: str) -> int | None:
    """Return the number of the last event of a URL's event store; None for another database, or
    one that can't be read: reading it says why.
    """
    return _of_store(url, event_store.last_seq)


def arrival_of(url: str, place: int) -> int | None:
    """Return when the event of a number arrived in a URL's event store, in seconds since 1970; None
    where there is none.
    """
    return _of_store(url, lambda fetch: event_store.arrival(fetch, place))


def _of_store(url: str, ask: Callable[[event_store.Fetch], int | None]) -> int | None:
    try:
        if not url.startswith("sqlite:"):
            with _postgres(url) as (rows, *_):
                return None if rows is None else ask(rows)
        with _opened(url) as (connection, parameters):
            fetch, asked = _fetch(connection), parameters.keys() & {"table", "query"}
            known = not asked and event_store.is_store(fetch, set(_tables(connection)))
            return ask(fetch) if known else None
    except CofactorError:
        return None


_POSTGRES_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"


def _fetch(connection: sqlite3.Connection) -> event_store.Fetch:
    def fetch(statement: str) -> Iterator[Sequence[tuple[Any, ...]]]:
        cursor = connection.execute(statement)
        yield from iter(lambda: cursor.fetchmany(_BATCH), [])

    return fetch


def _tables(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE"
        " 'sqlite_%'"
    )
    return [str(row[0]) for row in rows]


def _read(connection: sqlite3.Connection, statement: str, options: Options, url: str) -> Raw:
    most = max(_ROWS, _path(url)[0].stat().st_size)
    # A view may compute for ever before it gives anything.
    last = [time.monotonic()]
    connection.set_progress_handler(lambda: time.monotonic() - last[0] > _PATIENCE, 1_000_000)
    _, names = _selected(connection, statement, url)
    body = statement.strip().rstrip(";")
    roles = roles_of_columns(names, options, url, partial(_first_cells, connection, body))
    columns = ", ".join(_quoted(name) for name in roles.values())
    cursor = connection.execute(f"SELECT {columns} FROM ({body})")
    parts: dict[str, list[pa.Array]] = {name: [] for name in roles.values()}
    marks: dict[str, dict[bytes, bytes]] = {name: {} for name in parts}
    with options.progress.task("reading the database", None) as task:
        for batch in iter(lambda: cursor.fetchmany(_BATCH), []):
            for name, column in zip(parts, zip(*batch, strict=True), strict=True):
                array, found = column_and_marks(column)
                parts[name].append(array)
                marks[name] |= found or {}
            task.advance(len(batch))
            last[0] = time.monotonic()
            most -= len(batch)
            if most < 0:
                raise DataError(
                    "it gives more rows than the database has bytes, so it is a view or a query"
                    " without end; export what is wanted.",
                    source=url,
                )
    if not any(parts.values()) or not next(iter(parts.values())):
        raise DataError("the table has no rows.", source=url)
    return raw_of_table(_joined_table(parts, marks), roles, options, url, names=names)


def _joined_table(
    parts: Mapping[str, list[pa.Array]], marks: Mapping[str, dict[bytes, bytes]]
) -> pa.Table:
    whole = {name: _joined(arrays) for name, arrays in parts.items()}
    fields = [pa.field(name, part.type, metadata=marks[name]) for name, part in whole.items()]
    return pa.table(list(whole.values()), pa.schema(fields))


def _first_cells(
    connection: sqlite3.Connection, statement: str, names: Sequence[str]
) -> dict[str, list[str]]:
    shown = ", ".join(map(_quoted, names))
    rows = connection.execute(f"SELECT {shown} FROM ({statement}) LIMIT 100").fetchall()
    return {n: ["" if r[k] is None else str(r[k]) for r in rows] for k, n in enumerate(names)}


def _path(url: str) -> tuple[Path, dict[str, str]]:
    rest, _, parameters = url.partition("?")
    if not rest.startswith("sqlite:///"):
        raise ArgumentError(
            "a database URL must be like sqlite:///folder/file.db?table=events, not"
            f" {without_password(url)!r}."
        )
    path = Path(os.path.expanduser(unquote(rest.removeprefix("sqlite:///"))))
    if not path.is_file():
        raise DataError("there is no such database file.", source=str(path))
    return path, {key: values[0] for key, values in parse_qs(parameters).items()}


def _table(
    names: list[str], wanted: str | None, url: str, usual_names: Sequence[str] = _USUAL_TABLES
) -> str:
    if wanted is not None:
        if wanted not in names:
            raise unknown_name("table", wanted, names)
        return wanted
    usual = [name for name in usual_names if name in names] or names
    if len(names) != 1 and (len(usual) != 1 or usual[0] not in usual_names):
        raise DataError(
            f"it has the tables {', '.join(names) or '(none)'}; name one with ?table=NAME.",
            source=url,
        )
    return usual[0]


def _joined(arrays: list[pa.Array]) -> pa.ChunkedArray:
    kinds = {array.type for array in arrays if not pa.types.is_null(array.type)}
    if len(kinds) > 1:
        kind = (
            pa.float64()
            if all(pa.types.is_floating(k) or pa.types.is_integer(k) for k in kinds)
            else pa.string()
        )
    else:
        kind = next(iter(kinds), pa.null())
    return pa.chunked_array([array.cast(kind) for array in arrays], type=kind)


def _whole(table: str) -> str:
    return f"SELECT * FROM {_quoted(table)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
