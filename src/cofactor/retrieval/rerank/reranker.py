"""The greedy choice of lists from a model's best items, under rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from cofactor.base.errors import ArgumentError, UnknownIdError
from cofactor.base.offsets import mask_of
from cofactor.retrieval.rerank.item_attributes import ItemSide
from cofactor.retrieval.rerank.limits import Cap, Exposure, GroupShares, Limit
from cofactor.retrieval.rerank.objectives import (
    Calibration,
    Determinant,
    MarginalRelevance,
    Objective,
    Relevance,
)
from cofactor.retrieval.rerank.rules import MAX_CANDIDATES, Freshness, Rerank
from cofactor.retrieval.topk import Exclusions, TopK

# The k best of each of some users, of the items in a mask (bool [n_items], None for all); items
# that must not come back are left out already.
Find = Callable[[int, np.ndarray | None], TopK]
_DEEPER = 4  # times as many candidates where caps leave a list short


class RankedCandidates(NamedTuple):
    """What one list is chosen from, the most relevant first.

    Parameters
    ----------
    rows
        Item rows, int [n].
    scores
        The model's, float [n].
    relevance
        Scaled scores with boosts and freshness, float64 [n].
    pinned
        Place from 0 -> candidate.
    """

    rows: np.ndarray
    scores: np.ndarray
    relevance: np.ndarray
    pinned: dict[int, int]


class Mix(NamedTuple):
    """The entries of a user's history: their codes, ascending, and shares that sum to 1."""

    codes: np.ndarray
    shares: np.ndarray


