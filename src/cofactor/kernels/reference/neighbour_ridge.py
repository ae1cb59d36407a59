"""Each item regressed on its neighbours alone; in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of


def neighbour_ridge(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    n_users: int,
    rows: np.ndarray,
    count: np.ndarray,
    ridge: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return the weights b that minimise ``|x_j - X_S b|² + Σ_i ridge_i b_i²`` for each item j,
    with S its neighbours.

    Parameters
    ----------
    item_indptr : int64 [n_items + 1]
    item_users : int32 [n]
    item_values : float32 [n]
        X by item.
    n_users : int
    rows : int32 [n_items, k]
        The neighbours of each item, of which the first ``count`` are read; never the item itself.
    count : int32 [n_items]
    ridge : float32 [n_items]
        Above 0.
    n_threads : int
        Unused here.

    Returns
    -------
    float32 [n_items, k]
        NaN where an item has no more neighbours.
    """
    n_items = len(count)
    x = np.zeros((n_users, n_items))
    items = owners_of(np.diff(item_indptr))
    x[item_users, items] = item_values
    weights = np.full(rows.shape, np.nan, np.float32)
    for j in range(n_items):
        some = rows[j, : count[j]]
        system = x[:, some].T @ x[:, some] + np.diag(ridge[some].astype(np.float64))
        weights[j, : count[j]] = np.linalg.solve(system, x[:, some].T @ x[:, j])
    return weights
