"""Small files that say how things stand: which version answers, what runs, what is a backup."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import msgspec

from cofactor.base.disk import replace_file, what_is_full
from cofactor.base.errors import UnwrittenError

State = TypeVar("State")
_LONGEST = 16 << 20  # bytes


class StateError(ValueError):
    """A file that doesn't hold what it should, and why."""


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, for reading. Pipes and devices, which may block or
    never end, are refused.

    Raises
    ------
    StateError
        If it is something else.
    OSError
        If it can't be opened.
    """
    # Opening a pipe would wait for its writer.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise StateError("it isn't a plain file")
    return os.fdopen(handle, "rb")


def read_state(path: Path, kind: type[State]) -> State:
    """Read a small JSON file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    StateError
        If it can't be read, or holds something else.
    """
    try:
        with open_regular(path) as stream:
            raw = stream.read(_LONGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StateError(error.strerror or str(error)) from None
    if len(raw) > _LONGEST:
        raise StateError(f"it has more than {_LONGEST:,} bytes")
    try:
        return msgspec.json.decode(raw, type=kind)
    except RecursionError:
        raise StateError("it is nested too deeply") from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StateError(str(error)) from None


def write_state(path: Path, raw: bytes) -> None:
    """Replace a small file in one atomic step.

    Raises
    ------
    UnwrittenError
        If the disk is full, or nothing may be written there.
    """
    try:
        replace_file(path, raw)
    except OSError as error:
        why = what_is_full(error) or error.strerror or str(error)
        raise UnwrittenError(
            f"{path} can't be written: {why}; what it said still holds."
        ) from error
