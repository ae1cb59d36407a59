"""Sums of decayed histories over what came next, by recurrence: no matrix of prefixes is built."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel

# A state's entry below this is forgotten: it is beyond the precision of the sums.
FORGOTTEN = 1e-7


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
    longest = int(np.diff(indptr).max()) if len(indptr) > 1 else 0
    _next_sums(indptr, items, weights, float(decay), sums, longest)


@kernel(allocates=True)
def _next_sums(indptr, items, weights, decay, sums, longest):
    alive = np.empty(min(longest, sums.shape[1]) + 1, np.int32)
    state = np.empty(alive.size)
    place = np.full(sums.shape[1], -1, np.int32)
    for u in range(indptr.size - 1):
        count = 0
        for at in range(indptr[u], indptr[u + 1] - 1):
            kept = 0
            for n in range(count):
                x = state[n] * decay
                i = alive[n]
                if x < FORGOTTEN:
                    place[i] = -1
                    continue
                alive[kept] = i
                state[kept] = x
                place[i] = kept
                kept += 1
            count = kept
            now = items[at]
            if place[now] < 0:
                place[now] = count
                alive[count] = now
                state[count] = 0.0
                count += 1
            state[place[now]] += 1.0
            row = sums[items[at + 1]]
            c = weights[u]
            for n in range(count):
                row[alive[n]] += c * state[n]
        for n in range(count):
            place[alive[n]] = -1
