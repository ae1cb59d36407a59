"""What stands beside a backup."""

from __future__ import annotations

from pathlib import Path

import msgspec


class BackupManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands beside a backup, in ``<file>.json``.

    Parameters
    ----------
    format
        1.
    schema
        The version of the store's tables.
    created
        When, ISO 8601, UTC.
    source
        The store's name.
    bytes, sha256
        Of the file.
    rows
        Table -> number of rows.
    """

    format: int
    schema: int
    created: str
    source: str
    bytes: int
    sha256: str
    rows: dict[str, int]


def manifest_path(path: Path) -> Path:
    """Return where a backup's manifest stands."""
    return path.with_name(path.name + ".json")
