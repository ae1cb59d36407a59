"""Implicit ALS: a half-epoch, in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.kernels.reference.ials_cg import RowSystems, solve_cg
from cofactor.kernels.reference.ials_direct import solve_direct
from cofactor.kernels.reference.ials_subspace import solve_subspace

GIANT_ROW = 32_768
GIANT_SHARE = 1 / 16


def row_ridge(
    indptr: np.ndarray,
    n_other: int,
    unobserved_weight: float,
    regularization: float,
    frequency_exponent: float,
) -> np.ndarray:
    """Return each row's L2 weight, regularization * (n_u + unobserved_weight * n_other) **
    frequency_exponent.

    Parameters
    ----------
    indptr
        Row offsets of the interactions, int64 [n_rows + 1]; n_u counts the row's entries, whatever
        their weights.
    n_other
        How many rows the other side has.
    unobserved_weight
        The weight of each pair as unobserved, from 0.
    regularization
        From 0.
    frequency_exponent
        1 weighs a row by how much data it takes part in; 0 is plain L2.

    Returns
    -------
    float32 [n_rows].

    References
    ----------
    Rendle, Krichene, Zhang and Koren. 2022. Revisiting the Performance of iALS on Item
    Recommendation Benchmarks. RecSys, equation 7.
    """
    out = np.empty(len(indptr) - 1, np.float32)
    for u in range(len(out)):
        pairs = indptr[u + 1] - indptr[u] + unobserved_weight * n_other
        out[u] = regularization * pairs**frequency_exponent
    return out


def weighted_squares(
    vectors: np.ndarray, weights: np.ndarray, ridge: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return sum_n w_n v_nk^2 of each column k, and sum_n ridge_n |v_n|^2.

    Parameters
    ----------
    vectors
        float32 [n, f].
    weights, ridge
        w and the L2 weights, float32 [n].

    Returns
    -------
    float64 [f], and a number.
    """
    squares = np.square(vectors, dtype=np.float64)
    return weights.astype(np.float64) @ squares, float(ridge @ squares.sum(1))


def gram_basis(
    fixed: np.ndarray, unobserved_weight: float, shares: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenbasis and the eigenvalues of unobserved_weight * fixed' diag(shares) fixed.

    Parameters
    ----------
    fixed
        Factors, float32 [n_other, f].
    unobserved_weight
        The weight of each pair as unobserved, from 0.
    shares
        How much each row of ``fixed`` weighs, float32 [n_other], above 0; None: 1.

    Returns
    -------
    The basis, float32 [f, f] with one eigenvector per column, and the eigenvalues, float32 [f],
    ascending. Eigenvalues below f float32 roundings of the largest are raised to that, since the
    Gram matrix doesn't know them.

    Raises
    ------
    TrainingError
        If the factors aren't finite.
    """
    wide = fixed.astype(np.float64)
    gram = unobserved_weight * (wide.T @ (wide if shares is None else wide * shares[:, None]))
    if not np.isfinite(gram).all():
        raise TrainingError(
            "implicit ALS: the fixed factors hold NaN or infinity. Raise the regularization or"
            " check the data."
        )
    values, basis = np.linalg.eigh(gram)
    floor = fixed.shape[1] * np.finfo(np.float32).eps * max(values[-1], 0.0)
    return basis.astype(np.float32), np.maximum(values, floor).astype(np.float32)


def rotate(matrix: np.ndarray, basis: np.ndarray) -> None:
    """Multiply each row of a float32 [n, f] by a float32 [f, f], in place."""
    matrix[:] = matrix.astype(np.float64) @ basis.astype(np.float64)


def giant_rows(indptr: np.ndarray) -> np.ndarray:
    """Return the rows, ascending, with more than 32768 interactions and a sixteenth of all:
    those are solved exactly.
    """
    lengths = np.diff(indptr)
    return np.array(
        [u for u, n in enumerate(lengths) if n > GIANT_ROW and n > lengths.sum() * GIANT_SHARE],
        np.int64,
    )


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
    """Solve one side given the other, both in place: each row minimises its share of the objective.

    ::

        sum_{i in I_u} w_ui (1 - x_u . y_i)^2 + unobserved_weight sum_i share_i (x_u . y_i)^2 +
        ridge_u |x_u|^2

    Parameters
    ----------
    indptr, indices, weights
        The solved side's interactions as CSR: int64 [n_rows + 1], int32 [nnz], float32 [nnz] with
        weights from 0.
    fixed
        The other side's factors, float32 [n_other, f]; turned in place into the eigenbasis of their
        Gram matrix.
    solved
        The factors sought, float32 [n_rows, f]; they come back in the same basis. Rows without
        interactions become zero.
    unobserved_weight
        The weight of each pair as unobserved (alpha_0), from 0. Observed pairs carry it too.
    ridge
        Each row's L2 weight, float32 [n_rows], as `row_ridge` gives it.
    solver
        ``"cg"`` (a few steps of conjugate gradient from zero), ``"cholesky"`` (exact), or
        ``"subspace"`` (one Newton step in each block of factors, from what ``solved`` holds).
    steps
        Steps of conjugate gradient; other solvers ignore it.
    block_size
        Factors in a block of the subspace solver, cut to f; other solvers ignore it.
    shares
        How much each row of the other side weighs among the unobserved, float32 [n_other], above 0;
        None: 1.
    tolerance
        Conjugate gradient ends early at a row whose residual is so small a share of the first, from
        0.

    Raises
    ------
    TrainingError
        For the first row whose system is singular or holds NaN, with its number.

    Notes
    -----
    Rows from `giant_rows` are solved exactly whatever the solver, since a whole machine can share
    that work.

    References
    ----------
    Hu, Koren and Volinsky. 2008. Collaborative Filtering for Implicit Feedback Datasets. ICDM,
    equations 3 to 5; Rendle, Krichene, Zhang and Koren. 2022. Revisiting the Performance of iALS on
    Item Recommendation Benchmarks. RecSys.
    """
    basis, diagonal = gram_basis(fixed, unobserved_weight, shares)
    rotate(fixed, basis)
    rotate(solved, basis)
    giants = giant_rows(indptr)
    rows = np.setdiff1d(np.arange(len(indptr) - 1), giants)
    systems = RowSystems(indptr, indices, weights, fixed, diagonal, ridge)
    failed = solve_direct(systems, giants, solved)
    if failed < 0:
        if solver == "cg":
            failed = solve_cg(systems, rows, solved, steps, tolerance)
        elif solver == "cholesky":
            failed = solve_direct(systems, rows, solved)
        else:
            failed = solve_subspace(systems, rows, solved, min(block_size, fixed.shape[1]))
    if failed >= 0:
        raise TrainingError(
            f"implicit ALS: the system of row {failed} ({indptr[failed + 1] - indptr[failed]}"
            " interactions) is singular or holds NaN. Raise the regularization (its weight there"
            f" is {ridge[failed]:.3g}) and check the weights."
        )
