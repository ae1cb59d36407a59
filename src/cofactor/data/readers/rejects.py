"""Where rows that were skipped are listed, one JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from cofactor.base import checks
from cofactor.base.disk import check_replaced, naming_full, owner_only
from cofactor.base.errors import ArgumentError, CofactorError

_OURS = ({"source", "line", "reason", "text"}, {"line", "reason"})
_LONGEST = 1 << 24  # bytes of a line that are read


def _is_ours(path: Path) -> bool:
    """Whether a file begins as lists of rejected rows do: those of this module and those of the
    event store.
    """
    with path.open("rb") as stream:
        head = stream.readline(_LONGEST)
    try:
        return set(json.loads(head)) in _OURS
    except (ValueError, TypeError, RecursionError):
        return False


class Rejects:
    """A file of skipped rows: ``{"source", "line", "reason", "text"}`` on each line.

    Parameters
    ----------
    path
        The file; it is replaced, and there (empty) when nothing was skipped. Its owner's alone, as
        rows hold what people did.

    Raises
    ------
    ArgumentError
        If it can't be written, or holds something else, such as the source itself.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = checks.path(path, "rejects")
        self.clear()

    def clear(self) -> None:
        """Begin again with an empty file."""
        try:
            check_replaced(self.path, _is_ours, "rejected rows")
            with open(self.path, "wb", opener=owner_only):
                pass
        except OSError as error:
            raise ArgumentError(
                f"rejects={str(self.path)!r} can't be written: {error.strerror}."
            ) from None

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
