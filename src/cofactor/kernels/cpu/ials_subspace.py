"""Implicit ALS: the rows of one side improved block of factors by block of factors (iALS++)."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu._ials_rows import (
    F,
    accumulate_part,
    dots,
    in_blocks,
    note_failure,
    solve_upper,
)
from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.reference.ials_cg import RowSystems


def solve_subspace(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
    block_size: int,
) -> int:
    """Improve some rows by one Newton step in each block of factors; see the reference for
    the parameters.
    """
    problem = (systems, rows, solved, block_size)
    costs = np.diff(systems.indptr)[rows] + 8 + block_size
    return in_blocks(costs, lambda *block: _solve_subspace(*problem, *block))


@kernel(allocates=True)
def _solve_subspace(systems, rows, solved, block_size, begin, end, failed) -> None:
    """Letters: e_t = w_t (1 - x . y_t), g the block's negative gradient, H its Hessian, both
    halved; c the step.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    f = fixed.shape[1]
    longest = 0
    for at in range(begin, end):
        longest = max(longest, indptr[rows[at] + 1] - indptr[rows[at]])
    e, c, s = np.empty(longest, F), np.empty(f, F), np.empty(block_size, F)
    H = np.empty((block_size, block_size), F)
    count_up = np.arange(block_size).astype(np.int32)
    for at in range(begin, end):
        u = rows[at]
        start, n = indptr[u], indptr[u + 1] - indptr[u]
        x, index, w = solved[u], indices[start : start + n], weights[start : start + n]
        if n == 0:
            x[:] = F(0)
            continue
        dots(fixed, index, n, x, e)
        for t in range(n):
            e[t] = w[t] * (F(1) - e[t])
        good = np.bool_(True)
        for first in range(0, f, block_size):
            m = min(block_size, f - first)
            for k in range(m):
                c[first + k] = -(diagonal[first + k] + ridge[u]) * x[first + k]
            accumulate_part(fixed, index, n, e, c, first, first + m)
            g = c[first:]
            for i in range(m):
                for k in range(m):
                    H[i, k] = F(0)
                H[i, i] = diagonal[first + i] + ridge[u]
            for t in range(n):
                y = fixed[index[t]][first:]
                for i in range(m):
                    v, row = w[t] * y[i], H[i]
                    for k in range(m):
                        row[k] += v * y[k]
            good = good and solve_upper(H, m, g, count_up, s)
            for k in range(m):
                x[first + k] += g[k]
            for t in range(n):
                y = fixed[index[t]][first:]
                v = F(0)
                for k in range(m):
                    v += y[k] * g[k]
                e[t] -= w[t] * v
        note_failure(x, good, u, failed)
