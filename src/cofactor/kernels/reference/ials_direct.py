"""Implicit ALS: the rows of one side solved exactly."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.ials_cg import RowSystems


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
    indptr, indices, weights, fixed, diagonal, ridge = systems
    failed = -1
    for u in sorted(int(row) for row in rows):
        part = slice(indptr[u], indptr[u + 1])
        y, w = fixed[indices[part]].astype(np.float64), weights[part].astype(np.float64)
        solved[u] = 0.0
        if not len(w):
            continue
        matrix = np.diag(diagonal.astype(np.float64) + ridge[u]) + (y.T * w) @ y
        try:
            lower = np.linalg.cholesky(matrix)
            solved[u] = np.linalg.solve(lower.T, np.linalg.solve(lower, y.T @ w))
        except np.linalg.LinAlgError:
            solved[u] = np.nan
        if failed < 0 and not np.isfinite(solved[u]).all():
            failed = u
    return failed
