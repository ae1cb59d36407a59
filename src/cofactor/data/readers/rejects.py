"""Where rows that were skipped are listed, one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from cofactor.base.disk import naming_full
from cofactor.base.errors import CofactorError


class Rejects:
    """A file of skipped rows: ``{"source", "line", "reason", "text"}`` on each line.

    Parameters
    ----------
    path
        The file; it is replaced, and there (empty) when nothing was skipped.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.clear()

    def clear(self) -> None:
        """Begin again with an empty file."""
        self.path.write_bytes(b"")

    def add(self, source: str, reason: str, rows: Iterable[tuple[int, str]]) -> None:
        """List rows as (line, text)."""
        before = self.path.stat().st_size
        try:
            with (
                naming_full(self.path, "the rows listed before stay"),
                self.path.open("a", encoding="utf-8", errors="backslashreplace") as stream,
            ):
                for line, text in rows:
                    record = {"source": source, "line": line, "reason": reason, "text": text}
                    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
        except CofactorError:
            # No line in half.
            if self.path.is_file():
                os.truncate(self.path, before)
            raise
