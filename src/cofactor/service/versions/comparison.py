"""May a version take over? Both versions predict what users interacted with last, given what came
before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.service.answering.loaded import Loaded
from cofactor.service.errors import RequestError
from cofactor.service.wire import Past
from cofactor.store import Store

# What loading a version has checked by itself.
LOADING_CHECKS = (
    "files and checksums as in the manifest",
    "finite scores for its own users, trained and folded in",
)
_LOOKED_AT = 20_000  # stored events that are looked at
_USERS = 300
_ENOUGH = 50  # users below which a comparison says nothing
_K = 20
_WORSE = (
    0.8  # a version that finds less than this share of what the current one finds isn't promoted
)
_KNOWS_LESS = 0.5  # share of the current version's users or items that a new one must know

# A user, their earlier items, and the item that came last.
Case = tuple[str, list[str | int | Past], str]


def compared(new: Loaded, old: Loaded, store: Store) -> str:
    """Compare two versions on stored events and return what was found, in a sentence.

    The cases are the last stored items of the latest users, whose earlier stored items are the
    histories; what counts is the share of them that is among a version's twenty best. A case that
    either version was fitted on says nothing and is left out: a model trained on the store has
    seen those items.

    Raises
    ------
    RequestError
        409 ``worse``, if the new one finds less than four fifths of what the current one finds, and
        by more than chance.
    """
    found_cases = held_out(store)
    fitted = fitted_on(new.model.data, found_cases) | fitted_on(old.model.data, found_cases)
    cases = [case for case, known in zip(found_cases, fitted.tolist(), strict=True) if not known]
    left_out = f" ({int(fitted.sum())} left out: fitted on them)" if fitted.any() else ""
    if len(cases) < _ENOUGH:
        return f"stored events of {len(cases)} users{left_out}, too few to compare"
    hits_new, hits_old = _hits(new, cases), _hits(old, cases)
    found = f"{hits_new / len(cases):.3f}, the current one's {hits_old / len(cases):.3f}"
    summary = f"recall@{_K} on the last event of {len(cases)} users{left_out}: {found}"
    if hits_new < _WORSE * hits_old and hits_old - hits_new > 2 * np.sqrt(max(hits_old, 1)):
        raise RequestError(
            409,
            "worse",
            f"version {new.version!r} isn't promoted: {summary}. Force it to promote it"
            " nevertheless.",
            "version",
        )
    return summary


def held_out(store: Store) -> list[Case]:
    """Return histories and the item that came after them, of the users of the latest stored
    events.
    """
    last = store.counts().last_seq
    latest: dict[str, None] = {}
    for event in store.events(max(0, last - _LOOKED_AT)):
        latest.pop(event.user_id, None)
        latest[event.user_id] = None
    cases: list[Case] = []
    for user in list(latest)[-_USERS:]:
        items = list(dict.fromkeys(store.history(user, 200).item_ids))
        if len(items) >= 2:
            cases.append((user, list(items[:-1]), items[-1]))
    return cases


def fitted_on(data: Interactions, cases: Sequence[Case]) -> np.ndarray:
    """Return of which cases the last item is among the interactions that a model was fitted on,
    bool [n].
    """
    if not cases:
        return np.zeros(0, bool)
    users = data.users.find([user for user, _, _ in cases]).tolist()
    items = data.items.find([item for _, _, item in cases]).tolist()
    pairs = zip(users, items, strict=True)
    return np.array(
        [
            user >= 0
            and item >= 0
            and bool((data.item_rows[data.indptr[user] : data.indptr[user + 1]] == item).any())
            for user, item in pairs
        ]
    )


def check_knowledge(version: str, new: Interactions, old: Interactions) -> str:
    """Return how much of what the current version knows a new one knows too, in a sentence.

    Raises
    ------
    RequestError
        409 ``knows_less``, if it is less than half of the users or of the items.
    """
    shares = []
    for known, asked, counts in (
        (new.users, old.users, old.user_counts),
        (new.items, old.items, old.item_counts),
    ):
        rows = np.flatnonzero(counts)
        shares.append(float((known.find(asked.take(rows)) >= 0).mean()) if len(rows) else 1.0)
    summary = f"{shares[0]:.0%} of the current version's users and {shares[1]:.0%} of its items"
    if min(shares) < _KNOWS_LESS:
        raise RequestError(
            409,
            "knows_less",
            f"version {version!r} isn't promoted: it knows {summary}; it was trained on other data,"
            " or on a part of it. Force it to promote it nevertheless.",
            "version",
        )
    return f"it knows {summary}"


def _hits(loaded: Loaded, cases: list[Case]) -> int:
    """How many of the items that came next are among the best."""
    hits = 0
    for _, history, item in cases:
        profile = loaded.profiles.of_history(history)
        row = int(loaded.model.data.items.find([item])[0])
        if row < 0 or not len(profile.rows):
            continue
        batch = loaded.profiles.user_batch([profile])
        best = loaded.model.topk(
            batch, _K, excluded=batch.seen, allowed=loaded.view.visible, n_threads=1
        )
        hits += int(row in best.rows[0, : best.count[0]])
    return hits
