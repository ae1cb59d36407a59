"""Half an epoch of alternating least squares for r_ui ~ mu + b_u + b_i + q_i . p_u: one side
solved, the other frozen.

The Gram matrix of a row is accumulated by BLAS over chunks of gathered vectors, and solved by
Cholesky in double precision, which costs little beside it. Callers wrap this with
``native_threads(n, blas=1)``."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_threads

_CHUNK = 256  # gathered vectors: 256 of 65 floats are 66 KiB, which stays in the second cache
_BLOCKS = 128  # pieces of work; more than any machine's threads, so that heavy rows spread


@helper
def solve_cholesky(matrix: np.ndarray, right: np.ndarray, size: int) -> None:
    """Solve ``matrix x = right`` in place for a symmetric positive matrix (its lower part is
    overwritten).
    """
    for j in range(size):
        for k in range(j + 1):
            total = matrix[j, k]
            for f in range(k):
                total -= matrix[j, f] * matrix[k, f]
            if k < j:
                matrix[j, k] = total * matrix[k, k]
            else:
                # The diagonal holds 1 / L_jj. A pivot lost to rounding can't come about with a
                # ridge; it is left out.
                matrix[j, j] = 1.0 / np.sqrt(total) if total > 0.0 else 0.0
    for j in range(size):
        total = right[j]
        for f in range(j):
            total -= matrix[j, f] * right[f]
        right[j] = total * matrix[j, j]
    for j in range(size - 1, -1, -1):
        x = right[j] * matrix[j, j]
        right[j] = x
        for f in range(j):
            right[f] -= matrix[j, f] * x


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
    """Solve the rows, each by itself (so threads don't change the result); see the reference for
    the equation.
    """
    problem = (
        indptr,
        indices,
        values,
        mean,
        other_bias,
        other_factors,
        reg,
        reg_bias,
        bias,
        factors,
    )
    on_threads(lambda block: _solve_block(block, *problem), min(_BLOCKS, indptr.shape[0] - 1))


@kernel(allocates=True)
def _solve_block(
    block, indptr, indices, values, mean, other_bias, other_factors, reg, reg_bias, bias, factors
) -> None:
    n_rows = indptr.shape[0] - 1
    n_factors = factors.shape[1]
    size = n_factors + 1
    gathered = np.empty((_CHUNK, size), np.float32)
    gram = np.empty((size, size), np.float32)
    matrix = np.empty((size, size), np.float64)
    right = np.empty(size, np.float64)
    # Strided, so that sorted ids with heavy rows in front don't fall to one thread.
    for row in range(block, n_rows, _BLOCKS):
        begin = indptr[row]
        end = indptr[row + 1]
        if begin == end:
            bias[row] = np.float32(0)
            factors[row, :] = np.float32(0)
            continue
        matrix[:, :] = 0.0
        right[:] = 0.0
        for chunk in range(begin, end, _CHUNK):
            count = min(_CHUNK, end - chunk)
            for n in range(count):
                i = indices[chunk + n]
                q = other_factors[i]
                y = gathered[n]
                target = np.float64(values[chunk + n]) - mean - np.float64(other_bias[i])
                y[0] = np.float32(1)
                right[0] += target
                for f in range(n_factors):
                    y[f + 1] = q[f]
                    right[f + 1] += target * np.float64(q[f])
            taken = gathered[:count]
            np.dot(taken.T, taken, gram)
            for j in range(size):
                for k in range(j + 1):
                    matrix[j, k] += np.float64(gram[j, k])
        matrix[0, 0] += np.float64(reg_bias[row])
        for j in range(1, size):
            matrix[j, j] += np.float64(reg[row])
        solve_cholesky(matrix, right, size)
        bias[row] = np.float32(right[0])
        for f in range(n_factors):
            factors[row, f] = np.float32(right[f + 1])
