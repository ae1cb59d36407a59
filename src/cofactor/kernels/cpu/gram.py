"""Products X'X of a sparse matrix with itself, and the weights that EASE makes of their inverse.

Row i of X'X is the sum of x_ui times user u's row, over the users u of item i. It is gathered in
one dense row per thread: no hashing, no sorting, and every sum runs over the users in ascending
order, whatever the threads."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel, shared

TILE = 64  # side of the blocks that are transposed at once: two of 16 KiB fit the L1 cache


def gram_lower(
    user_indptr: np.ndarray,
    user_indices: np.ndarray,
    user_values: np.ndarray,
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return the lower triangle of G = X'X, with the diagonal.

    Parameters
    ----------
    user_indptr : int64 [n_users + 1]
    user_indices : int32 [entries]
    user_values : float32 [entries]
        X by users, item rows ascending within a user.
    item_indptr : int64 [n_items + 1]
    item_users : int32 [entries]
    item_values : float32 [entries]
        The same X by items, user rows ascending within an item.
    n_threads : int
        Among how many threads the items are divided; the result doesn't depend on it.

    Returns
    -------
    float32 [n_items, n_items]
        G where column <= row, zero above. Sums are float32: exact for counts below 2^24.
    """
    orders = (user_indptr, user_indices, user_values, item_indptr, item_users, item_values)
    return gram_rows(orders, 0, item_indptr.size - 1, n_threads)


def gram_rows(orders: tuple[np.ndarray, ...], first: int, end: int, n_threads: int) -> np.ndarray:
    """Return the rows from ``first`` to ``end`` of what `gram_lower` returns.

    Parameters
    ----------
    orders
        X by users and by items, as `gram_lower` takes it.
    first, end : int
        Which items.
    n_threads : int
        As there.

    Returns
    -------
    float32 [end - first, n_items]
    """
    gram = np.zeros((end - first, orders[3].size - 1), np.float32)
    shared(_gram_lower, n_threads, *orders, first, gram)
    return gram


def mirror_lower(matrix: np.ndarray, n_threads: int) -> None:
    """Copy the triangle below the diagonal of a square matrix onto the one above, in place.

    Parameters
    ----------
    matrix : float32 [n, n]
        C-contiguous; what stands above the diagonal is overwritten.
    n_threads : int
        Among how many threads the blocks are divided.
    """
    ones = np.ones(matrix.shape[0], np.float32)
    shared(_spread_lower, n_threads, matrix, ones, False)


def ease_weights(inverse: np.ndarray, n_threads: int) -> None:
    """Turn the lower triangle of P = (G + λI)^-1 into the weights B_ij = -P_ij / P_jj, B_jj = 0, in
    place.

    Parameters
    ----------
    inverse : float32 [n, n]
        P where column <= row, C-contiguous; what stands above the diagonal is overwritten.
    n_threads : int
        Among how many threads the blocks are divided.

    Notes
    -----
    Harald Steck. 2019. Embarrassingly Shallow Autoencoders for Sparse Data. WWW, equation 8.
    """
    shared(_spread_lower, n_threads, inverse, -1.0 / np.diag(inverse).copy(), True)


@kernel
def _gram_lower(
    thread,
    n_threads,
    user_indptr,
    user_indices,
    user_values,
    item_indptr,
    item_users,
    item_values,
    first,
    gram,
):
    for i in range(first + thread, first + gram.shape[0], n_threads):
        row = gram[i - first]
        for at in range(item_indptr[i], item_indptr[i + 1]):
            u = item_users[at]
            x = item_values[at]
            # slices and unsigned indices spare the test for negative ones, which costs half of this
            # loop
            others = user_indices[user_indptr[u] : user_indptr[u + 1]]
            weights = user_values[user_indptr[u] : user_indptr[u + 1]]
            for entry in range(others.shape[0]):
                j = others[entry]
                if j > i:
                    break
                row[np.uint32(j)] += x * weights[entry]


@kernel
def _spread_lower(thread, n_threads, matrix, scale, clear_diagonal):
    """M_ij = M_ij scale_j below the diagonal, M_ji = M_ij scale_i above; in blocks, for columns
    are far apart.
    """
    n = matrix.shape[0]
    n_tiles = (n + TILE - 1) // TILE
    for block in range(thread, n_tiles, n_threads):
        first = block * TILE
        last = min(first + TILE, n)
        for other in range(block + 1):
            left = other * TILE
            right = min(left + TILE, n)
            for i in range(first, last):
                for j in range(left, min(right, i)):
                    p = matrix[i, j]
                    matrix[j, i] = p * scale[i]
                    matrix[i, j] = p * scale[j]
        if clear_diagonal:
            for i in range(first, last):
                matrix[i, i] = 0.0
