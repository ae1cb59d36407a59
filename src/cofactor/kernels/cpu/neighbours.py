"""The strongest entries of each row: of similarities between items, which are never held whole, or of a dense matrix.

Products X'X are gathered row by row in one dense row per thread, as in `gram`. The best of a row are selected by
counting digits, in time proportional to the row's entries, however many are kept and however many are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from cofactor.kernels.cpu.gram import gram_lower, mirror_lower
from cofactor.kernels.cpu.jit import kernel

SHARED_UP_TO = 128 * 2**20  # bytes of X'X up to which it is built whole, each pair once
LIST_BELOW = 2  # a row of fewer than n_items / 2 products lists what it touched; another is read from end to end


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

    Only pairs with d_ij > 0 and a finite s_ij > 0 are neighbours, an item is never its own. Where two are equally similar,
    the lower row is kept. They come in ascending order of their rows, ready for CSR.

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
    if 4 * n_items**2 <= SHARED_UP_TO and products > n_items**2:
        gram = gram_lower(*by_user, *by_item, n_threads)
        mirror_lower(gram, n_threads)
        _neighbours_of_gram(gram, *law, n_threads, rows, similarity, count)
    elif n_items:
        _neighbours(*by_user, *by_item, *law, n_threads, rows, similarity, count)
    return rows, similarity, count


def strongest(matrix: np.ndarray, keep: int, n_threads: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries of each row that are largest in magnitude, the diagonal and zeros left out.

    Parameters
    ----------
    matrix : float32 [n, n]
        C-contiguous, finite.
    keep : int
        How many are kept of each row, at least 1. Where two are equally large, the lower column is kept.
    n_threads : int
        Among how many threads the rows are divided; the result doesn't depend on it.

    Returns
    -------
    columns : int32 [n, keep]
        Ascending; -1 where a row has no more.
    values : float32 [n, keep]
        The entries themselves, with their signs; NaN where a row has no more.
    count : int32 [n]
    """
    n = matrix.shape[0]
    columns = np.full((n, keep), -1, np.int32)
    values = np.full((n, keep), np.nan, np.float32)
    count = np.zeros(n, np.int32)
    _strongest(matrix, n_threads, columns, values, count)
    return columns, values, count


@kernel
def _similarities(
    products: Any, found: Any, n_found: Any, i: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any,
    bits: Any,
) -> Any:  # fmt: skip
    """Turn the products of the items found into similarities, as bit patterns; drop what is none; return how many stay.

    The products are cleared. Positive floats are ordered as their bit patterns are when these are read as integers, so
    that digits can be counted to select the best.
    """
    similarity = bits.view(np.float32)
    p, a = left[i], left_add[i]
    kept = 0
    for at in range(n_found):
        j = np.uint32(found[at])
        d = products[j]
        products[j] = np.float32(0.0)
        s = np.float32(d / (p * right[j] + a + right_add[j] + weight * d))
        found[kept] = found[at]
        similarity[kept] = s
        kept += (d > np.float32(0.0)) & (s > np.float32(0.0)) & (s < np.float32(np.inf)) & (np.int64(j) != i)
    return kept


@kernel
def _digit(bits: Any, n: Any, shift: Any, fixed: Any, wanted: Any, counts: Any) -> Any:
    """Find the 11-bit digit at `shift` of the wanted-th largest of those whose higher bits are `fixed`.

    Returns the digit and how many of them are wanted within it.
    """
    counts[:] = 0
    for at in range(n):
        if (bits[at] >> (shift + 11)) == fixed:
            counts[(bits[at] >> shift) & 2047] += 1
    digit = 2047
    while counts[digit] < wanted:
        wanted -= counts[digit]
        digit -= 1
    return digit, wanted


@kernel
def _keep_best(found: Any, bits: Any, n: Any, keys: Any, counts: Any, rows: Any, similarity: Any) -> Any:
    """Write the most similar of n items, in ascending order of rows; return how many.

    The least similarity to be kept is found digit by digit, from the top: 11, 11 and 10 bits (a radix selection), in
    time proportional to n, whatever the order and the ties.
    """
    k = rows.shape[0]
    least = np.int32(0)
    all_ties = np.int64(0)
    if n > k:
        ties = k
        for shift in (21, 10):
            digit, ties = _digit(bits, n, shift, least, ties, counts)
            least = np.int32((least << 11) | digit)
        counts[:] = 0
        for at in range(n):
            if (bits[at] >> 10) == least:
                counts[bits[at] & 1023] += 1
        digit = 1023
        while counts[digit] < ties:
            ties -= counts[digit]
            digit -= 1
        least = np.int32((least << 10) | digit)
        all_ties = counts[digit]
    kept = 0
    for at in range(n):
        keys[kept] = (np.int64(found[at]) << 32) | np.int64(bits[at])
        kept += bits[at] >= least
    chosen = keys[:kept]
    chosen.sort()
    surplus = kept - k  # of equal similarities at the edge, the highest rows go
    if surplus > 0:
        spared = all_ties - surplus
        kept = 0
        for at in range(chosen.shape[0]):
            key = chosen[at]
            edge = np.int32(key & 0x7FFFFFFF) == least
            if edge and spared == 0:
                continue
            spared -= edge
            chosen[kept] = key
            kept += 1
    pattern = similarity.view(np.int32)
    for at in range(kept):
        rows[at] = np.int32(chosen[at] >> 32)
        pattern[at] = np.int32(chosen[at] & 0x7FFFFFFF)
    return kept


