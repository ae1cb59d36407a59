"""From rows of equal width to sparse matrices; in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import offsets, row_offsets


def pack(
    columns: np.ndarray, values: np.ndarray, count: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return as CSR the entries in the first ``count`` places of each row.

    Parameters
    ----------
    columns : int32 [n, k]
    values : float32 [n, k]
    count : int32 [n]
        How many places of each row are filled.

    Returns
    -------
    indptr : int64 [n + 1]
    columns : int32 [entries]
    values : float32 [entries]
        In the order in which they stood.
    """
    filled = np.arange(columns.shape[1]) < count[:, None]
    indptr = offsets(count)
    return indptr, columns[filled], values[filled]


def pack_transposed(
    columns: np.ndarray, values: np.ndarray, count: np.ndarray, n_columns: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return as CSR the transpose of the entries in the first ``count`` places of each row.

    Parameters
    ----------
    columns, values, count
        As in `pack`.
    n_columns : int
        The number of columns, which are the rows of the result.

    Returns
    -------
    indptr : int64 [n_columns + 1]
    rows : int32 [entries]
        Ascending within each column.
    values : float32 [entries]
    """
    indptr, flat, kept = pack(columns, values, count)
    order = np.argsort(flat, kind="stable")
    rows = np.repeat(np.arange(len(count), dtype=np.int32), np.diff(indptr))
    starts = row_offsets(flat, n_columns)
    return starts, rows[order], kept[order]
