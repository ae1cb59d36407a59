"""From what a caller names to files that can be opened again and again: patterns, standard input,
pipes, several files."""

from __future__ import annotations

import atexit
import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.progress import Progress
from cofactor.data.readers.source_files import SourceFile

STDIN = "-"
_PATTERN = "*?["


def matched(text: str) -> list[Path] | None:
    """Return the files that a pattern such as ``parts/*.csv`` names, in order of their names; None
    for a text that is no pattern, or names a file as it stands.

    Raises
    ------
    DataError
        If no file matches.
    """
    if not any(sign in text for sign in _PATTERN) or os.path.exists(text):
        return None
    found = sorted(Path(name) for name in glob.glob(os.path.expanduser(text), recursive=True))
    found = [path for path in found if path.is_file()]
    if not found:
        raise DataError("no file matches this pattern.", source=text)
    return found


def reopened(path: Path, progress: Progress) -> SourceFile | None:
    """Return a copy of what can be read only once (a pipe, ``<(...)``, a device), from which its
    bytes come again; None for a file or folder, which needs none.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    if stat.S_ISSOCK(mode):
        raise DataError("it is a socket, not a file.", source=str(path))
    progress.say(f"reading {path}, which can be read only once, into a temporary file")
    with path.open("rb") as stream:
        return copied(stream, str(path))


def standard_input() -> SourceFile:
    """Return a copy of standard input.

    Raises
    ------
    ArgumentError
        If it is a terminal, at which somebody would wait for nothing.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise ArgumentError("'-' is standard input, and it is closed.")
    if sys.stdin.isatty():
        raise ArgumentError("'-' is standard input, and nothing is piped into it.")
    return copied(sys.stdin.buffer, "standard input")


def copied(stream: IO[bytes], label: str) -> SourceFile:
    """Return a temporary file with a stream's bytes; it goes with the process."""
    handle, name = tempfile.mkstemp(prefix="cofactor-")
    atexit.register(_removed, name)
    with os.fdopen(handle, "wb") as copy:
        shutil.copyfileobj(stream, copy, 1 << 20)
    return SourceFile(Path(name), label=label)


def _removed(name: str) -> None:
    Path(name).unlink(missing_ok=True)


def is_several(source: object) -> bool:
    """Return whether a source is a list of paths instead of rows.

    Raises
    ------
    DataError
        If one of the paths isn't there.
    """
    if (
        not isinstance(source, Sequence)
        or isinstance(source, (str, bytes))
        or not source
        or not all(isinstance(part, (str, os.PathLike)) for part in source)
    ):
        return False
    for part in source:
        if not os.path.exists(part):
            raise DataError("there is no such file or folder.", source=os.fspath(part))
    return True
