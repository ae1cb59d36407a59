"""One sweep of the bias model b_ui = mu + b_u + b_i: the biases of one side, given the other
side's.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from cofactor.kernels.cpu.jit import kernel


@kernel(parallel=True)
def bias_sweep(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    mean: float,
    other_bias: np.ndarray,
    damping: float,
    bias: np.ndarray,
) -> float:
    """Solve the biases of all rows at once; see the reference for the formula."""
    largest = 0.0
    # Rows are independent, so the result doesn't depend on the number of threads.
    for row in prange(indptr.shape[0] - 1):
        begin = indptr[row]
        end = indptr[row + 1]
        # b_u = sum_i (r_ui - mu - b_i) / (lambda + |R(u)|)
        total = 0.0
        for at in range(begin, end):
            total += np.float64(values[at]) - mean - other_bias[indices[at]]
        weight = damping + (end - begin)
        new = total / weight if end > begin and weight > 0.0 else 0.0
        largest = max(largest, abs(new - bias[row]))
        bias[row] = new
    return largest
