"""The strongest entries of each row: of similarities between items, or of a dense matrix; in
plain NumPy.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.gram import gram_lower, mirror_lower
from cofactor.kernels.reference.topk import topk_scores


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
    """Return each item's most similar items, s_ij = d_ij / (p_i q_j + a_i + b_j + w d_ij) with d =
    X'X.

    Only pairs with d_ij > 0 and a finite s_ij > 0 are neighbours, an item is never its own. Where
    two are equally similar, the lower row is kept. They come in ascending order of their rows,
    ready for CSR.

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
    d = gram_lower(
        user_indptr, user_indices, user_values, item_indptr, item_users, item_values, n_threads
    )
    mirror_lower(d, n_threads)
    below = (
        np.outer(left, right)
        + left_add[:, None]
        + right_add[None, :]
        + np.float32(product_weight) * d
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        similarity = (d / below).astype(np.float32)
    similarity[~((d > 0) & (similarity > 0) & (similarity < np.inf))] = -np.inf
    np.fill_diagonal(similarity, -np.inf)
    return _best_by_row(similarity, neighbours)


def strongest(
    matrix: np.ndarray, keep: int, n_threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries of each row that are largest in magnitude, the diagonal and zeros left
    out.

    Parameters
    ----------
    matrix : float32 [n, n]
        Finite.
    keep : int
        How many are kept of each row, at least 1. Where two are equally large, the lower column is
        kept.
    n_threads : int
        Unused here.

    Returns
    -------
    columns : int32 [n, keep]
        Ascending; -1 where a row has no more.
    values : float32 [n, keep]
        The entries themselves, with their signs; NaN where a row has no more.
    count : int32 [n]
    """
    size = np.where(matrix == 0, -np.inf, np.abs(matrix)).astype(np.float32)
    np.fill_diagonal(size, -np.inf)
    columns, _, count = _best_by_row(size, keep)
    values = np.take_along_axis(matrix, np.maximum(columns, 0).astype(np.int64), axis=1)
    return columns, np.where(columns < 0, np.float32(np.nan), values), count


def _best_by_row(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k best of each row, in ascending order of their columns."""
    n = scores.shape[1]
    none = np.zeros(scores.shape[0] + 1, np.int64)
    columns, best, count = topk_scores(
        scores, k, none, np.zeros(0, np.int32), np.ones(n, np.uint8), 1
    )
    order = np.argsort(np.where(columns < 0, n, columns), axis=1, kind="stable")
    return (
        np.take_along_axis(columns, order, axis=1),
        np.take_along_axis(best, order, axis=1),
        count,
    )
