"""From rows of equal width to sparse matrices, by counting."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel


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
    indptr = np.zeros(len(count) + 1, np.int64)
    np.cumsum(count, out=indptr[1:])
    packed, kept = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    _pack(columns, values, indptr, packed, kept)
    return indptr, packed, kept


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
    indptr = np.zeros(n_columns + 1, np.int64)
    rows, kept = np.empty(int(count.sum()), np.int32), np.empty(int(count.sum()), np.float32)
    _pack_transposed(columns, values, count, indptr, rows, kept)
    return indptr, rows, kept


@kernel(allocates=True)
def _pack(columns, values, indptr, packed, kept):
    for i in range(columns.shape[0]):
        begin, n = indptr[i], indptr[i + 1] - indptr[i]
        packed[begin : begin + n] = columns[i, :n]
        kept[begin : begin + n] = values[i, :n]


@kernel(allocates=True)
def _pack_transposed(columns, values, count, indptr, rows, kept):
    for i in range(columns.shape[0]):
        for at in range(count[i]):
            indptr[columns[i, at] + 1] += 1
    for j in range(indptr.shape[0] - 1):
        indptr[j + 1] += indptr[j]
    place = indptr[:-1].copy()
    for i in range(columns.shape[0]):
        for at in range(count[i]):
            j = columns[i, at]
            rows[place[j]] = i
            kept[place[j]] = values[i, at]
            place[j] += 1
