"""One sweep of the bias model b_ui = mu + b_u + b_i: the biases of one side, given the other
side's.
"""

from __future__ import annotations

import numpy as np


def bias_sweep(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    mean: float,
    other_bias: np.ndarray,
    damping: float,
    bias: np.ndarray,
) -> float:
    """Set each row's bias to the damped mean of what the mean and the other side's biases leave
    over.

    ``b_u = sum_{i in R(u)} (r_ui - mu - b_i) / (lambda + |R(u)|)``, which is the minimiser over
    ``b_u`` of ``sum (r_ui - mu - b_u - b_i)^2 + lambda b_u^2``. One sweep over the items with
    ``other_bias`` zero and then one over the users is the damped estimate of the paper; sweeps
    repeated until nothing moves are block coordinate descent on the joint ridge problem, which is
    convex, and reach its one minimum.

    Parameters
    ----------
    indptr, indices, values
        The ratings as CSR: int64 [n_rows + 1], int32 [nnz], float32 [nnz].
    mean
        The mean rating mu.
    other_bias
        Biases of the other side, float64 [n_columns].
    damping
        lambda >= 0, in ratings: how many ratings at the mean each row is given beforehand.
    bias
        Biases of the rows, float64 [n_rows]; overwritten. A row without ratings gets 0.

    Returns
    -------
    float
        The largest absolute change of a bias.

    References
    ----------
    Y. Koren, "Factor in the Neighbors", ACM TKDD 4(1), 2010, section 2.1.
    """
    largest = 0.0
    for row in range(len(indptr) - 1):
        at = slice(indptr[row], indptr[row + 1])
        residual = values[at].astype(np.float64) - mean - other_bias[indices[at]]
        new = residual.sum() / (damping + residual.size) if residual.size else 0.0
        largest = max(largest, abs(new - bias[row]))
        bias[row] = new
    return largest
