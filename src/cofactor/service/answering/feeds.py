"""Feeds: what is trending, what is popular in a category, what is like what one liked.

The trending feed is counted from the store: an item's score is ``Σ_users 2^(-age / half-life)``
over the age of each user's last event with it, so that one user counts once however often they
click. It is computed as of a moment, so that the pages of one list belong together."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

from cofactor.base.offsets import owners_of
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.profiles import UserProfile
from cofactor.service.settings import Settings
from cofactor.store import Store

_FRESH = 2.0  # seconds for which a ranking answers first pages
_KEPT = 32
_MOST_IDS = 500_000  # in the rankings that are kept; each is some hundred bytes
_Key = tuple[int, int, float]  # the last event, the moment, the half-life


class Trending(NamedTuple):
    """A ranking as of a moment, the best first.

    Parameters
    ----------
    seq, moment
        The last event that counts, and the time from which ages count.
    item_ids
        Ids as the store has them.
    scores
        float64 [n].
    """

    seq: int
    moment: int
    item_ids: list[str]
    scores: np.ndarray


class TrendingFeed:
    """Rankings by recent events; any number of threads may ask.

    Parameters
    ----------
    store
        Where the events are.
    settings
        Which kinds count, and how many events are looked at.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._kinds = tuple(sorted(settings.silent_kinds | settings.negative_kinds))
        self._held: OrderedDict[_Key, Trending] = OrderedDict()
        self._ids = 0  # in all rankings that are held
        self._latest: dict[float, tuple[float, _Key]] = {}
        self._lock = threading.Lock()

    def now(self, half_life: float) -> Trending:
        """Return the ranking of this moment, at most two seconds old."""
        with self._lock:
            found = self._latest.get(half_life)
            if found is not None and time.monotonic() - found[0] < _FRESH:
                return self._counted(*found[1])
            key = self._store.last_seq(), self._store.settings.moment(), half_life
            made = self._counted(*key)
            if len(self._latest) >= _KEPT:
                self._latest.clear()
            self._latest[half_life] = (time.monotonic(), key)
            return made

    def as_of(self, seq: int, moment: int, half_life: float) -> Trending:
        """Return the ranking of an earlier moment."""
        with self._lock:
            return self._counted(seq, moment, half_life)

    def _counted(self, seq: int, moment: int, half_life: float) -> Trending:
        key = (seq, moment, half_life)
        held = self._held.get(key)
        if held is not None:
            self._held.move_to_end(key)
            return held
        after = max(0, seq - self._settings.trending_events)
        scores: dict[str, float] = {}
        for item, hours, users in self._store.recent_users(after, seq, moment, self._kinds):
            decayed = users * 2.0 ** (-max(0, hours) / half_life)
            scores[item] = scores.get(item, 0.0) + decayed
        order = sorted(scores, key=lambda item: (-scores[item], item))
        made = Trending(seq, moment, order, np.array([scores[item] for item in order]))
        self._held[key] = made
        self._ids += len(order)
        while len(self._held) > 1 and (len(self._held) > _KEPT or self._ids > _MOST_IDS):
            self._ids -= len(self._held.popitem(last=False)[1].item_ids)
        return made


def trending_page(
    trending: Trending,
    loaded: Loaded,
    live: LiveItems,
    k: int,
    mask: np.ndarray | None,
    shown: tuple[set[int], set[str]],
) -> list[tuple[int, str, float]]:
    """Return the next items of a ranking: row (-1: the model doesn't know it), id, score.

    Parameters
    ----------
    trending
        The ranking.
    loaded
        The version whose rows and filters count.
    live
        What the store says of items.
    k
        How many items.
    mask
        bool [n_items]: what may come back; None for all that is visible, items that the model
        doesn't know too, where the store describes them.
    shown
        Rows, and ids without a row, of the pages before.
    """
    found: list[tuple[int, str, float]] = []
    for start in range(0, len(trending.item_ids), 256):
        ids = trending.item_ids[start : start + 256]
        for n, row in enumerate(loaded.model.data.items.find(ids).tolist()):
            if row >= 0:
                allowed = loaded.view.visible if mask is None else mask
                good = bool(allowed[row]) and row not in shown[0]
            else:
                described = live.described.get(ids[n])
                good = mask is None and described is not None and described.state == "visible"
                good = good and ids[n] not in shown[1]
            if good:
                found.append((row, ids[n], float(trending.scores[start + n])))
                if len(found) == k:
                    return found
    return found


def category_mask(loaded: Loaded, column: str, value: str) -> np.ndarray:
    """Return which visible items have an entry in a column, bool [n_items].

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    entries = loaded.view.side().entries(column)
    wanted = value.casefold()
    codes = np.flatnonzero([name.casefold() == wanted for name in entries.names])
    owners = owners_of(np.diff(entries.indptr))
    mask = np.zeros(len(loaded.view.visible), bool)
    mask[owners[np.isin(entries.codes, codes)]] = True
    return mask & loaded.view.visible


def categories(loaded: Loaded, column: str, count: int) -> list[str]:
    """Return the entries of a column whose visible items have the most interactions, the first
    first.

    Raises
    ------
    UnknownNameError
        If there is no such column.
    """
    entries = loaded.view.side().entries(column)
    owners = owners_of(np.diff(entries.indptr))
    weights = np.where(loaded.view.visible, loaded.model.data.item_counts, 0)[owners]
    sums = np.bincount(entries.codes, weights, minlength=len(entries.names))
    order = np.argsort(-sums, kind="stable")[:count]
    return [entries.names[n] for n in order.tolist() if sums[n] > 0]


def liked_lately(profile: UserProfile, visible: np.ndarray, count: int) -> list[int]:
    """Return the rows of the latest distinct items that represent a user's profile."""
    found: list[int] = []
    for row in profile.rows[::-1].tolist():
        if visible[row] and row not in found:
            found.append(row)
            if len(found) == count:
                break
    return found


def because_rows(
    loaded: Loaded, profile: UserProfile, count: int, k: int, n_threads: int
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Return rows of items like the last ones that a user liked: liked row, item rows, scores.

    What the user had is in none, and no item is in two of them. A liked item without neighbours
    has no row.

    Raises
    ------
    TraitError
        If the model finds no similar items.
    """
    loaded.check_similar()
    liked = liked_lately(profile, loaded.view.visible, 3 * count)
    mask = loaded.view.visible.copy()
    mask[profile.seen] = False
    made: list[tuple[int, np.ndarray, np.ndarray]] = []
    for row in liked:
        best = loaded.model.similar_item_rows(np.array([row], np.int32), k, mask, n_threads)
        rows, scores = best.of(0)
        if len(rows):
            made.append((row, rows, scores))
            mask[rows] = False
        if len(made) == count:
            break
    return made
