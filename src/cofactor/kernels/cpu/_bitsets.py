"""Counts of common users: by sets of bits where users and items are many to each other, by walking
lists elsewhere.

d_ij = |U_i ∩ U_j| for all pairs of items is X'X of data whose values are all 1. Walking the lists
costs Σ_u n_u² steps. Between items with many users, as far as users with many items go, each item's
users are a set of bits, and a vector instruction counts hundreds of users of a pair. What the sets
leave out is walked. Counts are integers, so that every way gives the same.

Items stand in the order of their numbers of users, in panels of 32, and users in the order of their
numbers of items, 32 to a word. A panel has the first so many words, never more than the panel
before it. So a user is in the sets of the first so many items, and a pair of items has the words
that the later one has."""

from __future__ import annotations

import platform
from functools import cache
from typing import NamedTuple

import numpy as np

from cofactor.kernels.cpu.jit import kernel, shared
from cofactor.kernels.cpu.llvm.bits import PANEL, ROWS_AT_ONCE, add_common

BLOCK = 2 * ROWS_AT_ONCE  # items whose counts are taken together; two blocks to a panel
WORDS_AT_ONCE = 512  # of a panel: 64 KiB stay in the L2 cache while the block's rows pass
USERS = 256  # at least, that the cost model takes together
MEMORY = 2**28  # bytes of sets, at most
EXACT_BELOW = 2**24  # users: float32 holds any count of fewer

# The cost model, in nanoseconds: of a step along a list; of coming to a list; of a place in a row
# that is read from end to end, as those of items with sets are; of an entry that is sorted into
# lists and sets. A pair's cost in the sets depends on the machine.
STEP, ENTRY, PLACE, SORTED = 0.8, 10.0, 0.5, 4.0
GAIN = 0.8  # of the walk's cost: what isn't cheaper than that is walked


class Sets(NamedTuple):
    """The items as sets of bits, and the lists that remain to be walked.

    Parameters
    ----------
    order
        int32 [n_items]: the items, those with the most users first. A place in it stands for the
        item in what follows.
    bits
        uint32 [panels, words, PANEL].
    words
        int64 [panels]: how many words a panel has, descending.
    lists
        int32 [entries], by user: first the places below the user's head, whose sets the user is in,
        then the others.
    heads
        int32 [n_users].
    begin
        int64 [n_users]: where a user's other places begin.
    walkers
        int32 [entries], by item as the data: of an item with a set, those users whose lists it has
        still to walk.
    n_walkers
        int32 [n_items]: so many of an item's entries are filled.
    """

    order: np.ndarray
    bits: np.ndarray
    words: np.ndarray
    lists: np.ndarray
    heads: np.ndarray
    begin: np.ndarray
    walkers: np.ndarray
    n_walkers: np.ndarray


