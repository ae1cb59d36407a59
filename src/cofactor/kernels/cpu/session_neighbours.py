"""Neighbours among sessions, and what they had near the shared items; the fast implementation of
`reference.session_neighbours`, which says what is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.kernels.cpu.heap import contains, empty_lists, offer, sort_heap
from cofactor.kernels.cpu.jit import helper, kernel, on_threads
from cofactor.kernels.cpu.sorting import smallest, sort_integers
from cofactor.kernels.reference.session_neighbours import Index, NeighbourSettings

__all__ = ["Index", "NeighbourSettings", "nearest_sessions", "session_votes", "top_votes"]

# Queries of one call of the kernel.
_BLOCK = 64
# Tables of sessions and items, clean: to make them for one query would cost more than the query.
_free: list[tuple[np.ndarray, ...]] = []
_FREE = 8


def nearest_sessions(
    items: np.ndarray, weights: np.ndarray, index: Index, neighbours: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sessions most similar to a query: s_n = z_n Σ_i w_i over the query's items in n.

    Parameters
    ----------
    items : int32 [m]
        The query's distinct items, the latest first.
    weights : float64 [m]
        w.
    index : Index
    neighbours : int

    Returns
    -------
    sessions : int64 [k]
        The most similar first, of equal ones the later.
    similarity : float64 [k]
    places : int64 [k]
        Where in each the query's latest shared item stands.
    """
    n = len(index.scale)
    tables = np.zeros(n), np.full(n, -1, np.int64), np.empty(n, np.int64)
    count = nearest(items, weights, *index[2:], neighbours, *tables)
    best = tables[2][:count]
    order = np.lexsort((-best, -tables[0][best]))
    best = best[order]
    return best, tables[0][best], tables[1][best]


def session_votes(
    indptr: np.ndarray,
    items: np.ndarray,
    weights: np.ndarray,
    index: Index,
    settings: NeighbourSettings,
    item_weights: np.ndarray,
    n_threads: int,
) -> np.ndarray:
    """Return s_j = g_j Σ_n s_n d^|p_nj - p_n| over the nearest sessions n that hold j, where p_n is
    the place of the query's latest shared item; b times that for places before it, and a times the
    whole for items of the query.

    Parameters
    ----------
    indptr : int64 [B + 1]
    items : int32 [entries]
        Each query's distinct items, the latest first.
    weights : float64 [entries]
    index : Index
    settings : NeighbourSettings
    item_weights : float32 [n_items]
        g.
    n_threads : int
        Among how many threads the queries are divided.

    Returns
    -------
    float32 [B, n_items]
    """
    queries = indptr, items, weights
    scores = np.zeros((len(indptr) - 1, len(item_weights)), np.float32)
    _in_blocks(_all_votes, queries, index, settings, item_weights, (scores,), n_threads)
    return scores


