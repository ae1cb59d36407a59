"""Scores of a linear item model: histories times weights, in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of


def scores_from_dense(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, weights: np.ndarray, n_threads: int
) -> np.ndarray:
    """Return S = X B for sparse histories X and dense weights B: s_uj = Σ_i x_ui b_ij.

    Parameters
    ----------
    indptr : int64 [n_users + 1]
    indices : int32 [entries]
    values : float32 [entries]
        The histories X.
    weights : float32 [n_items, n_columns]
        B.
    n_threads : int
        Unused here.

    Returns
    -------
    float32 [n_users, n_columns]
    """
    scores = np.zeros((indptr.size - 1, weights.shape[1]), np.float32)
    for u in range(indptr.size - 1):
        for entry in range(indptr[u], indptr[u + 1]):
            scores[u] += values[entry] * weights[indices[entry]]
    return scores


def scores_from_sparse(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    weight_indptr: np.ndarray,
    weight_indices: np.ndarray,
    weights: np.ndarray,
    n_columns: int,
    n_threads: int,
) -> np.ndarray:
    """Return S = X B for sparse histories X and sparse weights B, as a dense matrix.

    Parameters
    ----------
    indptr, indices, values
        The histories X, as in `scores_from_dense`.
    weight_indptr : int64 [n_items + 1]
    weight_indices : int32 [weights]
    weights : float32 [weights]
        B by its rows, the items of the history.
    n_columns : int
        The number of columns of B.
    n_threads : int
        Unused here.

    Returns
    -------
    float32 [n_users, n_columns]
    """
    dense = np.zeros((weight_indptr.size - 1, n_columns), np.float32)
    rows = owners_of(np.diff(weight_indptr))
    dense[rows, weight_indices] = weights
    return scores_from_dense(indptr, indices, values, dense, n_threads)