@dataclass(eq=False)
class Reranker:
    """Rules, prepared for the items of a model.

    Parameters
    ----------
    rules
        The rules.
    items
        The items.
    strict
        Whether a pin that doesn't exist is refused; else it is left out, as a service does with
        its defaults.

    Raises
    ------
    UnknownNameError
        If a rule names a column that the catalogue doesn't have.
    UnknownIdError
        If a pin doesn't exist and ``strict``.
    ArgumentError
        If a condition doesn't fit its column, or ``fresh`` finds no dates.
    """

    rules: Rerank
    items: ItemSide
    strict: bool = True

    def __post_init__(self) -> None:
        rules, items = self.rules, self.items
        for column in {*rules.caps, *([rules.by] if rules.by is not None else [])}:
            items.entries(column)
        for group in {*rules.at_least, *rules.boosts}:
            items.group(group)
        self._added = self._additions()
        self._pins = self._pinned_rows()

    def exposure(self, total: int | None = None) -> Exposure | None:
        """Return a count of lists for the rules' exposure cap; None where there is no such rule."""
        if self.rules.exposure is None:
            return None
        return Exposure(self.rules.exposure, self.items.data.n_items, total)

    def lists(
        self,
        find: Find,
        k: int,
        history: Exclusions,
        *,
        allowed: np.ndarray | None = None,
        exposure: Exposure | None = None,
    ) -> TopK:
        """Return a list of k items for each of some users.

        Parameters
        ----------
        find
            Finds the best items of these users.
        k
            At least 1.
        history
            CSR over these users: the item rows whose mix `calibrate` keeps.
        allowed
            bool [n_items]: which items may come back at all; pins too.
        exposure
            Counts the lists that were made before, and takes these in.

        Returns
        -------
        TopK
            In the order of the rules; the scores are the model's, so they needn't descend.

        Notes
        -----
        The list is chosen from the user's ``rules.candidates`` best items, and, for each boosted
        condition and each share, from the k best of those. Where caps leave it short, more
        candidates are looked at, up to 10,000.
        """
        n_users = len(history[0]) - 1
        rows = np.full((n_users, k), -1, np.int32)
        scores = np.full((n_users, k), np.nan, np.float32)
        count = np.zeros(n_users, np.int32)
        extra = self._extra(find, k, allowed)
        depth = max(k, self.rules.candidates)
        todo = np.arange(n_users)
        while len(todo):
            base = find(depth, allowed)
            short = []
            for user in todo.tolist():
                candidates = self._candidates(user, base, extra)
                chosen = self._choose(candidates, k, self._mix(history, user), exposure)
                more = base.count[user] == depth and depth < MAX_CANDIDATES
                if len(chosen) < k and more:
                    short.append(user)
                    continue
                rows[user, : len(chosen)] = candidates.rows[chosen]
                scores[user, : len(chosen)] = candidates.scores[chosen]
                count[user] = len(chosen)
                if exposure is not None:
                    exposure.add(candidates.rows[chosen])
            todo, depth = np.array(short, np.int64), min(depth * _DEEPER, MAX_CANDIDATES)
        return TopK(rows, scores, count)

    # What the rules mean for these items.

    def _additions(self) -> np.ndarray | None:
        """What boosts and freshness add to each item's relevance, float64 [n_items]."""
        rules, n_items = self.rules, self.items.data.n_items
        if not rules.boosts and rules.fresh is None:
            return None
        added = np.zeros(n_items)
        for condition, amount in rules.boosts.items():
            added += amount * self.items.group(condition)
        if isinstance(rules.fresh, Freshness):
            ages = self.items.ages(rules.fresh.column)
            added += rules.fresh.weight * np.exp2(-ages / rules.fresh.half_life)
        return added

    def _pinned_rows(self) -> dict[int, int]:
        """Place from 0 -> item row."""
        pins = self.rules.pins
        assert isinstance(pins, Mapping)
        if not pins:
            return {}
        found = self.items.data.items.find([_as_given(one) for one in pins.values()])
        unknown = [one for one, row in zip(pins.values(), found, strict=True) if row < 0]
        if unknown and self.strict:
            raise UnknownIdError(
                f"rerank pins items that the model doesn't know: {', '.join(map(repr, unknown))};"
                " correct their ids, or train with them."
            )
        return {
            place - 1: int(row) for place, row in zip(pins, found.tolist(), strict=True) if row >= 0
        }

    def check_pins(self, allowed: np.ndarray, why: str) -> None:
        """Refuse pins that may not be recommended.

        Raises
        ------
        ArgumentError
            If one of them isn't in the mask, bool [n_items].
        """
        left_out = [row for row in self._pins.values() if not allowed[row]]
        if left_out:
            ids = ", ".join(map(repr, self.items.data.items.ids(np.array(left_out))))
            raise ArgumentError(f"rerank pins items that {why}: {ids}; don't pin them.")

    def _extra(self, find: Find, k: int, allowed: np.ndarray | None) -> list[TopK]:
        """The best items of what is boosted, held at a share, or pinned."""
        masks = [self.items.group(c) for c, amount in self.rules.boosts.items() if amount > 0]
        masks += [self.items.group(group) for group in self.rules.at_least]
        found = [find(k, mask if allowed is None else mask & allowed) for mask in masks]
        if self._pins:
            pins = mask_of(list(self._pins.values()), self.items.data.n_items)
            mask = pins if allowed is None else pins & allowed
            found.append(find(len(self._pins), mask))
        return found

    # One list.

    def _candidates(self, user: int, base: TopK, extra: list[TopK]) -> RankedCandidates:
        best = base.scores[user, : base.count[user]].astype(np.float64)
        parts = [(one.rows[user, : one.count[user]], one.scores[user]) for one in (base, *extra)]
        rows = np.concatenate([part for part, _ in parts])
        scores = np.concatenate([found[: len(part)] for part, found in parts])
        rows, first = np.unique(rows, return_index=True)
        scores = scores[first]
        low, high = (best.min(), best.max()) if len(best) else (0.0, 1.0)
        relevance = (scores - low) / (high - low) if high > low else np.zeros(len(scores))
        if self._added is not None:
            relevance = relevance + self._added[rows]
        # Equal relevances by score, and then by the lower row.
        order = np.lexsort((rows, -scores, -relevance))
        rows, scores, relevance = rows[order], scores[order], relevance[order]
        place_of = {int(row): n for n, row in enumerate(rows)} if self._pins else {}
        pinned = {at: place_of[row] for at, row in self._pins.items() if row in place_of}
        return RankedCandidates(rows, scores, relevance, pinned)

    def _mix(self, history: Exclusions, user: int) -> Mix | None:
        """The entries of a user's history; None where there are none, or they don't matter."""
        if self.rules.calibrate is None or self.rules.by is None:
            return None
        rows = history[1][history[0][user] : history[0][user + 1]].astype(np.int64)
        owners, codes = self.items.entries(self.rules.by).of(rows)
        if not len(codes):
            return None
        sizes = np.bincount(owners, minlength=len(rows))
        known, place = np.unique(codes, return_inverse=True)
        return Mix(known, np.bincount(place, 1.0 / sizes[owners]) / (sizes > 0).sum())

    def _objective(self, candidates: RankedCandidates, mix: Mix | None) -> Objective:
        rules, rows, relevance = self.rules, candidates.rows, candidates.relevance
        if rules.mmr is not None:
            return MarginalRelevance(relevance, _local(self.items.units(rules.by), rows), rules.mmr)
        if rules.dpp is not None:
            return Determinant(relevance, _local(self.items.units(rules.by), rows), rules.dpp)
        if rules.calibrate is not None and rules.by is not None and mix is not None:
            owners, codes = self.items.entries(rules.by).of(rows.astype(np.int64))
            sizes = np.bincount(owners, minlength=len(rows))
            place = np.minimum(np.searchsorted(mix.codes, codes), len(mix.codes) - 1)
            known = mix.codes[place] == codes
            shares = np.zeros((len(rows), len(mix.codes)))
            shares[owners[known], place[known]] = 1.0 / sizes[owners[known]]
            return Calibration(relevance, shares, sizes > 0, mix.shares, rules.calibrate)
        return Relevance(relevance)

    def _limits(self, rows: np.ndarray) -> list[Limit]:
        caps: list[Limit] = [Cap(self.items, c, most, rows) for c, most in self.rules.caps.items()]
        shares = [GroupShares(self.rules.at_least, self.items, rows)] if self.rules.at_least else []
        return [*caps, *shares]

    def _choose(
        self,
        candidates: RankedCandidates,
        k: int,
        mix: Mix | None,
        exposure: Exposure | None,
    ) -> list[int]:
        """The candidates of one list, in order."""
        objective, limits = self._objective(candidates, mix), self._limits(candidates.rows)
        free = np.ones(len(candidates.rows), bool)
        if exposure is not None:
            free &= exposure.open(candidates.rows)
        # What is pinned further down isn't used up before; and what is pinned counts for the caps
        # of all places.
        free[list(candidates.pinned.values())] = False
        for pinned in candidates.pinned.values():
            for cap in limits:
                if isinstance(cap, Cap):
                    cap.place(pinned)
        chosen: list[int] = []
        while len(chosen) < k:
            pin = candidates.pinned.get(len(chosen))
            n = self._next(objective, limits, len(chosen), free) if pin is None else pin
            if n is None:
                break
            free[n] = False
            chosen.append(n)
            objective.place(n)
            for limit in limits:
                if pin is None or not isinstance(limit, Cap):
                    limit.place(n)
        # Where the rest ran out before the place of a pin, it follows at once.
        later = [n for at, n in sorted(candidates.pinned.items()) if n not in chosen]
        return [*chosen, *later][:k]

    @staticmethod
    def _next(
        objective: Objective, limits: list[Limit], place: int, free: np.ndarray
    ) -> int | None:
        may = free
        for limit in limits:
            may = limit.allowed(place, may)
        if not may.any():
            return None
        return int(np.argmax(np.where(may, objective.gains(), -np.inf)))


def _local(units: Any, rows: np.ndarray) -> np.ndarray:
    """The vectors of some items, dense; of sparse ones the columns that occur."""
    if isinstance(units, np.ndarray):
        return np.asarray(units[rows], np.float64)
    some = units[rows]
    columns = np.unique(some.indices)
    return np.asarray(some[:, columns].toarray(), np.float64)


def _as_given(pin: Any) -> Any:
    """An id from text: ``find`` takes a number's text for the number."""
    return pin if isinstance(pin, (str, int)) else str(pin)
