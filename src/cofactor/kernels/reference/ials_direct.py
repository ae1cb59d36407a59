"""Implicit ALS: the rows of one side solved exactly."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.ials_cg import RowSystems, row_by_row


def solve_direct(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
) -> int:
    """Solve some rows exactly by Cholesky factorisation.

    ::

        (D_u + Y_u' W_u Y_u) x_u = Y_u' W_u 1,   D_u = diagonal + ridge_u

    Parameters
    ----------
    systems, rows
        As in `cofactor.kernels.reference.ials_cg.solve_cg`.
    solved
        The factors sought, float32 [n_rows, f]; only ``rows`` are written, and what was there isn't
        read. A row without interactions becomes zero.

    Returns
    -------
    The lowest row whose matrix isn't positive definite or whose solution isn't finite, or -1.

    References
    ----------
    Hu, Koren and Volinsky. 2008. Collaborative Filtering for Implicit Feedback Datasets. ICDM,
    equation 4.
    """

    def solve(y: np.ndarray, w: np.ndarray, d: np.ndarray, _: np.ndarray) -> np.ndarray:
        lower = np.linalg.cholesky(np.diag(d) + (y.T * w) @ y)
        return np.linalg.solve(lower.T, np.linalg.solve(lower, y.T @ w))

    return row_by_row(solve, systems, rows, solved)
