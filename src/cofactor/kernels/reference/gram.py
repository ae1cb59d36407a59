"""Products X'X of a sparse matrix with itself, and the weights that EASE makes of their inverse;
in plain NumPy.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of


def gram_lower(
    user_indptr: np.ndarray,
    user_indices: np.ndarray,
    user_values: np.ndarray,
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return the lower triangle of G = X'X, with the diagonal.

    Parameters
    ----------
    user_indptr : int64 [n_users + 1]
    user_indices : int32 [entries]
    user_values : float32 [entries]
        X by users, item rows ascending within a user.
    item_indptr : int64 [n_items + 1]
    item_users : int32 [entries]
    item_values : float32 [entries]
        The same X by items, user rows ascending within an item.
    n_threads : int
        Unused here.

    Returns
    -------
    float32 [n_items, n_items]
        G where column <= row, zero above.
    """
    x = _dense(user_indptr, user_indices, user_values, item_indptr.size - 1).astype(np.float64)
    return np.tril(x.T @ x).astype(np.float32)


def mirror_lower(matrix: np.ndarray, n_threads: int) -> None:
    """Copy the triangle below the diagonal of a square matrix onto the one above, in place.

    Parameters
    ----------
    matrix : float32 [n, n]
        What stands above the diagonal is overwritten.
    n_threads : int
        Unused here.
    """
    matrix[:] = np.tril(matrix) + np.tril(matrix, -1).T


def ease_weights(inverse: np.ndarray, n_threads: int) -> None:
    """Turn the lower triangle of P = (G + λI)^-1 into the weights B_ij = -P_ij / P_jj, B_jj = 0, in
    place.

    Parameters
    ----------
    inverse : float32 [n, n]
        P where column <= row; what stands above the diagonal is overwritten.
    n_threads : int
        Unused here.

    Notes
    -----
    Harald Steck. 2019. Embarrassingly Shallow Autoencoders for Sparse Data. WWW, equation 8.
    """
    mirror_lower(inverse, n_threads)
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0.0)


def _dense(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, n_columns: int
) -> np.ndarray:
    rows = owners_of(np.diff(indptr))
    dense = np.zeros((indptr.size - 1, n_columns), np.float32)
    np.add.at(dense, (rows, indices), values)
    return dense
