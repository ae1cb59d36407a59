"""Implicit ALS: the rows of one side solved exactly, each by the smaller of its two systems."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu._ials_rows import (
    F,
    accumulate,
    accumulate_part,
    dots,
    in_blocks,
    note_failure,
    solve_upper,
)
from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.reference.ials_cg import RowSystems

CHUNK = 64  # rows gathered at a time for the f x f system


def solve_direct(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
) -> int:
    """Solve some rows exactly by Cholesky factorisation; see the reference for the parameters.

    Notes
    -----
    A row with n < f interactions is solved by Woodbury's identity in n unknowns, a longer one in f
    unknowns: (D + Z'Z)^-1 Z'c = D^-1/2 S' (I + S S')^-1 c with S = Z D^-1/2. That needs D well away
    from zero; where its smallest entry is below 1e-5 of the largest, the f x f system is taken
    instead.
    """
    n, f = np.diff(systems.indptr)[rows].astype(np.float64), float(systems.fixed.shape[1])
    short = np.minimum(n, f)
    costs = n * short * np.where(n < f, n, f) / f + n * f + short**3 / 6 + 8 * f
    return in_blocks(costs, lambda *block: _solve_direct(systems, rows, solved, *block))


@kernel(allocates=True)
def _solve_direct(systems, rows, solved, begin, end, failed) -> None:
    """Letters: D the diagonal plus ridge, Z = W^1/2 Y_u, S = Z D^-1/2, c = W^1/2 1, x the
    solution.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    f = fixed.shape[1]
    size = max(f, CHUNK)
    A, S = np.empty((f, f), F), np.empty((size, f), F)
    columns = np.empty((f, CHUNK), F)
    c, s, h = np.empty(f, F), np.empty(size, F), np.empty(f, F)
    count_up = np.arange(size).astype(np.int32)
    for at in range(begin, end):
        u = rows[at]
        base, n = indptr[u], indptr[u + 1] - indptr[u]
        x = solved[u]
        low, high = F(np.inf), F(0)
        for k in range(f):
            x[k] = F(0)
            h[k] = diagonal[k] + ridge[u]
            low, high = min(low, h[k]), max(high, h[k])
        if n == 0:
            continue
        if n < f and low > F(1e-5) * high:
            for k in range(f):
                h[k] = F(1) / np.sqrt(h[k])
            for t in range(n):
                y, z = fixed[indices[base + t]], S[t]
                c[t] = np.sqrt(weights[base + t])
                for k in range(f):
                    z[k] = c[t] * h[k] * y[k]
            for i in range(n):
                dots(S, count_up[i:], n - i, S[i], A[i][i:])
                A[i, i] += F(1)
            good = solve_upper(A, n, c, count_up, s)
            accumulate(S, count_up, n, c, x)
            for k in range(f):
                x[k] *= h[k]
        else:
            for i in range(f):
                for k in range(i, f):
                    A[i, k] = F(0)
                A[i, i] = h[i]
            for start in range(0, n, CHUNK):
                m = min(CHUNK, n - start)
                for t in range(m):
                    y, z = fixed[indices[base + start + t]], S[t]
                    w = weights[base + start + t]
                    for k in range(f):
                        z[k] = y[k]
                        columns[k, t] = w * y[k]
                        x[k] += w * y[k]
                for i in range(f):
                    accumulate_part(S, count_up, m, columns[i], A[i], i, f)
            good = solve_upper(A, f, x, count_up, s)
        note_failure(x, good, u, failed)
