"""Implicit ALS: the rows of one side improved block of factors by block of factors (iALS++)."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.ials_cg import RowSystems, row_by_row


def solve_subspace(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
    block_size: int,
) -> int:
    """Improve some rows by one Newton step in each block of factors, block after block.

    ::

        x_B += (D_B + Y_B' W Y_B)^-1 (Y_B' W (1 - Y x) - D_B x_B),   D = diagonal + ridge_u

    Parameters
    ----------
    systems, rows
        As in `cofactor.kernels.reference.ials_cg.solve_cg`.
    solved
        The factors, float32 [n_rows, f], in the same basis as ``fixed``; ``rows`` are improved in
        place. A row without interactions becomes zero.
    block_size
        Factors in a block, 1..f; with f the row is solved exactly, with 1 this is coordinate
        descent.

    Returns
    -------
    The lowest row with a singular block or whose solution isn't finite, or -1.

    Notes
    -----
    Since the Gram matrix is diagonal here, a block doesn't meet the other factors in the dense
    part, and the paper's outer loop over blocks can run inside each row.

    References
    ----------
    Rendle, Krichene, Zhang and Koren. 2021. iALS++: Speeding up Matrix Factorization with Subspace
    Optimization, arXiv:2110.14044, section 4.
    """

    def solve(y: np.ndarray, w: np.ndarray, d: np.ndarray, x: np.ndarray) -> np.ndarray:
        for first in range(0, len(x), block_size):
            b = slice(first, first + block_size)
            hessian = np.diag(d[b]) + (y[:, b].T * w) @ y[:, b]
            x[b] += np.linalg.solve(hessian, y[:, b].T @ (w * (1.0 - y @ x)) - d[b] * x[b])
        return x

    return row_by_row(solve, systems, rows, solved)
