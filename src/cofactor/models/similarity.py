"""Similarity of sparse rows: cosines between histories, or between features."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.retrieval.topk import TopK, best_others


def root_rows(indptr: np.ndarray, columns: np.ndarray, n_columns: int) -> Any:
    """Return rows in CSR as a SciPy matrix of ``n^-1/2`` for each of a row's n entries, float32."""
    counts = np.diff(indptr)
    shares = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
    return sparse_rows(indptr, columns, n_columns, shares)


def root_sums(indptr: np.ndarray, item_rows: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return ``|N(u)|^-1/2`` times the sum of the vectors of each history's items, float32
    [B, width].
    """
    return np.asarray(root_rows(indptr, item_rows, len(vectors)) @ vectors, np.float32)


def cosines(left: Any, right: Any) -> np.ndarray:
    """Return the cosines between the rows of two sparse matrices, float32 [n_left, n_right];
    zero rows give 0.
    """
    return np.asarray((unit_rows(left) @ unit_rows(right).T).todense(), np.float32)


def unit_rows(matrix: Any) -> Any:
    """Return a sparse matrix with rows of length 1; zero rows stay zero."""
    from scipy import sparse

    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())
    return (sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ matrix).tocsr()


def nearest_users(
    data: Interactions, units: np.ndarray, user_rows: np.ndarray, k: int, n_threads: int
) -> TopK:
    """Return the users whose histories have the largest inner product with each user's.

    Parameters
    ----------
    data
        All histories.
    units
        float32 [n_interactions]: the interactions' weights, each user's of length 1.
    user_rows
        int32 [B]: the users, who aren't among their own answers.
    """
    from cofactor.kernels.cpu.history import scores_from_sparse

    indptr, users, positions = data.by_item
    histories = Histories(data.indptr, data.item_rows, units, None, data.n_items).take(user_rows)
    scores = scores_from_sparse(
        *histories.csr, indptr, users, units[positions], data.n_users, n_threads
    )
    return best_others(scores, user_rows, k, n_threads=n_threads)
