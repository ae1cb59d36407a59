"""Counts of common users: by sets of bits where users and items are many to each other, by walking lists elsewhere.

d_ij = |U_i ∩ U_j| for all pairs of items is X'X of data whose values are all 1. Walking the lists costs Σ_u n_u² steps. Between
the `n_head` items with the most users, as far as the `n_heavy` users with the most items go, each item's users are a set of
bits, and a vector instruction counts hundreds of users of a pair. All other products are walked: those of other users, and
those with other items. Counts are integers, so that every way gives the same.
"""

from __future__ import annotations

import platform
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from cofactor.kernels.cpu._bits_simd import PANEL, ROWS_AT_ONCE, add_common
from cofactor.kernels.cpu.jit import kernel, shared

BLOCK = 2 * ROWS_AT_ONCE  # items whose counts are taken together
WORDS_AT_ONCE = 512  # of a panel: 64 KiB stay in the L2 cache while the block's rows pass
EXACT_BELOW = 2**24  # users: float32 holds any count of fewer

# The cost model, in nanoseconds: of a step along a list; of a place in a row, which sets of bits fill from end to end; of an
# entry that is sorted into lists and sets. A pair's cost for a user in the sets depends on the machine.
STEP, PLACE, SORTED = 0.8, 0.5, 4.0
GAIN = 0.8  # of the walk's cost: what isn't cheaper than that is walked


class Sets(NamedTuple):
    """The items, head first, as sets of bits, and the lists that remain to be walked.

    ``order`` int32 [n_items] holds the items: the head in ascending order, then the others in ascending order. An item's place
    in it stands for it in ``lists`` int32 [entries], which has each user's part of the head, then the others. From ``begin``
    int64 [n_users] on a list is walked for an item of the head. ``bits`` is uint32 [panels, words, PANEL].
    """

    order: np.ndarray
    lists: np.ndarray
    begin: np.ndarray
    bits: np.ndarray
    n_head: int


def planned(user_counts: np.ndarray, item_counts: np.ndarray) -> tuple[int, int]:
    """Return for how many items, and how many users, sets of bits make counting cheapest; (0, 0) where they don't pay.

    With H items that hold a share s of all entries, and W users with Σ' n_u² of the Σ n_u² steps, the cost is

        pair H² W + place H n_items + step (Σ n_u² - s² Σ' n_u²) + sorted Σ n_u

    as if heavy users had as much of the head as all have. The least over some hundred H and W is taken.

    Parameters
    ----------
    user_counts : int [n_users]
        n_u: how many items each user has.
    item_counts : int [n_items]

    Returns
    -------
    n_head, n_heavy : int
    """
    n_users, n_items = len(user_counts), len(item_counts)
    entries = float(user_counts.sum())
    if not entries or n_users >= EXACT_BELOW:
        return 0, 0
    parts = 2.0 ** (-np.arange(30) / 3)
    heads = np.minimum(np.ceil(n_items * parts / PANEL).astype(np.int64) * PANEL, n_items)[:, None]
    heavies = np.ceil(n_users * parts).astype(np.int64)
    share = np.cumsum(np.sort(item_counts)[::-1])[heads - 1] / entries
    steps = np.cumsum(np.square(np.sort(user_counts)[::-1].astype(np.float64)))
    walked = steps[-1] - share**2 * steps[heavies - 1]
    costs = nanoseconds_of_a_pair() * heads.astype(np.float64) ** 2 * heavies + PLACE * heads * n_items + STEP * walked
    head, heavy = np.unravel_index(np.argmin(costs), costs.shape)
    if costs[head, heavy] + SORTED * entries > GAIN * STEP * steps[-1]:
        return 0, 0
    return int(heads[head, 0]), int(heavies[heavy])


@cache
def nanoseconds_of_a_pair() -> float:
    """What one user costs a pair of items in sets of bits, as measured on machines with and without the instructions for it."""
    from llvmlite.binding import get_host_cpu_features

    has = get_host_cpu_features()
    if has.get("avx512vpopcntdq"):
        vector = 0.45
    elif has.get("avx2") or platform.machine().lower() in ("arm64", "aarch64"):
        vector = 2.3
    else:
        vector = 6.5
    return vector / 512


