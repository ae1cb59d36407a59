"""The mid-rank of one true item among all others, in plain NumPy."""

from __future__ import annotations

import numpy as np


def mid_ranks(
    scores: np.ndarray,
    targets: np.ndarray,
    excluded_indptr: np.ndarray,
    excluded_items: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return r = #{j: s_j > s_t} + ½ #{j ≠ t: s_j = s_t} over the items j that aren't excluded.

    Parameters
    ----------
    scores : float32 [B, n_items]
    targets : int32 [B]
    excluded_indptr : int64 [B + 1]
    excluded_items : int32 [entries]
        Distinct within each line; the line of an excluded target gets infinity.
    n_threads : int
        Unused here.

    Returns
    -------
    float64 [B]
        From 0; a half where the target ties with an odd number of items.
    """
    ranks = np.empty(len(targets))
    for b, target in enumerate(targets):
        out = excluded_items[excluded_indptr[b] : excluded_indptr[b + 1]]
        others = np.ones(scores.shape[1], bool)
        others[out] = False
        if not others[target]:
            ranks[b] = np.inf
            continue
        others[target] = False
        line, own = scores[b, others], scores[b, target]
        ranks[b] = (line > own).sum() + 0.5 * (line == own).sum()
    return ranks
