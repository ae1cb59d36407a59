"""Decayed transition counts between items, in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import offsets


def transition_counts(
    indptr: np.ndarray,
    items: np.ndarray,
    n_items: int,
    window: int,
    decay: float,
    backward: float,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return T = F + b F' with F_ij = Σ d^(q - p - 1) over places p < q of a history, at most
    ``window`` apart, that hold i and j.

    Parameters
    ----------
    indptr : int64 [n_histories + 1]
    items : int32 [n_events]
        Histories, oldest first.
    n_items : int
    window : int
        From 1.
    decay : float
        d, in (0, 1].
    backward : float
        b, at least 0; with 0 only what comes later is counted.
    n_threads : int
        Unused here.

    Returns
    -------
    indptr : int64 [n_items + 1]
    columns : int32 [entries]
        Ascending within each row.
    counts : float64 [entries]
    """
    dense = np.zeros((n_items, n_items))
    seen = np.zeros((n_items, n_items), bool)
    for u in range(len(indptr) - 1):
        own = items[indptr[u] : indptr[u + 1]]
        for q in range(len(own)):
            for p in range(max(0, q - window), q):
                weight = decay ** (q - p - 1)
                dense[own[p], own[q]] += weight
                seen[own[p], own[q]] = True
                if backward > 0:
                    dense[own[q], own[p]] += backward * weight
                    seen[own[q], own[p]] = True
    starts = offsets(seen.sum(axis=1))
    return starts, np.nonzero(seen)[1].astype(np.int32), dense[seen]
