"""Similarity of sparse rows: cosines between histories, or between features."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.retrieval.topk import TopK, best_scores


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
    asked = Histories(data.indptr, data.item_rows, units, None, data.n_items).take(user_rows)
    scores = scores_from_sparse(
        *asked.csr, indptr, users, units[positions], data.n_users, n_threads
    )
    scores[scores <= 0] = -np.inf
    own = (np.arange(len(user_rows) + 1, dtype=np.int64), np.asarray(user_rows, np.int32))
    return best_scores(scores, k, excluded=own, n_threads=n_threads)
