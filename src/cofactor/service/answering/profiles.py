"""User profiles: the training history and the store's, as rows of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cofactor.base.offsets import ranges
from cofactor.data.histories import Histories, picked
from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import UserBatch
from cofactor.service.settings import Settings
from cofactor.service.wire import Past
from cofactor.store import Store

_NONE = np.zeros(0, np.int32)
_Column = np.ndarray | None
# Items, their values and their times, one each.
_Past = tuple[np.ndarray, _Column, _Column]


@dataclass(frozen=True)
class UserProfile:
    """One person as the model can see them.

    Parameters
    ----------
    rows
        int32 [n], item rows of what speaks for their profile, oldest first.
    values
        float32 [n], or None where the model's data has no values.
    seen
        int32, ascending: what they had, profile or not.
    trained
        The user's row when nothing happened since the training, else -1: then the history is folded
        in.
    unknown
        How many items of the history the model doesn't know.
    unseen
        Whether neither the training nor the store knows the user.
    """

    rows: np.ndarray
    values: np.ndarray | None
    seen: np.ndarray
    trained: int = -1
    unknown: int = 0
    unseen: bool = False


class UserProfiles:
    """Reads profiles for one model.

    Parameters
    ----------
    model
        The model whose rows are spoken.
    store
        Where what happened since the training is kept.
    settings
        Which kinds of events count how.
    """

    def __init__(self, model: Recommender, store: Store, settings: Settings) -> None:
        self._model = model
        self.store = store
        self._settings = settings
        values = model.data.values
        # What an event without a value counts in a model that has values: a typical one.
        self._typical = None if values is None else float(np.median(values)) if len(values) else 1.0

    def of_user(self, user_id: str, upto: int | None = None) -> UserProfile:
        """Return the profile of a user: what the training knew, then what the store has.

        Events behind the place ``upto`` in the order of arrival are seen, but don't count.
        """
        data = self._model.data
        row = data.users.find_one(user_id)
        history = self.store.history(user_id, self._settings.max_history)
        if not len(history):
            if row < 0:
                return UserProfile(_NONE, self._values([]), _NONE, unseen=True)
            return UserProfile(*self._trained(row)[:2], data.items_of(row), row)
        found = data.items.find(list(history.item_ids))
        kinds, times = history.kinds, np.array(history.times, np.int64)
        silent, negative = self._settings.silent_kinds, self._settings.negative_kinds
        heard = np.array([kind not in silent for kind in kinds]) & (found >= 0)
        seen, unknown = found[heard], int((found < 0).sum())
        heard &= ~self._learnt(row, found, times)
        if upto is not None:
            heard &= np.array(history.seqs) <= upto
        if row >= 0 and not heard.any():
            return UserProfile(*self._trained(row)[:2], self._seen(row, seen), row, unknown)
        # What somebody disliked last no longer speaks for them, liked before or not.
        events = zip(found.tolist(), kinds, heard.tolist(), strict=True)
        against = {item for item, kind, counts in events if counts and kind in negative}
        tasted = heard & np.array([item not in against for item in found.tolist()])
        values = self._values([history.values[n] for n in np.flatnonzero(tasted)])
        new = found[tasted], values, times[tasted]
        rows, values = new[:2] if row < 0 else self._together(row, against, new)
        return UserProfile(rows.astype(np.int32), values, self._seen(row, seen), unknown=unknown)

    def _learnt(self, row: int, found: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Which stored events the training knew, since it read the store: those of an item that the
        user had there at that time or later.
        """
        data = self._model.data
        span = slice(data.indptr[row], data.indptr[row + 1]) if row >= 0 else slice(0, 0)
        items = data.item_rows[span]
        if data.times is None or not len(items):
            return np.zeros(len(found), bool)
        place = np.minimum(np.searchsorted(items, found), len(items) - 1)
        known: np.ndarray = (items[place] == found) & (data.times[span][place] >= times)
        return known

    def _together(self, row: int, against: set[int], new: _Past) -> tuple[np.ndarray, _Column]:
        """The training's items and values, without what is disliked, and new ones after them, or
        where their time puts them.
        """
        past, old, before = self._trained(row)
        more, added, since = new
        keep = ~np.isin(past, list(against))
        rows, values = np.concatenate([past[keep], more]), None
        if old is not None and added is not None:
            values = np.concatenate([old[keep], added])
        if before is not None and since is not None and (since[:1] < before[-1:]).any():
            order = np.argsort(np.concatenate([before[keep], since]), kind="stable")
            rows, values = rows[order], picked(values, order)
        return rows, values

    def _seen(self, row: int, seen: np.ndarray) -> np.ndarray:
        """What a user had, in the training (row -1: nothing) and since, int32 ascending."""
        if row >= 0:
            seen = np.concatenate([self._model.data.items_of(row), seen])
        return np.unique(seen).astype(np.int32)

    def of_history(self, history: list[str | int | Past]) -> UserProfile:
        """Return the profile of a posted history."""
        entries = [entry if isinstance(entry, Past) else Past(item_id=entry) for entry in history]
        found = (
            self._model.data.items.find([entry.item_id for entry in entries]) if entries else _NONE
        )
        known = np.flatnonzero(found >= 0)
        rows = found[known].astype(np.int32)
        return UserProfile(
            rows,
            self._values([entries[n].value for n in known]),
            np.unique(rows),
            unknown=len(entries) - len(known),
        )

    def user_batch(self, profiles: list[UserProfile]) -> UserBatch:
        """Return several people as the model sees them; trained rows and others together only in
        models with vectors.
        """
        trained = [place for place, profile in enumerate(profiles) if profile.trained >= 0]
        if len(trained) == len(profiles):
            return self._model.user_batch(
                np.array([profile.trained for profile in profiles], np.int32)
            )
        if trained:
            others = [place for place, profile in enumerate(profiles) if profile.trained < 0]
            one, two = (
                self.user_batch([profiles[place] for place in which]) for which in (trained, others)
            )
            return _join(one, two, np.argsort(trained + others, kind="stable"))
        values = (
            None if self._typical is None else [np.asarray(profile.values) for profile in profiles]
        )
        rows = [profile.rows for profile in profiles]
        return self._model.fold_in(Histories.of(rows, self._model.data.n_items, values))

    def _values(self, given: list[float | None]) -> np.ndarray | None:
        if self._typical is None:
            return None
        return np.array([self._typical if value is None else value for value in given], np.float32)

    def _trained(self, row: int) -> _Past:
        """A user's items in the training with their values; where order speaks all events, repeats
        too, in order of time, with their times.
        """
        data = self._model.data
        span = slice(data.indptr[row], data.indptr[row + 1])
        if not self._model.traits.uses_order:
            return data.item_rows[span], picked(data.values, span), None
        if data.log is None:
            # Sorting everybody's events by time is worth its memory only where order speaks.
            own = data.chronological[span]
            return data.item_rows[own], picked(data.values, own), picked(data.times, own)
        log, span = data.log, slice(data.log.indptr[row], data.log.indptr[row + 1])
        values = None if data.values is None else picked(log.values, span)
        return log.item_rows[span], values, picked(log.times, span)


def _join(one: UserBatch, two: UserBatch, order: np.ndarray) -> UserBatch:
    """Two batches of people with vectors as one, in the order given."""
    states = np.concatenate([np.asarray(one.states), np.asarray(two.states)])[order]
    lengths = np.concatenate([np.diff(one.seen[0]), np.diff(two.seen[0])])
    indptr, positions = ranges((np.cumsum(lengths) - lengths)[order], lengths[order])
    seen = np.concatenate([one.seen[1], two.seen[1]])[positions]
    values = None
    if one.values is not None and two.values is not None:
        values = np.concatenate([one.values, two.values])[positions]
    return UserBatch(states, np.concatenate([one.empty, two.empty])[order], (indptr, seen), values)
