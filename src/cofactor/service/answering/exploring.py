"""Lists drawn at random around a model's ranking, for the scorer."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.exploration import Exploration, Pool
from cofactor.service.answering.loaded import Loaded
from cofactor.service.replies import Recommended

_FRESH = 20  # new items among the candidates of one list: those with the fewest impressions
_LOOKED_AT = 1_000  # little-known items that are looked at each time
_LOOK = 1.0  # seconds after which it is counted again which items have a budget left


class DrawnFrom(NamedTuple):
    """What a list may be drawn from.

    Parameters
    ----------
    rows, scores
        The best, in order.
    excluded
        Item rows that must not be in the list.
    mask
        bool [n_items], the request's own choice of items; None for all that are visible.
    """

    rows: np.ndarray
    scores: np.ndarray
    excluded: np.ndarray
    mask: np.ndarray | None


@dataclass(eq=False)
class Explorer:
    """Draws lists by an exploration.

    Parameters
    ----------
    exploration
        The policy.
    exposures
        Item id -> how often it was shown; kept up to date by whoever logs impressions.
    rng
        The chance.
    """

    exploration: Exploration
    exposures: Counter[str]
    rng: np.random.Generator
    _fresh: dict[int, tuple[float, np.ndarray]] = field(default_factory=dict)

    def draw(
        self, loaded: Loaded, candidates: DrawnFrom, k: int, user: UserBatch | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return rows, scores and probabilities of a list of k.

        Parameters
        ----------
        loaded
            The version.
        candidates
            What it may be drawn from.
        k
            How many.
        user
            The one user as the model sees them, for Thompson sampling; None where the model knows
            nothing of the user: then its ranking is kept, but for the shares.
        """
        rows, scores = candidates.rows, candidates.scores
        fresh = self._fresh_rows(loaded, candidates)
        new = None
        if len(fresh):
            new = np.zeros(len(rows) + len(fresh), bool)
            new[len(rows) :] = True
            low = scores.min() if len(scores) else np.float32(0)
            rows = np.concatenate([rows, fresh])
            scores = np.concatenate([scores, np.full(len(fresh), low, scores.dtype)])
        if not len(rows):
            return rows, scores, np.zeros(0)
        draws = None
        if self.exploration.kind == "thompson":
            # Of an unknown user one draw says the same as all: the ranking. So it is, too, where a
            # version was promoted that has none.
            drawn_from = user if loaded.model.has_draws() else None
            draws = (
                scores[None] if drawn_from is None else loaded.model.score_draws(drawn_from, rows)
            )
        drawn = self.exploration.draw(Pool(scores, new, draws), k, self.rng)
        return rows[drawn.places], scores[drawn.places], drawn.probabilities

    def _fresh_rows(self, loaded: Loaded, candidates: DrawnFrom) -> np.ndarray:
        """The new items with the fewest impressions, below their budget, that may be shown."""
        if not self.exploration.new_share:
            return np.zeros(0, np.int32)
        now = time.monotonic()
        until, rows = self._fresh.get(id(loaded), (0.0, np.zeros(0, np.int32)))
        if now >= until:
            rows = self._below_budget(loaded)
            others = [one for one in self._fresh.items() if one[0] != id(loaded)]
            self._fresh = dict([*others[-4:], (id(loaded), (now + _LOOK, rows))])
        mask = loaded.view.visible if candidates.mask is None else candidates.mask
        rows = rows[mask[rows]]
        known = np.concatenate([candidates.excluded, candidates.rows])
        return rows[~np.isin(rows, known)][:_FRESH]

    def _below_budget(self, loaded: Loaded) -> np.ndarray:
        counts, budget = loaded.model.data.item_counts, self.exploration.new_budget
        rows = np.flatnonzero(counts < budget).astype(np.int32)
        if len(rows) > _LOOKED_AT:
            rows = np.sort(self.rng.choice(rows, _LOOKED_AT, replace=False))
        shown = np.array([self.exposures[str(one)] for one in loaded.view.ids(rows)], np.int64)
        known = shown + counts[rows]
        left = known < budget
        return rows[left][np.argsort(known[left], kind="stable")]


def with_probabilities(
    items: list[Recommended], probabilities: np.ndarray | None
) -> list[Recommended]:
    """Return items with the probabilities with which they were drawn, if they were."""
    if probabilities is not None:
        for item, probability in zip(items, probabilities.tolist(), strict=True):
            item.probability = probability
    return items
