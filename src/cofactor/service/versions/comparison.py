"""May a version take over? Both versions predict what users interacted with last, given what came
before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from cofactor.artifact.format import Manifest
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
_MOST = 100_000  # people in a comparison that is believed
_LEVEL = 0.05  # of the paired test
_KNOWS_LESS = 0.5  # share of the current version's users, items, events, titles that it must have

# A user, their earlier items, and the item that came last.
Case = tuple[str, list[str | int | Past], str]


@dataclass(frozen=True)
class PairedHits:
    """What two versions found of the same held-out events.

    Parameters
    ----------
    n
        Of how many people.
    new, old
        How often each version had the item among its best.
    only_new, only_old
        How often it alone had it.
    """

    n: int
    new: int
    old: int
    only_new: int
    only_old: int

    @property
    def p(self) -> float:
        """The exact two-sided test of paired hits: of those that one version alone has, each may
        be either's (McNemar 1947).
        """
        alone, fewer = self.only_new + self.only_old, min(self.only_new, self.only_old)
        tail = sum(math.comb(alone, k) for k in range(fewer + 1)) / 2**alone
        return min(1.0, 2 * tail)

    @property
    def sentence(self) -> str:
        """Both shares with their intervals, and the test."""
        shares = [
            f"{hits / self.n:.3f} ({low:.3f} to {high:.3f})"
            for hits in (self.new, self.old)
            for low, high in [wilson(hits, self.n)]
        ]
        return f"{shares[0]}, the current one's {shares[1]}; paired test p = {self.p:.2g}"


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    z = 1.959964
    centre, spread = hits + z * z / 2, z * math.sqrt(hits * (n - hits) / n + z * z / 4)
    return max(0.0, (centre - spread) / (n + z * z)), min(1.0, (centre + spread) / (n + z * z))


def compared(new: Loaded, old: Loaded, store: Store) -> str:
    """Compare two versions on the same stored events and return what was found, in a sentence.

    The cases are the last stored items of the latest users, whose earlier stored items are the
    histories; what counts is the share of them that is among a version's twenty best. A case that
    either version was fitted on says nothing and is left out: a model trained on the store has
    seen those items. Where too few are left, what each version measured when it was trained must
    rest on enough people.

    Raises
    ------
    RequestError
        409 ``worse``, if the new one finds significantly less (5 %); 409 ``too_few_people``, if
        nothing that was measured rests on enough people.
    """
    found_cases = held_out(store)
    fitted = fitted_on(new.model.data, found_cases) | fitted_on(old.model.data, found_cases)
    cases = [case for case, known in zip(found_cases, fitted.tolist(), strict=True) if not known]
    left_out = f" ({int(fitted.sum())} left out: fitted on them)" if fitted.any() else ""
    if len(cases) < _ENOUGH:
        measured = check_measured(new.version, new.manifest, old.manifest)
        return f"stored events of {len(cases)} users{left_out}, too few to compare; {measured}"
    found = paired(_hits(new, cases), _hits(old, cases))
    summary = f"recall@{_K} on the last event of {found.n} users{left_out}: {found.sentence}"
    if found.new < found.old and found.p < _LEVEL:
        raise _refusal(new.version, "worse", f"{summary}, so it is significantly worse")
    return summary


def paired(new: np.ndarray, old: np.ndarray) -> PairedHits:
    """Return what two versions' hits on the same cases, bool [n], come to."""
    return PairedHits(
        len(new),
        int(new.sum()),
        int(old.sum()),
        int((new & ~old).sum()),
        int((old & ~new).sum()),
    )


def check_measured(version: str, new: Manifest, old: Manifest) -> str:
    """Return what the measurements made in training say, in a sentence.

    A version that was retrained from the current one was compared with it then, on held-out events
    that neither had seen.

    Raises
    ------
    RequestError
        409 ``worse``, if that comparison was lost significantly; 409 ``too_few_people``, if the new
        one's figures rest on fewer than fifty people, or there are none, where the current one's
        rest on more.
    """
    found = _in_training(new, old)
    if found is not None and found.n >= _ENOUGH:
        summary = f"hits@{_K} on held-out events of {found.n} users when it was trained"
        summary = f"{summary}: {found.sentence}"
        if found.new < found.old and found.p < _LEVEL:
            raise _refusal(version, "worse", f"{summary}, so it is significantly worse")
        return summary
    here, there = n_measured(new), n_measured(old)
    summary = f"it was measured on {here:,} people, the current one on {there:,}"
    if here < _ENOUGH <= there:
        raise _refusal(version, "too_few_people", f"{summary}, and at least {_ENOUGH} are needed")
    return summary


