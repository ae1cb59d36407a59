"""How Cofactor compiles kernels: one decorator, and a notice to the user while it happens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
import numpy as np
from numba.core import event

from cofactor.base.signals import Terminated
from cofactor.base.threads import current_threads, most_threads
from cofactor.kernels.cpu._kept_code import cache_of

_PATIENCE = 3.0  # seconds that a signal waits for the blocks that other threads work on

# Reassociation and fused multiply-add are what vectorises reductions. "nnan" and "ninf" stay off:
# kernels may test for NaN.
FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}


def kernel(
    function: Callable[..., Any] | None = None, *, fast: bool = True, allocates: bool = False
) -> Any:
    """Compile a kernel lazily, keep it on disk, and let other Python threads run while it does.

    A kernel runs on the thread that calls it. Work for several is cut into blocks, which
    `on_threads`, `on_parts` or `shared` hand to the pool.

    Parameters
    ----------
    function
        The kernel, when the decorator is used without parentheses.
    fast
        Whether sums may be reordered and multiply-adds fused (never that NaN is assumed away).
    allocates
        Whether the kernel makes arrays. Only then are arrays counted by reference: Numba would
        count at each call of an inlined helper and for each row of a matrix, which costs a loop of
        small steps more than its work. So a kernel's caller passes the arrays that it works with,
        unless their length is only known inside. Numba says of a kernel that makes arrays without
        this: "NRT required but not enabled", or that it can't type ``np.empty``.
    """

    def compiled(body: Callable[..., Any]) -> Any:
        options = {} if allocates else {"_nrt": False}
        made = numba.njit(
            nogil=True, fastmath=FAST if fast else False, error_model="numpy", **options
        )(body)
        made._cache = cache_of(body)
        return made

    return compiled if function is None else compiled(function)


def helper(function: Callable[..., Any]) -> Any:
    """Compile a small function that is always inlined into the kernels that call it."""
    return numba.njit(inline="always", fastmath=FAST, error_model="numpy")(function)


def plain(array: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
    """Return an array as of the one type that a kernel is compiled for: of this dtype, contiguous
    and writable; itself if it is so already.

    Numba compiles a kernel once more for each combination of dtypes and layouts, and for arrays
    that can't be written to, such as those of a mapped file.
    """
    return np.require(array, dtype, ["C", "W"])


def unwritten(array: np.ndarray) -> np.ndarray:
    """Return a view of an array that can't be written to, for a kernel that only reads it.

    Arrow's columns can't be written to, NumPy's arrays can: of two that come from either, Numba
    would compile a kernel for each combination.
    """
    view = array.view()
    view.flags.writeable = False
    return view


def on_threads(work: Callable[[int], Any], count: int, n_threads: int | None = None) -> None:
    """Call ``work(0)`` to ``work(count - 1)``, which call kernels, on several threads; each takes
    the next as it comes free.

    Parameters
    ----------
    work
        Takes the number of a block. Kernels leave the GIL, so blocks run at the same time; a
        block's number costs microseconds.
    count
        How many blocks there are.
    n_threads
        How many threads may run; None for those that `base.threads` has set.
    """
    if count <= 1 or n_threads == 1:
        for block in range(count):
            work(block)
        return
    n_threads = min(count, current_threads() if n_threads is None else n_threads, most_threads())
    blocks = iter(range(count))

    def some() -> None:
        for block in blocks:
            work(block)

    others = [_pool().submit(some) for _ in range(n_threads - 1)]
    patience = None
    try:
        some()
    except (KeyboardInterrupt, Terminated):
        # A signal that comes while Numba hands its lock to this thread leaves it locked, and the
        # other threads wait for it without end.
        patience = _PATIENCE
        raise
    finally:
        # One that hasn't begun, because the pool is busy with another caller's blocks, has nothing
        # left to do.
        begun = [other for other in others if not other.cancel()]
        if patience is not None:
            wait(begun, patience)
        else:
            for other in begun:
                other.result()


def on_parts(work: Callable[[int, int], Any], count: int, n_threads: int | None = None) -> None:
    """Call ``work(first, end)`` for parts that together are ``range(count)``, on several threads
    (see `on_threads`).
    """
    # Enough parts for threads that finish early to find more to do; one that isn't worth its call
    # isn't part of its own.
    n_parts = min(64, -(-count // 8))
    on_threads(
        lambda part: work(part * count // n_parts, (part + 1) * count // n_parts),
        n_parts,
        n_threads,
    )


def shared(kernel: Callable[..., Any], n_threads: int, *arguments: Any) -> None:
    """Call ``kernel(thread, n_threads, *arguments)`` for each of so many threads, at the same
    time.
    """
    on_threads(lambda thread: kernel(thread, n_threads, *arguments), n_threads, n_threads)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(most_threads(), "cofactor-kernel")


if hasattr(os, "register_at_fork"):
    # Threads don't survive a fork; a child makes its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


class _CompileListener(event.Listener):  # type: ignore[misc]  # numba has no types
    """Calls a function when a kernel is compiled, and measures how long that takes."""

    def __init__(self, announce: Callable[[], None]) -> None:
        self.announce = announce
        self.seconds = 0.0
        self._open: list[float] = []

    def on_start(self, event: Any) -> None:
        self._open.append(time.perf_counter())
        self.announce()

    def on_end(self, event: Any) -> None:
        began = self._open.pop()
        # Kernels that a kernel calls are compiled within it. Numba compiles on one thread at once.
        if not self._open:
            self.seconds += time.perf_counter() - began


# Whether somebody has been shown that kernels are compiled: once in a process is enough.
_announced: list[bool] = []


@contextmanager
def compilation_shown(say: Callable[[str], None]) -> Iterator[None]:
    """Tell the user, through ``say``, when the first kernels of the process are compiled."""

    def announce() -> None:
        if not _announced:
            _announced.append(True)
            say("compiling kernels (once on this machine; kept on disk)")

    with event.install_listener("numba:compile", _CompileListener(announce)):
        yield


@contextmanager
def compilation_timed() -> Iterator[Callable[[], float]]:
    """Measure how long kernels are compiled inside the body; yields a function that returns the
    seconds so far, 0 if there was nothing to compile.
    """
    listener = _CompileListener(lambda: None)
    with event.install_listener("numba:compile", listener):
        yield lambda: listener.seconds
