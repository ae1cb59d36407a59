"""One sweep of the bias model b_ui = mu + b_u + b_i: the biases of one side, given the other
side's.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel, on_parts


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
    # Rows are independent, so the result doesn't depend on the number of threads.
    problem = (indptr, indices, values, mean, other_bias, damping, bias)
    moved: list[float] = []
    on_parts(lambda first, last: moved.append(_sweep(first, last, *problem)), indptr.shape[0] - 1)
    return max(moved, default=0.0)


@kernel
def _sweep(first, last, indptr, indices, values, mean, other_bias, damping, bias):
    largest = 0.0
    for row in range(first, last):
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
