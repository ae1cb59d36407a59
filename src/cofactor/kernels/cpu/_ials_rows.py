"""Loops over the factors of one user's (or item's) interactions, shared by the solvers of implicit
ALS.

Rows are read where they stand; copying them together first was measured to be slower, since the
first pass of a solver brings them into the core's own cache anyway."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cofactor.kernels.cpu.jit import kernel, on_threads
from cofactor.kernels.cpu.llvm.ials import add_rows, four_dots
from cofactor.kernels.cpu.llvm.rows import tail_start

F = np.float32
# of rows; more than any sensible thread count, so that threads that finish early find more to do
BLOCKS = 64


@kernel
def accumulate_part(
    source: np.ndarray,
    index: np.ndarray,
    n: int,
    s: np.ndarray,
    out: np.ndarray,
    first: int,
    end: int,
) -> None:
    """out[k] += sum over t < n of s[t] source[index[t], k], for first <= k < end."""
    t = 0
    while t + 8 <= n:
        a, b, c, d = (
            source[index[t]],
            source[index[t + 1]],
            source[index[t + 2]],
            source[index[t + 3]],
        )
        e, g, h, i = (
            source[index[t + 4]],
            source[index[t + 5]],
            source[index[t + 6]],
            source[index[t + 7]],
        )
        s0, s1, s2, s3 = s[t], s[t + 1], s[t + 2], s[t + 3]
        s4, s5, s6, s7 = s[t + 4], s[t + 5], s[t + 6], s[t + 7]
        for k in range(first, end):
            out[k] += ((s0 * a[k] + s1 * b[k]) + (s2 * c[k] + s3 * d[k])) + (
                (s4 * e[k] + s5 * g[k]) + (s6 * h[k] + s7 * i[k])
            )
        t += 8
    while t + 2 <= n:
        a, b = source[index[t]], source[index[t + 1]]
        s0, s1 = s[t], s[t + 1]
        for k in range(first, end):
            out[k] += s0 * a[k] + s1 * b[k]
        t += 2
    if t < n:
        a = source[index[t]]
        s0 = s[t]
        for k in range(first, end):
            out[k] += s0 * a[k]


@kernel
def dots(source: np.ndarray, index: np.ndarray, n: int, p: np.ndarray, out: np.ndarray) -> None:
    """out[t] = source[index[t]] . p for t < n."""
    f = p.shape[0]
    tail = tail_start(source)
    whole = n - n % 4
    for t in range(0, whole, 4):
        four_dots(source, index, t, p, out)
    for t in range(whole, n):
        y = source[index[t]]
        total = F(0)
        for k in range(f):
            total += y[k] * p[k]
        out[t] = total
    if tail < f:
        for t in range(whole):
            y = source[index[t]]
            total = F(0)
            for k in range(tail, f):
                total += y[k] * p[k]
            out[t] += total


@kernel
def accumulate(
    source: np.ndarray, index: np.ndarray, n: int, s: np.ndarray, out: np.ndarray
) -> None:
    """out += sum over t < n of s[t] source[index[t]]."""
    add_rows(source, index, n, s, out)
    tail = tail_start(source)
    if tail < out.shape[0]:
        accumulate_part(source, index, n, s, out, tail, out.shape[0])


@kernel
def solve_upper(
    A: np.ndarray,
    n: int,
    c: np.ndarray,
    count_up: np.ndarray,
    s: np.ndarray,
) -> bool:
    """Solve A x = c for the n x n symmetric A given by its upper triangle (overwritten by U with A
    = U'U); x lands in c.

    Returns False, with c undefined, when A isn't positive definite in float32 (or holds NaN).
    """
    for i in range(n):
        row = A[i]
        for j in range(i):
            s[j] = -A[j, i]
        accumulate_part(A, count_up, i, s, row, i, n)
        if not row[i] > F(0) or not np.isfinite(row[i]):
            return False
        scale = F(1) / np.sqrt(row[i])
        for k in range(i, n):
            row[k] *= scale
    for i in range(n):
        row = A[i]
        y = c[i] / row[i]
        c[i] = y
        for k in range(i + 1, n):
            c[k] -= y * row[k]
    for m in range(n):
        i = n - 1 - m
        row = A[i]
        y = c[i]
        for k in range(i + 1, n):
            y -= row[k] * c[k]
        c[i] = y / row[i]
    return True


@kernel
def note_failure(x: np.ndarray, good: bool, u: int, failed: np.ndarray) -> None:
    """Note a row whose system couldn't be solved, or whose solution isn't finite."""
    total = F(0)
    for k in range(x.shape[0]):
        total += x[k]
    if not good or not np.isfinite(total):
        failed[0] = u if failed[0] < 0 else min(failed[0], u)


def row_blocks(costs: np.ndarray) -> np.ndarray:
    """Return the int64 bounds of consecutive blocks of rows of about equal total cost."""
    total = np.cumsum(costs, dtype=np.float64)
    if not total.size:
        return np.zeros(1, np.int64)
    bounds = np.searchsorted(total, np.linspace(0.0, total[-1], BLOCKS + 1)[1:-1]).astype(np.int64)
    return np.unique(np.concatenate([[0], bounds, [total.size]]).astype(np.int64))


def in_blocks(costs: np.ndarray, solve: Callable[[int, int, np.ndarray], None]) -> int:
    """Call ``solve(begin, end, failed)`` for blocks of rows of about equal cost, on several
    threads; return the lowest row that failed in any of them, or -1.
    """
    bounds = row_blocks(costs)
    failed = np.full(max(1, len(bounds) - 1), -1, np.int64)
    on_threads(lambda b: solve(bounds[b], bounds[b + 1], failed[b : b + 1]), len(bounds) - 1)
    found = failed[failed >= 0]
    return int(found.min()) if found.size else -1
