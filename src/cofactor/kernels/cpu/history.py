"""Scores of a linear item model: sparse histories times its weights, dense or sparse."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel, shared

# of the weights at a time: a row's part is 2 KiB, and the parts of the popular items stay in the
# cache
COLUMNS = 512


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
        B, C-contiguous.
    n_threads : int
        Among how many threads the columns are divided; the result doesn't depend on it.

    Returns
    -------
    float32 [n_users, n_columns]
    """
    scores = np.zeros((indptr.size - 1, weights.shape[1]), np.float32)
    shared(_add_dense, n_threads, indptr, indices, values, weights, scores)
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
        Among how many threads the histories are divided; the result doesn't depend on it.

    Returns
    -------
    float32 [n_users, n_columns]
    """
    scores = np.zeros((indptr.size - 1, n_columns), np.float32)
    shared(
        _add_sparse,
        n_threads,
        indptr,
        indices,
        values,
        weight_indptr,
        weight_indices,
        weights,
        scores,
    )
    return scores


@kernel
def _add_dense(thread, n_threads, indptr, indices, values, weights, scores):
    n_users, n_columns = scores.shape
    n_tiles = (n_columns + COLUMNS - 1) // COLUMNS
    for tile in range(thread, n_tiles, n_threads):
        first = tile * COLUMNS
        last = min(first + COLUMNS, n_columns)
        for u in range(n_users):
            row = scores[u, first:last]
            for entry in range(indptr[u], indptr[u + 1]):
                x = values[entry]
                part = weights[indices[entry], first:last]
                for j in range(row.shape[0]):
                    row[j] += x * part[j]


@kernel
def _add_sparse(
    thread, n_threads, indptr, indices, values, weight_indptr, weight_indices, weights, scores
):
    for u in range(thread, scores.shape[0], n_threads):
        row = scores[u]
        for entry in range(indptr[u], indptr[u + 1]):
            x = values[entry]
            i = indices[entry]
            for at in range(weight_indptr[i], weight_indptr[i + 1]):
                row[weight_indices[at]] += x * weights[at]
