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
