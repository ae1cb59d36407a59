"""Kernels from several threads: allowed where Numba's threading layer allows it, one at a time
elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.RLock()


def at_once() -> bool:
    """Return whether several threads may run kernels at the same time."""
    import numba

    try:
        return numba.threading_layer() in ("omp", "tbb")
    except ValueError:  # nothing parallel has run yet
        return False


@contextmanager
def kernels() -> Iterator[None]:
    """Run the body, alone if it must be: Numba's own work queue ends the process when two
    threads enter it at once.
    """
    if at_once():
        yield
        return
    with _LOCK:
        yield
