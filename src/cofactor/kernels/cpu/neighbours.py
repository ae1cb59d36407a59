"""The strongest entries of each row: of similarities between items, which are never held whole, or of a dense matrix.

Products X'X are gathered row by row in one dense row per thread, as in `gram`. The best of a row are selected by
counting them into bins, in time proportional to the row's entries, however many are kept and however many are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.kernels.cpu._bitsets import BLOCK, as_sets, count_block, planned
from cofactor.kernels.cpu.gram import gram_lower, mirror_lower
from cofactor.kernels.cpu.jit import kernel, shared

SHARED_UP_TO = 128 * 2**20  # bytes of X'X up to which it is built whole, each pair once
LIST_BELOW = 2  # a row of fewer than n_items / 2 products lists what it touched; another is read from end to end
SIFTED = 16  # items in a block whose maximum decides whether it is looked at
BINS = 2048  # into which the similarities of a row are counted to select the best


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
    ones = bool((user_values == 1).all() and (item_values == 1).all())
    n_head, n_heavy = planned(np.diff(user_indptr), np.diff(item_indptr)) if ones else (0, 0)
    if n_head:
        order, lists, begin, bits, _ = as_sets(user_indptr, user_indices, item_indptr, item_users, n_head, n_heavy, n_threads)
        placed = tuple(part[order] for part in law[:4])
        counted = (user_indptr, user_values, item_indptr, item_users, item_values, order, lists, begin, bits, n_head)
        shared(_neighbours_of_counts, n_threads, *counted, *placed, law[4], rows, similarity, count)
    elif 4 * n_items**2 <= SHARED_UP_TO and products > n_items**2:
        gram = gram_lower(*by_user, *by_item, n_threads)
        mirror_lower(gram, n_threads)
        shared(_neighbours_of_gram, n_threads, gram, *law, rows, similarity, count)
    elif n_items:
        shared(_neighbours, n_threads, *by_user, *by_item, *law, rows, similarity, count)
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
    shared(_strongest, n_threads, matrix, columns, values, count)
    return columns, values, count


@kernel
def _similarities(
    products: Any, found: Any, n_found: Any, i: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any,
    bits: Any,
) -> Any:  # fmt: skip
    """Turn the products of the items found into similarities, as bit patterns, zero for what is none; clear the products.

    Positive floats are ordered as their bit patterns are when these are read as integers.
    """
    similarity = bits.view(np.float32)
    p, a = left[i], left_add[i]
    products[i] = np.float32(0.0)
    listed, out = found[:n_found], similarity[:n_found]
    for at in range(listed.shape[0]):
        j = np.uint32(listed[at])
        d = products[j]
        s = np.float32(d / (p * right[j] + a + right_add[j] + weight * d))
        good = (d > np.float32(0.0)) & (s > np.float32(0.0)) & (s < np.float32(np.inf))
        out[at] = s if good else np.float32(0.0)
    for at in range(listed.shape[0]):
        # an item listed twice (its products once cancelled out) counts once
        j = np.uint32(listed[at])
        out[at] = out[at] if products[j] != np.float32(0.0) else np.float32(0.0)
        products[j] = np.float32(0.0)


@kernel
def _similarities_of_row(
    d: Any, order: Any, i: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, found: Any, bits: Any
) -> Any:
    """Turn a whole row of products into similarities, as bit patterns, and list the items in their order."""
    similar, p, a = bits.view(np.float32), left[i], left_add[i]
    d[i] = np.float32(0.0)
    for j in range(order.shape[0]):
        x = d[j]
        s = np.float32(x / (p * right[j] + a + right_add[j] + weight * x))
        good = (x > np.float32(0.0)) & (s > np.float32(0.0)) & (s < np.float32(np.inf))
        similar[j] = s if good else np.float32(0.0)
        found[j] = order[j]


@kernel
def _edge(bits: Any, n: Any, k: Any, counts: Any) -> Any:
    """Divide the range of the positive bit patterns into bins, and find the one the k-th largest lies in.

    Returns the least pattern, the shift that makes bins of patterns, the bin (-1: all are wanted) and how many of it are.
    """
    low, high = np.int32(2**31 - 1), np.int32(0)
    for at in range(n):
        low = min(low, bits[at] if bits[at] > 0 else np.int32(2**31 - 1))
        high = max(high, bits[at])
    shift = 0
    while (np.int64(high) - np.int64(low)) >> shift >= BINS:
        shift += 1
    if n <= k or high == 0:
        return low, shift, -1, 0
    counts[:] = 0
    for at in range(n):
        counts[np.uint32(max(bits[at] - low, 0) >> shift)] += 1
    place, wanted = BINS - 1, np.int64(k)
    while place > 0 and counts[place] < wanted:
        wanted -= counts[place]
        place -= 1
    return low, shift, place, wanted


@kernel
def _sift(found: Any, bits: Any, n: Any, k: Any, scratch: Any, counts: Any) -> Any:
    """Leave only items that may be among the k largest, in their order, and return how many there are.

    The k-th largest of the maxima of blocks of items is a bound that k items reach, and few others do.
    """
    n_blocks = n // SIFTED
    if n_blocks <= k:
        return n
    maxima = scratch[:n_blocks]
    for block in range(n_blocks):
        part = bits[block * SIFTED : (block + 1) * SIFTED]
        most = np.int32(0)
        for at in range(SIFTED):
            most = max(most, part[np.uint32(at)])
        maxima[block] = most
    low, shift, place, _ = _edge(maxima, n_blocks, k, counts)
    least = max(np.int32(1), np.int32(low + (max(place, 0) << shift)))
    kept = 0
    for block in range(n_blocks + 1):
        if block == n_blocks or maxima[block] >= least:
            for at in range(block * SIFTED, min((block + 1) * SIFTED, n)):
                item, pattern = found[at], bits[at]
                found[kept] = item
                bits[kept] = pattern
                kept += pattern >= least
    return kept


@kernel
def _keep_best(found: Any, bits: Any, n: Any, keys: Any, edge: Any, counts: Any, rows: Any, similarity: Any) -> Any:
    """Write the k largest of n items, in ascending order of rows; zero patterns are none; return how many there are.

    Items are counted into bins by their similarity. What lies above the bin of the k-th is taken as it is; only that
    bin, a few items, is sorted: by similarity, equal ones by row.
    """
    n = _sift(found, bits, n, rows.shape[0], edge.view(np.int32), counts)
    low, shift, place, wanted = _edge(bits, n, rows.shape[0], counts)
    kept, at_edge = 0, 0
    for at in range(n):
        own = (bits[at] - low) >> shift if bits[at] > 0 else -2
        keys[kept] = (np.int64(found[at]) << 32) | np.int64(bits[at])
        kept += own > place
        edge[at_edge] = (np.int64(2**31 - 1 - bits[at]) << 32) | np.int64(found[at])
        at_edge += own == place
    if at_edge > wanted:
        candidates = edge[:at_edge]
        candidates.sort()
        at_edge = wanted
    for at in range(at_edge):
        keys[kept] = ((edge[at] & 0xFFFFFFFF) << 32) | (2**31 - 1 - (edge[at] >> 32))
        kept += 1
    chosen = keys[:kept]
    chosen.sort()
    pattern = similarity.view(np.int32)
    for at in range(kept):
        rows[at] = np.int32(chosen[at] >> 32)
        pattern[at] = np.int32(chosen[at] & 0x7FFFFFFF)
    return kept


@kernel
def _neighbours_of_gram(
    thread: Any, n_threads: Any, gram: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, rows: Any,
    similarity: Any, count: Any,
) -> Any:  # fmt: skip
    n_items = gram.shape[0]
    found = np.empty(n_items + 1, np.int32)
    bits = np.empty(n_items + 1, np.int32)
    keys = np.empty(n_items + 1, np.int64)
    edge = np.empty(n_items + 1, np.int64)
    counts = np.empty(BINS, np.int32)
    order = np.arange(n_items, dtype=np.int32)
    for i in range(thread, n_items, n_threads):
        _similarities_of_row(gram[i], order, i, left, right, left_add, right_add, weight, found, bits)
        count[i] = _keep_best(found, bits, n_items, keys, edge, counts, rows[i], similarity[i])


@kernel
def _neighbours_of_counts(
    thread: Any, n_threads: Any, user_indptr: Any, user_values: Any, item_indptr: Any, item_users: Any, item_values: Any, order: Any,
    lists: Any, begin: Any, bits: Any, n_head: Any, left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, rows: Any,
    similarity: Any, count: Any,
) -> Any:  # fmt: skip
    """Count a block of the head at once, walk the lists of each other item; the law is in the order of the places."""
    n_items = order.shape[0]
    block = np.empty((BLOCK, max(n_items, bits.shape[0] * bits.shape[2])), np.float32)
    d = np.zeros(n_items, np.float32)
    found = np.empty(n_items + 1, np.int32)
    bits_of_row = np.empty(n_items + 1, np.int32)
    keys = np.empty(n_items + 1, np.int64)
    edge = np.empty(n_items + 1, np.int64)
    counts = np.empty(BINS, np.int32)
    for first in range(thread * BLOCK, n_items, n_threads * BLOCK):
        if first < n_head:
            count_block(first, user_indptr, item_indptr, item_users, order, lists, begin, bits, n_head, block)
        for place in range(first, min(first + BLOCK, n_items)):
            i = order[place]
            if place < n_head:
                n = n_items
                _similarities_of_row(
                    block[place - first], order, place, left, right, left_add, right_add, weight, found, bits_of_row
                )
            else:
                n = _row_of_products(
                    user_indptr, lists, user_values, item_users[item_indptr[i] : item_indptr[i + 1]],
                    item_values[item_indptr[i] : item_indptr[i + 1]], d, found,
                )  # fmt: skip
                _similarities(d, found, n, place, left, right, left_add, right_add, weight, bits_of_row)
                d[place] = np.float32(0.0)
                for at in range(n):
                    found[at] = order[found[at]]
            count[i] = _keep_best(found, bits_of_row, n, keys, edge, counts, rows[i], similarity[i])


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


@kernel
def _neighbours(
    thread: Any, n_threads: Any, user_indptr: Any, user_indices: Any, user_values: Any, item_indptr: Any, item_users: Any, item_values: Any,
    left: Any, right: Any, left_add: Any, right_add: Any, weight: Any, rows: Any, similarity: Any,
    count: Any,
) -> Any:  # fmt: skip
    n_items = rows.shape[0]
    d = np.zeros(n_items, np.float32)
    found = np.empty(n_items + 1, np.int32)
    bits = np.empty(n_items + 1, np.int32)
    keys = np.empty(n_items + 1, np.int64)
    edge = np.empty(n_items + 1, np.int64)
    counts = np.empty(BINS, np.int32)
    for i in range(thread, n_items, n_threads):
        n = _row_of_products(
            user_indptr, user_indices, user_values, item_users[item_indptr[i] : item_indptr[i + 1]],
            item_values[item_indptr[i] : item_indptr[i + 1]], d, found,
        )  # fmt: skip
        _similarities(d, found, n, i, left, right, left_add, right_add, weight, bits)
        d[i] = np.float32(0.0)
        count[i] = _keep_best(found, bits, n, keys, edge, counts, rows[i], similarity[i])


@kernel
def _strongest(thread: Any, n_threads: Any, matrix: Any, columns: Any, values: Any, count: Any) -> Any:
    n = matrix.shape[0]
    found = np.empty(n + 1, np.int32)
    bits = np.empty(n + 1, np.int32)
    keys = np.empty(n + 1, np.int64)
    edge = np.empty(n + 1, np.int64)
    counts = np.empty(BINS, np.int32)
    for i in range(thread, n, n_threads):
        pattern = matrix[i].view(np.int32)
        kept = 0
        for j in range(n):
            size = pattern[j] & np.int32(0x7FFFFFFF)  # of the magnitude: without the sign
            found[kept] = j
            bits[kept] = size
            kept += (size != 0) & (j != i)
        kept = _keep_best(found, bits, kept, keys, edge, counts, columns[i], values[i])
        for at in range(kept):
            values[i, at] = matrix[i, columns[i, at]]
        count[i] = kept
