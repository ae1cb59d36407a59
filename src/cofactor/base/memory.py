"""Memory: how much is available, and refusing what can't fit before it starts."""

from __future__ import annotations

import ctypes
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.errors import MemoryLimitError

GIB = 2**30
LINE = 64  # bytes of a cache line


_limit: ContextVar[int | None] = ContextVar("memory limit", default=None)


@contextmanager
def limited(n_bytes: int | None) -> Iterator[None]:
    """While open, `require` refuses work that needs more than so many bytes (None: no limit)."""
    token = _limit.set(n_bytes)
    try:
        yield
    finally:
        _limit.reset(token)


class _LastTrim:
    at = -math.inf


def give_back() -> None:
    """Return memory that was freed to the system, where the C library keeps it (glibc): pieces of
    sizes that change from batch to batch leave more and more of it unused. At most once a second,
    since the pages have to be asked for again.
    """
    if os.name == "posix" and time.monotonic() - _LastTrim.at >= 1.0:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
        _LastTrim.at = time.monotonic()


def available_bytes() -> int | None:
    """Return the bytes this process can still get (free memory, or less under a container's
    limit, or under `limited`); None if unknown.
    """
    limits = (_limit.get(), _meminfo_available(), _cgroup_available())
    found = [n for n in limits if n is not None]
    return min(found) if found else None


def require(needed: int, *, what: str, cure: str) -> None:
    """Refuse work that needs more than what is available.

    Parameters
    ----------
    needed
        Bytes at the peak of the computation.
    what
        What needs them, e.g. ``"EASE's 40,981 × 40,981 matrix"``.
    cure
        What to do instead.

    Raises
    ------
    MemoryLimitError
        With both numbers and the cure.
    """
    free = available_bytes()
    if free is not None and needed > free:
        raise MemoryLimitError(
            f"{what} needs {_size(needed)} of memory, and {_size(free)} are available; {cure}."
        )


def _size(n_bytes: int) -> str:
    return f"{n_bytes / GIB:.1f} GiB" if n_bytes >= GIB / 10 else f"{n_bytes / 2**20:.1f} MiB"


def aligned_empty(shape: int | tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """Return an uninitialised array that begins on a cache line (64 bytes), as NumPy's don't.

    For arrays whose rows kernels gather: a row of a multiple of 64 bytes then touches as few cache
    lines as it can, and no vector load crosses one.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = np.empty(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned(array: np.ndarray) -> np.ndarray:
    """Return an array that begins on a cache line: this one if it does and is C-contiguous, else
    a copy.
    """
    if array.ctypes.data % LINE == 0 and array.flags.c_contiguous:
        return array
    copied = aligned_empty(array.shape, array.dtype)
    copied[...] = array
    return copied


def _meminfo_available() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(os.sysconf("SC_AVPHYS_PAGES")) * int(os.sysconf("SC_PAGE_SIZE"))
    except (ValueError, OSError, AttributeError):
        return None


def _cgroup_available() -> int | None:
    root = Path("/sys/fs/cgroup")
    try:
        limit = (root / "memory.max").read_text().strip()
        used = int((root / "memory.current").read_text())
        reclaimable = _cgroup_reclaimable(root / "memory.stat")
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(0, int(limit) - used + reclaimable)


def _cgroup_reclaimable(stat: Path) -> int:
    fields = dict(line.split() for line in stat.read_text().splitlines())
    return int(fields.get("inactive_file", 0))
