"""The k largest of many, in the order of their items and in time proportional to the many, however
many are equal.

Positive floats are ordered as their bit patterns are when these are read as integers, so that is
what is compared."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.cpu.llvm.bits import BITS, lowest_bit, reached

# into which patterns are counted to find the k-th largest; of few patterns a fraction of them
BINS = 2048
FEW = 1024
GROUPS = 128  # at least; twice as many as are kept if those are more
# words of marks for each item kept, from which on sorting the items is cheaper than reading all
# marks
SPARSE = 16


@kernel(allocates=True)
def workspace(n):
    """Make the arrays that `keep_best` needs to choose among n items; one thread uses them again
    and again.
    """
    found = np.empty(n + 1, np.int32)
    keys = np.empty(n + 1, np.int64)
    edge = np.empty(n + 1, np.int64)
    counts = np.empty(BINS, np.int32)
    marks = np.zeros(n // 64 + 1, np.uint64)
    return found, keys, edge, counts, marks


@kernel
def _edge(bits, n, k, counts):
    """Divide the range of the positive bit patterns into bins, and find the one the k-th largest
    lies in.

    Returns the least pattern, the shift that makes bins of patterns, the bin (-1: all are wanted)
    and how many of it are."""
    low, high = np.int32(2**31 - 1), np.int32(0)
    for at in range(n):
        low = min(low, bits[at] if bits[at] > 0 else np.int32(2**31 - 1))
        high = max(high, bits[at])
    n_bins = BINS if n > FEW else BINS // 8
    shift = 0
    while (np.int64(high) - np.int64(low)) >> shift >= n_bins:
        shift += 1
    if n <= k or high == 0:
        return low, shift, -1, 0
    counts[:n_bins] = 0
    for at in range(n):
        counts[np.uint32(max(bits[at] - low, 0) >> shift)] += 1
    place, wanted = (np.int64(high) - np.int64(low)) >> shift, np.int64(k)
    while place > 0 and counts[place] < wanted:
        wanted -= counts[place]
        place -= 1
    return low, shift, place, wanted


@kernel
def _sift(items, bits, n, k, found, maxima, counts):
    """Leave only items that may be among the k largest, in their order, and return how many there
    are.

    The k-th largest of the maxima of groups of items is a bound that k items reach, and few others
    do. Every so-many-th item is of a group, so that the maxima are taken by vectors."""
    size = n // max(2 * k, GROUPS)
    kept = 0
    if size < 2:
        for at in range(n):
            found[kept] = items[at]
            bits[kept] = bits[at]
            kept += bits[kept] > 0
        return kept
    n_groups = n // size
    best = maxima[:n_groups]
    best[:] = 0
    for turn in range(size):
        part = bits[turn * n_groups : (turn + 1) * n_groups]
        for group in range(n_groups):
            best[group] = max(best[group], part[group])
    low, shift, place, _ = _edge(best, n_groups, k, counts)
    # the lowest bin holds groups with nothing too: fewer than k may have something
    least = np.int32(low + (place << shift)) if place > 0 else np.int32(1)
    for start in range(0, n, BITS):
        mask = reached(bits, start, min(start + BITS, n), least)
        while mask != 0:
            at = start + lowest_bit(mask)
            mask &= mask - np.uint64(1)
            found[kept] = items[at]
            bits[kept] = bits[at]
            kept += 1
    return kept


@kernel
def _sort(keys, n):
    """Shell's sort of the first n: there are few, and Numba's own takes a second to compile."""
    gap = 1
    while 3 * gap < n:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(gap, n):
            key, to = keys[at], at
            while to >= gap and keys[to - gap] > key:
                keys[to] = keys[to - gap]
                to -= gap
            keys[to] = key
        gap //= 3


@kernel
def keep_largest(items, row, own, bits, buffers, rows, values):
    """Keep the entries of a row that are largest in magnitude, with that as their values, all but
    the one at ``own``; return how many. See `keep_best`."""
    pattern = row.view(np.int32)
    for j in range(row.shape[0]):
        bits[j] = pattern[j] & np.int32(0x7FFFFFFF)  # without the sign
    bits[own] = 0
    return keep_best(items, bits, row.shape[0], buffers, rows, values)


@kernel
def keep_best(items, bits, n, buffers, rows, similarity):
    """Write the k largest of n items, in ascending order of the items; zero patterns are none;
    return how many there are.

    Items are counted into bins by their pattern. What lies above the bin of the k-th is taken as it
    is; only that bin, a few items, is sorted: by pattern, equal ones by item. The items may come in
    any order; ``bits`` is used up."""
    found, keys, edge, counts, marks = buffers
    n = _sift(items, bits, n, rows.shape[0], found, edge.view(np.int32), counts)
    low, shift, place, wanted = _edge(bits, n, rows.shape[0], counts)
    kept, at_edge = np.int64(0), np.int64(0)
    for at in range(n):
        own = (bits[at] - low) >> shift
        keys[kept] = (np.int64(found[at]) << 32) | np.int64(bits[at])
        kept += own > place
        edge[at_edge] = (np.int64(2**31 - 1 - bits[at]) << 32) | np.int64(found[at])
        at_edge += own == place
    if at_edge > wanted:
        _sort(edge, at_edge)
        at_edge = wanted
    for at in range(at_edge):
        keys[kept] = ((edge[at] & 0xFFFFFFFF) << 32) | (2**31 - 1 - (edge[at] >> 32))
        kept += 1
    # In the order of the items: by marking them, unless they are too few for that.
    pattern, of_item = similarity.view(np.int32), edge.view(np.int32)
    if marks.shape[0] > SPARSE * kept:
        _sort(keys, kept)
        for at in range(kept):
            rows[at] = np.int32(keys[at] >> 32)
            pattern[at] = np.int32(keys[at] & 0x7FFFFFFF)
        return kept
    for at in range(kept):
        item = np.uint32(keys[at] >> 32)
        marks[item >> np.uint32(6)] |= np.uint64(1) << np.uint64(item & np.uint32(63))
        of_item[item] = np.int32(keys[at] & 0x7FFFFFFF)
    out = 0
    for word in range(marks.shape[0]):
        mask = marks[word]
        marks[word] = np.uint64(0)
        while mask != 0:
            marked = word * 64 + lowest_bit(mask)
            mask &= mask - np.uint64(1)
            rows[out] = marked
            pattern[out] = of_item[marked]
            out += 1
    return kept
