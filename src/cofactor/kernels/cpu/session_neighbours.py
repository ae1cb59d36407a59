"""Neighbours among sessions, and what they had near the shared items; the fast implementation of
`reference.session_neighbours`, which says what is computed."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.kernels.cpu.jit import kernel, on_threads
from cofactor.kernels.reference.session_neighbours import Index, NeighbourSettings

__all__ = ["Index", "NeighbourSettings", "nearest_sessions", "session_votes", "vote_shares"]

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
    count = _nearest(items, weights, *index[2:], neighbours, *tables)
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
    n_queries = len(indptr) - 1
    scores = np.zeros((n_queries, len(item_weights)), np.float32)
    steps = _steps(index, settings)

    def block(number: int) -> None:
        low = number * _BLOCK
        tables = _tables(len(index.scale), len(item_weights))
        _votes(
            low,
            min(low + _BLOCK, n_queries),
            indptr,
            items,
            weights,
            *index,
            settings.neighbours,
            steps,
            settings.backward,
            settings.again,
            item_weights,
            scores,
            *tables,
        )
        _keep(tables)

    on_threads(block, -(-n_queries // _BLOCK), n_threads)
    return scores


def vote_shares(
    items: np.ndarray,
    weights: np.ndarray,
    index: Index,
    settings: NeighbourSettings,
    item_weights: np.ndarray,
    item_rows: np.ndarray,
) -> np.ndarray:
    """Return what each item i of a query added to the scores s_j of some items: the neighbours
    being what they are, g_j w_i Σ_n z_n d^|p_nj - p_n| over the nearest sessions n that hold both,
    with the weights before the shared item and of the query's own items as in `session_votes`.

    Parameters
    ----------
    items : int32 [m]
        The query's distinct items, the latest first.
    weights : float64 [m]
        w.
    index : Index
        An item counts in the sessions that the index holds for it.
    settings : NeighbourSettings
    item_weights : float32 [n_items]
        g.
    item_rows : int64 [n]
        The items j.

    Returns
    -------
    float64 [n, m]
        Each line sums to the item's score.
    """
    slots = np.full(len(item_weights), -1, np.int64)
    distinct, lines = np.unique(item_rows, return_inverse=True)
    slots[distinct] = np.arange(len(distinct))
    votes = np.zeros((min(settings.neighbours, len(index.scale)), len(distinct)))
    tables = _tables(len(index.scale), len(item_weights))
    found = np.zeros((len(distinct), len(items)))
    _shares(
        items,
        weights,
        *index,
        settings.neighbours,
        _steps(index, settings),
        settings.backward,
        slots,
        votes,
        found,
        *tables[:3],
    )
    _keep(tables)
    factors = item_weights[item_rows] * np.where(np.isin(item_rows, items), settings.again, 1.0)
    shares: np.ndarray = found[lines] * factors[:, None]
    return shares


def _steps(index: Index, settings: NeighbourSettings) -> np.ndarray:
    """The decay of an item by its distance from the shared one."""
    longest = settings.longest
    if longest is None:
        longest = int(np.diff(index.indptr).max()) if len(index.scale) else 1
    steps: np.ndarray = settings.decay ** np.arange(max(longest, 1), dtype=np.float64)
    return steps


def _keep(tables: tuple[np.ndarray, ...]) -> None:
    """Keep clean tables for the next query."""
    if len(_free) < _FREE:
        _free.append(tables)


def _tables(n_sessions: int, n_items: int) -> tuple[np.ndarray, ...]:
    """Tables that the kernel finds clean and leaves clean: similarity, place, touched, votes."""
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
    )


@kernel
def _nearest(
    items: Any,
    weights: Any,
    scale: Any,
    item_indptr: Any,
    sessions: Any,
    places: Any,
    neighbours: Any,
    total: Any,
    place: Any,
    touched: Any,
) -> Any:
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
    edge = -np.partition(values, neighbours - 1)[neighbours - 1]
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
    tied[:n_tied].sort()
    for n in range(n_tied - 1, -1, -1):
        if kept < neighbours:
            touched[kept] = tied[n]
            kept += 1
        else:
            total[tied[n]] = 0.0
            place[tied[n]] = -1
    return kept


@kernel
def _votes(
    low: Any,
    high: Any,
    q_indptr: Any,
    q_items: Any,
    q_weights: Any,
    indptr: Any,
    items: Any,
    scale: Any,
    item_indptr: Any,
    sessions: Any,
    places: Any,
    neighbours: Any,
    steps: Any,
    backward: Any,
    again: Any,
    item_weights: Any,
    scores: Any,
    total: Any,
    place: Any,
    touched: Any,
    votes: Any,
) -> Any:
    for b in range(low, high):
        first, last = q_indptr[b], q_indptr[b + 1]
        count = _nearest(
            q_items[first:last],
            q_weights[first:last],
            scale,
            item_indptr,
            sessions,
            places,
            neighbours,
            total,
            place,
            touched,
        )
        row = scores[b]
        for n in range(count):
            session = touched[n]
            middle = indptr[session] + place[session]
            for at in range(indptr[session], indptr[session + 1]):
                if at >= middle:
                    share = steps[at - middle]
                else:
                    share = backward * steps[middle - at]
                votes[items[at]] += total[session] * share
        for at in range(first, last):
            votes[q_items[at]] *= again
        for n in range(count):
            session = touched[n]
            for at in range(indptr[session], indptr[session + 1]):
                j = items[at]
                if votes[j] != 0.0:
                    row[j] = votes[j] * item_weights[j]
                    votes[j] = 0.0
            total[session] = 0.0
            place[session] = -1


@kernel
def _shares(
    q_items: Any,
    q_weights: Any,
    indptr: Any,
    items: Any,
    scale: Any,
    item_indptr: Any,
    sessions: Any,
    places: Any,
    neighbours: Any,
    steps: Any,
    backward: Any,
    slots: Any,
    votes: Any,
    added: Any,
    total: Any,
    place: Any,
    touched: Any,
) -> Any:
    count = _nearest(
        q_items,
        q_weights,
        scale,
        item_indptr,
        sessions,
        places,
        neighbours,
        total,
        place,
        touched,
    )
    for n in range(count):
        session = touched[n]
        middle = indptr[session] + place[session]
        for at in range(indptr[session], indptr[session + 1]):
            if slots[items[at]] < 0:
                continue
            if at >= middle:
                share = steps[at - middle]
            else:
                share = backward * steps[middle - at]
            votes[n, slots[items[at]]] += share
        place[session] = n  # from here on its line among the votes
    for m in range(q_items.size):
        for at in range(item_indptr[q_items[m]], item_indptr[q_items[m] + 1]):
            session = sessions[at]
            if place[session] >= 0:
                weight = q_weights[m] * scale[session]
                for slot in range(added.shape[0]):
                    added[slot, m] += weight * votes[place[session], slot]
    for n in range(count):
        total[touched[n]] = 0.0
        place[touched[n]] = -1
