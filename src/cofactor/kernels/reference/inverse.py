"""The inverse of a positive definite matrix, in place; in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def invert_lower(
    matrix: np.ndarray, n_threads: int, done: Callable[[float], None] | None = None
) -> int:
    """Replace the lower triangle of a positive definite matrix by that of its inverse.

    Parameters
    ----------
    matrix : float32 [n, n]
        What stands above the diagonal isn't read and may be overwritten.
    n_threads : int
        Unused here.
    done
        Called with the share that is done, in (0, 1].

    Returns
    -------
    int
        -1, or the row at which the matrix turned out not to be positive definite.
    """
    whole = np.tril(matrix).astype(np.float64)
    whole += np.tril(whole, -1).T
    for i in range(len(whole)):
        if not np.linalg.eigvalsh(whole[: i + 1, : i + 1])[0] > 0:
            return i
    matrix[:] = np.tril(np.linalg.inv(whole))
    if done is not None:
        done(1.0)
    return -1


def panel_bytes(n: int) -> int:
    """Return how many bytes `invert_lower` takes beside a matrix of ``n`` rows: a few more such
    matrices, of float64.
    """
    return 40 * n * n
