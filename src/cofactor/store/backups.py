"""Backups: a copy of a store that is being written, as one SQLite file with a manifest; and the way
back, verified.

A backup is the same file whichever database it came from, so it can be restored into either.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from cofactor.base import checks, sqlite_file
from cofactor.base.disk import check_regular, sha256_of, sync
from cofactor.base.staging import staging_folder
from cofactor.base.state_file import StateError, read_state
from cofactor.store import schema
from cofactor.store.database import Database, Session
from cofactor.store.erasures import without_erased
from cofactor.store.exceptions import StoreError, StoreFormatError, StoreUnavailableError
from cofactor.store.manifest import BackupManifest, manifest_path
from cofactor.store.opening import database_of
from cofactor.store.records import StoreSettings
from cofactor.store.replaced import check_backup_replaced, give_up
from cofactor.store.sqlite import SqliteDatabase, SqliteSession
from cofactor.store.store import Store

FORMAT = 1
_PAGE = 20_000


def backup(
    store: Store, path: str | os.PathLike[str], *, overwrite: bool = False
) -> BackupManifest:
    """Copy a store into a file, as it was at one moment; writes go on meanwhile. The copy is read
    again and checked.

    Parameters
    ----------
    store
        May be open for reading only.
    path
        The file to make; ``<path>.json`` gets the manifest.
    overwrite
        Whether a backup that is there is replaced; it stays whole until the new one is.

    Raises
    ------
    StoreError
        If the place is taken, can't be written, or the copy isn't sound.
    ArgumentError
        If a file there is something other than a backup; such a file is never replaced.
    """
    target = checks.path(path, "path")
    taken = target.exists() or manifest_path(target).exists()
    if taken and not checks.boolean(overwrite, "overwrite"):
        name = target if target.exists() else manifest_path(target)
        raise StoreError(f"{name} already exists; choose another name, or give overwrite=True.")
    check_regular(target)
    for made in (target, manifest_path(target)):
        if isinstance(store.database, SqliteDatabase) and store.database.owns(made):
            raise StoreError(f"{made} belongs to the store itself; choose another name.")
    check_backup_replaced(target)
    with _staged(target) as staging:
        beside = staging.with_name("manifest.json")
        return without_erased(
            store,
            lambda: _made(store, staging, beside),
            lambda: _put_in_place(staging, beside, target),
            lambda: _withdraw(target),
        )


def _put_in_place(staging: Path, beside: Path, target: Path) -> None:
    """Put a backup and its manifest in their places. Both manifests are there while the file is
    replaced, so that at any moment one of them describes it.
    """
    os.replace(beside, _coming(target))
    sync(target.parent)
    os.replace(staging, target)
    sync(target.parent)
    os.replace(_coming(target), manifest_path(target))
    sync(target.parent)


def _withdraw(target: Path) -> None:
    for made in (target, manifest_path(target)):
        made.unlink(missing_ok=True)
    sync(target.parent)


def _made(store: Store, staging: Path, beside: Path) -> BackupManifest:
    """Copy a store, check the copy, and write both it and its manifest to the disk."""
    staging.unlink(missing_ok=True)
    _copy(store, staging)
    _checked(staging)
    manifest = BackupManifest(
        format=FORMAT,
        schema=len(schema.MIGRATIONS),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        source=store.database.shown,
        bytes=staging.stat().st_size,
        sha256=sha256_of(staging),
        rows=_row_counts(staging),
    )
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
    for made in (staging, beside):
        os.chmod(made, 0o600)  # it holds what people did
        sync(made)
    return manifest


def verify(path: str | os.PathLike[str]) -> BackupManifest:
    """Check a backup: its checksum, SQLite's own check of the whole file, and the rows of each
    table.

    Raises
    ------
    StoreFormatError
        If it differs from its manifest: how.
    """
    file = Path(path)
    manifest = _manifest_of(file)
    _checked(file)
    rows = _row_counts(file)
    wrong = [
        f"{name} has {rows.get(name, 0):,} rows, not {n:,}"
        for name, n in manifest.rows.items()
        if rows.get(name) != n
    ]
    if wrong:
        raise StoreFormatError(f"{file} isn't as its manifest says: {'; '.join(wrong)}.")
    return manifest


def _manifest_of(file: Path) -> BackupManifest:
    """The manifest that describes a file; where a new backup was cut off after its file took the
    old one's place, its manifest takes the old one's.
    """
    beside, coming = manifest_path(file), _coming(file)
    if coming.is_file() and file.is_file():
        with contextlib.suppress(StoreFormatError):
            found = _described(file, coming)
            with contextlib.suppress(OSError):  # it can be read where nothing may be written
                os.replace(coming, beside)
            return found
    return _described(file, beside)


def _coming(path: Path) -> Path:
    """Where the manifest of a backup that is about to take a place stands."""
    return path.with_name(path.name + ".json.new")


def _described(file: Path, beside: Path) -> BackupManifest:
    """A manifest, if it describes a file."""
    for needed in (file, beside):
        if not needed.is_file():
            raise StoreFormatError(f"there is no {needed}; a backup is a file and its manifest.")
    try:
        manifest = read_state(beside, BackupManifest)
    except StateError as error:
        raise StoreFormatError(f"{beside} isn't a manifest of a backup: {error}.") from None
    if manifest.format != FORMAT or manifest.schema > len(schema.MIGRATIONS):
        raise StoreFormatError(
            f"{file} is a backup of a later version of Cofactor; update Cofactor."
        )
    if file.stat().st_size != manifest.bytes or sha256_of(file) != manifest.sha256:
        raise StoreFormatError(
            f"{file} isn't the file that its manifest describes (size or checksum differ): it is"
            " damaged."
        )
    return manifest


def restore(path: str | os.PathLike[str], url: str, *, overwrite: bool = False) -> BackupManifest:
    """Verify a backup and make a store of it.

    Parameters
    ----------
    path
        What `backup` wrote.
    url
        Where the store shall be; of either kind.
    overwrite
        Whether a store with content is replaced. Nobody may be writing to it.

    Raises
    ------
    StoreError
        If the backup isn't sound, or the place is taken.
    """
    manifest, overwrite = verify(path), checks.boolean(overwrite, "overwrite")
    database = database_of(url, StoreSettings())
    if isinstance(database, SqliteDatabase):
        if os.path.realpath(path) == str(database.path):
            raise StoreError(
                f"{path} is the backup itself, which stays as it is; restore it to another place."
            )
        _restore_file(Path(path), manifest, database, overwrite)
    else:
        _restore_rows(Path(path), database, overwrite)
    return manifest


def _copy(store: Store, target: Path) -> None:
    if isinstance(store.database, SqliteDatabase):
        source = store.database.path
        try:
            with (
                _translated(store.database),
                sqlite_file.opened(source) as here,
            ):
                # Row by row, as it was at one moment: a copy of the pages would copy what was
                # erased and still stands in their gaps.
                here.execute("VACUUM INTO ?", (str(target),))
        except StoreUnavailableError as error:
            # The store itself isn't written to.
            if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
            raise
        with closing(sqlite3.connect(target)) as there:
            there.execute("PRAGMA journal_mode = DELETE")
        return
    database = SqliteDatabase(target)
    session = SqliteSession(sqlite3.connect(target, isolation_level=None))
    try:
        with _translated(database):
            database.prepare(session)
            with store.snapshot() as source_session:
                session.begin()
                _copy_rows(source_session, session, store.database.tables(source_session))
                session.run(
                    "UPDATE sqlite_sequence SET seq = max(seq, (SELECT value FROM counters WHERE"
                    " name = 'last_seq')) WHERE name = 'events'"
                )
                session.commit()
    finally:
        session.close()


def _copy_rows(source: Session, target: Session, there: Collection[str]) -> None:
    """Replace all rows of the target by those of the source, page by page in the order of each
    table's key; ``there`` are the tables that the source has.
    """
    for table, columns in schema.TABLES.items():
        target.run(f"DELETE FROM {table}")
        if table not in there:  # a backup that an earlier version of Cofactor made
            continue
        key, names, marks = columns[0], ", ".join(columns), ", ".join("?" * len(columns))
        last: object = None
        while True:
            where, given = ("", ()) if last is None else (f"WHERE {key} > ?", (last,))
            rows = source.rows(
                f"SELECT {names} FROM {table} {where} ORDER BY {key} LIMIT {_PAGE}", given
            )
            if not rows:
                break
            target.run_many(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
            last = rows[-1][0]
    # Of what a backup that an earlier version made doesn't count, there is none.
    zero = "INSERT INTO counters (name, value) VALUES ('impressions', 0) ON CONFLICT DO NOTHING"
    target.run(zero)


def _restore_file(
    path: Path, manifest: BackupManifest, database: SqliteDatabase, overwrite: bool
) -> None:
    target = database.path
    database.acquire()
    try:
        if target.exists():
            if not overwrite:
                raise StoreError(
                    f"{target} already exists; choose another place, or give overwrite=True."
                )
            give_up(database, target)
        leftovers = [target.with_name(target.name + end) for end in ("-wal", "-journal")]
        if any(one.exists() for one in leftovers):
            raise StoreError(
                f"{target} has a log beside it that belongs to no file ({leftovers[0].name}); move"
                " it away first."
            )
        check_regular(target)
        with _staged(target) as staging:
            shutil.copyfile(path, staging)
            if sha256_of(staging) != manifest.sha256:
                raise StoreUnavailableError(
                    f"the copy of {path} in {target.parent} differs from what was verified; check"
                    " the disk, and that nobody changes the backup."
                )
            os.chmod(staging, 0o600)  # it holds what people did
            sync(staging)
            os.replace(staging, target)
            sync(target.parent)
    finally:
        database.release()


def _restore_rows(path: Path, database: Database, overwrite: bool) -> None:
    with sqlite_file.opened(path) as connection, _translated(database):
        source, session = SqliteSession(connection), database.writer()
        try:
            database.prepare(session)
            session.begin()
            taken = [
                t
                for t in ("events", "item_changes", "erasures")
                if session.rows(f"SELECT 1 FROM {t} LIMIT 1")
            ]
            if taken and not overwrite:
                raise StoreError(
                    f"{database.shown} holds events or items already; give overwrite=True."
                )
            _copy_rows(source, session, SqliteDatabase(path).tables(source))
            for table in ("events", "item_changes", "erasures", "impressions"):
                last = (
                    "(SELECT value FROM counters WHERE name = 'last_seq')"
                    if table == "events"
                    else "0"
                )
                session.rows(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'seq'), "
                    f"greatest((SELECT max(seq) FROM {table}), {last}, 1))"
                )
            session.commit()
        finally:
            with contextlib.suppress(*database.errors):
                session.rollback()
            session.close()


def _checked(path: Path) -> None:
    try:
        with sqlite_file.opened(path) as connection:
            SqliteDatabase(path).version(SqliteSession(connection))
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
            counted = dict(connection.execute("SELECT name, value FROM counters"))
            sql = "SELECT count(*) - count(undone), count(undone) FROM events"
            events, undone = connection.execute(sql).fetchone()
    except sqlite3.Error as error:
        raise StoreFormatError(f"{path} is damaged: {error}.") from None
    if found != ["ok"]:
        raise StoreFormatError(f"{path} is damaged: {'; '.join(found)}.")
    if (events, undone) != (counted.get("events"), counted.get("undone")):
        raise StoreFormatError(
            f"{path} holds {events:,} events and {undone:,} undone ones, but its counters say"
            f" {counted}."
        )


def _row_counts(path: Path) -> dict[str, int]:
    with sqlite_file.opened(path) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in SqliteDatabase(path).tables(SqliteSession(connection))
            if table in schema.TABLES
        }


@contextlib.contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """A file in a temporary folder beside the target, removed whatever happens; a disk's errors
    become one sentence.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with staging_folder(target, private=True) as folder:
            yield folder / target.name
    except OSError as error:
        raise StoreUnavailableError(
            f"{target} can't be written: {error.strerror}; nothing was changed there."
        ) from error


@contextlib.contextmanager
def _translated(database: Database) -> Iterator[None]:
    try:
        yield
    except database.errors as error:
        raise database.failure(error) from error
