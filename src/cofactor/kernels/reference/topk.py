"""The k best items of each user, by definition, in plain NumPy."""

from __future__ import annotations

import numpy as np


def topk_scores(
    scores: np.ndarray,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k best items of every row of a score matrix.

    An item is eligible for row b if it is allowed, isn't among b's excluded items, and its score is
    neither NaN nor -inf. The eligible items are ordered by (-score, item row): equal scores go to
    the lower row. The first min(k, eligible) of them are returned.

    Parameters
    ----------
    scores : float32 [B, n]
        The score of every item; NaN and -inf stand for "can't be recommended".
    k : int
        How many items are wanted, at least 0.
    excluded_indptr : int64 [B + 1]
        Where each row's excluded items begin in ``excluded_indices``.
    excluded_indices : int32 [excluded_indptr[-1]]
        Excluded item rows, ascending within each row; repeats do no harm.
    allowed : bool or uint8 [n]
        Nonzero for the items that may come back at all.
    n_threads : int
        Unused here; the fast implementation divides the rows among so many threads.

    Returns
    -------
    rows : int32 [B, k]
        Item rows, best first; -1 from position ``count[b]`` on.
    best : float32 [B, k]
        Their scores; NaN from position ``count[b]`` on.
    count : int32 [B]
        How many were found.
    """
    n_rows = scores.shape[0]
    rows = np.full((n_rows, k), -1, np.int32)
    best = np.full((n_rows, k), np.nan, np.float32)
    count = np.zeros(n_rows, np.int32)
    for b in range(n_rows):
        eligible = (allowed != 0) & (scores[b] > -np.inf)
        eligible[excluded_indices[excluded_indptr[b] : excluded_indptr[b + 1]]] = False
        items = np.nonzero(eligible)[0]
        items = items[np.argsort(-scores[b, items], kind="stable")][:k]
        count[b] = items.size
        rows[b, : items.size] = items
        best[b, : items.size] = scores[b, items]
    return rows, best, count


def topk_dot(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    item_offsets: np.ndarray,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k items with the largest x_u·y_i + c_i of every user, ordered as by `topk_scores`.

    Parameters
    ----------
    user_vectors : float32 [B, f]
        x_u.
    item_vectors : float32 [n, f]
        y_i.
    item_offsets : float32 [n]
        c_i; zeros when there are none.
    k, excluded_indptr, excluded_indices, allowed, n_threads
        As in `topk_scores`.

    Returns
    -------
    rows : int32 [B, k]
    best : float32 [B, k]
    count : int32 [B]
        As in `topk_scores`.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        scores = (user_vectors @ item_vectors.T + item_offsets).astype(np.float32, copy=False)
    return topk_scores(scores, k, excluded_indptr, excluded_indices, allowed, n_threads)
