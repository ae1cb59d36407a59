"""Files and folders that appear complete or not at all: written beside the target, synced, and
renamed.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.staging import staging_folder

# What is full, by the number of the error. Only on a full disk it helps to free some of it.
_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of disk space is used up",
    errno.EFBIG: "it would be larger than files may be here (`ulimit -f`, or the file system)",
}


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk; folders only where
    the system can.
    """
    if not path.is_dir():
        # Opened for writing: not every system syncs a file that is open for reading.
        handle = os.open(path, os.O_RDWR)
    elif hasattr(os, "O_DIRECTORY"):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    else:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(target: Path, content: bytes) -> None:
    """Write a small file in one atomic step: a reader finds the old content or the new one."""
    check_regular(target)
    with naming_full(target, "what was there stays"), staging_folder(target) as staging:
        made = staging / target.name
        with made.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(made, 0o644)
        os.replace(made, target)
    sync(target.parent)


def check_regular(target: Path) -> None:
    """Refuse to replace a device, a pipe or a folder by a file: who may write to ``/dev`` would
    lose the device.

    Raises
    ------
    ArgumentError
        If something is there that isn't a regular file.
    """
    if target.exists() and not target.is_file():
        what = "a folder" if target.is_dir() else "a device, a pipe or a socket"
        raise ArgumentError(f"{target} is {what}, and isn't replaced by a file; name a file.")


def check_replaced(target: Path, is_ours: Callable[[Path], bool], what: str) -> None:
    """Refuse to replace a file that isn't an earlier output of the same kind: most often it is the
    source, named by mistake.

    Parameters
    ----------
    target
        The file, which need not exist.
    is_ours
        Returns whether a file with content is an earlier output.
    what
        The content of such files, for the message.

    Raises
    ------
    ArgumentError
        If the file holds something else.
    """
    if target.is_file() and target.stat().st_size and not is_ours(target):
        raise ArgumentError(
            f"{target} holds something other than {what}, and isn't replaced; choose another name."
        )


def owner_only(name: str, flags: int) -> int:
    """Open a file that holds what people did, for its owner alone, also where others could read it
    until now: an ``opener`` of `open`. A device or a pipe stays as it is.
    """
    handle = os.open(name, flags, 0o600)
    if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(handle).st_mode):
        with suppress(OSError):  # owned by another user, writable for us
            os.fchmod(handle, 0o600)
    return handle


def is_mounted(path: Path) -> bool:
    """Return whether something is mounted at a path itself; False where the system doesn't say."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    odd = b" \t\n\\"  # written in octal digits there
    place = b"".join(b"\\%03o" % c if c in odd else b"%c" % c for c in os.fsencode(path))
    return any(line.split(b" ", 5)[4:5] == [place] for line in lines)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stamp_of(path: Path) -> tuple[int, int] | None:
    """Return a value that changes whenever a file is replaced; None if it doesn't exist."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_ino, facts.st_mtime_ns


def what_is_full(error: OSError) -> str:
    """Return what stands in the way of more bytes, as the beginning of a sentence; nothing for an
    error of another kind.
    """
    # NumPy only reports how many numbers it couldn't write.
    if error.errno is None and " requested and " in str(error):
        return "the disk or a quota is full"
    return _FULL.get(error.errno or 0, "")


def has_no_bytes(folder: Path) -> bool:
    """Return whether a folder's file system has no byte left for others than its administrator."""
    try:
        return os.statvfs(folder).f_bavail == 0
    except (OSError, AttributeError):  # Windows has no such call
        return False


def has_no_inodes(folder: Path) -> bool:
    """Return whether a folder's file system can hold no more files."""
    try:
        facts = os.statvfs(folder)
    except (OSError, AttributeError):  # Windows has no such call
        return False
    return facts.f_files > 0 and facts.f_ffree == 0


def number_of(path: Path) -> int:
    """Return the system's own number of a file; 0 where there is none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


@contextmanager
def naming_full(target: Path, kept: str = "nothing of it was kept") -> Iterator[None]:
    """Turn the error of a full disk, which names no file, into a sentence that names the file.

    Raises
    ------
    CofactorError
        If the disk or a quota is full, or the file too large; other errors are passed on.
    """
    try:
        yield
    except OSError as error:
        if not (full := what_is_full(error)):
            raise
        raise CofactorError(f"{target} can't be written: {full}; {kept}.") from error


def exchange(one: Path, other: Path) -> bool:
    """Exchange two entries of one folder atomically, so that neither is ever missing; return
    whether the system supports it.

    Linux has ``renameat2`` with RENAME_EXCHANGE, macOS ``renamex_np`` with RENAME_SWAP; not every
    file system supports it.
    """
    name = {"linux": "renameat2", "darwin": "renamex_np"}.get(sys.platform)
    call = None if name is None else getattr(ctypes.CDLL(None), name, None)
    if call is None:
        return False
    first, second = os.fsencode(one), os.fsencode(other)
    here = -100  # AT_FDCWD
    done = call(here, first, here, second, 2) if name == "renameat2" else call(first, second, 2)
    return bool(done == 0)
