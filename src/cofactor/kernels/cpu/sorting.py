"""Sorting integers inside kernels.

Numba's own sort is compiled again with each kernel that calls it, for a second each time; this one
is kept like any other kernel. It is the same quicksort."""

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
