"""The k best items of each user, exactly, without ever holding all scores.

As in the reference: descending score, equal scores to the lower row, nothing excluded, disallowed,
NaN or -inf. Each user keeps a heap of the k best so far with the worst at its root;
whole runs of scores are compared with that root at once, and only the few that beat it are looked
at one by one."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Numba multiplies with its BLAS, whose threads can't be set before it is loaded
import scipy.linalg.cython_blas  # noqa: F401

from cofactor.kernels.cpu.heap import contains, empty_lists, offer, sort_heap
from cofactor.kernels.cpu.jit import kernel, on_threads

USER_BLOCK = 128  # users of one matrix product, at most
# items of one matrix product: 128 x 1024 scores are half a megabyte and stay in the L2 cache
ITEM_BLOCK = 1024
SCORE_ROWS = 256  # rows of scores that a thread takes at a time, at most
RUN = 64  # scores compared with the threshold at once
PRUNE_FROM = 256  # users from which on sorting the items by their bound pays


class ItemOrder(NamedTuple):
    """Items in the order of a bound on their scores."""

    vectors: np.ndarray  # float32 [n, f]
    offsets: np.ndarray  # float32 [n]
    rows: np.ndarray  # int32 [n]: which items they are
    reach: np.ndarray  # float64 [blocks]: the largest norm from each block on
    rest: np.ndarray  # float64 [blocks]: the largest offset from each block on


@lru_cache(maxsize=2)
def _row_order(n_items: int) -> tuple[np.ndarray, np.ndarray]:
    """No offsets, and the items by row: made once, since for one user that takes as long as the
    search. Nobody writes into them.
    """
    return np.zeros(n_items, np.float32), np.arange(n_items, dtype=np.int32)


def topk_scores(
    scores: np.ndarray,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k best items of every row of a score matrix.

    An item is eligible for row b if it is allowed, isn't among b's excluded items, and its score is
    neither NaN nor -inf. The eligible items are ordered by (-score, item row): equal scores go to
    the lower row. The first min(k, eligible) of them are returned.

    Parameters
    ----------
    scores : float32 [B, n]
        The score of every item, C-contiguous; NaN and -inf stand for "can't be recommended".
    k : int
        How many items are wanted, at least 0.
    excluded_indptr : int64 [B + 1]
        Where each row's excluded items begin in ``excluded_indices``.
    excluded_indices : int32 [excluded_indptr[-1]]
        Excluded item rows, ascending within each row (they are searched by bisection); repeats do
        no harm.
    allowed : bool or uint8 [n]
        Nonzero for the items that may come back at all.
    n_threads : int
        Among how many threads the rows are divided, at least 1; the result doesn't depend on it.

    Returns
    -------
    rows : int32 [B, k]
        Item rows, best first; -1 from position ``count[b]`` on.
    best : float32 [B, k]
        Their scores; NaN from position ``count[b]`` on.
    count : int32 [B]
        How many were found.
    """
    rows, best, count = empty_lists(scores.shape[0], k)
    if rows.size and scores.shape[1]:
        n_rows, n_items = scores.shape
        which = (*_row_order(n_items), excluded_indptr, excluded_indices, as_bytes(allowed))
        size = min(SCORE_ROWS, -(-n_rows // n_threads))

        def block(n: int) -> None:
            rows_of = n * size, min((n + 1) * size, n_rows)
            _scan_scores(scores, *which, *rows_of, rows, best, count)

        on_threads(block, -(-n_rows // size), n_threads)
    return rows, best, count


def topk_dot(
    user_vectors: np.ndarray,
    item_vectors: np.ndarray,
    item_offsets: np.ndarray,
    k: int,
    excluded_indptr: np.ndarray,
    excluded_indices: np.ndarray,
    allowed: np.ndarray,
    n_threads: int,
    items: ItemOrder | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k items with the largest x_u·y_i + c_i of every user, ordered as by `topk_scores`.

    No more than 128 x 1024 scores a thread exist at any time. For many users at once the items are
    visited in the order of the bound |x_u| |y_i| + c_i (Cauchy-Schwarz), and a user is done when no
    item left can reach its k-th best score. The bound is widened by the rounding error of the
    product, so nothing is lost.

    Parameters
    ----------
    user_vectors : float32 [B, f]
        x_u, C-contiguous.
    item_vectors : float32 [n, f]
        y_i, C-contiguous.
    item_offsets : float32 [n]
        c_i; zeros when there are none.
    k, excluded_indptr, excluded_indices, allowed, n_threads
        As in `topk_scores`. Call it inside ``native_threads(n_threads, blas=1)``: every thread
        calls BLAS.
    items : ItemOrder
        `ordered_items` of these items, where it is known and `is_pruned`; else it is computed.

    Returns
    -------
    rows : int32 [B, k]
    best : float32 [B, k]
    count : int32 [B]
        As in `topk_scores`, for the scores as the machine computes them: items whose exact scores
        differ by less than the rounding error of a float32 product may trade places.
    """
    n_users, n_items = user_vectors.shape[0], item_vectors.shape[0]
    rows, best, count = empty_lists(n_users, k)
    if not rows.size or not n_items:
        return rows, best, count
    mask = as_bytes(allowed)
    if is_pruned(n_users, n_items):
        if items is None:
            items = ordered_items(user_vectors, item_vectors, item_offsets)
        mask = mask[items.rows]
    else:
        # an infinite bound never ends a user's search
        endless = np.full(-(-n_items // ITEM_BLOCK), np.inf)
        order = np.arange(n_items, dtype=np.int32)
        items = ItemOrder(item_vectors, item_offsets, order, endless, endless)
    _scan_blocks(
        user_vectors,
        items,
        (excluded_indptr, excluded_indices),
        mask,
        n_threads,
        (rows, best, count),
    )
    return rows, best, count


def as_bytes(allowed: np.ndarray) -> np.ndarray:
    """Return a mask in one dtype, so that one variant of a kernel is compiled."""
    return (
        allowed.view(np.uint8)
        if allowed.dtype == np.bool_
        else allowed.astype(np.uint8, copy=False)
    )


def is_pruned(n_users: int, n_items: int) -> bool:
    """Return whether so many users are searched in the order of the items' bounds."""
    return n_users >= PRUNE_FROM and n_items > 2 * ITEM_BLOCK


def largest_first(
    key: np.ndarray, norms: np.ndarray, offsets: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the places of the keys, the largest first, and the largest norm and offset from each
    block of ``size`` places on.
    """
    order = np.argsort(-np.where(np.isnan(key), np.inf, key), kind="stable").astype(np.int32)
    # Contiguous: kernels would be compiled once more for strides.
    reach, rest = (
        np.ascontiguousarray(np.maximum.accumulate(bound[order][::-1])[::-1][::size])
        for bound in (norms, offsets)
    )
    return order, reach, rest


def ordered_items(
    user_vectors: np.ndarray, item_vectors: np.ndarray, item_offsets: np.ndarray
) -> ItemOrder:
    """Order items by a bound on their score for a user of typical length.

    Parameters
    ----------
    user_vectors, item_vectors, item_offsets
        As in `topk_dot`. Other users than these are searched in this order too: what is found
        doesn't depend on it, only how early a search ends.
    """
    offsets = np.where(np.isnan(item_offsets), -np.inf, item_offsets).astype(np.float64)
    with np.errstate(invalid="ignore"):
        norms = np.sqrt(np.einsum("if,if->i", item_vectors, item_vectors, dtype=np.float64))
        typical = float(
            np.median(np.sqrt(np.einsum("uf,uf->u", user_vectors, user_vectors, dtype=np.float64)))
        )
        # A NaN vector never scores; counted as infinite it comes first and can't hide in the bound
        # of the others.
        norms[np.isnan(norms)] = np.inf
        key = norms * (typical if np.isfinite(typical) else 1.0) + offsets
    order, reach, rest = largest_first(key, norms, offsets, ITEM_BLOCK)
    return ItemOrder(item_vectors[order], item_offsets[order], order, reach, rest)


@kernel
def _scan(
    scores,
    offsets,
    order,
    ties_matter,
    allowed,
    excluded,
    low,
    high,
    heap_rows,
    heap_scores,
    size,
    k,
):
    """Offer scores[j] + offsets[j] of item order[j] to a user's heap, for all j; return the
    heap's new size.
    """
    n = scores.shape[0]
    # What doesn't exceed the gate can't come in. Rows in ascending order never win a tie; in
    # another order they may.
    gate = np.float32(-np.inf)
    if size == k:
        gate = np.nextafter(heap_scores[0], np.float32(-np.inf)) if ties_matter else heap_scores[0]
    for start in range(0, n, RUN):
        stop = min(start + RUN, n)
        # Slices of their own (no negative index can occur) and a 32-bit count let LLVM compare 16
        # scores at once.
        run_scores, run_offsets = scores[start:stop], offsets[start:stop]
        hits = np.int32(0)
        for j in range(run_scores.shape[0]):
            if run_scores[j] + run_offsets[j] > gate:
                hits = np.int32(hits + np.int32(1))
        if hits == 0:
            continue
        for j in range(start, stop):
            score = scores[j] + offsets[j]
            if score > gate and allowed[j] and not contains(excluded, low, high, order[j]):
                size = offer(heap_rows, heap_scores, size, k, order[j], score)
                if size == k:
                    gate = (
                        np.nextafter(heap_scores[0], np.float32(-np.inf))
                        if ties_matter
                        else heap_scores[0]
                    )
    return size


@kernel
def _scan_scores(
    scores, offsets, order, excluded_indptr, excluded, allowed, first, end, rows, best, count
):
    k = rows.shape[1]
    for b in range(first, end):
        low, high = excluded_indptr[b], excluded_indptr[b + 1]
        size, ties = np.int64(0), np.bool_(False)
        size = _scan(
            scores[b], offsets, order, ties, allowed, excluded, low, high, rows[b], best[b], size, k
        )
        sort_heap(rows[b], best[b], size)
        count[b] = size


@kernel(allocates=True)
def _scan_products(
    user_vectors,
    item_vectors,
    offsets,
    order,
    reach,
    rest,
    excluded_indptr,
    excluded,
    allowed,
    first,
    last,
    rows,
    best,
    count,
):
    """s_ui = x_u·y_i + c_i for users first to last; `reach` and `rest` bound |y_i| and c_i from
    each block of items on.
    """
    n_factors = user_vectors.shape[1]
    n_items = item_vectors.shape[0]
    k = rows.shape[1]
    ties_matter = reach[0] < np.inf or reach[-1] < np.inf
    # |fl(x·y) - x·y| <= f eps |x| |y| / (1 - f eps); doubled, which also covers adding the offset
    slack = 2.0 * (n_factors + 8) * 1.2e-7
    m = last - first  # users that aren't done, packed to the front
    x = np.empty((m, n_factors), np.float32)
    length = np.empty(m)
    user = np.empty(m, np.int64)
    products = np.empty(m * ITEM_BLOCK, np.float32)
    for a in range(m):
        user[a] = first + a
        square = 0.0
        for d in range(n_factors):
            x[a, d] = user_vectors[user[a], d]
            square += np.float64(x[a, d]) * np.float64(x[a, d])
        length[a] = np.sqrt(square)
    for tile in range(reach.shape[0]):
        begin = tile * ITEM_BLOCK
        end = min(begin + ITEM_BLOCK, n_items)
        kept = 0
        for a in range(m):
            u = user[a]
            dot_bound = length[a] * reach[tile]
            bound = dot_bound + rest[tile] + slack * (dot_bound + abs(rest[tile])) + 1e-30
            if count[u] == k and bound < best[u, 0]:
                continue
            if kept < a:
                user[kept] = u
                length[kept] = length[a]
                for d in range(n_factors):
                    x[kept, d] = x[a, d]
            kept += 1
        m = kept
        if m == 0:
            break
        s = products[: m * (end - begin)].reshape(m, end - begin)
        np.dot(x[:m], item_vectors[begin:end].T, s)
        for a in range(m):
            u = user[a]
            count[u] = _scan(
                s[a],
                offsets[begin:end],
                order[begin:end],
                ties_matter,
                allowed[begin:end],
                excluded,
                excluded_indptr[u],
                excluded_indptr[u + 1],
                rows[u],
                best[u],
                np.int64(count[u]),
                k,
            )
    for u in range(first, last):
        sort_heap(rows[u], best[u], np.int64(count[u]))


def _scan_blocks(
    user_vectors: np.ndarray,
    items: tuple[np.ndarray, ...],
    excluded: tuple[np.ndarray, np.ndarray],
    mask: np.ndarray,
    n_threads: int,
    found: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    """`_scan_products` for all users, a block at a time."""
    n_users = user_vectors.shape[0]
    size = min(USER_BLOCK, -(-n_users // n_threads))
    on_threads(
        lambda block: _scan_products(
            user_vectors,
            *items,
            *excluded,
            mask,
            block * size,
            min((block + 1) * size, n_users),
            *found,
        ),
        -(-n_users // size),
        n_threads,
    )
