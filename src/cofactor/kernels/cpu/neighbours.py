"""The strongest entries of each row: of similarities between items, which are never held whole, or
of a dense matrix.

Products X'X are gathered row by row in one dense row per thread, as in `gram`; of data whose values
are all 1, they are counted by sets of bits where that is cheaper (`_bitsets`). How the best of a
row are selected says `_selection`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.kernels.cpu._bitsets import BLOCK, as_sets, count_block, planned
from cofactor.kernels.cpu._selection import keep_best, keep_largest, workspace
from cofactor.kernels.cpu.gram import gram_lower, mirror_lower
from cofactor.kernels.cpu.heap import empty_lists
from cofactor.kernels.cpu.jit import kernel, shared

SHARED_UP_TO = 128 * 2**20  # bytes of X'X up to which it is built whole, each pair once
# a row of fewer than n_items / 2 products lists what it touched; another is read from end to end
LIST_BELOW = 2


class Formula(NamedTuple):
    """p, q, a, b and w of a similarity; see `top_neighbours`."""

    left: np.ndarray
    right: np.ndarray
    left_add: np.ndarray
    right_add: np.ndarray
    weight: np.float32


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
    """Return each item's most similar items, s_ij = d_ij / (p_i q_j + a_i + b_j + w d_ij) with d =
    X'X.

    Only pairs with d_ij > 0 and a finite s_ij > 0 are neighbours, an item is never its own. Where
    two are equally similar, the lower row is kept. They come in ascending order of their rows,
    ready for CSR.

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
    rows, similarity, count = empty_lists(n_items, neighbours)
    by_user = (user_indptr, user_indices, user_values)
    by_item = (item_indptr, item_users, item_values)
    formula = Formula(left, right, left_add, right_add, np.float32(product_weight))
    products = int(np.square(np.diff(user_indptr)).sum())
    ones = bool((user_values == 1).all() and (item_values == 1).all())
    words = planned(np.diff(user_indptr), np.diff(item_indptr)) if ones else np.zeros(0, np.int64)
    if words.size:
        sets = as_sets(user_indptr, user_indices, item_indptr, item_users, words, n_threads)
        placed = Formula._make([*(part[sets.order] for part in formula[:4]), formula.weight])
        counted = (user_indptr, user_values, *by_item, sets, placed, rows, similarity, count)
        shared(_neighbours_of_sets, n_threads, *counted)
    elif 4 * n_items**2 <= SHARED_UP_TO and products > n_items**2:
        gram = gram_lower(*by_user, *by_item, n_threads)
        mirror_lower(gram, n_threads)
        shared(_neighbours_of_gram, n_threads, gram, formula, rows, similarity, count)
    elif n_items:
        shared(_neighbours, n_threads, *by_user, *by_item, formula, 0, rows, similarity, count)
    return rows, similarity, count


