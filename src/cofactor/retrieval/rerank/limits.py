"""Which candidates may stand in the next place: caps per entry, and shares of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from cofactor.retrieval.rerank.item_attributes import ItemSide


class Limit(Protocol):
    """What the greedy choice asks before each place."""

    def allowed(self, place: int, free: np.ndarray) -> np.ndarray:
        """Return which of the free candidates may have a place (from 0), bool [n]."""

    def place(self, n: int) -> None:
        """Take note that candidate ``n`` is in the list."""


class Cap:
    """At most so many items with one entry of a column.

    Parameters
    ----------
    items
        The items.
    column, most
        Which column, and how many.
    rows
        The candidates' item rows, int [n].
    """

    def __init__(self, items: ItemSide, column: str, most: int, rows: np.ndarray) -> None:
        self._owners, codes = items.entries(column).of(rows)
        _, self._codes = np.unique(codes, return_inverse=True)
        self._counts = np.zeros(int(self._codes.max(initial=-1)) + 1, np.int64)
        self._most = most
        self._full = np.zeros(len(rows), bool)

    def allowed(self, place: int, free: np.ndarray) -> np.ndarray:
        """Return which free candidates have no entry that is in the list often enough."""
        return free & ~self._full

    def place(self, n: int) -> None:
        """Count an item's entries."""
        self._counts[self._codes[self._owners == n]] += 1
        self._full[self._owners[self._counts[self._codes] >= self._most]] = True


class GroupShares:
    """Of the first n items at least ⌊share·n⌋ of each group, for every n, where there are so many.

    Parameters
    ----------
    groups
        Share by name.
    items
        The items.
    rows
        The candidates' item rows, int [n].

    References
    ----------
    Geyik, Ambler and Kenthapadi (2019), "Fairness-aware ranking in search and recommendation
    systems", KDD, equation 1 and algorithm 1 (without its upper bounds).
    """

    def __init__(self, groups: Mapping[str, float], items: ItemSide, rows: np.ndarray) -> None:
        self._shares = np.array(list(groups.values()))
        self._members = np.array([items.group(name)[rows] for name in groups])
        self._counts = np.zeros(len(groups), np.int64)

    def allowed(self, place: int, free: np.ndarray) -> np.ndarray:
        """Return the free candidates of the groups that would fall behind, or all of them."""
        # A hair above the product: 0.3 * 10 must be three.
        wanted = np.array([math.floor(s * (place + 1) + 1e-9) for s in self._shares])
        behind = self._counts < wanted
        if not behind.any():
            return free
        members = self._members[behind]
        for chosen in (members.all(axis=0), members.any(axis=0)):
            if (free & chosen).any():
                return free & chosen
        return free

    def place(self, n: int) -> None:
        """Count an item for its groups."""
        self._counts += self._members[:, n]


class Exposure:
    """How many lists each item may stand in.

    Of lists whose number is known each item stands in at most ``max(1, ⌊share · total⌋)``. Of an
    endless series it stands in at most ``share · n + burst`` of the first n, for every n.

    Parameters
    ----------
    share
        In (0, 1].
    n_items
        How many items there are.
    total
        How many lists there will be; None for an endless series.
    burst
        Lists that an item may have before its share of an endless series counts.
    """

    def __init__(
        self, share: float, n_items: int, total: int | None = None, burst: int = 10
    ) -> None:
        self._share, self._burst = share, burst
        self._most = None if total is None else max(1, math.floor(share * total + 1e-9))
        self._counts = np.zeros(n_items, np.int64)
        self._lists = 0

    def open(self, rows: np.ndarray) -> np.ndarray:
        """Return which items may stand in the next list, bool [n]."""
        most = self._share * (self._lists + 1) + self._burst if self._most is None else self._most
        return np.asarray(self._counts[rows] + 1 <= most)

    def add(self, rows: np.ndarray) -> None:
        """Count a list."""
        self._counts[rows] += 1
        self._lists += 1
