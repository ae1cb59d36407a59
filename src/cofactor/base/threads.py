"""Native threads: Numba's and BLAS's are set for a piece of work and restored after it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def native_threads(count: int, *, blas: int | None = None) -> Iterator[None]:
    """Run the body with ``count`` Numba threads and ``blas`` BLAS threads (``count`` if None), then
    restore both.

    Kernels that call BLAS from inside their own threads pass ``blas=1``: nested pools fight over
    the cores.

    Notes
    -----
    Numba can't run more threads than it was started with (NUMBA_NUM_THREADS, by default the
    machine's cores), so a larger count is cut down to that.
    """
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(count, numba.config.NUMBA_NUM_THREADS)))
    try:
        # user_api="blas" leaves OpenMP alone: Numba's own pool may be OpenMP.
        with _pools("scipy.linalg" in sys.modules, "torch" in sys.modules).limit(
            limits=count if blas is None else blas, user_api="blas"
        ):
            if "torch" in sys.modules:
                with _torch_threads(count):
                    yield
            else:
                yield
    finally:
        numba.set_num_threads(before)


@contextmanager
def kernel_threads(count: int) -> Iterator[None]:
    """Run the body with ``count`` Numba threads, for kernels that call no BLAS: setting that as
    well takes longer than a small one.
    """
    import numba

    before, wanted = numba.get_num_threads(), max(1, min(count, numba.config.NUMBA_NUM_THREADS))
    if before == wanted:
        yield
        return
    numba.set_num_threads(wanted)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@lru_cache(maxsize=4)
def _pools(with_scipy: bool, with_torch: bool) -> Any:
    """The thread pools of the loaded libraries; looked up anew (milliseconds) when one that
    brings its own is loaded.
    """
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


def current_threads() -> int:
    """Return how many threads Numba would use now: inside `native_threads` those it set, else
    the machine's.
    """
    import numba

    return int(numba.get_num_threads())


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    torch = sys.modules["torch"]
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
