"""Implicit ALS: a half-epoch.

A half-epoch starts by turning both sides into the basis in which the fixed side's Gram matrix is
diagonal. Scores and norms don't change, and the dense part of each row's system becomes a vector: a
conjugate gradient step costs O(n f) for a row of n interactions instead of O(n f + f^2), the dense
part is its preconditioner, and short rows can be solved by Woodbury's identity."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from cofactor.base.errors import TrainingError
from cofactor.base.memory import aligned_empty
from cofactor.kernels.cpu._ials_rows import F
from cofactor.kernels.cpu.ials_cg import solve_cg
from cofactor.kernels.cpu.ials_direct import solve_direct
from cofactor.kernels.cpu.ials_subspace import solve_subspace
from cofactor.kernels.cpu.jit import kernel, on_threads
from cofactor.kernels.cpu.llvm.ials import TILE_COLUMNS, TILE_ROWS, add_tile, turn_tile
from cofactor.kernels.reference.ials_cg import RowSystems

# A row longer than both is worth all threads: it alone could hold them up (see `giant_rows`).
GIANT_ROW = 32_768
GIANT_SHARE = 1 / 16
DENSE_ROWS = 1024  # rows multiplied at a time, so that the copy stays in the cache
TILED_ROWS = 128  # as many, where two strips of a block of columns are read again and again
DENSE_PARTS = (
    8  # partial Gram matrices, whatever the number of threads, so that their sum is always the same
)


def row_ridge(
    indptr: np.ndarray,
    n_other: int,
    unobserved_weight: float,
    regularization: float,
    frequency_exponent: float,
) -> np.ndarray:
    """Return each row's L2 weight; see the reference."""
    pairs = np.diff(indptr) + unobserved_weight * n_other
    # 0 ** 0 is 1 here too: plain L2 holds for empty rows.
    return (regularization * pairs**frequency_exponent).astype(np.float32)


