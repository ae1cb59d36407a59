"""Decayed transition counts between items, one item's row at a time in a dense row per thread."""

from __future__ import annotations

import numpy as np

from cofactor.base import memory
from cofactor.kernels.cpu.jit import kernel, on_parts
from cofactor.kernels.cpu.sorting import sort_integers

# A column and a count of each, and what a model makes of them.
_PAIR_BYTES = 40


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
        Among how many threads the items are divided; the result doesn't depend on it.

    Returns
    -------
    indptr : int64 [n_items + 1]
    columns : int32 [entries]
        Ascending within each row.
    counts : float64 [entries]

    Raises
    ------
    MemoryLimitError
        If there are more entries than fit; before they are counted.
    """
    starts = np.zeros(n_items + 1, np.int64)
    np.cumsum(np.bincount(items, minlength=n_items), out=starts[1:])
    places = np.argsort(items, kind="stable")
    first = np.repeat(indptr[:-1], np.diff(indptr))
    end = np.repeat(indptr[1:], np.diff(indptr))
    weights = decay ** np.arange(window, dtype=np.float64)
    sequence = (items, first, end, starts, places, weights, float(backward))
    sizes = np.zeros(n_items + 1, np.int64)
    on_parts(lambda low, high: _sizes(low, high, n_items, *sequence, sizes), n_items, n_threads)
    rows = np.cumsum(sizes)
    memory.require(
        _PAIR_BYTES * int(rows[-1]),
        what=f"counting {int(rows[-1]):,} pairs of items at most {window:,} events apart",
        cure="use a smaller window, or leave out the longest histories",
    )
    columns, counts = np.empty(rows[-1], np.int32), np.empty(rows[-1])
    on_parts(
        lambda low, high: _fill(low, high, n_items, *sequence, rows, columns, counts),
        n_items,
        n_threads,
    )
    return rows, columns, counts


@kernel(allocates=True)
def _sizes(low, high, n_items, items, first, end, starts, places, weights, backward, sizes):
    mark = np.full(n_items, -1, np.int32)
    window = weights.size
    for i in range(low, high):
        count = 0
        for at in range(starts[i], starts[i + 1]):
            p = places[at]
            begin = max(first[p], p - window) if backward > 0 else p + 1
            for q in range(begin, min(end[p], p + window + 1)):
                if q != p and mark[items[q]] != i:
                    mark[items[q]] = i
                    count += 1
        sizes[i + 1] = count


@kernel(allocates=True)
def _fill(
    low, high, n_items, items, first, end, starts, places, weights, backward, rows, columns, counts
):
    total = np.zeros(n_items)
    mark = np.full(n_items, -1, np.int32)
    window = weights.size
    for i in range(low, high):
        filled = rows[i]
        for at in range(starts[i], starts[i + 1]):
            p = places[at]
            begin = max(first[p], p - window) if backward > 0 else p + 1
            for q in range(begin, min(end[p], p + window + 1)):
                if q == p:
                    continue
                j = items[q]
                if mark[j] != i:
                    mark[j] = i
                    columns[filled] = j
                    filled += 1
                total[j] += weights[q - p - 1] if q > p else backward * weights[p - q - 1]
        sort_integers(columns[rows[i] : filled])
        for at in range(rows[i], filled):
            counts[at] = total[columns[at]]
            total[columns[at]] = 0.0
