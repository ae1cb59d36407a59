"""Native threads: how many kernels and BLAS may use, set for a piece of work and restored after it.

Kernels run on a pool of Python threads (`kernels.cpu.jit.on_threads`), whatever Numba's threading
layer is: a pool of Numba's own would hang in a process that was forked, and one of its layers
aborts when two Python threads use it. PyTorch has a pool of its own, which follows theirs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

from cofactor.base.errors import CofactorError
from cofactor.base.run import available_cores

_own = threading.local()
_forked = False
# Scores, or places of histories, from which on PyTorch's threads pay: what is less is done before
# they have begun, and they wait for each other in a loop: 14 times the processor time on a busy
# machine.
_PAYS = 1 << 14


def most_threads() -> int:
    """Return the most threads that kernels may use: NUMBA_NUM_THREADS where it is set, else the
    cores of this process.
    """
    wanted = os.environ.get("NUMBA_NUM_THREADS", "")
    return max(1, int(wanted)) if wanted.isdigit() else available_cores()


def check_numba_environment() -> None:
    """Take out a number of threads that Numba can't read, before it is imported.

    Raises
    ------
    CofactorError
        If Numba's compiler is switched off, without which kernels don't run.
    """
    wanted = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not wanted.isdecimal() or int(wanted) < 1:
        del os.environ["NUMBA_NUM_THREADS"]
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        raise CofactorError("NUMBA_DISABLE_JIT is set, and kernels have to be compiled; unset it.")


def current_threads() -> int:
    """Return how many threads kernels would use now: inside `native_threads` or `kernel_threads`
    those that were set, else the most there are.
    """
    count: int | None = getattr(_own, "count", None)
    return most_threads() if count is None else count


def set_kernel_threads(count: int) -> None:
    """Set how many threads the kernels may use that this Python thread calls, from here on."""
    _own.count = max(1, min(count, most_threads()))


@contextmanager
def kernel_threads(count: int) -> Iterator[None]:
    """Run the body with ``count`` threads for kernels, at most `most_threads`. BLAS stays as it is:
    setting that as well takes longer than a small kernel.
    """
    before = getattr(_own, "count", None)
    set_kernel_threads(count)
    try:
        yield
    finally:
        _own.count = before


@contextmanager
def native_threads(count: int, *, blas: int | None = None) -> Iterator[None]:
    """Run the body with ``count`` threads for kernels and ``blas`` for BLAS (``count`` if None),
    then restore both.

    Kernels that call BLAS from inside their own threads pass ``blas=1``: nested pools fight over
    the cores.
    """
    # user_api="blas" leaves OpenMP alone, which is PyTorch's and has its own way below.
    pools = _pools("scipy.linalg" in sys.modules, "torch" in sys.modules)
    with (
        kernel_threads(count),
        pools.limit(limits=count if blas is None else blas, user_api="blas"),
        _torch_threads(count),
    ):
        yield


def torch_threads_for(work: int) -> AbstractContextManager[None]:
    """Run the body, which answers from a model, with the threads that PyTorch needs for it: as many
    as kernels would use (`current_threads`), one where there is little to do. Training has the
    threads of its run (`native_threads`).

    Parameters
    ----------
    work
        How many scores, or places of histories, are computed.
    """
    if "torch" not in sys.modules:
        return nullcontext()
    return _torch_threads(1 if work < _PAYS else current_threads())


@lru_cache(maxsize=4)
def _pools(with_scipy: bool, with_torch: bool) -> Any:
    """The thread pools of the loaded libraries; looked up again (milliseconds) when one that
    brings its own is loaded.
    """
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1 if _forked else count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _after_fork() -> None:
    """In a forked process PyTorch keeps to one thread: the others of its OpenMP team didn't come
    along, and it would wait for them for ever.
    """
    global _forked
    _forked = True
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