def gram_basis(
    fixed: np.ndarray, unobserved_weight: float, shares: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenbasis and the eigenvalues of the weighted Gram matrix; see the
    reference implementation.
    """
    if shares is not None:
        fixed = fixed * np.sqrt(shares)[:, None]
    with one_blas_thread():
        parts = np.zeros((DENSE_PARTS, fixed.shape[1], fixed.shape[1]), F)
        on_threads(lambda part: _gram(fixed, *_share(fixed, part), parts[part]), DENSE_PARTS)
    return eigenbasis(parts, unobserved_weight)


def gram_part(block: np.ndarray, shares: np.ndarray | None) -> np.ndarray:
    """Return the Gram matrix of one of the `DENSE_PARTS` blocks of a side's rows, float32 [f, f],
    of which only what is on the diagonal and above it counts.
    """
    if shares is not None:
        block = block * np.sqrt(shares)[:, None]
    total = np.zeros((block.shape[1],) * 2, F)
    with one_blas_thread():
        _gram(block, 0, len(block), total)
    return total


def eigenbasis(parts: np.ndarray, unobserved_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenbasis and the eigenvalues of the weighted sum of Gram matrices
    [`DENSE_PARTS`, f, f].
    """
    with one_blas_thread():
        gram = np.triu(unobserved_weight * parts.sum(axis=0, dtype=np.float64))
        if not np.isfinite(gram).all():
            raise TrainingError(
                "implicit ALS: the fixed factors hold NaN or infinity. Raise the regularization or"
                " check the data."
            )
        values, basis = np.linalg.eigh(gram, UPLO="U")
    # Below the rounding of a float32 Gram matrix an eigenvalue means nothing, and it may have come
    # out negative.
    floor = len(values) * np.finfo(np.float32).eps * max(values[-1], 0.0)
    return basis.astype(np.float32), np.maximum(values, floor).astype(np.float32)


def _gram(matrix: np.ndarray, first: int, end: int, total: np.ndarray) -> None:
    (_gram_part if matrix.shape[1] % TILE_COLUMNS else _gram_tiles)(matrix, first, end, total)


def rotate_into(block: np.ndarray, basis: np.ndarray, found: np.ndarray) -> None:
    """Write each row of a block times the basis into ``found``, on one thread."""
    with one_blas_thread():
        _rotate(block, 0, len(block), basis, found)


def rotate(matrix: np.ndarray, basis: np.ndarray) -> None:
    """Multiply each row by the basis, in place."""
    with one_blas_thread():
        on_threads(lambda part: _rotate(matrix, *_share(matrix, part), basis, matrix), DENSE_PARTS)


def _rotate(matrix: np.ndarray, first: int, end: int, basis: np.ndarray, found: np.ndarray) -> None:
    """Write some rows times the basis into the same rows of ``found``, which may be ``matrix``."""
    f = len(basis)
    if f % TILE_COLUMNS:
        _rotate_rows(matrix, first, end, basis, found, np.empty((DENSE_ROWS, f), F))
        return
    panels = aligned_empty((f // TILE_COLUMNS, f, TILE_COLUMNS))
    panels[...] = basis.reshape(f, -1, TILE_COLUMNS).swapaxes(0, 1)
    # Few rows at a time, so that memory keeps up; more, where the basis doesn't stay in the cache.
    turned = aligned_empty((TILE_ROWS * max(1, f // 64), f))
    _rotate_tiles(matrix, first, end, panels, found, turned)


def _share(matrix: np.ndarray, part: int) -> tuple[int, int]:
    """The first row of a part, and the row behind its last."""
    n = matrix.shape[0]
    return part * n // DENSE_PARTS, (part + 1) * n // DENSE_PARTS


@cache
def _controller() -> ThreadpoolController:
    # Finding the BLAS libraries takes milliseconds, setting their threads microseconds. Numba
    # multiplies with SciPy's BLAS, not NumPy's; it must be loaded to be found.
    import scipy.linalg.cython_blas  # noqa: F401

    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[object]:
    """A context for products inside our own threads, and for small matrices, which BLAS threads
    only hold up.
    """
    return _controller().limit(limits=1, user_api="blas")


@kernel(allocates=True)
def _gram_part(matrix, first, end, total) -> None:
    """total += the Gram matrix of some rows."""
    f = matrix.shape[1]
    product = np.empty((f, f), F)
    for start in range(first, end, DENSE_ROWS):
        rows = matrix[start : min(start + DENSE_ROWS, end)]
        np.dot(rows.T, rows, product)
        # Loops, here and below: NumPy's own writing of it takes Numba seconds to compile.
        for i in range(f):
            for j in range(f):
                total[i, j] += product[i, j]


@kernel(allocates=True)
def _rotate_rows(matrix, first, end, basis, found, turned) -> None:
    for start in range(first, end, turned.shape[0]):
        rows = matrix[start : min(start + turned.shape[0], end)]
        np.dot(rows, basis, turned[: rows.shape[0]])
        for i in range(rows.shape[0]):
            for j in range(rows.shape[1]):
                found[start + i, j] = turned[i, j]


@kernel
def _rotate_tiles(matrix, first, end, panels, found, turned) -> None:
    """As `_rotate_rows`, faster than BLAS where the basis is small; a row's bits don't depend on
    the others.
    """
    for start in range(first, end, turned.shape[0]):
        stop = min(start + turned.shape[0], end)
        for panel in range(panels.shape[0]):
            for row in range(start, stop, TILE_ROWS):
                turn_tile(matrix, row, stop - 1, panels, panel, turned, row - start)
        for row in range(start, stop):
            for k in range(matrix.shape[1]):
                found[row, k] = turned[row - start, k]


@kernel
def _gram_tiles(matrix, first, end, total) -> None:
    """As `_gram_part`, of what is on the diagonal and above it: half of what BLAS would do."""
    for start in range(first, end, TILED_ROWS):
        stop = min(start + TILED_ROWS, end)
        for i in range(0, matrix.shape[1], TILE_ROWS):
            for j in range(i // TILE_COLUMNS * TILE_COLUMNS, matrix.shape[1], TILE_COLUMNS):
                add_tile(matrix, start, stop, i, j, total)


def weighted_squares(
    vectors: np.ndarray, weights: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return the columns' weighted sums of squares and the rows' penalty; see the reference."""
    sums = np.zeros((DENSE_PARTS, 2, vectors.shape[1]))

    def part(number: int) -> None:
        _weighted_squares(vectors, weights, ridge, *_share(vectors, number), sums[number])

    on_threads(part, DENSE_PARTS)
    columns, penalties = sums.sum(0)
    return columns, float(penalties.sum())


@kernel(allocates=True)
def _weighted_squares(vectors, weights, ridge, first, end, sums) -> None:
    """sums += those of some rows: of few at a time in float32, which vectorises best."""
    f = vectors.shape[1]
    some = np.zeros((2, f), F)
    for start in range(first, end, DENSE_ROWS):
        for i in range(start, min(start + DENSE_ROWS, end)):
            for k in range(f):
                square = vectors[i, k] * vectors[i, k]
                some[0, k] += weights[i] * square
                some[1, k] += ridge[i] * square
        for k in range(f):
            sums[0, k] += some[0, k]
            sums[1, k] += some[1, k]
            some[0, k] = some[1, k] = F(0)


def giant_rows(indptr: np.ndarray) -> np.ndarray:
    """Return the rows, ascending, that hold so much of the data that one thread shouldn't have
    them alone.
    """
    lengths = np.diff(indptr)
    return np.flatnonzero(lengths > max(GIANT_ROW, lengths.sum() * GIANT_SHARE))


def solve_giant(
    systems: RowSystems,
    rows: np.ndarray,
    solved: np.ndarray,
) -> int:
    """Solve some rows exactly, one after another, each on all BLAS threads; see the
    reference implementation.
    """
    indptr, indices, weights, fixed, diagonal, ridge = systems
    for u in rows:
        matrix = np.diag(diagonal.astype(np.float64) + ridge[u])
        right = np.zeros(fixed.shape[1])
        for start in range(indptr[u], indptr[u + 1], GIANT_ROW):
            part = slice(start, min(start + GIANT_ROW, indptr[u + 1]))
            root = np.sqrt(weights[part])
            scaled = fixed[indices[part]] * root[:, None]
            matrix += scaled.T @ scaled
            right += scaled.T @ root
        try:
            solved[u] = np.linalg.solve(matrix, right)
        except np.linalg.LinAlgError:
            return int(u)
        if not np.isfinite(solved[u]).all():
            return int(u)
    return -1


def half_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    weights: np.ndarray,
    fixed: np.ndarray,
    solved: np.ndarray,
    unobserved_weight: float,
    ridge: np.ndarray,
    solver: str = "cg",
    steps: int = 3,
    block_size: int = 16,
    shares: np.ndarray | None = None,
    tolerance: float = 0.0,
) -> None:
    """Solve one side given the other, both in place; see the reference for the parameters."""
    basis, diagonal = gram_basis(fixed, unobserved_weight, shares)
    rotate(fixed, basis)
    if solver == "subspace":
        rotate(solved, basis)  # the other solvers don't look at what was there
    systems = RowSystems(indptr, indices, weights, fixed, diagonal, ridge)
    solve_rows(systems, solved, giant_rows(indptr), Solver(solver, steps, block_size, tolerance))


class Solver(NamedTuple):
    """How rows are solved; see the reference for the parameters."""

    name: str = "cg"
    steps: int = 3
    block_size: int = 16
    tolerance: float = 0.0


def solve_rows(
    systems: RowSystems, solved: np.ndarray, giants: np.ndarray, solver: Solver, first: int = 0
) -> None:
    """Solve all rows, in place.

    Parameters
    ----------
    systems
        The systems.
    solved
        float32 [rows, f].
    giants
        Those of the rows that are solved one by one (`giant_rows` of the whole side).
    solver
        How the others are.
    first
        Which row of the side the first one is, for errors.

    Raises
    ------
    TrainingError
        If a system is singular.
    """
    rows = np.setdiff1d(np.arange(len(solved)), giants, assume_unique=True)
    failed = solve_giant(systems, giants, solved)
    if failed < 0:
        if solver.name == "cg":
            failed = solve_cg(systems, rows, solved, solver.steps, solver.tolerance)
        elif solver.name == "cholesky":
            failed = solve_direct(systems, rows, solved)
        else:
            size = min(solver.block_size, solved.shape[1])
            failed = solve_subspace(systems, rows, solved, size)
    if failed >= 0:
        count = systems.indptr[failed + 1] - systems.indptr[failed]
        raise TrainingError(
            f"implicit ALS: the system of row {first + failed} ({count} interactions) is singular"
            " or holds NaN. Raise the regularization (its weight there is"
            f" {systems.ridge[failed]:.3g}) and check the weights."
        )
