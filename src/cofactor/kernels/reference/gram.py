"""Products X'X of a sparse matrix with itself, and what linear item models make of them; in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.topk import topk_scores


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
    """Turn the lower triangle of P = (G + λI)^-1 into the weights B_ij = -P_ij / P_jj, B_jj = 0, in place.

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


def top_neighbours(
    user_indptr: np.ndarray,
    user_indices: np.ndarray,
    user_values: np.ndarray,
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    left_add: np.ndarray,
    right_add: np.ndarray,
    product_weight: float,
    neighbours: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each item's most similar items, s_ij = d_ij / (p_i q_j + a_i + b_j + w d_ij) with d = X'X.

    Only pairs with d_ij > 0 and s_ij > 0 are neighbours, an item is never its own. They come by descending similarity,
    equal ones by the lower row.

    Parameters
    ----------
    user_indptr, user_indices, user_values, item_indptr, item_users, item_values
        X in both orders, as in `gram_lower`.
    left, right : float32 [n_items]
        p and q: the norms, for cosine.
    left_add, right_add : float32 [n_items]
        a and b: the shrinkage in one of them; squared norms, for Jaccard and Tversky.
    product_weight : float
        w: -1 for Jaccard, zero for cosine.
    neighbours : int
        How many are kept of each item, at least 1.
    n_threads : int
        Unused here.

    Returns
    -------
    rows : int32 [n_items, neighbours]
        -1 where an item has no more.
    similarity : float32 [n_items, neighbours]
        NaN where an item has no more.
    count : int32 [n_items]
    """
    n_items = item_indptr.size - 1
    d = gram_lower(user_indptr, user_indices, user_values, item_indptr, item_users, item_values, n_threads)
    mirror_lower(d, n_threads)
    below = np.outer(left, right) + left_add[:, None] + right_add[None, :] + np.float32(product_weight) * d
    with np.errstate(divide="ignore", invalid="ignore"):
        similarity = (d / below).astype(np.float32)
    similarity[~((d > 0) & (similarity > 0))] = -np.inf
    np.fill_diagonal(similarity, -np.inf)
    none = np.zeros(n_items + 1, np.int64)
    return topk_scores(
        similarity, neighbours, none, np.zeros(0, np.int32), np.ones(n_items, np.uint8), n_threads
    )


def _dense(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, n_columns: int) -> np.ndarray:
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    dense = np.zeros((indptr.size - 1, n_columns), np.float32)
    np.add.at(dense, (rows, indices), values)
    return dense
