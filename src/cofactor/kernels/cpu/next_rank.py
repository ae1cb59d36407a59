"""The mid-rank of one true item among all others: one pass over each line of scores."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel, on_parts


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
        Among how many threads the lines are divided.

    Returns
    -------
    float64 [B]
        From 0; a half where the target ties with an odd number of items.
    """
    ranks = np.empty(len(targets))
    on_parts(
        lambda low, high: _ranks(
            low, high, scores, targets, excluded_indptr, excluded_items, ranks
        ),
        len(targets),
        n_threads,
    )
    return ranks


@kernel
def _ranks(low, high, scores, targets, indptr, excluded, ranks):
    for b in range(low, high):
        line = scores[b]
        target = targets[b]
        own = line[target]
        above = 0
        equal = 0
        for j in range(line.size):
            above += line[j] > own
            equal += line[j] == own
        equal -= 1
        out = False
        for at in range(indptr[b], indptr[b + 1]):
            j = excluded[at]
            out |= j == target
            above -= line[j] > own
            equal -= line[j] == own
        ranks[b] = np.inf if out else above + 0.5 * equal
