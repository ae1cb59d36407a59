"""Histories that follow a known Markov chain, with a knob for how hard the next item is to tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cofactor.base import checks, rng
from cofactor.data.interactions import Interactions


@dataclass(frozen=True)
class Chain:
    """Histories, and the distribution from which they were drawn.

    Parameters
    ----------
    data
        The interactions; times are the steps.
    transitions
        float64 [n_items, n_items]: the probability of the next item (column) after an item (row),
        rows sum to 1. No user has an item twice: earlier items are left out, the rest is scaled
        up to 1.
    """

    data: Interactions
    transitions: np.ndarray


def sequences(
    n_users: int = 200,
    n_items: int = 50,
    length: int = 12,
    *,
    difficulty: float = 0.1,
    branches: int = 1,
    seed: int = 0,
) -> Chain:
    """Make histories of a first-order Markov chain.

    ``T = (1 - difficulty) P + difficulty U``: P puts each item's weight on ``branches`` successors
    (the first is the next on one random round through all items; each further one has half the
    weight of the one before), U is uniform over the other items.

    Parameters
    ----------
    n_users, n_items
        The shape; at least 3 items.
    length
        Of each history, in 2..n_items / 2, so that the chain seldom runs into what a user had.
    difficulty
        In [0, 1]: at 0 the chain follows its successors alone, at 1 order says nothing.
    branches
        How many likely successors each item has, from 1.
    seed
        Of the chain and of the histories.
    """
    n_users = checks.integer(n_users, "n_users", low=1)
    n_items = checks.integer(n_items, "n_items", low=4)
    length = checks.integer(length, "length", low=2, high=n_items // 2)
    difficulty = checks.real(difficulty, "difficulty", low=0, high=1)
    branches = checks.integer(branches, "branches", low=1, high=n_items - 1)
    generator = rng.generator(seed, "synthetic", "sequences")
    transitions = _transitions(n_items, difficulty, branches, generator)
    steps = np.empty((n_users, length), np.int32)
    steps[:, 0] = generator.integers(0, n_items, n_users)
    had = np.zeros((n_users, n_items), bool)
    everyone = np.arange(n_users)
    for step in range(1, length):
        had[everyone, steps[:, step - 1]] = True
        weights = np.where(had, 0.0, transitions[steps[:, step - 1]])  # [n_users, n_items]
        # With difficulty 0 every successor may be taken already; then any new item follows.
        stuck = weights.sum(axis=1) <= 0
        weights[stuck] = ~had[stuck]
        reach = np.cumsum(weights, axis=1)
        drawn = generator.random(n_users) * reach[:, -1]
        chosen = (reach <= drawn[:, None]).sum(axis=1)
        # Rounding may carry a draw past the last item with any weight.
        steps[:, step] = np.minimum(chosen, n_items - 1 - np.argmax(weights[:, ::-1] > 0, axis=1))
    times = np.tile(np.arange(length, dtype=np.int64), n_users)
    users = np.repeat(np.arange(n_users), length)
    data = Interactions.from_rows(
        users, steps.reshape(-1), None, times, users=n_users, items=n_items, source="chain"
    )
    return Chain(data, transitions)


def _transitions(
    n_items: int, difficulty: float, branches: int, generator: np.random.Generator
) -> np.ndarray:
    tour = generator.permutation(n_items)
    place = np.empty(n_items, np.int64)
    place[tour] = np.arange(n_items)
    follow = np.zeros((n_items, n_items))
    weights = 0.5 ** np.arange(branches)
    everything = np.arange(n_items)
    # Further successors lie at fixed distances along the tour, so each item is also followed from
    # as many.
    distances = np.concatenate(
        [[1], 1 + generator.permutation(n_items - 2)[: branches - 1] + 1]
    ).astype(np.int64)
    for distance, weight in zip(distances, weights / weights.sum(), strict=True):
        follow[everything, tour[(place + distance) % n_items]] += weight
    uniform = (1 - np.eye(n_items)) / (n_items - 1)
    return (1 - difficulty) * follow + difficulty * uniform
