"""Implicit ALS: the rows of one side by preconditioned conjugate gradient, in the Gram matrix's
eigenbasis.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.memory import aligned_empty
from cofactor.kernels.cpu._ials_rows import F, in_blocks, note_failure
from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.cpu.llvm.cg import (
    P,
    first_direction,
    move,
    next_residual,
    norm_by_diagonal,
    turn,
    weighted_dots,
)
from cofactor.kernels.reference.ials_cg import RowSystems

_LANES = 16


def solve_cg(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
    steps: int,
    tolerance: float = 0.0,
) -> int:
    """Solve some rows by a few steps of conjugate gradient from zero; see the reference for
    the parameters.

    Notes
    -----
    A step costs two passes over the row's factors (four flops per nonzero and factor); the last
    step needs only the first of them, since the residual after it isn't needed.

    The vector code takes 16 factors at a time; other numbers of them are filled up with columns of
    zeros, which stay zero."""
    counts = np.diff(systems.indptr)[rows]
    f = systems.fixed.shape[1]
    whole = -(-f // _LANES) * _LANES
    into = solved
    if whole > f:
        fixed, into = _widened(systems.fixed, whole), np.zeros((len(solved), whole), F)
        diagonal = _widened(systems.diagonal[None], whole)[0]
        diagonal[f:] = F(1)  # nothing is divided by zero, whatever the ridge
        systems = systems._replace(fixed=fixed, diagonal=diagonal)
    problem = (systems, rows, into, steps, F(tolerance))
    longest = int(counts.max(initial=0))

    def solve(begin: int, end: int, failed: np.ndarray) -> None:
        scratch = np.empty(longest + 3, F), aligned_empty((5, whole))
        _solve_cg(*problem, begin, end, failed, *scratch)

    first_failed = in_blocks(counts + 8, solve)
    if whole > f:
        solved[rows] = into[rows, :f]
    return first_failed


def _widened(matrix: np.ndarray, columns: int) -> np.ndarray:
    """A copy with columns of zeros behind its own."""
    wide = np.zeros((len(matrix), columns), F)
    wide[:, : matrix.shape[1]] = matrix
    return wide


@kernel
def _solve_cg(systems, rows, solved, steps, tolerance, begin, end, failed, s, work) -> None:
    """Letters: x the solution, r its residual, p the direction, D + Y_u' W Y_u the matrix, M =
    D^-1, z = M r, s = W Y_u p.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    for at in range(begin, end):
        u = rows[at]
        first, n = indptr[u], indptr[u + 1] - indptr[u]
        x, index, w = solved[u], indices[first : first + n], weights[first : first + n]
        for k in range(x.shape[0]):
            x[k] = F(0)
        if n == 0:
            continue
        # r = Y_u' W 1, the residual at x = 0
        rz = first_direction(fixed, index, n, w, diagonal, ridge[u], work)
        enough = max(F(1e-30), tolerance * tolerance * rz)
        for step in range(steps):
            if rz <= enough:
                break
            # p' (D + Y_u' W Y_u) p
            q = norm_by_diagonal(work) + weighted_dots(fixed, index, n, w, work[P], s)
            a = rz / q
            move(a, work, x)
            if step == steps - 1:
                break
            rz_next = next_residual(fixed, index, n, s, a, work)
            turn(rz_next / rz, work)
            rz = rz_next
        note_failure(x, True, u, failed)
