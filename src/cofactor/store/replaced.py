"""What a backup or a restore may replace: what is one already, and no file named by mistake."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cofactor.base.disk import check_replaced
from cofactor.base.state_file import StateError, read_state
from cofactor.store.database import Database
from cofactor.store.exceptions import StoreError, StoreFormatError
from cofactor.store.manifest import BackupManifest, manifest_path

_HEADER = b"SQLite format 3\0"


def check_backup_replaced(target: Path) -> None:
    """Raise ArgumentError if a file where a backup or its manifest is to stand is neither."""
    check_replaced(target, _is_database, "a backup")
    check_replaced(manifest_path(target), _is_manifest, "the manifest of a backup")


def give_up(database: Database, target: Path) -> None:
    """Make a store ready to be replaced: the old log must not be found beside the new file, and so
    is moved into the old one and removed before it goes.

    Raises
    ------
    StoreError
        If the file holds something else, or can't be read as a database at all.
    """
    _check_store(database, target)
    try:
        with closing(database.writer()) as session:
            session.rows("PRAGMA journal_mode = DELETE")
    except database.errors as error:
        failure = database.failure(error)
        if isinstance(failure, StoreFormatError):
            failure = StoreFormatError(
                f"{target} is no store that can be read, and isn't replaced; move it away, and"
                " restore again."
            )
        raise failure from error


def _check_store(database: Database, target: Path) -> None:
    """Refuse another program's database; a store that is damaged may be replaced."""
    try:
        with closing(database.reader()) as session:
            tables = database.tables(session)
    except database.errors:
        return
    if tables and "store_meta" not in tables:
        raise StoreError(
            f"{target} holds something other than a store ({', '.join(sorted(tables)[:5])}), and"
            " isn't replaced; choose another place, or move it away."
        )


def _is_database(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_HEADER)) == _HEADER


def _is_manifest(path: Path) -> bool:
    try:
        read_state(path, BackupManifest)
    except (OSError, StateError):
        return False
    return True