def planned(user_counts: np.ndarray, item_counts: np.ndarray) -> np.ndarray:
    """Return how many words of users each panel of items should have, so that counting is cheapest.

    m users with Σ' n_u² of the Σ n_u² steps, who are in the sets of the H first items, which hold a
    share s of all entries, cost

        pair H² m + step (1 - s²) Σ' n_u² + entry Σ' n_u

    as if each user had as much of the head as all have; the last term falls away where H is all
    items. The least over a hundred H is taken for some users at a time, and the largest H is such
    that it all, with ``place`` H n_items more, costs least.

    Parameters
    ----------
    user_counts : int [n_users]
        n_u: how many items each user has.
    item_counts : int [n_items]

    Returns
    -------
    int64 [panels]
        Descending; empty where walking all lists is as cheap.
    """
    n_users, n_items = len(user_counts), len(item_counts)
    entries = float(user_counts.sum())
    if not entries or n_users >= EXACT_BELOW:
        return np.zeros(0, np.int64)
    most = min(-(-n_items // PANEL), 8 * MEMORY // (n_users * PANEL))
    panels = np.unique(np.linspace(0, most, 100).astype(np.int64))
    share = np.concatenate([[0.0], np.cumsum(np.sort(item_counts)[::-1]) / entries])[
        np.minimum(panels * PANEL, n_items)
    ]
    together = max(USERS, n_users // 6400 * 32)
    firsts = np.arange(0, n_users, together)
    steps = np.add.reduceat(np.square(np.sort(user_counts)[::-1].astype(np.float64)), firsts)
    members = np.diff(np.append(firsts, n_users))
    starts = np.add.reduceat(np.sort(user_counts)[::-1].astype(np.float64), firsts)
    costs = nanoseconds_of_a_pair() * np.outer(members, (panels * PANEL) ** 2)
    costs += STEP * np.outer(steps, 1 - share**2) + ENTRY * np.outer(starts, share < 1)
    total = np.minimum.accumulate(costs, axis=1).sum(axis=0) + PLACE * PANEL * n_items * panels
    end = int(np.argmin(total))
    if total[end] + SORTED * entries > GAIN * (STEP * steps.sum() + ENTRY * entries):
        return np.zeros(0, np.int64)
    chosen = np.minimum.accumulate(panels[np.argmin(costs[:, : end + 1], axis=1)])
    panels_of_word = np.repeat(chosen, -(-members // 32))
    return np.searchsorted(-panels_of_word, -np.arange(chosen[0])).astype(np.int64)


@cache
def nanoseconds_of_a_pair() -> float:
    """What one user costs a pair of items in sets of bits, as measured with and without the
    instructions for it.
    """
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
    words: np.ndarray,
    n_threads: int,
) -> Sets:
    """Return the items as sets of bits.

    Parameters
    ----------
    user_indptr, user_indices, item_indptr, item_users
        As in `gram.gram_lower`.
    words : int64 [panels]
        As `planned`, not empty.
    n_threads : int
        Among how many threads the work is divided; the result doesn't depend on it.
    """
    n_users, n_items = user_indptr.size - 1, item_indptr.size - 1
    order = np.argsort(-np.diff(item_indptr), kind="stable").astype(np.int32)
    place, rank = np.empty(n_items, np.int32), np.empty(n_users, np.int32)
    place[order] = np.arange(n_items, dtype=np.int32)
    rank[np.argsort(-np.diff(user_indptr), kind="stable")] = np.arange(n_users, dtype=np.int32)
    heads = (PANEL * np.searchsorted(-words, -(rank >> 5), side="left")).astype(np.int32)
    lists, begin = np.empty(len(user_indices), np.int32), np.empty(n_users, np.int64)
    shared(_sort_lists, n_threads, user_indptr, user_indices, place, heads, lists, begin)
    bits = np.zeros((len(words), int(words[0]), PANEL), np.uint32)
    walkers, n_walkers = np.empty(len(item_users), np.int32), np.zeros(n_items, np.int32)
    shared(
        _fill,
        n_threads,
        user_indptr,
        item_indptr,
        item_users,
        order,
        rank,
        words,
        begin,
        bits,
        walkers,
        n_walkers,
    )
    return Sets(order, bits, words, lists, heads, begin, walkers, n_walkers)


@kernel(allocates=True)
def _sort_lists(thread, n_threads, indptr, indices, place, heads, lists, begin):
    n_users = begin.shape[0]
    others = np.empty(place.shape[0], np.int32)
    for u in range(n_users * thread // n_threads, n_users * (thread + 1) // n_threads):
        at, n = indptr[u], 0
        for entry in range(indptr[u], indptr[u + 1]):
            item = place[indices[entry]]
            lists[at] = item
            others[n] = item
            at += item < heads[u]
            n += item >= heads[u]
        begin[u] = at
        for other in range(n):  # one slice assigned to another takes seconds to compile
            lists[at + other] = others[other]


@kernel
def _fill(
    thread,
    n_threads,
    user_indptr,
    item_indptr,
    item_users,
    order,
    rank,
    words,
    begin,
    bits,
    walkers,
    n_walkers,
):
    for panel in range(thread, bits.shape[0], n_threads):
        sets = bits[panel]
        for lane in range(min(PANEL, order.shape[0] - panel * PANEL)):
            item = order[panel * PANEL + lane]
            last = item_indptr[item]
            for at in range(item_indptr[item], item_indptr[item + 1]):
                u = item_users[at]
                user = rank[u]
                inside = user >> 5 < words[panel]
                if inside:
                    sets[user >> 5, lane] |= np.uint32(1) << np.uint32(user & 31)
                walkers[last] = u
                last += (not inside) | (begin[u] < user_indptr[u + 1])
            n_walkers[item] = last - item_indptr[item]


@kernel
def count_block(first, user_indptr, item_indptr, sets, d):
    """Count the common users of the items at `BLOCK` places, from ``first`` on, that have sets,
    with all items.

    d is float32 [BLOCK, places], with at least as many places as there are items, and sets in
    ``sets.bits``."""
    order, bits, words, lists, heads, begin, walkers, n_walkers = sets
    d[:] = np.float32(0.0)
    own = first // PANEL
    for start in range(0, words[own], WORDS_AT_ONCE):
        for panel in range(bits.shape[0]):
            end = min(start + WORDS_AT_ONCE, words[max(own, panel)])
            for row in range(0, BLOCK, ROWS_AT_ONCE):
                add_common(
                    bits, own, (first + row) % PANEL, panel, start, end, d, row, panel * PANEL
                )
    for row in range(min(BLOCK, order.shape[0] - first)):
        counts = d[row]
        item = order[first + row]
        for at in range(item_indptr[item], item_indptr[item] + n_walkers[item]):
            u = walkers[at]
            rest = lists[begin[u] if first < heads[u] else user_indptr[u] : user_indptr[u + 1]]
            for entry in range(rest.shape[0]):
                counts[np.uint32(rest[entry])] += np.float32(1.0)