def _in_training(new: Manifest, old: Manifest) -> PairedHits | None:
    record = new.metrics.get("against")
    if not isinstance(record, dict) or record.get("data") != old.data.fingerprint:
        return None
    counts = [record.get(field.name) for field in fields(PairedHits)]
    whole = [count for count in counts if isinstance(count, int) and 0 <= count <= _MOST]
    return PairedHits(*whole) if len(whole) == len(counts) and whole[0] else None


def n_measured(manifest: Manifest) -> int:
    """Return on how many people a version was measured when it was trained; 0 if it wasn't."""
    count = manifest.metrics.get("n_users", 0)
    return count if isinstance(count, int) else 0


def _refusal(version: str, code: str, why: str) -> RequestError:
    return RequestError(
        409,
        code,
        f"version {version!r} isn't promoted: {why}. Force it to promote it nevertheless.",
        "version",
    )


def held_out(store: Store) -> list[Case]:
    """Return histories and the item that came after them, of the users of the latest stored
    events; the latest item that the service hadn't shown to the user: the version that chose the
    lists would find those again by construction.
    """
    last = store.counts().last_seq
    latest: dict[str, None] = {}
    for event in store.events(max(0, last - _LOOKED_AT)):
        latest.pop(event.user_id, None)
        latest[event.user_id] = None
    cases: list[Case] = []
    for user in list(latest)[-_USERS:]:
        items = list(dict.fromkeys(store.history(user, 200).item_ids))
        shown = {item for one in store.user_impressions(user) if one.shown for item in one.items}
        found = [place for place, item in enumerate(items) if place and item not in shown]
        if found:
            cases.append((user, list(items[: found[-1]]), items[found[-1]]))
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
        [user >= 0 and item >= 0 and item in data.items_of(user) for user, item in pairs]
    )


def check_knowledge(version: str, new: Interactions, old: Interactions) -> str:
    """Return how much of what the current version knows a new one knows too, in a sentence.

    Raises
    ------
    RequestError
        409 ``knows_less``, if it is less than half of the users, the items or the number of
        events; 409 ``lacks_content``, if titles or columns of the catalogue are missing.
    """
    shares = []
    for known, queries, counts in (
        (new.users, old.users, old.user_counts),
        (new.items, old.items, old.item_counts),
    ):
        rows = np.flatnonzero(counts)
        shares.append(float((known.find(queries.take(rows)) >= 0).mean()) if len(rows) else 1.0)
    shares.append(len(new) / max(1, len(old)))
    summary = (
        f"{shares[0]:.0%} of the current version's users and {shares[1]:.0%} of its items, and has"
        f" {len(new):,} events to its {len(old):,}"
    )
    if min(shares) < _KNOWS_LESS:
        why = f"it knows {summary}; it was trained on other data, or on a part of it"
        raise _refusal(version, "knows_less", why)
    return f"it knows {summary}; {_check_content(version, new, old)}"


def _check_content(version: str, new: Interactions, old: Interactions) -> str:
    """How many titles and columns of the catalogue both have; refused where some are missing."""
    here, there = (_titled(data) for data in (new, old))
    if here < _KNOWS_LESS * there:
        why = f"it has titles of {here:.0%} of its items, the current one of {there:.0%}"
        raise _refusal(version, "lacks_content", why)
    columns = [name for name in old.catalogue.column_names if name != old.catalogue.title_column]
    missing = [name for name in columns if name not in new.catalogue.column_names]
    if missing:
        why = (
            f"its catalogue lacks {len(missing)} of the {len(columns)} columns of the current one:"
            f" {', '.join(missing[:8])}"
        )
        raise _refusal(version, "lacks_content", why)
    return f"titles of {here:.0%} of its items ({there:.0%} before)"


def _titled(data: Interactions) -> float:
    """The share of items that have a title."""
    place = data.catalogue.title_column
    if place is None or not data.n_items:
        return 0.0
    return 1 - data.catalogue.table.column(place).null_count / data.n_items


def _hits(loaded: Loaded, cases: list[Case]) -> np.ndarray:
    """Whether the item that came next is among the best, bool [n_cases]."""
    hits = np.zeros(len(cases), bool)
    for n, (_, history, item) in enumerate(cases):
        profile = loaded.profiles.of_history(history)
        row = loaded.model.data.items.find_one(item)
        if row < 0 or not len(profile.rows):
            continue
        batch = loaded.profiles.user_batch([profile])
        best = loaded.model.topk(
            batch, _K, excluded=batch.seen, allowed=loaded.view.visible, n_threads=1
        )
        hits[n] = row in best.of(0)[0]
    return hits
