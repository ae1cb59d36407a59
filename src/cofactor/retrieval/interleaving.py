"""Interleaving: one list of two rankings, in which every item counts for one of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")


class Interleaved(NamedTuple):
    """A list of two rankings.

    Parameters
    ----------
    sources
        int64 [k]: 0 or 1, the ranking that each item counts for.
    places
        int64 [k]: the item's place in that ranking.
    probabilities
        float64 [k]: probability of each item at its position, given the items before and their
        rankings.
    """

    sources: np.ndarray
    places: np.ndarray
    probabilities: np.ndarray


def team_draft(
    first: Sequence[Item], second: Sequence[Item], k: int, rng: np.random.Generator
) -> Interleaved:
    """Interleave two rankings by team draft.

    In each round both rankings add their best item that isn't in the list yet, in an order that a
    fair coin decides.

    Parameters
    ----------
    first, second
        Items, best first, each without repeats.
    k
        Length of the list; shorter if both rankings end earlier.
    rng
        The generator of the coin tosses.

    Notes
    -----
    Radlinski, Kurup and Joachims, "How does clickthrough data reflect retrieval quality?", CIKM
    2008, Algorithm 2.
    """
    rankings = (first, second)
    at, counts = [0, 0], [0, 0]
    seen: set[Item] = set()
    sources: list[int] = []
    places: list[int] = []
    probabilities: list[float] = []
    while len(sources) < k:
        for side in (0, 1):
            while at[side] < len(rankings[side]) and rankings[side][at[side]] in seen:
                at[side] += 1
        open_sides = [side for side in (0, 1) if at[side] < len(rankings[side])]
        if not open_sides:
            break
        if len(open_sides) == 2 and counts[0] == counts[1]:
            side = int(rng.random() < 0.5)
            same = rankings[0][at[0]] == rankings[1][at[1]]
            chance = 1.0 if same else 0.5
        else:
            behind = int(counts[1] < counts[0])
            side, chance = (behind if behind in open_sides else open_sides[0]), 1.0
        seen.add(rankings[side][at[side]])
        counts[side] += 1
        sources.append(side)
        places.append(at[side])
        probabilities.append(chance)
    return Interleaved(
        np.array(sources, np.int64), np.array(places, np.int64), np.array(probabilities)
    )
