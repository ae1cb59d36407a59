"""A new model against the one that it shall replace, on the same held-out events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.recommender import Recommender

_K = 20
_USERS = 1_000


class Incumbent(NamedTuple):
    """The model that a new one shall replace.

    Parameters
    ----------
    model
        The model.
    shown_users, shown_items
        Pairs of ids: which item a service had shown to whom.
    """

    model: Recommender
    shown_users: Sequence[str] = ()
    shown_items: Sequence[str] = ()


def measured_against(
    new: Recommender, incumbent: Incumbent, part: Part, run: Run
) -> dict[str, Any] | None:
    """Return how many users' held-out items each model has among its twenty best.

    Both are given the same histories, and only events that neither was fitted on count, on items
    that the service hadn't shown to the user: the model that chose the lists would find those again
    by construction. Of many users 1,000 are drawn.

    Returns
    -------
    dict or None
        ``n`` users; ``new`` and ``old``: for how many of them a held-out item was found;
        ``only_new``, ``only_old``: found by one alone; ``data``: the fingerprint of the old model's
        data. None where the models can't be compared.
    """
    truth, history, old = part.truth, part.history, incumbent.model
    if (truth.users.kind, truth.items.kind) != (old.data.users.kind, old.data.items.kind):
        return None
    unseen = ~(_fitted_on(old.data, truth) | _shown(incumbent, truth))
    users = np.unique(truth.user_rows[unseen])
    users = users[history.user_counts[users] > 0]
    if len(users) > _USERS:
        rng = np.random.default_rng(run.seed)
        users = np.sort(rng.choice(users, _USERS, replace=False))
    if not len(users):
        return None
    wanted = truth.where(unseen)
    items = truth.items.ids()
    truths = [
        {items[row] for row in wanted.item_rows[wanted.indptr[user] : wanted.indptr[user + 1]]}
        for user in users
    ]
    try:
        found = [_hits(model, _pasts(history, users), truths, run) for model in (new, old)]
    except CofactorError:
        # A model that doesn't answer from a history alone.
        return None
    return {
        "data": old.data.fingerprint,
        "n": len(users),
        "new": int(found[0].sum()),
        "old": int(found[1].sum()),
        "only_new": int((found[0] & ~found[1]).sum()),
        "only_old": int((found[1] & ~found[0]).sum()),
    }


def _fitted_on(data: Interactions, asked: Interactions) -> np.ndarray:
    """Which interactions are among those of a model, bool [n]."""
    users = data.users.find(asked.users.arrow)[asked.user_rows].astype(np.int64)
    items = data.items.find(asked.items.arrow)[asked.item_rows]
    pairs = data.user_rows.astype(np.int64) * data.n_items + data.item_rows
    return (users >= 0) & (items >= 0) & np.isin(users * data.n_items + items, pairs)


def _shown(incumbent: Incumbent, asked: Interactions) -> np.ndarray:
    """Which interactions are with an item that had been shown to the user, bool [n]."""
    if not len(incumbent.shown_users):
        return np.zeros(len(asked), bool)
    users = asked.users.find(list(incumbent.shown_users)).astype(np.int64)
    items = asked.items.find(list(incumbent.shown_items))
    known = (users >= 0) & (items >= 0)
    shown = users[known] * asked.n_items + items[known]
    return np.isin(asked.user_rows.astype(np.int64) * asked.n_items + asked.item_rows, shown)


def _pasts(history: Interactions, users: np.ndarray) -> list[Any]:
    """Users' histories as `Recommender.recommend` takes them."""
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