def top_votes(
    queries: tuple[np.ndarray, np.ndarray, np.ndarray],
    index: Index,
    settings: NeighbourSettings,
    item_weights: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray, np.ndarray],
    k: int,
    n_threads: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the k best items of each query by `session_votes`, of those with votes alone: for one
    query, to lay out and read a row of all items takes longer than the votes.

    Parameters
    ----------
    queries
        Its ``indptr``, ``items`` and ``weights``.
    index, settings, item_weights, n_threads
        As there.
    limits
        Items that may not come back, as int64 [B + 1] and int32 ascending within each query, and
        which may at all, bool [n_items].
    k : int
        From 1.

    Returns
    -------
    rows : int32 [B, k]
        Best first, equal scores by the lower row; -1 from ``count`` on.
    scores : float32 [B, k]
        NaN from ``count`` on.
    count : int32 [B]
        How many had votes, at most k.
    """
    found = empty_lists(len(queries[0]) - 1, k)
    _in_blocks(_top_votes, queries, index, settings, item_weights, (*limits, *found), n_threads)
    return found


def _in_blocks(
    work: Any,
    queries: tuple[np.ndarray, np.ndarray, np.ndarray],
    index: Index,
    settings: NeighbourSettings,
    item_weights: np.ndarray,
    results: tuple[np.ndarray, ...],
    n_threads: int,
) -> None:
    """Call a kernel for some queries at a time, with clean tables."""
    n_queries = len(queries[0]) - 1
    weigh = steps_of(index, settings), settings.backward, settings.again, settings.neighbours

    def block(number: int) -> None:
        low = number * _BLOCK
        span = low, min(low + _BLOCK, n_queries)
        tables = tables_of(len(index.scale), len(item_weights))
        work(span, queries, index, weigh, item_weights, tables, results)
        keep(tables)

    on_threads(block, -(-n_queries // _BLOCK), n_threads)


def steps_of(index: Index, settings: NeighbourSettings) -> np.ndarray:
    """The decay of an item by its distance from the shared one."""
    longest = settings.longest
    if longest is None:
        longest = int(np.diff(index.indptr).max()) if len(index.scale) else 1
    steps: np.ndarray = settings.decay ** np.arange(max(longest, 1), dtype=np.float64)
    return steps


def keep(tables: tuple[np.ndarray, ...]) -> None:
    """Keep clean tables for the next query."""
    if len(_free) < _FREE:
        _free.append(tables)


def tables_of(n_sessions: int, n_items: int) -> tuple[np.ndarray, ...]:
    """Tables that kernels find clean and leave clean: similarity and place of sessions, those
    touched, votes of items, those that have some.
    """
    while True:
        try:
            tables = _free.pop()
        except IndexError:
            break
        if len(tables[0]) == n_sessions and len(tables[3]) == n_items:
            return tables
    return (
        np.zeros(n_sessions),
        np.full(n_sessions, -1, np.int64),
        np.empty(n_sessions, np.int64),
        np.zeros(n_items),
        np.empty(n_items + 1, np.int32),
    )


@kernel(allocates=True)
def nearest(
    items, weights, scale, item_indptr, sessions, places, neighbours, total, place, touched
):
    """Fill ``total`` (similarity) and ``place`` of the sessions touched, put the nearest first in
    ``touched`` and clear what isn't among them; return how many are.
    """
    count = 0
    for m in range(items.size):
        for at in range(item_indptr[items[m]], item_indptr[items[m] + 1]):
            session = sessions[at]
            if place[session] < 0:
                place[session] = places[at]
                touched[count] = session
                count += 1
            total[session] += weights[m]
    for n in range(count):
        total[touched[n]] *= scale[touched[n]]
    if count <= neighbours:
        return count
    values = np.empty(count)
    for n in range(count):
        values[n] = -total[touched[n]]
    edge = -smallest(values, neighbours - 1)
    # Those at the edge that find room are the latest of them.
    tied = np.empty(count, np.int64)
    n_tied = 0
    kept = 0
    for n in range(count):
        session = touched[n]
        if total[session] > edge:
            touched[kept] = session
            kept += 1
        elif total[session] == edge:
            tied[n_tied] = session
            n_tied += 1
        else:
            total[session] = 0.0
            place[session] = -1
    sort_integers(tied[:n_tied])
    for n in range(n_tied - 1, -1, -1):
        if kept < neighbours:
            touched[kept] = tied[n]
            kept += 1
        else:
            total[tied[n]] = 0.0
            place[tied[n]] = -1
    return kept


@helper
def _vote(item, vote, votes, voted, n_voted):
    """Add a vote for an item; return how many items have some."""
    # Written in any case, counted where it is the item's first: no branch to be guessed.
    voted[n_voted] = item
    before = votes[item]
    votes[item] = before + vote
    return n_voted + ((before == 0.0) & (vote > 0.0))


@kernel(allocates=True)
def _cast(first, last, queries, index, weigh, tables):
    """Cast the votes for the query that stands from ``first`` to ``last``; return how many items
    have some.
    """
    steps, backward, again, neighbours = weigh
    total, place, touched, votes, voted = tables
    items, own = queries[1][first:last], queries[2][first:last]
    count = nearest(
        items, own, index[2], index[3], index[4], index[5], neighbours, total, place, touched
    )
    n_voted = 0
    for n in range(count):
        session = touched[n]
        start, end = index[0][session], index[0][session + 1]
        middle = start + place[session]
        similarity = total[session]
        total[session] = 0.0
        place[session] = -1
        for at in range(middle, end):
            n_voted = _vote(index[1][at], similarity * steps[at - middle], votes, voted, n_voted)
        similarity *= backward
        for at in range(start, middle if similarity > 0 else start):
            n_voted = _vote(index[1][at], similarity * steps[middle - at], votes, voted, n_voted)
    for at in range(items.size):
        votes[items[at]] *= again
    return n_voted


@kernel(allocates=True)
def _all_votes(span, queries, index, weigh, item_weights, tables, results):
    votes, voted, scores = tables[3], tables[4], results[0]
    for b in range(span[0], span[1]):
        n_voted = _cast(queries[0][b], queries[0][b + 1], queries, index, weigh, tables)
        for n in range(n_voted):
            j = voted[n]
            scores[b, j] = votes[j] * item_weights[j]
            votes[j] = 0.0


@kernel(allocates=True)
def _top_votes(span, queries, index, weigh, item_weights, tables, results):
    votes, voted = tables[3], tables[4]
    excluded_indptr, excluded, allowed, rows, best, count = results
    k = rows.shape[1]
    for b in range(span[0], span[1]):
        n_voted = _cast(queries[0][b], queries[0][b + 1], queries, index, weigh, tables)
        low, high = excluded_indptr[b], excluded_indptr[b + 1]
        size = np.int64(0)
        for n in range(n_voted):
            j = voted[n]
            score = np.float32(votes[j] * item_weights[j])
            votes[j] = 0.0
            if score > 0 and (size < k or score >= best[b, 0]):
                if allowed[j] and not contains(excluded, low, high, j):
                    size = offer(rows[b], best[b], size, k, j, score)
        sort_heap(rows[b], best[b], size)
        count[b] = size
