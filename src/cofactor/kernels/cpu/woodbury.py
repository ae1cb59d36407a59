"""The inverse of X'X + Λ by way of the users, where they are fewer than the items.

With X~ = X Λ^-½ and K = (I + X~ X~')^-1, users by users, Woodbury's identity says

    (X'X + Λ)^-1 = Λ^-½ (I - X~' K X~) Λ^-½

so that the cube of the smaller of both numbers is the price, and the rest is sparse.
"""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu._selection import keep_largest, workspace
from cofactor.kernels.cpu.heap import empty_lists
from cofactor.kernels.cpu.jit import kernel, shared
from cofactor.kernels.cpu.llvm.ials import add_rows

TOGETHER = 16  # items whose rows are computed at once: a cache line of float32


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
    shared(
        _inverse_lower,
        n_threads,
        item_indptr,
        item_users,
        item_values,
        between_users,
        scale,
        inverse,
    )
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
        How many are kept of each column, at least 1; the largest in magnitude, of equal ones the
        lower i.

    Returns
    -------
    rows : int32 [n_items, keep]
        For each j the i of its weights, ascending; -1 where there are no more.
    weights : float32 [n_items, keep]
        NaN where there are no more.
    count : int32 [n_items]
    """
    found = empty_lists(item_indptr.size - 1, keep)
    by_item = (item_indptr, item_users, item_values)
    shared(_strongest_weights, n_threads, *by_item, between_users, scale, *found)
    return found


@kernel(allocates=True)
def _rows(indptr, users, values, between, scale, first, stop, lower, rows, panel, p):
    """P_ij for the items i from ``first`` on that p has rows for and all j < stop, or those j <= i
    alone.

    T = K X~_i for all of them, then -s_i s_j x~_j·t_i, and s_i² more on the diagonal. T stands by
    users: a user of j needs one cache line for all the items."""
    count = p.shape[0]
    for c in range(count):
        t = rows[c]
        t[:] = np.float32(0.0)
        for at in range(indptr[first + c], indptr[first + c + 1]):
            x = values[at]
            k = between[users[at]]
            for u in range(t.shape[0]):
                t[u] += x * k[u]
    for u in range(panel.shape[0]):
        line = panel[u]
        for c in range(TOGETHER):
            line[c] = rows[c, u]
    z = np.empty(TOGETHER, np.float32)
    for j in range(stop):
        low, high = indptr[j], indptr[j + 1]
        for c in range(TOGETHER):
            z[c] = np.float32(0.0)
        add_rows(panel, users[low:high], high - low, values[low:high], z)
        for c in range(max(0, j - first) if lower else 0, count):
            p[c, j] = -scale[first + c] * scale[j] * z[c]
    for c in range(count):
        if first + c < stop:
            p[c, first + c] += scale[first + c] * scale[first + c]


@kernel(allocates=True)
def _inverse_lower(thread, n_threads, indptr, users, values, between, scale, inverse):
    n = inverse.shape[0]
    rows, panel = (
        np.zeros((TOGETHER, between.shape[0]), np.float32),
        np.empty((between.shape[0], TOGETHER), np.float32),
    )
    for first in range(thread * TOGETHER, n, n_threads * TOGETHER):
        end = min(first + TOGETHER, n)
        _rows(
            indptr,
            users,
            values,
            between,
            scale,
            first,
            end,
            np.bool_(True),
            rows,
            panel,
            inverse[first:end],
        )


@kernel(allocates=True)
def _strongest_weights(
    thread, n_threads, indptr, users, values, between, scale, rows, kept_weights, count
):
    n = rows.shape[0]
    t, panel = (
        np.zeros((TOGETHER, between.shape[0]), np.float32),
        np.empty((between.shape[0], TOGETHER), np.float32),
    )
    whole = np.empty((TOGETHER, n), np.float32)
    items = np.arange(n).astype(np.int32)
    bits, buffers = np.empty(n + 1, np.int32), workspace(n)
    for first in range(thread * TOGETHER, n, n_threads * TOGETHER):
        end = min(first + TOGETHER, n)
        _rows(
            indptr,
            users,
            values,
            between,
            scale,
            first,
            n,
            np.bool_(False),
            t,
            panel,
            whole[: end - first],
        )
        for j in range(first, end):
            p = whole[j - first]
            kept = keep_largest(items, p, j, bits, buffers, rows[j], kept_weights[j])
            for at in range(kept):
                kept_weights[j, at] = -p[rows[j, at]] / p[j]
            count[j] = kept
