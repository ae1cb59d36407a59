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
        What stands above the diagonal is neither read nor written.
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
    lower = np.tril_indices(len(whole))
    matrix[lower] = np.linalg.inv(whole)[lower]
    if done is not None:
        done(1.0)
    return -1
