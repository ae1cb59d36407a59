"""A truncated singular value decomposition of a sparse matrix, by random projection."""

from __future__ import annotations

import numpy as np

from cofactor.models.implicit.linear import BothOrders

OVERSAMPLED = 32  # directions beyond those asked for: the last ones converge the slowest
# of the largest pivot: below it, products of float32 don't give an orthonormal basis
WELL_APART = 1 / 64
NEGLIGIBLE = 1e-3  # of the largest singular value: below it, float32 can't tell a direction


def item_vectors(
    orders: BothOrders,
    n_vectors: int,
    iterations: int,
    generator: np.random.Generator,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest singular values and right singular vectors of a users × items matrix.

    Parameters
    ----------
    orders
        The matrix by user and by item.
    n_vectors
        How many are wanted; fewer come back where the rank is lower.
    iterations
        Power iterations of A A', each orthonormalised.
    generator
        Draws the starting directions.
    n_threads
        Threads of the sparse products; BLAS has its own.

    Returns
    -------
    values : float64 [k], descending
    vectors : float32 [n_items, k]

    References
    ----------
    N. Halko, P. G. Martinsson, J. A. Tropp, "Finding Structure with Randomness", SIAM Review 53(2),
    2011, algorithms 4.4 and 5.1.
    """
    from cofactor.kernels.cpu.history import scores_from_dense

    user_indptr, item_rows, by_user, item_indptr, user_rows, by_item = orders
    n_users, n_items = user_indptr.size - 1, item_indptr.size - 1
    width = min(n_vectors + OVERSAMPLED, n_users, n_items)
    if n_vectors == 0:
        return np.zeros(0), np.zeros((n_items, 0), np.float32)
    basis = generator.standard_normal((n_users, width), np.float32)
    for _ in range(iterations):
        items = scores_from_dense(item_indptr, user_rows, by_item, basis, n_threads)
        basis = _orthonormal(scores_from_dense(user_indptr, item_rows, by_user, items, n_threads))
    items = scores_from_dense(item_indptr, user_rows, by_item, basis, n_threads)
    squares, turned = np.linalg.eigh((items.T @ items).astype(np.float64))
    order = np.argsort(-squares)[:n_vectors]
    values = np.sqrt(np.maximum(squares[order], 0))
    kept = values > NEGLIGIBLE * values[0]
    values = values[kept]
    return values, items @ (turned[:, order[kept]] / values).astype(np.float32)


def _orthonormal(columns: np.ndarray) -> np.ndarray:
    """An orthonormal basis of the space of some columns, float32, C-contiguous.

    By the Cholesky factor of their products, which is two fast products; by Householder reflections
    where the columns are too much alike for that.
    """
    from scipy.linalg import LinAlgError, cholesky, qr, solve_triangular

    try:
        upper = cholesky((columns.T @ columns).astype(np.float64), check_finite=False)
    except LinAlgError:
        upper = np.zeros((1, 1))
    sizes = np.abs(np.diag(upper))
    if sizes.min() > WELL_APART * sizes.max():
        inverse = solve_triangular(upper, np.eye(len(upper)), check_finite=False)
        return columns @ inverse.astype(np.float32)
    basis = qr(columns, mode="economic", overwrite_a=True, check_finite=False)[0]
    return np.ascontiguousarray(basis, np.float32)