def strongest(
    matrix: np.ndarray, keep: int, n_threads: int, first: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the entries of each row that are largest in magnitude, the diagonal and zeros left
    out.

    Parameters
    ----------
    matrix : float32 [rows, n]
        C-contiguous, finite.
    keep : int
        How many are kept of each row, at least 1. Where two are equally large, the lower column is
        kept.
    n_threads : int
        Among how many threads the rows are divided; the result doesn't depend on it.
    first : int
        Which row of the square matrix the first one is.

    Returns
    -------
    columns : int32 [rows, keep]
        Ascending; -1 where a row has no more.
    values : float32 [rows, keep]
        The entries themselves, with their signs; NaN where a row has no more.
    count : int32 [rows]
    """
    found = empty_lists(len(matrix), keep)
    shared(_strongest, n_threads, matrix, first, *found)
    return found


@kernel
def _similarities(products, found, n_found, i, formula, bits):
    """Turn the products of the items found into similarities, as bit patterns, zero for what is
    none; clear the products.

    Positive floats are ordered as their bit patterns are when these are read as integers.
    """
    similarity = bits.view(np.float32)
    left, right, left_add, right_add, weight = formula
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
def _similarities_of_row(d, i, formula, bits):
    """Turn a whole row of products into similarities, as bit patterns."""
    left, right, left_add, right_add, weight = formula
    similar, p, a = bits.view(np.float32), left[i], left_add[i]
    d[i] = np.float32(0.0)
    for j in range(right.shape[0]):
        x = d[j]
        s = np.float32(x / (p * right[j] + a + right_add[j] + weight * x))
        good = (x > np.float32(0.0)) & (s > np.float32(0.0)) & (s < np.float32(np.inf))
        similar[j] = s if good else np.float32(0.0)


@kernel(allocates=True)
def _neighbours_of_gram(thread, n_threads, gram, formula, rows, similarity, count):
    n_items = gram.shape[0]
    bits, buffers = np.empty(n_items + 1, np.int32), workspace(n_items)
    order = np.arange(n_items, dtype=np.int32)
    for i in range(thread, n_items, n_threads):
        _similarities_of_row(gram[i], i, formula, bits)
        count[i] = keep_best(order, bits, n_items, buffers, rows[i], similarity[i])


@kernel(allocates=True)
def _neighbours_of_sets(
    thread,
    n_threads,
    user_indptr,
    user_values,
    item_indptr,
    item_users,
    item_values,
    sets,
    formula,
    rows,
    similarity,
    count,
):
    """Count a block of items that have sets at once, walk the lists of each other item; the formula
    is in the sets' order.
    """
    order, n_items = sets.order, sets.order.shape[0]
    n_placed = sets.words.shape[0] * sets.bits.shape[2]
    n_head = min(n_items, n_placed)
    block = np.empty((BLOCK, max(n_items, n_placed)), np.float32)
    d = np.zeros(n_items, np.float32)
    found = np.empty(n_items + 1, np.int32)
    patterns, buffers = np.empty(n_items + 1, np.int32), workspace(n_items)
    for first in range(thread * BLOCK, n_items, n_threads * BLOCK):
        if first < n_head:
            count_block(first, user_indptr, item_indptr, sets, block)
        for place in range(first, min(first + BLOCK, n_items)):
            i = order[place]
            if place < n_head:
                _similarities_of_row(block[place - first], place, formula, patterns)
                n = n_items
                for at in range(n):
                    found[at] = order[at]
            else:
                n = _row_of_products(
                    user_indptr,
                    sets.lists,
                    user_values,
                    item_users[item_indptr[i] : item_indptr[i + 1]],
                    item_values[item_indptr[i] : item_indptr[i + 1]],
                    d,
                    found,
                )
                _similarities(d, found, n, place, formula, patterns)
                d[place] = np.float32(0.0)
                for at in range(n):
                    found[at] = order[found[at]]
            count[i] = keep_best(found, patterns, n, buffers, rows[i], similarity[i])


@kernel
def _row_of_products(user_indptr, user_indices, user_values, users, values, d, found):
    """Add up one item's products d, list the items touched (a few perhaps twice), and return how
    many there are.
    """
    n_items = d.shape[0]
    walked = 0
    for at in range(users.shape[0]):
        walked += user_indptr[users[at] + 1] - user_indptr[users[at]]
    listed = walked * LIST_BELOW < n_items
    n = 0
    for at in range(users.shape[0]):
        u = users[at]
        x = values[at]
        # slices and unsigned indices spare the test for negative ones, which costs half of these
        # loops
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


@kernel(allocates=True)
def _neighbours(
    thread,
    n_threads,
    user_indptr,
    user_indices,
    user_values,
    item_indptr,
    item_users,
    item_values,
    formula,
    first,
    rows,
    similarity,
    count,
):
    n_items = formula.right.shape[0]
    d = np.zeros(n_items, np.float32)
    found = np.empty(n_items + 1, np.int32)
    bits, buffers = np.empty(n_items + 1, np.int32), workspace(n_items)
    for at in range(thread, rows.shape[0], n_threads):
        i = first + at
        n = _row_of_products(
            user_indptr,
            user_indices,
            user_values,
            item_users[item_indptr[i] : item_indptr[i + 1]],
            item_values[item_indptr[i] : item_indptr[i + 1]],
            d,
            found,
        )
        _similarities(d, found, n, i, formula, bits)
        d[i] = np.float32(0.0)
        count[at] = keep_best(found, bits, n, buffers, rows[at], similarity[at])


@kernel(allocates=True)
def _strongest(thread, n_threads, matrix, first, columns, values, count):
    n = matrix.shape[1]
    items = np.arange(n, dtype=np.int32)
    bits, buffers = np.empty(n + 1, np.int32), workspace(n)
    for i in range(thread, matrix.shape[0], n_threads):
        kept = keep_largest(items, matrix[i], first + i, bits, buffers, columns[i], values[i])
        for at in range(kept):
            values[i, at] = matrix[i, columns[i, at]]
        count[i] = kept
