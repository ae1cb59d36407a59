"""Offsets of rows in flat arrays, as CSR has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

_COUNTED = 1 << 24  # entries that are counted at a time
_MARKED = 4  # numbers up to so many times their count are marked rather than sorted


def offsets(sizes: Any) -> np.ndarray:
    """Return where rows of these sizes begin and end, int64 [n + 1]: 0, and the running sums."""
    indptr = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=indptr[1:])
    return indptr


def owners_of(sizes: Any) -> np.ndarray:
    """Return the row of each entry of rows of these sizes, int64 [sum of sizes]."""
    return np.repeat(np.arange(len(sizes)), sizes)


def places_of(rows: np.ndarray, n: int) -> np.ndarray:
    """Return the place of each of n rows among some (distinct) ones, int32 [n]; -1 for others."""
    places = np.full(n, -1, np.int32)
    places[rows] = np.arange(len(rows), dtype=np.int32)
    return places


def mask_of(rows: Any, n: int) -> np.ndarray:
    """Return which of n rows are among some, bool [n]."""
    mask = np.zeros(n, bool)
    mask[rows] = True
    return mask


def row_offsets(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the offsets of the rows that entries belong to, int64 [n_rows + 1].

    Parameters
    ----------
    rows
        int [n]: the row of each entry, from 0; order doesn't matter.
    n_rows
        How many rows there are.
    """
    return offsets(row_counts(rows, n_rows))


def row_counts(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the number of entries of each row, int64 [n_rows]; see `row_offsets`."""
    counts = np.zeros(n_rows, np.int64)
    for start in range(0, len(rows), _COUNTED):  # NumPy widens what it counts
        counts += np.bincount(rows[start : start + _COUNTED], minlength=n_rows)
    return counts


def ranges(starts: Any, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets of ranges of some array, int64 [n + 1], and the positions of their entries
    one after another, int64 [sum of sizes].

    Parameters
    ----------
    starts
        int64 [n]: where each begins; 0 numbers the entries of each from 0.
    sizes
        int64 [n].
    """
    indptr = offsets(sizes)
    return indptr, np.repeat(starts - indptr[:-1], sizes) + np.arange(indptr[-1])


def begins(ordered: np.ndarray, *more: np.ndarray) -> np.ndarray:
    """Return where runs of equal entries begin, of one array or of several side by side, bool
    [n].
    """
    found = np.ones(len(ordered), bool)
    found[1:] = np.logical_or.reduce([one[1:] != one[:-1] for one in (ordered, *more)])
    return found


def pick_rows(indptr: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return some rows of a CSR in the given order: their offsets, int64 [len(rows) + 1], and where
    their entries stand, int64.
    """
    rows = np.asarray(rows, np.int64)
    return ranges(indptr[rows], indptr[rows + 1] - indptr[rows])


def distinct_within(indptr: np.ndarray, numbers: np.ndarray) -> bool:
    """Return whether the numbers of each row of a CSR are distinct.

    Parameters
    ----------
    indptr
        int64 [n_rows + 1].
    numbers
        int64 [n], at least 0.
    """
    if len(numbers) and (end := int(numbers.max()) + 1) <= _MARKED * len(numbers):
        seen = np.zeros(end, bool)
        seen[numbers] = True
        if np.count_nonzero(seen) == len(numbers):  # all of them, whatever their rows
            return True
    for row, end in row_blocks(indptr):
        own = numbers[indptr[row] : indptr[end]]
        owners = owners_of(np.diff(indptr[row : end + 1]))
        same = owners[1:] == owners[:-1]
        if (own[1:] > own[:-1])[same].all():  # as sorted files have them
            continue
        by = np.lexsort((own, owners))
        if ((own[by][1:] == own[by][:-1]) & same).any():
            return False
    return True


def row_blocks(indptr: np.ndarray, most: int = 1 << 22) -> Iterator[tuple[int, int]]:
    """Yield the first row and the end of blocks of rows that have at most so many entries, or one
    row.
    """
    row, n_rows = 0, len(indptr) - 1
    while row < n_rows:
        end = int(np.searchsorted(indptr, indptr[row] + most, side="right")) - 1
        end = max(row + 1, end)
        yield row, end
        row = end


def kept_offsets(indptr: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Return the offsets of rows of which some entries are kept, int64.

    Parameters
    ----------
    indptr
        int64 [n_rows + 1].
    keep
        bool [n]: which entries stay.
    """
    sizes = np.empty(len(indptr) - 1, np.int64)
    for row, end in row_blocks(indptr):
        own = indptr[row : end + 1]
        sizes[row:end] = np.diff(offsets(keep[own[0] : own[-1]])[own - own[0]])
    return offsets(sizes)


def among(held: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return for each of some numbers whether it is among others (ascending), bool [n]."""
    if not len(held):
        return np.zeros(len(wanted), bool)
    found: np.ndarray = held[np.minimum(np.searchsorted(held, wanted), len(held) - 1)] == wanted
    return found
