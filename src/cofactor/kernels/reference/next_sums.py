"""Sums of decayed histories over what came next, in plain NumPy."""

from __future__ import annotations

import itertools

import numpy as np


def next_sums(
    indptr: np.ndarray,
    items: np.ndarray,
    weights: np.ndarray,
    decay: float,
    sums: np.ndarray,
) -> None:
    """Add to A'_ji = Σ c_u x_ti [e_(t+1) = j], where x_t = w x_(t-1) + e_t over a history's events.

    Parameters
    ----------
    indptr : int64 [n_histories + 1]
    items : int32 [n_events]
        Histories, oldest first.
    weights : float64 [n_histories]
        c, of each history.
    decay : float
        w, in (0, 1).
    sums : float32 [n_items, n_items]
        A', added to in place: a row for each next item.
    """
    for u in range(len(indptr) - 1):
        state = np.zeros(sums.shape[1])
        own = items[indptr[u] : indptr[u + 1]]
        for now, after in itertools.pairwise(own):
            state *= decay
            state[now] += 1.0
            sums[after] += weights[u] * state
