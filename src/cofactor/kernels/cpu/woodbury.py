"""The inverse of X'X + Λ by way of the users, where they are fewer than the items.

With X~ = X Λ^-½ and K = (I + X~ X~')^-1, users by users, Woodbury's identity says

    (X'X + Λ)^-1 = Λ^-½ (I - X~' K X~) Λ^-½

so that the cube of the smaller of both numbers is the price, and the rest is sparse.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from cofactor.kernels.cpu._selection import keep_best, room
from cofactor.kernels.cpu.jit import kernel


def inverse_lower(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    between_users: np.ndarray,
    scale: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return the lower triangle of P = (X'X + Λ)^-1.

    Parameters
    ----------
    item_indptr : int64 [n_items + 1]
    item_users : int32 [entries]
    item_values : float32 [entries]
        X~ by items: x_ui s_i.
    between_users : float32 [n_users, n_users]
        K, both triangles, C-contiguous.
    scale : float32 [n_items]
        s_i = λ_i^-½.
    n_threads : int
        Among how many threads the items are divided; the result doesn't depend on it.

    Returns
    -------
    float32 [n_items, n_items]
        P where column <= row, zero above.
    """
    n_items = item_indptr.size - 1
    inverse = np.zeros((n_items, n_items), np.float32)
    _inverse_lower(item_indptr, item_users, item_values, between_users, scale, n_threads, inverse)
    return inverse


def strongest_weights(
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    between_users: np.ndarray,
    scale: np.ndarray,
    keep: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the largest EASE weights B_ij = -P_ij / P_jj of each column j, without ever holding P.

    Parameters
    ----------
    item_indptr, item_users, item_values, between_users, scale, n_threads
        As in `inverse_lower`.
    keep : int
        How many are kept of each column, at least 1; the largest in magnitude, of equal ones the lower i.

    Returns
    -------
    rows : int32 [n_items, keep]
        For each j the i of its weights, ascending; -1 where there are no more.
    weights : float32 [n_items, keep]
        NaN where there are no more.
    count : int32 [n_items]
    """
    n_items = item_indptr.size - 1
    rows = np.full((n_items, keep), -1, np.int32)
    weights = np.full((n_items, keep), np.nan, np.float32)
    count = np.zeros(n_items, np.int32)
    _strongest_weights(item_indptr, item_users, item_values, between_users, scale, n_threads, rows, weights, count)
    return rows, weights, count


@kernel
def _row(indptr: Any, users: Any, values: Any, between: Any, scale: Any, i: Any, stop: Any, t: Any, p: Any) -> Any:
    """P_ij for all j < stop: t = K x~_i, then -s_i s_j x~_j·t, and s_i² more on the diagonal."""
    t[:] = np.float32(0.0)
    for at in range(indptr[i], indptr[i + 1]):
        x = values[at]
        k = between[users[at]]
        for u in range(t.shape[0]):
            t[u] += x * k[u]
    for j in range(stop):
        z = np.float32(0.0)
        mine, weights = users[indptr[j] : indptr[j + 1]], values[indptr[j] : indptr[j + 1]]
        for at in range(mine.shape[0]):
            z += weights[at] * t[np.uint32(mine[at])]
        p[j] = -scale[i] * scale[j] * z
    if i < stop:
        p[i] += scale[i] * scale[i]


@kernel(parallel=True)
def _inverse_lower(
    indptr: Any, users: Any, values: Any, between: Any, scale: Any, n_threads: Any, inverse: Any
) -> Any:
    for thread in prange(n_threads):
        t = np.empty(between.shape[0], np.float32)
        for i in range(thread, inverse.shape[0], n_threads):
            _row(indptr, users, values, between, scale, i, i + 1, t, inverse[i])


@kernel(parallel=True)
def _strongest_weights(
    indptr: Any, users: Any, values: Any, between: Any, scale: Any, n_threads: Any, rows: Any, kept_weights: Any,
    count: Any,
) -> Any:  # fmt: skip
    n = rows.shape[0]
    for thread in prange(n_threads):
        t = np.empty(between.shape[0], np.float32)
        p = np.empty(n, np.float32)
        items = np.arange(n).astype(np.int32)
        bits, rooms = np.empty(n + 1, np.int32), room(n)
        for j in range(thread, n, n_threads):
            _row(indptr, users, values, between, scale, j, n, t, p)
            pattern = p.view(np.int32)
            for i in range(n):
                bits[i] = pattern[i] & np.int32(0x7FFFFFFF)  # of the magnitude: without the sign
            bits[j] = 0
            kept = keep_best(items, bits, n, rooms, rows[j], kept_weights[j])
            for at in range(kept):
                kept_weights[j, at] = -p[rows[j, at]] / p[j]
            count[j] = kept
