"""Implicit ALS: the rows of one side by preconditioned conjugate gradient, in the Gram matrix's
eigenbasis.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.memory import aligned_empty
from cofactor.kernels.cpu._ials_rows import F, in_blocks, note_failure
from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.cpu.llvm.cg import (
    curvature,
    first_direction,
    move,
    next_residual,
    product,
    turn,
)
from cofactor.kernels.reference.ials_cg import RowSystems

_LANES = 16
# So many numbers lie between the factors that a step is taken on and those that it asks for: enough
# for memory to answer in time, few enough for the second-level cache to keep them.
_AHEAD = 8_192


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
    A step reads the row's factors once, for four flops per nonzero and factor; the last step needs
    only half of those, since the residual after it isn't needed.

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
    scratch: list[np.ndarray] = []  # what no thread works with

    def solve(begin: int, end: int, failed: np.ndarray) -> None:
        work = scratch.pop() if scratch else aligned_empty((5, whole))
        _solve_cg(*problem, begin, end, failed, work)
        scratch.append(work)

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
def _solve_cg(systems, rows, solved, steps, tolerance, begin, end, failed, work) -> None:
    """Letters: x the solution, r its residual, p the direction, D + Y_u' W Y_u the matrix, M =
    D^-1, q the matrix times p.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    ahead = _AHEAD // fixed.shape[1]
    for at in range(begin, end):
        u = rows[at]
        first, n = indptr[u], indptr[u + 1] - indptr[u]
        if n == 0:
            for k in range(solved.shape[1]):
                solved[u, k] = F(0)
            continue
        # r = Y_u' W 1, the residual at x = 0
        ours = fixed, indices, weights, first, n
        rz = first_direction(*ours, diagonal, ridge[u], work, solved, u)
        enough = max(F(1e-30), tolerance * tolerance * rz)
        soon = min(first + ahead, indices.shape[0] - n)
        for step in range(steps):
            if rz <= enough:
                break
            if step == steps - 1:
                move(rz / curvature(*ours, soon, work), work, solved, u)
                break
            a = rz / product(*ours, soon, work)
            move(a, work, solved, u)
            rz_next = next_residual(a, work)
            turn(rz_next / rz, work)
            rz, soon = rz_next, -1
        note_failure(solved[u], np.bool_(True), u, failed)
