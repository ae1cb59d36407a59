"""Memory: what is there, and refusing what can't fit before it begins."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from cofactor.base.errors import MemoryLimitError

GIB = 2**30


_limit: ContextVar[int | None] = ContextVar("memory limit", default=None)


@contextmanager
def limited(n_bytes: int | None) -> Iterator[None]:
    """While open, `require` refuses work that needs more than so many bytes (None: no limit)."""
    token = _limit.set(n_bytes)
    try:
        yield
    finally:
        _limit.reset(token)


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
            f"{what} needs {needed / GIB:.1f} GiB of memory, and {free / GIB:.1f} GiB are"
            f" available; {cure}."
        )


def line_aligned(n_rows: int, n_columns: int) -> np.ndarray:
    """Return an uninitialised float32 [n_rows, n_columns] that begins on a cache line (64 bytes).

    Rows of a multiple of 16 floats then touch as few cache lines as they can, which kernels with
    random access feel."""
    raw = np.empty(n_rows * n_columns + 16, np.float32)
    start = -raw.ctypes.data % 64 // 4
    return raw[start : start + n_rows * n_columns].reshape(n_rows, n_columns)


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
