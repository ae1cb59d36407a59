"""Sorting integers inside kernels, and selecting among numbers.

Numba's own sort is compiled again with each kernel that calls it, for a second each time, and its
partition for several; these are kept like any other kernel. It is the same quicksort."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel

SMALL = 16  # up to so many are sorted by insertion
DEEPEST = 64  # the longer part waits while the shorter one is sorted: each is half at most


@kernel(allocates=True)
def sort_integers(keys: np.ndarray) -> None:
    """Sort an array of integers in place, ascending."""
    low, high, waiting = 0, keys.size - 1, 0
    parts = np.empty((DEEPEST if keys.size > SMALL else 0, 2), np.int64)
    while True:
        while high - low >= SMALL:
            # The middle one of three: good where the keys are in order, or in reverse.
            pivot, other, last = keys[low], keys[(low + high) >> 1], keys[high]
            if other < pivot:
                pivot, other = other, pivot
            if other > last:
                other = last
            pivot = max(pivot, other)
            i, j = low, high
            while i <= j:
                while keys[i] < pivot:
                    i += 1
                while keys[j] > pivot:
                    j -= 1
                if i <= j:
                    keys[i], keys[j] = keys[j], keys[i]
                    i += 1
                    j -= 1
            if j - low < high - i:
                parts[waiting, 0], parts[waiting, 1], high = i, high, j
            else:
                parts[waiting, 0], parts[waiting, 1], low = low, j, i
            waiting += 1
        for i in range(low + 1, high + 1):
            key, at = keys[i], i
            while at > low and keys[at - 1] > key:
                keys[at] = keys[at - 1]
                at -= 1
            keys[at] = key
        if waiting == 0:
            return
        waiting -= 1
        low, high = parts[waiting, 0], parts[waiting, 1]


@kernel
def smallest(values: np.ndarray, k: int) -> float:
    """Return the k-th smallest of some numbers, counted from 0, and change their order; none of
    them is NaN.

    Notes
    -----
    Source: Hoare, "Algorithm 65: find", Communications of the ACM 4, 1961.
    """
    low, high = 0, values.size - 1
    while low < high:
        # As above, the middle one of three.
        pivot, other, last = values[low], values[(low + high) >> 1], values[high]
        if other < pivot:
            pivot, other = other, pivot
        pivot = max(pivot, min(other, last))
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < k < i:
            return values[k]
        if k <= j:
            high = j
        else:
            low = i
    return values[k]
