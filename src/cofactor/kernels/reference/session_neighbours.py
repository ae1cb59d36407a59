"""Neighbours among sessions, and what they had near the shared items, in plain NumPy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Index(NamedTuple):
    """Sessions by session and by item.

    Parameters
    ----------
    indptr : int64 [n_sessions + 1]
    items : int32 [n_events]
        Each session's events, oldest first; later sessions stand later.
    scale : float32 [n_sessions]
        What a session's similarity is multiplied by.
    item_indptr : int64 [n_items + 1]
    sessions : int32 [entries]
        The sessions of each item, the latest first.
    places : int32 [entries]
        Where in the session, from 0, the item stands last.
    """

    indptr: np.ndarray
    items: np.ndarray
    scale: np.ndarray
    item_indptr: np.ndarray
    sessions: np.ndarray
    places: np.ndarray


class NeighbourSettings(NamedTuple):
    """How neighbours vote.

    Parameters
    ----------
    neighbours
        How many sessions, the most similar, vote; of equally similar ones the later.
    decay
        What an item counts for each step from the shared one, in (0, 1].
    backward
        Weight of items before the shared one.
    again
        Weight of items that the query itself holds.
    longest
        The most events of a session of the index, if it is known already: to look it up takes
        longer than a query.
    """

    neighbours: int
    decay: float
    backward: float
    again: float
    longest: int | None = None


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
    total: dict[int, float] = {}
    place: dict[int, int] = {}
    for item, weight in zip(items, weights, strict=True):
        for at in range(index.item_indptr[item], index.item_indptr[item + 1]):
            session = int(index.sessions[at])
            total[session] = total.get(session, 0.0) + float(weight)
            place.setdefault(session, int(index.places[at]))
    similarity = {n: x * float(index.scale[n]) for n, x in total.items()}
    best = sorted(similarity, key=lambda n: (-similarity[n], -n))[:neighbours]
    return (
        np.array(best, np.int64),
        np.array([similarity[n] for n in best]),
        np.array([place[n] for n in best], np.int64),
    )


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
        Unused here.

    Returns
    -------
    float32 [B, n_items]
    """
    scores = np.zeros((len(indptr) - 1, len(item_weights)), np.float32)
    for b in range(len(scores)):
        span = slice(indptr[b], indptr[b + 1])
        total = np.zeros(len(item_weights))
        near = nearest_sessions(items[span], weights[span], index, settings.neighbours)
        for session, similarity, place in zip(*near, strict=True):
            own = index.items[index.indptr[session] : index.indptr[session + 1]]
            for at, item in enumerate(own):
                step = at - place
                share = settings.decay ** abs(step) * (settings.backward if step < 0 else 1.0)
                total[item] += similarity * share
        total[items[span]] *= settings.again
        scores[b] = total * item_weights
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
    added = np.zeros((len(item_rows), len(items)))
    sessions, _, places = nearest_sessions(items, weights, index, settings.neighbours)
    for session, place in zip(sessions, places, strict=True):
        own = index.items[index.indptr[session] : index.indptr[session + 1]]
        for n, row in enumerate(item_rows):
            steps = np.flatnonzero(own == row) - place
            before = np.where(steps < 0, settings.backward, 1.0)
            vote = float((settings.decay ** np.abs(steps) * before).sum())
            for m, item in enumerate(items):
                span = slice(index.item_indptr[item], index.item_indptr[item + 1])
                if session in index.sessions[span]:
                    added[n, m] += vote * weights[m] * index.scale[session]
    factors = item_weights[item_rows] * np.where(np.isin(item_rows, items), settings.again, 1.0)
    return added * factors[:, None]
