"""What each item of a query added to the votes of its neighbours among sessions; the fast
implementation of `reference.session_neighbours.vote_shares`."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel
from cofactor.kernels.cpu.session_neighbours import keep, nearest, steps_of, tables_of
from cofactor.kernels.reference.session_neighbours import Index, NeighbourSettings


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
    tables = tables_of(len(index.scale), len(item_weights))
    found = np.zeros((len(distinct), len(items)))
    _shares(
        items,
        weights,
        *index,
        settings.neighbours,
        steps_of(index, settings),
        settings.backward,
        slots,
        votes,
        found,
        *tables[:3],
    )
    keep(tables)
    factors = item_weights[item_rows] * np.where(np.isin(item_rows, items), settings.again, 1.0)
    shares: np.ndarray = found[lines] * factors[:, None]
    return shares


@kernel
def _shares(
    q_items,
    q_weights,
    indptr,
    items,
    scale,
    item_indptr,
    sessions,
    places,
    neighbours,
    steps,
    backward,
    slots,
    votes,
    added,
    total,
    place,
    touched,
):
    count = nearest(
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
