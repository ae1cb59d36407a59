"""Products X'X of a sparse matrix with itself, and what linear item models make of them.

Row i of X'X is the sum of x_ui times user u's row, over the users u of item i. It is gathered in one dense row per
thread: no hashing, no sorting, and every sum runs over the users in ascending order, whatever the threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.cpu.topk import offer, sort_heap

TILE = 64  # side of the blocks that are transposed at once: two of 16 KiB fit the L1 cache
RUN = 64  # similarities compared with the threshold at once
SHARED_UP_TO = 128 * 2**20  # bytes of X'X up to which it is built whole, each pair once
SPARSE_BELOW = 8  # a row with fewer than n_items / 8 products is walked product by product


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
    n_items = item_indptr.size - 1
    gram = np.zeros((n_items, n_items), np.float32)
    _gram_lower(user_indptr, user_indices, user_values, item_indptr, item_users, item_values, n_threads, gram)
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
    _spread_lower(matrix, ones, False, n_threads)


def ease_weights(inverse: np.ndarray, n_threads: int) -> None:
    """Turn the lower triangle of P = (G + λI)^-1 into the weights B_ij = -P_ij / P_jj, B_jj = 0, in place.

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
    _spread_lower(inverse, -1.0 / np.diag(inverse).copy(), True, n_threads)


