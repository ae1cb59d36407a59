"""Staging folders: hidden folders in which something is written until it is complete.

One is locked as long as its process lives. One that can be locked belongs to a process that was
killed, so whoever makes the next for the same target removes it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from cofactor.base.locks import lock
from cofactor.base.signals import at_exit

_LOCK, _CONTENT, _END = "lock", "new", ".partial"
_LONGEST = 80  # characters of the target's name in the folder's: a name is 255 bytes at most
_until_exit = ExitStack()
at_exit(_until_exit.close)


@contextmanager
def staging_folder(target: Path, *, private: bool = False) -> Iterator[Path]:
    """Yield a new folder beside a target, to be renamed to it or written in; its remains are
    removed in any case, and so are those of killed processes that worked towards the same target.

    Parameters
    ----------
    target
        A path in a folder that exists.
    private
        Whether others are kept out. Otherwise, unlike the system's temporary folders, whoever may
        read other folders created there may read the result: a model is often served by another
        user than the one who trained it.
    """
    _remove_leftovers(target)
    name = f".{target.name[:_LONGEST]}-{secrets.token_hex(6)}{_END}"
    place, handle, process = target.with_name(name), -1, os.getpid()
    try:
        try:
            handle = _locked(place, 0o700 if private else 0o777)
            (place / _CONTENT).mkdir()
        except OSError as error:
            error.filename = str(target)  # a name that somebody gave
            raise
        yield place / _CONTENT
    finally:
        if os.getpid() == process:  # the end of a fork isn't the staging folder's
            _remove(place, handle)


def temporary_folder() -> AbstractContextManager[Path]:
    """Return a `staging_folder` among the temporary files, for its owner alone."""
    return staging_folder(Path(tempfile.gettempdir()) / "cofactor", private=True)


def folder_of_process() -> Path:
    """Return a new folder among the temporary files, for its owner alone, which goes with this
    process.
    """
    return _until_exit.enter_context(temporary_folder())


def _locked(place: Path, mode: int) -> int:
    """Make a staging folder and return the open file whose lock is held."""
    while True:
        with suppress(FileExistsError):
            place.mkdir(mode)
        try:
            handle = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:  # somebody took it for a leftover before it was locked
            continue
        taken = True
        try:
            lock(handle)
        except BlockingIOError:
            taken = False  # likewise
        except OSError:
            pass  # where there are no locks, nobody takes it for a leftover
        with suppress(OSError):
            if taken and os.path.samestat(os.fstat(handle), os.stat(place / _LOCK)):
                return handle
        os.close(handle)


def _remove_leftovers(target: Path) -> None:
    """Remove the staging folders for a target whose processes have died."""
    ours = re.compile(rf"\.{re.escape(target.name[:_LONGEST])}-[0-9a-f]{{12}}{re.escape(_END)}")
    with suppress(OSError), os.scandir(target.parent) as found:
        for entry in found:
            if ours.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                with suppress(OSError):
                    _remove_dead(Path(entry.path))


def _remove_dead(place: Path) -> None:
    try:
        handle = os.open(place / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        place.rmdir()  # of a process that was killed before it made the lock
        return
    try:
        lock(handle)
    except OSError:
        os.close(handle)
    else:
        _remove(place, handle)


def _remove(place: Path, handle: int) -> None:
    """Remove a staging folder whose lock is held, as far as that succeeds, and let the lock go."""
    if os.name == "nt" and handle >= 0:  # which removes no open file
        os.close(handle)
    shutil.rmtree(place, ignore_errors=True)
    if os.name != "nt" and handle >= 0:
        os.close(handle)
