"""From what a caller names to files that can be opened again and again: patterns, standard input,
pipes, several files."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import without_password
from cofactor.base.progress import Progress
from cofactor.base.staging import folder_of_process
from cofactor.data.readers.source_files import SourceFile, in_order, missing

STDIN = "-"
_PATTERN = "*?["

# Bytes between two looks at how much of the disk is free, and what is left of a large one.
_LOOK, _SPARE = 1 << 26, 1 << 30


def matched(text: str) -> list[Path] | None:
    """Return the files that a pattern such as ``parts/*.csv`` names, in order (`in_order`); None
    for a text that isn't a pattern, or names a file as it stands.

    Raises
    ------
    DataError
        If no file matches.
    """
    if not any(sign in text for sign in _PATTERN) or os.path.exists(text):
        return None
    names = glob.glob(os.path.expanduser(text), recursive=True)
    found = sorted(filter(Path.is_file, map(Path, names)), key=in_order)
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
    if not stat.S_ISFIFO(mode):
        raise DataError("it is a device or a socket, not a file or a pipe.", source=str(path))
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
    place = folder_of_process() / "copy"
    unchecked = 0
    with place.open("wb") as copy:
        while part := stream.read(1 << 20):
            copy.write(part)
            unchecked += len(part)
            if unchecked >= _LOOK and _is_nearly_full(place):
                place.unlink()
                raise DataError(
                    "it doesn't end before the disk for temporary files is nearly full; write it"
                    " to a file, or set TMPDIR to a folder on a larger disk.",
                    source=label,
                )
            unchecked %= _LOOK
    return SourceFile(place, label=label)


def _is_nearly_full(place: Path) -> bool:
    disk = shutil.disk_usage(place)
    return disk.free < min(_SPARE, disk.total // 20)


def is_url(source: object) -> bool:
    """Return whether a source is a database's URL."""
    return isinstance(source, str) and source.startswith(("sqlite:", "postgresql:", "postgres:"))


def refuse_url(source: object) -> None:
    """Raise ArgumentError, which shows no password, for a URL of what isn't read: of the web, of
    another database.
    """
    if not isinstance(source, str) or "://" not in source or is_url(source):
        return
    is_file = source.startswith("file://")
    cure = "give its path alone" if is_file else "fetch it first, or pass a data frame"
    raise ArgumentError(
        "cofactor reads sqlite:/// and postgresql:// URLs and files, not"
        f" {without_password(source)!r}; {cure}."
    )


def is_several(source: object) -> bool:
    """Return whether a source is a list of paths and databases' URLs instead of rows.

    Raises
    ------
    DataError
        If one of the paths isn't there.
    ArgumentError
        If one is a URL of what isn't read.
    """
    if (
        not isinstance(source, Sequence)
        or isinstance(source, (str, bytes))
        or not source
        or not all(isinstance(part, (str, os.PathLike)) for part in source)
    ):
        return False
    for part in source:
        if os.fspath(part) == STDIN:
            raise DataError("standard input is read alone, not beside other files.", source=STDIN)
        refuse_url(part)
        if not is_url(part) and not os.path.exists(part):
            raise missing(part)
    return True