@kernel(parallel=True)
def _neighbours_of_gram(
    gram: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, n_threads: Any, rows: Any,
    similarity: Any, count: Any,
) -> Any:  # fmt: skip
    n_items = gram.shape[0]
    for thread in prange(n_threads):
        found = np.empty(n_items + 1, np.int32)
        bits = np.empty(n_items + 1, np.int32)
        keys = np.empty(n_items + 1, np.int64)
        counts = np.empty(2048, np.int64)
        for i in range(thread, n_items, n_threads):
            for j in range(n_items):
                found[j] = j
            n = _similarities(gram[i], found, n_items, i, left, right, left_add, right_add, weight, bits)
            count[i] = _keep_best(found, bits, n, keys, counts, rows[i], similarity[i])


@kernel
def _row_of_products(
    user_indptr: Any, user_indices: Any, user_values: Any, users: Any, values: Any, d: Any, found: Any
) -> Any:
    """Add up one item's products d, list the items touched (a few perhaps twice), and return how many there are."""
    n_items = d.shape[0]
    walked = 0
    for at in range(users.shape[0]):
        walked += user_indptr[users[at] + 1] - user_indptr[users[at]]
    listed = walked * LIST_BELOW < n_items
    n = 0
    for at in range(users.shape[0]):
        u = users[at]
        x = values[at]
        # slices and unsigned indices spare the test for negative ones, which costs half of these loops
        others = user_indices[user_indptr[u] : user_indptr[u + 1]]
        weights = user_values[user_indptr[u] : user_indptr[u + 1]]
        if listed:
            for entry in range(others.shape[0]):
                other = np.uint32(others[entry])
                before = d[other]
                found[n] = others[entry]
                n += before == np.float32(0.0)
                d[other] = before + x * weights[entry]
        else:
            for entry in range(others.shape[0]):
                d[np.uint32(others[entry])] += x * weights[entry]
    if not listed:
        for j in range(n_items):
            found[n] = j
            n += d[j] != np.float32(0.0)
    return n


@kernel(parallel=True)
def _neighbours(
    user_indptr: Any, user_indices: Any, user_values: Any, item_indptr: Any, item_users: Any, item_values: Any,
    left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, n_threads: Any, rows: Any, similarity: Any,
    count: Any,
) -> Any:  # fmt: skip
    n_items = rows.shape[0]
    for thread in prange(n_threads):
        d = np.zeros(n_items, np.float32)
        found = np.empty(n_items + 1, np.int32)
        bits = np.empty(n_items + 1, np.int32)
        keys = np.empty(n_items + 1, np.int64)
        counts = np.empty(2048, np.int64)
        for i in range(thread, n_items, n_threads):
            n = _row_of_products(
                user_indptr, user_indices, user_values, item_users[item_indptr[i] : item_indptr[i + 1]],
                item_values[item_indptr[i] : item_indptr[i + 1]], d, found,
            )  # fmt: skip
            kept = _similarities(d, found, n, i, left, right, left_add, right_add, weight, bits)
            count[i] = _keep_best(found, bits, kept, keys, counts, rows[i], similarity[i])


@kernel(parallel=True)
def _strongest(matrix: Any, n_threads: Any, columns: Any, values: Any, count: Any) -> Any:
    n = matrix.shape[0]
    for thread in prange(n_threads):
        found = np.empty(n + 1, np.int32)
        bits = np.empty(n + 1, np.int32)
        keys = np.empty(n + 1, np.int64)
        counts = np.empty(2048, np.int64)
        for i in range(thread, n, n_threads):
            size = np.abs(matrix[i]).view(np.int32)
            kept = 0
            for j in range(n):
                found[kept] = j
                bits[kept] = size[j]
                kept += (size[j] != 0) & (j != i)
            kept = _keep_best(found, bits, kept, keys, counts, columns[i], values[i])
            for at in range(kept):
                values[i, at] = matrix[i, columns[i, at]]
            count[i] = kept
