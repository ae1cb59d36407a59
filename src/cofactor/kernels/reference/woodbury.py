"""The inverse of X'X + Λ by way of the users; in plain NumPy, from the definition."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of
from cofactor.kernels.reference.gram import ease_weights
from cofactor.kernels.reference.neighbours import _best_by_row


def inverse_lower(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    between_users: np.ndarray,
    scale: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return the lower triangle of P = (X'X + Λ)^-1 = Λ^-½ (I - X~' K X~) Λ^-½ with X~ = X Λ^-½.

    Parameters
    ----------
    item_indptr : int64 [n_items + 1]
    item_users : int32 [entries]
    item_values : float32 [entries]
        X~ by items: x_ui s_i.
    between_users : float32 [n_users, n_users]
        K = (I + X~ X~')^-1.
    scale : float32 [n_items]
        s_i = λ_i^-½.
    n_threads : int
        Unused here.

    Returns
    -------
    float32 [n_items, n_items]
        P where column <= row, zero above.
    """
    n_items = item_indptr.size - 1
    x = np.zeros((between_users.shape[0], n_items))
    np.add.at(x, (item_users, owners_of(np.diff(item_indptr))), item_values)
    p = (np.eye(n_items) - x.T @ between_users.astype(np.float64) @ x) * np.outer(scale, scale)
    return np.tril(p).astype(np.float32)


def strongest_weights(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    between_users: np.ndarray,
    scale: np.ndarray,
    keep: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest EASE weights B_ij = -P_ij / P_jj of each column j.

    Parameters
    ----------
    item_indptr, item_users, item_values, between_users, scale, n_threads
        As in `inverse_lower`.
    keep : int
        How many are kept of each column, at least 1; the largest in magnitude, of equal ones the
        lower i.

    Returns
    -------
    rows : int32 [n_items, keep]
        For each j the i of its weights, ascending; -1 where there are no more.
    weights : float32 [n_items, keep]
        NaN where there are no more.
    count : int32 [n_items]
    """
    b = inverse_lower(item_indptr, item_users, item_values, between_users, scale, n_threads)
    ease_weights(b, n_threads)
    size = np.where(b.T == 0, -np.inf, np.abs(b.T)).astype(np.float32)
    rows, _, count = _best_by_row(size, keep)
    weights = np.take_along_axis(b.T, np.maximum(rows, 0).astype(np.int64), axis=1)
    return rows, np.where(rows < 0, np.float32(np.nan), weights), count
