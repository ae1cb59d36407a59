"""Implicit ALS: the rows of one side by preconditioned conjugate gradient, in the Gram matrix's
eigenbasis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class RowSystems(NamedTuple):
    """The systems of one side's rows ``(D_u + Y_u' W_u Y_u) x_u = Y_u' W_u 1``, D_u = diagonal +
    ridge_u, in the eigenbasis of the other side's Gram matrix.

    Parameters
    ----------
    indptr, indices, weights
        The interactions as CSR: int64 [n_rows + 1], int32 [nnz], float32 [nnz] with weights from 0.
    fixed
        The other side's factors Y, float32 [n_other, f].
    diagonal
        The eigenvalues of their weighted Gram matrix, float32 [f], from 0.
    ridge
        Each row's L2 weight, float32 [n_rows], from 0.
    """

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    fixed: np.ndarray
    diagonal: np.ndarray
    ridge: np.ndarray


def solve_cg(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
    steps: int,
    tolerance: float = 0.0,
) -> int:
    """Solve some rows by a few steps of conjugate gradient from zero, preconditioned with the dense
    part.

    Parameters
    ----------
    systems
        The systems of all rows.
    rows
        The rows to solve, int64 [any], without repeats.
    solved
        The factors sought, float32 [n_rows, f]; only ``rows`` are written, and what was there isn't
        read. A row without interactions becomes zero.
    steps
        Steps of conjugate gradient at most, from 1. In exact arithmetic a row of n interactions is
        solved after n + 1.
    tolerance
        A row is done when its residual, in the norm r' D_u^-1 r, is at most this share of the first
        one; 0 takes all steps.

    Returns
    -------
    The lowest row whose solution isn't finite, or -1.

    Notes
    -----
    Starting from zero rather than from the last epoch's solution saves turning that into the new
    basis and one pass over the data; with this preconditioner it loses nothing after three steps.

    References
    ----------
    Takács, Pilászy and Tikk. 2011. Applications of the Conjugate Gradient Method for Implicit
    Feedback Collaborative Filtering. RecSys, section 3 (there without a preconditioner).
    """

    def solve(y: np.ndarray, w: np.ndarray, d: np.ndarray, _: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return _conjugate_gradient(y, w, d, steps, tolerance)

    return row_by_row(solve, systems, rows, solved)


def row_by_row(
    solve: Callable[..., np.ndarray], systems: RowSystems, rows: np.ndarray, solved: np.ndarray
) -> int:
    """Solve some rows, each by a function of its Y_u and w_u, the diagonal D_u and the solution so
    far, float64; see `solve_cg`. NaN stands for a row that can't be solved.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    failed = -1
    for u in sorted(int(row) for row in rows):
        part = slice(indptr[u], indptr[u + 1])
        y, w = fixed[indices[part]].astype(np.float64), weights[part].astype(np.float64)
        d = diagonal.astype(np.float64) + ridge[u]
        try:
            solved[u] = solve(y, w, d, solved[u].astype(np.float64)) if len(w) else 0.0
        except np.linalg.LinAlgError:
            solved[u] = np.nan
        if failed < 0 and not np.isfinite(solved[u]).all():
            failed = u
    return failed


def _conjugate_gradient(
    y: np.ndarray, w: np.ndarray, d: np.ndarray, steps: int, tolerance: float
) -> np.ndarray:
    x = np.zeros_like(d)
    r = y.T @ w
    p = r / d
    rz = r @ p
    enough = max(1e-30, tolerance**2 * rz)
    for _ in range(steps):
        if rz <= enough:
            break
        product = d * p + y.T @ (w * (y @ p))
        a = rz / (p @ product)
        x = x + a * p
        r = r - a * product
        rz, last = r @ (r / d), rz
        p = r / d + rz / last * p
    return x
