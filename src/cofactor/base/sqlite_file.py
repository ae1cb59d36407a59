"""SQLite files, opened for reading."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path


def opened(path: Path) -> closing[sqlite3.Connection]:
    """Return a SQLite file opened for reading alone, to be closed by ``with``: where there is none
    it is an error, and no new one.
    """
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))
