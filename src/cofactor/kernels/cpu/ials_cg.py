"""Implicit ALS: the rows of one side by preconditioned conjugate gradient, in the Gram matrix's eigenbasis."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu._ials_rows import F, accumulate, dots, first_failed, row_blocks
from cofactor.kernels.cpu.jit import kernel, on_threads


def solve_cg(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    fixed: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    rows: np.ndarray,
    solved: np.ndarray,
    steps: int,
    tolerance: float = 0.0,
) -> int:
    """Solve some rows by a few steps of conjugate gradient from zero; see the reference twin for the parameters.

    Notes
    -----
    A step costs two passes over the row's factors (four flops per nonzero and factor); the last step needs only the first
    of them, since nobody asks for the residual after it.
    """
    bounds = row_blocks(np.diff(indptr)[rows] + 8)
    failed = np.full(max(1, len(bounds) - 1), -1, np.int64)
    problem = (indptr, indices, weights, fixed, diagonal, ridge, rows, solved, steps, F(tolerance))
    on_threads(lambda b: _solve_cg(*problem, bounds[b : b + 2], failed[b : b + 1]), len(bounds) - 1)
    return first_failed(failed)


@kernel
def _solve_cg(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    fixed: np.ndarray,
    diagonal: np.ndarray,
    ridge: np.ndarray,
    rows: np.ndarray,
    solved: np.ndarray,
    steps: int,
    tolerance: float,
    bounds: np.ndarray,
    failed: np.ndarray,
) -> None:
    """Letters: x the solution, r its residual, p the direction, D + Y_u' W Y_u the matrix, z = D^-1 r."""
    f = fixed.shape[1]
    n_blocks = bounds.shape[0] - 1
    for block in range(n_blocks):
        longest = 0
        for at in range(bounds[block], bounds[block + 1]):
            longest = max(longest, indptr[rows[at] + 1] - indptr[rows[at]])
        s = np.empty(longest, F)
        r, p, D, M = np.empty(f, F), np.empty(f, F), np.empty(f, F), np.empty(f, F)
        for at in range(bounds[block], bounds[block + 1]):
            u = rows[at]
            n = indptr[u + 1] - indptr[u]
            x, index, w = solved[u], indices[indptr[u] : indptr[u + 1]], weights[indptr[u] : indptr[u + 1]]
            for k in range(f):
                x[k] = F(0)
                r[k] = F(0)
                D[k] = diagonal[k] + ridge[u]
                M[k] = F(1) / D[k]
            if n == 0:
                continue
            accumulate(fixed, index, n, w, r)  # r = Y_u' W 1, the residual at x = 0
            rz = F(0)
            for k in range(f):
                p[k] = M[k] * r[k]
                rz += r[k] * p[k]
            enough = max(F(1e-30), tolerance * tolerance * rz)
            for step in range(steps):
                if rz <= enough:
                    break
                dots(fixed, index, n, p, s)
                q = F(0)  # p' (D + Y_u' W Y_u) p
                for k in range(f):
                    q += D[k] * p[k] * p[k]
                for t in range(n):
                    q += w[t] * s[t] * s[t]
                a = rz / q
                for k in range(f):
                    x[k] += a * p[k]
                if step == steps - 1:
                    break
                for t in range(n):
                    s[t] *= -a * w[t]
                for k in range(f):
                    r[k] -= a * D[k] * p[k]
                accumulate(fixed, index, n, s, r)
                rz_next = F(0)
                for k in range(f):
                    rz_next += M[k] * r[k] * r[k]
                b = rz_next / rz
                for k in range(f):
                    p[k] = M[k] * r[k] + b * p[k]
                rz = rz_next
            total = F(0)
            for k in range(f):
                total += x[k]
            if not np.isfinite(total):
                failed[block] = u if failed[block] < 0 else min(failed[block], u)
