"""A new model against the one that it is to replace, on the same held-out events."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.evaluation.csr_rows import contains
from cofactor.models.recommender import Recommender

_K = 20
_USERS = 1_000
_SHARES = (0.2, 0.5)  # of the new interactions that are held out
_ENOUGH = 50  # users in the first share that make the second one unnecessary


class Incumbent(NamedTuple):
    """The model that a new one is to replace.

    Parameters
    ----------
    model
        The model.
    shown_users, shown_items
        Pairs of ids: the items that a service has shown, and to which users.
    """

    model: Recommender
    shown_users: Sequence[str] = ()
    shown_items: Sequence[str] = ()


def measured_against(
    fit: Callable[[Interactions], Recommender],
    incumbent: Incumbent,
    data: Interactions,
    run: Run,
) -> dict[str, Any] | None:
    """Return for how many users each model ranks a held-out item among the best twenty.

    The old model was fitted on all earlier events, so only new ones can compare the two. The latest
    fifth of the new interactions is held out (half of them where fewer than fifty users are in the
    fifth), and the new model is fitted on everything else: neither model has seen the held-out
    events or later ones. Both get the same histories. Interactions with items that the service had
    shown to the user don't count: the model that chose the lists would find those again by
    construction. At most 1,000 users are drawn.

    Parameters
    ----------
    fit
        Fits the new model on a part of ``data``, with the settings of the one that is saved.
    incumbent
        The old model.
    data
        Everything: what the old model was fitted on, and what is new.
    run
        Seed and threads.

    Returns
    -------
    dict or None
        ``n`` users; ``new`` and ``old``: for how many of them a held-out item was found;
        ``only_new``, ``only_old``: found by one alone; ``held_out`` of ``fresh`` new interactions;
        ``data``: the fingerprint of the old model's data. None where nothing can be compared.
    """
    old = incumbent.model
    if (data.users.kind, data.items.kind) != (old.data.users.kind, old.data.items.kind):
        return None
    fresh = ~_fitted_on(old.data, data)
    counting = fresh & ~_shown(incumbent, data)
    held, users = _latest(data, fresh, counting)
    if len(users) > _USERS:
        rng = np.random.default_rng(run.seed)
        users = np.sort(rng.choice(users, _USERS, replace=False))
    if not len(users):
        return None
    rest, wanted, items = data.where(~held), data.where(held & counting), data.items.ids()
    truths = [{items[row] for row in wanted.items_of(user)} for user in users]
    try:
        found = [_hits(model, _pasts(rest, users), truths, run) for model in (fit(rest), old)]
    except CofactorError:
        # A model that can't answer from a history alone, or can't be fitted on a part.
        return None
    return {
        "data": old.data.fingerprint,
        "n": len(users),
        "new": int(found[0].sum()),
        "old": int(found[1].sum()),
        "only_new": int((found[0] & ~found[1]).sum()),
        "only_old": int((found[1] & ~found[0]).sum()),
        "held_out": int(held.sum()),
        "fresh": int(fresh.sum()),
    }


def _latest(
    data: Interactions, fresh: np.ndarray, counting: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The latest of the new interactions, bool [n], and the users who have some that count among
    them, and a history before, int64.
    """
    places = np.flatnonzero(fresh)
    order, times = data.order[places], data.times
    by = np.argsort(order) if times is None else np.lexsort((order, times[places]))
    held, users = np.zeros(len(data), bool), np.zeros(0, np.int64)
    for share in _SHARES:
        held[places[by[len(by) - math.ceil(share * len(by)) :]]] = True
        users = np.unique(data.user_rows[held & counting])
        users = users[np.bincount(data.user_rows[~held], minlength=data.n_users)[users] > 0]
        if len(users) >= _ENOUGH:
            break
    return held, users


def _fitted_on(data: Interactions, held_out: Interactions) -> np.ndarray:
    """Which interactions are among those of a model, bool [n]."""
    users = data.users.find(held_out.users.arrow)[held_out.user_rows]
    items = data.items.find(held_out.items.arrow)[held_out.item_rows]
    return (users >= 0) & (items >= 0) & contains(data, users, items)


def _shown(incumbent: Incumbent, held_out: Interactions) -> np.ndarray:
    """Which interactions are with an item that had been shown to the user, bool [n]."""
    if not len(incumbent.shown_users):
        return np.zeros(len(held_out), bool)
    users = held_out.users.find(list(incumbent.shown_users)).astype(np.int64)
    items = held_out.items.find(list(incumbent.shown_items))
    known = (users >= 0) & (items >= 0)
    shown = users[known] * held_out.n_items + items[known]
    return np.isin(
        held_out.user_rows.astype(np.int64) * held_out.n_items + held_out.item_rows, shown
    )


def _pasts(history: Interactions, users: np.ndarray) -> list[Any]:
    """Users' histories in the form that `Recommender.recommend` takes."""
    found = history.histories(users)
    ids = history.items.ids(found.item_rows)
    values = None if found.values is None else found.values.tolist()
    spans = zip(found.indptr[:-1].tolist(), found.indptr[1:].tolist(), strict=True)
    if values is None:
        return [ids[start:end] for start, end in spans]
    return [dict(zip(ids[start:end], values[start:end], strict=True)) for start, end in spans]


def _hits(model: Recommender, pasts: list[Any], truths: list[set[Any]], run: Run) -> np.ndarray:
    hits = np.zeros(len(pasts), bool)
    for line in model.recommend(history=pasts, k=_K, unknown="fallback", run=run):
        hits[line["history"]] |= line["item_id"] in truths[line["history"]]
    return hits