def top_neighbours(
    user_indptr: np.ndarray,
    user_indices: np.ndarray,
    user_values: np.ndarray,
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    item_values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    left_add: np.ndarray,
    right_add: np.ndarray,
    product_weight: float,
    neighbours: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each item's most similar items, s_ij = d_ij / (p_i q_j + a_i + b_j + w d_ij) with d = X'X.

    Only pairs with d_ij > 0 and s_ij > 0 are neighbours, an item is never its own. They come by descending similarity,
    equal ones by the lower row.

    Parameters
    ----------
    user_indptr, user_indices, user_values, item_indptr, item_users, item_values
        X in both orders, as in `gram_lower`.
    left, right : float32 [n_items]
        p and q: the norms, for cosine.
    left_add, right_add : float32 [n_items]
        a and b: the shrinkage in one of them; squared norms, for Jaccard and Tversky.
    product_weight : float
        w: -1 for Jaccard, zero for cosine.
    neighbours : int
        How many are kept of each item, at least 1.
    n_threads : int
        Among how many threads the items are divided; the result doesn't depend on it.

    Returns
    -------
    rows : int32 [n_items, neighbours]
        -1 where an item has no more.
    similarity : float32 [n_items, neighbours]
        NaN where an item has no more.
    count : int32 [n_items]
    """
    n_items = item_indptr.size - 1
    rows = np.full((n_items, neighbours), -1, np.int32)
    similarity = np.full((n_items, neighbours), np.nan, np.float32)
    count = np.zeros(n_items, np.int32)
    by_user = (user_indptr, user_indices, user_values)
    by_item = (item_indptr, item_users, item_values)
    law = (left, right, left_add, right_add, np.float32(product_weight))
    products = int(np.square(np.diff(user_indptr)).sum())
    if n_items**2 * 4 <= SHARED_UP_TO and products > n_items**2:
        gram = gram_lower(*by_user, *by_item, n_threads)
        mirror_lower(gram, n_threads)
        _neighbours_of_gram(gram, *law, n_threads, rows, similarity, count)
    elif n_items:
        _neighbours(*by_user, *by_item, *law, n_threads, rows, similarity, count)
    return rows, similarity, count


@kernel(parallel=True)
def _gram_lower(
    user_indptr: Any, user_indices: Any, user_values: Any, item_indptr: Any, item_users: Any, item_values: Any,
    n_threads: Any, gram: Any,
) -> Any:  # fmt: skip
    n_items = gram.shape[0]
    for thread in prange(n_threads):
        for i in range(thread, n_items, n_threads):
            row = gram[i]
            for at in range(item_indptr[i], item_indptr[i + 1]):
                u = item_users[at]
                x = item_values[at]
                for entry in range(user_indptr[u], user_indptr[u + 1]):
                    j = user_indices[entry]
                    if j > i:
                        break
                    row[j] += x * user_values[entry]


@kernel(parallel=True)
def _spread_lower(matrix: Any, scale: Any, clear_diagonal: Any, n_threads: Any) -> Any:
    """M_ij = M_ij scale_j below the diagonal, M_ji = M_ij scale_i above it; block by block, since columns are far apart."""
    n = matrix.shape[0]
    n_tiles = (n + TILE - 1) // TILE
    for thread in prange(n_threads):
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


@kernel
def _consider(products: Any, i: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any,
              heap_rows: Any, heap_scores: Any) -> Any:  # fmt: skip
    """Keep the best of a whole row of products d_i; return how many there are."""
    n = products.shape[0]
    k = heap_rows.shape[0]
    size = 0
    p = left[i]
    a = left_add[i]
    gate = np.float32(0.0)
    for start in range(0, n, RUN):
        stop = min(start + RUN, n)
        d, q, b = products[start:stop], right[start:stop], right_add[start:stop]
        hits = np.int32(0)
        for j in range(d.shape[0]):
            # d > gate * below instead of a division; a little too generous, the exact comparison follows
            if d[j] > gate * (p * q[j] + a + b[j] + weight * d[j]) and d[j] > np.float32(0.0):
                hits = np.int32(hits + np.int32(1))
        if hits == 0:
            continue
        for j in range(d.shape[0]):
            if d[j] > np.float32(0.0) and start + j != i:
                s = np.float32(d[j] / (p * q[j] + a + b[j] + weight * d[j]))
                if s > np.float32(0.0):
                    size = offer(heap_rows, heap_scores, size, k, np.int32(start + j), s)
        if size == k:
            gate = heap_scores[0] * np.float32(0.99999)
    sort_heap(heap_rows, heap_scores, size)
    return size


@kernel(parallel=True)
def _neighbours_of_gram(
    gram: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, n_threads: Any, rows: Any,
    similarity: Any, count: Any,
) -> Any:  # fmt: skip
    for thread in prange(n_threads):
        for i in range(thread, gram.shape[0], n_threads):
            count[i] = _consider(gram[i], i, left, right, left_add, right_add, weight, rows[i], similarity[i])


@kernel(parallel=True)
def _neighbours(
    user_indptr: Any, user_indices: Any, user_values: Any, item_indptr: Any, item_users: Any, item_values: Any,
    left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, n_threads: Any, rows: Any, similarity: Any,
    count: Any,
) -> Any:  # fmt: skip
    n_items, k = rows.shape
    for thread in prange(n_threads):
        d = np.zeros(n_items, np.float32)
        for i in range(thread, n_items, n_threads):
            walked = 0
            for at in range(item_indptr[i], item_indptr[i + 1]):
                u = item_users[at]
                x = item_values[at]
                walked += user_indptr[u + 1] - user_indptr[u]
                for entry in range(user_indptr[u], user_indptr[u + 1]):
                    d[user_indices[entry]] += x * user_values[entry]
            if walked * SPARSE_BELOW > n_items:
                count[i] = _consider(d, i, left, right, left_add, right_add, weight, rows[i], similarity[i])
                d[:] = np.float32(0.0)
                continue
            # Few products: walk them again instead of the whole row; a product that is taken is cleared.
            size = 0
            for at in range(item_indptr[i], item_indptr[i + 1]):
                u = item_users[at]
                for entry in range(user_indptr[u], user_indptr[u + 1]):
                    j = user_indices[entry]
                    product = d[j]
                    if product != np.float32(0.0):
                        d[j] = np.float32(0.0)
                        if product > np.float32(0.0) and j != i:
                            below = left[i] * right[j] + left_add[i] + right_add[j] + weight * product
                            s = np.float32(product / below)
                            if s > np.float32(0.0):
                                size = offer(rows[i], similarity[i], size, k, j, s)
            sort_heap(rows[i], similarity[i], size)
            count[i] = size
