"""The inverse of a large positive definite matrix, in place, in tiles.

LAPACK's potrf and potri would do, but SciPy's wrappers count in 32 bits, and the OpenBLAS behind them overruns its buffer
in a threaded spotrf of some 40,000 rows. This one counts in 64 bits, calls BLAS for one tile at a time, can show its
progress and be interrupted, and does the same n³ multiplications and additions.

Sweeping the block K of a symmetric matrix A, with D = A_KK^-1 and V = A_·K:

    A_IJ <- A_IJ - V_I D V_J'      A_IK <- V_I D      A_KK <- -D

When all blocks are swept, A has become -A^-1. A stays symmetric all along, so that its lower triangle is all that is
kept. (G. W. Stewart. 1973. Introduction to Matrix Computations, on the sweep operator as symmetric Gauss-Jordan.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu.jit import kernel, shared

BLOCK = 512  # rows swept at once: each sweep reads and writes the whole matrix, so wide blocks spare the memory
SMALL = 8192  # up to so many rows blocks of half the width are faster: the threads are more evenly busy


def invert_lower(matrix: np.ndarray, n_threads: int, done: Callable[[float], None] | None = None) -> int:
    """Replace the lower triangle of a positive definite matrix by that of its inverse.

    Parameters
    ----------
    matrix : float32 [n, n]
        C-contiguous. What stands above the diagonal isn't read and may be overwritten.
    n_threads : int
        How many threads compute.
    done
        Called after each block with the share that is done, in (0, 1].

    Returns
    -------
    int
        -1, or the first row of the block at which the matrix turned out not to be positive definite (it is then spoiled).
    """
    n = matrix.shape[0]
    block = BLOCK if n > SMALL else BLOCK // 2
    panel, scaled = np.zeros((n, block), np.float32), np.zeros((n, block), np.float32)
    with native_threads(n_threads, blas=1):
        for first in range(0, n, block):
            last = min(first + block, n)
            pivot = np.tril(matrix[first:last, first:last]).astype(np.float64)
            pivot += np.tril(pivot, -1).T
            inverse = _inverse(pivot)
            if inverse is None:
                return first
            if last - first < block:
                panel, scaled = (np.zeros((n, last - first), np.float32) for _ in range(2))
            shared(_gather, n_threads, matrix, first, last, panel)
            shared(_scale, n_threads, panel, inverse, block, scaled)
            shared(_update, n_threads, matrix, panel, scaled, block)
            shared(_put_back, n_threads, matrix, scaled, -inverse, first, last)
            if done is not None:
                done(last / n)
        shared(_negate_lower, n_threads, matrix)
    return -1


def _inverse(pivot: np.ndarray) -> np.ndarray | None:
    """The inverse of a small matrix in float64, given back as float32; None if it isn't positive definite."""
    if not np.isfinite(pivot).all():
        return None
    try:
        # Cholesky fails where the inverse alone would silently go on with a negative pivot.
        root = np.linalg.inv(np.linalg.cholesky(pivot))
    except np.linalg.LinAlgError:
        return None
    return np.ascontiguousarray(root.T @ root, np.float32)


@kernel
def _gather(thread: Any, n_threads: Any, matrix: Any, first: Any, last: Any, panel: Any) -> Any:
    """V = A_·K from the lower triangle; zero in the rows of K, which the update then leaves alone."""
    n, width = panel.shape
    low, high = n * thread // n_threads, n * (thread + 1) // n_threads
    for i in range(max(low, last), high):
        panel[i] = matrix[i, first:last]
    for i in range(max(low, first), min(high, last)):
        panel[i] = 0.0
    for j in range(width):
        row = matrix[first + j]
        for i in range(low, min(high, first)):
            panel[i, j] = row[i]


@kernel
def _scale(thread: Any, n_threads: Any, panel: Any, inverse: Any, block: Any, scaled: Any) -> Any:
    """V D, by blocks of rows."""
    n = panel.shape[0]
    n_blocks = (n + block - 1) // block
    for b in range(thread, n_blocks, n_threads):
        top, bottom = b * block, min((b + 1) * block, n)
        np.dot(panel[top:bottom], inverse, scaled[top:bottom])


@kernel
def _update(thread: Any, n_threads: Any, matrix: Any, panel: Any, scaled: Any, block: Any) -> Any:
    """A_IJ -= (V D)_I V_J' for the tiles on and below the diagonal."""
    n = panel.shape[0]
    n_blocks = (n + block - 1) // block
    n_tiles = n_blocks * (n_blocks + 1) // 2
    product = np.empty(block * block, np.float32)
    down, across = 0, 0  # the tile's block row and block column: tiles are counted row by row
    for tile in range(n_tiles):
        if tile % n_threads == thread:
            top, bottom = down * block, min((down + 1) * block, n)
            left, right = across * block, min((across + 1) * block, n)
            p = product[: (bottom - top) * (right - left)].reshape(bottom - top, right - left)
            np.dot(scaled[top:bottom], panel[left:right].T, p)
            for i in range(bottom - top):
                row, minus = matrix[top + i, left:right], p[i]
                for j in range(row.shape[0]):
                    row[j] -= minus[j]
        across += 1
        if across > down:
            down, across = down + 1, 0


@kernel
def _put_back(thread: Any, n_threads: Any, matrix: Any, scaled: Any, pivot: Any, first: Any, last: Any) -> Any:
    """A_IK = (V D)_I, in the lower triangle, and A_KK = -D."""
    n, width = scaled.shape
    low, high = n * thread // n_threads, n * (thread + 1) // n_threads
    for i in range(max(low, last), high):
        matrix[i, first:last] = scaled[i]
    for j in range(width):
        row = matrix[first + j]
        for i in range(low, min(high, first)):
            row[i] = scaled[i, j]
        for i in range(max(low, first), min(high, last)):
            row[i] = pivot[j, i - first]


@kernel
def _negate_lower(thread: Any, n_threads: Any, matrix: Any) -> Any:
    for i in range(thread, matrix.shape[0], n_threads):
        row = matrix[i, : i + 1]
        for j in range(row.shape[0]):
            row[j] = -row[j]
