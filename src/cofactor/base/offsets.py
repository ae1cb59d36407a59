"""Offsets of rows in flat arrays, as CSR has them."""

from __future__ import annotations

from typing import Any

import numpy as np


def offsets(sizes: Any) -> np.ndarray:
    """Return where rows of these sizes begin and end, int64 [n + 1]: 0, and the running sums."""
    indptr = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=indptr[1:])
    return indptr


def row_offsets(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Return the offsets of the rows that entries belong to, int64 [n_rows + 1].

    Parameters
    ----------
    rows
        int [n]: the row of each entry, from 0; order doesn't matter.
    n_rows
        How many rows there are.
    """
    return offsets(np.bincount(rows, minlength=n_rows))


def pick_rows(indptr: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return some rows of a CSR in the given order: their offsets, int64 [len(rows) + 1], and where
    their entries stand, int64.
    """
    rows = np.asarray(rows, np.int64)
    starts, sizes = indptr[rows], indptr[rows + 1] - indptr[rows]
    picked = offsets(sizes)
    return picked, np.repeat(starts - picked[:-1], sizes) + np.arange(picked[-1])
