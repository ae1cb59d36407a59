"""How Cofactor compiles kernels: one decorator, and a way to tell the user that it is happening."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
from numba.core import event

# Threads that wait for the others sleep instead of spinning: on a machine that is shared, spinning
# takes the cores from whoever has work. OpenMP reads this when its first team starts, which is
# after this module; what the user set counts.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Reassociation and fused multiply-add are what vectorises reductions. "nnan" and "ninf" stay off:
# kernels may test for NaN.
FAST = {"reassoc", "contract", "nsz", "arcp", "afn"}

# Loops over prange run on threads, and nothing else: array expressions and allocations as parallel
# loops of their own cost seconds of compilation each, and the arrays in kernels are small.
PARALLEL = {
    "prange": True,
    "numpy": False,
    "setitem": False,
    "inplace_binop": False,
    "comprehension": False,
    "reduction": False,
    "stencil": False,
    "fusion": False,
}


def kernel(
    function: Callable[..., Any] | None = None, *, parallel: bool = False, fast: bool = True
) -> Any:
    """Compile a kernel lazily, keep it on disk, and let other Python threads run while it does.

    Parameters
    ----------
    function
        The kernel, when the decorator is used without parentheses.
    parallel
        Whether `numba.prange` loops run on several threads. Such a kernel takes twice as long to
        compile as a plain one; where the work comes in blocks of some microseconds each, let a
        plain kernel do one, and `on_threads` call it.
    fast
        Whether sums may be reordered and multiply-adds fused (never that NaN is assumed away).
    """

    def compiled(body: Callable[..., Any]) -> Any:
        return numba.njit(
            cache=True,
            nogil=True,
            parallel=PARALLEL if parallel else False,
            fastmath=FAST if fast else False,
            error_model="numpy",
        )(body)

    return compiled if function is None else compiled(function)


def helper(function: Callable[..., Any]) -> Any:
    """Compile a small function that is always inlined into the kernels that call it."""
    return numba.njit(inline="always", fastmath=FAST, error_model="numpy")(function)


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
        How many threads may run; None for as many as Numba would use (see
        `base.threads.native_threads`).
    """
    n_threads = min(
        count,
        numba.get_num_threads() if n_threads is None else n_threads,
        numba.config.NUMBA_NUM_THREADS,
    )
    blocks = iter(range(count))

    def some() -> None:
        for block in blocks:
            work(block)

    others = [_pool().submit(some) for _ in range(n_threads - 1)]
    try:
        some()
    finally:
        for other in others:
            # One that hasn't begun, because the pool is busy with another caller's blocks, has
            # nothing left to do.
            if not other.cancel():
                other.result()


def on_parts(work: Callable[[int, int], Any], count: int, n_threads: int | None = None) -> None:
    """Call ``work(first, end)`` for parts that together are ``range(count)``, on several threads
    (see `on_threads`).
    """
    # Enough parts for threads that finish early to find more to do; one that isn't worth its call
    # is no part of its own.
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
    return ThreadPoolExecutor(numba.config.NUMBA_NUM_THREADS, "cofactor-kernel")


if hasattr(os, "register_at_fork"):
    # Threads don't survive a fork; a child makes its own.
    os.register_at_fork(after_in_child=_pool.cache_clear)


class _CompileListener(event.Listener):  # type: ignore[misc]  # numba has no types
    """Adds up the time spent in the outermost compilations."""

    def __init__(self, announce: Callable[[str], None]) -> None:
        self.announce = announce
        self.depth = 0
        self.began = 0.0
        self.seconds = 0.0
        self.count = 0

    def on_start(self, event: Any) -> None:
        if self.depth == 0:
            self.began = time.perf_counter()
            if self.count == 0:
                self.announce("compiling kernels (once on this machine; kept on disk)")
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.perf_counter() - self.began
            self.count += 1


@contextmanager
def compilation_shown(say: Callable[[str], None]) -> Iterator[None]:
    """Tell the user, through ``say``, when kernels are compiled inside the body and how long it
    took.
    """
    listener = _CompileListener(say)
    with event.install_listener("numba:compile", listener):
        yield
    if listener.count:
        say(f"compiled {listener.count} kernels in {listener.seconds:.1f} s")
