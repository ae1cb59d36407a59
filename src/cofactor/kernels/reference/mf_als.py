"""Half an epoch of alternating least squares for r_ui ~ mu + b_u + b_i + q_i . p_u: one side
solved, the other frozen.
"""

from __future__ import annotations

import numpy as np


def als_half_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    mean: float,
    other_bias: np.ndarray,
    other_factors: np.ndarray,
    reg: np.ndarray,
    reg_bias: np.ndarray,
    bias: np.ndarray,
    factors: np.ndarray,
) -> None:
    """Set each row's bias and vector to the ridge solution, given the other side's.

    With ``x_u = [b_u, p_u]`` and ``y_i = [1, q_i]``::

        x_u = argmin sum_{i in R(u)} (r_ui - mu - b_i - y_i . x_u)^2 + rho_u b_u^2 + lambda_u
        |p_u|^2
            = (sum y_i y_i' + diag(rho_u, lambda_u, ...))^-1 sum y_i (r_ui - mu - b_i)

    With ``lambda_u = lambda |R(u)|`` this is ALS-WR. It also folds in users never seen: their
    histories as rows.

    Parameters
    ----------
    indptr, indices, values
        The ratings of the rows to solve as CSR: int64 [n_rows + 1], int32 [nnz], float32 [nnz].
    mean
        mu.
    other_bias, other_factors
        b_i and q_i, float32 [n_others] and [n_others, factors].
    reg, reg_bias
        lambda_u > 0 and rho_u > 0, float32 [n_rows].
    bias, factors
        b_u and p_u, float32 [n_rows] and [n_rows, factors]; overwritten. Rows without ratings get
        zeros.

    References
    ----------
    Y. Zhou, D. Wilkinson, R. Schreiber, R. Pan, "Large-Scale Parallel Collaborative Filtering for
    the Netflix Prize", AAIM 2008; the bias as a component with a column of ones: A. Paterek,
    "Improving Regularized Singular Value Decomposition for Collaborative Filtering", KDD Cup 2007.
    """
    n_factors = factors.shape[1]
    for row in range(len(indptr) - 1):
        at = slice(indptr[row], indptr[row + 1])
        if at.start == at.stop:
            bias[row] = 0
            factors[row] = 0
            continue
        columns = indices[at]
        y = np.hstack([np.ones((columns.size, 1)), other_factors[columns].astype(np.float64)])
        target = values[at].astype(np.float64) - mean - other_bias[columns]
        ridge = np.concatenate([[reg_bias[row]], np.full(n_factors, reg[row])]).astype(np.float64)
        x = np.linalg.solve(y.T @ y + np.diag(ridge), y.T @ target)
        bias[row] = x[0]
        factors[row] = x[1:]