def as_sets(
    user_indptr: np.ndarray,
    user_indices: np.ndarray,
    item_indptr: np.ndarray,
    item_users: np.ndarray,
    n_head: int,
    n_heavy: int,
    n_threads: int,
) -> Sets:
    """Return the sets of the ``n_head`` items with the most users, among the ``n_heavy`` users with the most items.

    Parameters
    ----------
    user_indptr, user_indices, item_indptr, item_users
        As in `gram.gram_lower`.
    n_head, n_heavy : int
        At least 1; n_head a multiple of `PANEL`, or all items.
    n_threads : int
        Among how many threads the work is divided; the result doesn't depend on it.
    """
    n_users, n_items = user_indptr.size - 1, item_indptr.size - 1
    in_head = _largest(np.diff(item_indptr), n_head)
    order = np.concatenate([np.flatnonzero(in_head), np.flatnonzero(~in_head)]).astype(np.int32)
    place = np.empty(n_items, np.int32)
    place[order] = np.arange(n_items, dtype=np.int32)
    heavy = _largest(np.diff(user_indptr), n_heavy)
    bit = np.where(heavy, np.cumsum(heavy) - 1, -1).astype(np.int32)
    lists, begin = np.empty(len(user_indices), np.int32), np.empty(n_users, np.int64)
    shared(_sort_lists, n_threads, user_indptr, user_indices, place, n_head, bit, lists, begin)
    bits = np.zeros((-(-n_head // PANEL), -(-n_heavy // 32), PANEL), np.uint32)
    shared(_fill, n_threads, item_indptr, item_users, order[:n_head], bit, bits)
    return Sets(order, lists, begin, bits, n_head)


def _largest(counts: np.ndarray, n: int) -> np.ndarray:
    """Mark the n largest; of equal ones the first."""
    mask = np.zeros(len(counts), bool)
    mask[np.argsort(-counts, kind="stable")[:n]] = True
    return mask


@kernel
def _sort_lists(thread: Any, n_threads: Any, indptr: Any, indices: Any, place: Any, n_head: Any, bit: Any, lists: Any, begin: Any) -> Any:
    n_users = begin.shape[0]
    first, end = n_users * thread // n_threads, n_users * (thread + 1) // n_threads
    others = np.empty(place.shape[0], np.int32)
    for u in range(first, end):
        at, n = indptr[u], 0
        for entry in range(indptr[u], indptr[u + 1]):
            item = place[indices[entry]]
            lists[at] = item
            others[n] = item
            at += item < n_head
            n += item >= n_head
        lists[at : at + n] = others[:n]
        begin[u] = at if bit[u] >= 0 else indptr[u]


@kernel
def _fill(thread: Any, n_threads: Any, item_indptr: Any, item_users: Any, head: Any, bit: Any, bits: Any) -> Any:
    for panel in range(thread, bits.shape[0], n_threads):
        words = bits[panel]
        for lane in range(min(PANEL, head.shape[0] - panel * PANEL)):
            item = head[panel * PANEL + lane]
            for at in range(item_indptr[item], item_indptr[item + 1]):
                b = bit[item_users[at]]
                if b >= 0:
                    words[b >> 5, lane] |= np.uint32(1) << np.uint32(b & 31)


@kernel
def count_block(
    first: Any, user_indptr: Any, item_indptr: Any, item_users: Any, order: Any, lists: Any, begin: Any, bits: Any, n_head: Any, d: Any
) -> Any:
    """Count the common users of `BLOCK` items of the head, from place ``first`` on, with all items.

    d is float32 [BLOCK, places], with at least as many places as there are items, and sets in ``bits``.
    """
    d[:] = np.float32(0.0)
    n_panels, n_words = bits.shape[0], bits.shape[1]
    for word in range(0, n_words, WORDS_AT_ONCE):
        end = min(word + WORDS_AT_ONCE, n_words)
        for panel in range(n_panels):
            for row in range(0, BLOCK, ROWS_AT_ONCE):
                i = first + row
                add_common(bits, i // PANEL, i % PANEL, panel, word, end, d, row, panel * PANEL)
    for row in range(min(BLOCK, n_head - first)):
        counts = d[row]
        item = order[first + row]
        for at in range(item_indptr[item], item_indptr[item + 1]):
            u = item_users[at]
            rest = lists[begin[u] : user_indptr[u + 1]]
            for entry in range(rest.shape[0]):
                counts[np.uint32(rest[entry])] += np.float32(1.0)
