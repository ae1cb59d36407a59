"""Ratings of shapes and scales that no default was chosen by: few users, few items, ratings that
are nearly all the best one, users who always give the same, a mean that falls with time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split

_TRAITS = 6
_SEED = 7

Drawn = tuple[np.random.Generator, np.ndarray, np.ndarray, np.ndarray]


def _pairs(
    rng: np.random.Generator, sizes: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray]:
    """Users with so many items each, drawn by fame and by tastes that users and items share."""
    fame = (rng.permutation(n_items) + 1.0) ** -0.9
    tastes = np.full(_TRAITS, 0.5)
    of_users, of_items = rng.dirichlet(tastes, len(sizes)), rng.dirichlet(tastes, n_items)
    chosen = []
    for user, size in enumerate(sizes):
        share = fame * (of_items @ of_users[user] + 0.05)
        chosen.append(rng.choice(n_items, size, replace=False, p=share / share.sum()))
    return np.repeat(np.arange(len(sizes)), sizes), np.concatenate(chosen)


def _scores(
    rng: np.random.Generator, users: np.ndarray, items: np.ndarray, personal: float
) -> np.ndarray:
    """Biases with deviations of .45, ``personal p_u · q_i / sqrt(6)`` and noise of .8."""
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    p, q = rng.standard_normal((n_users, _TRAITS)), rng.standard_normal((n_items, _TRAITS))
    biases = 0.45 * (rng.standard_normal(n_users)[users] + rng.standard_normal(n_items)[items])
    own = personal * (p[users] * q[items]).sum(1) / np.sqrt(_TRAITS)
    scores: np.ndarray = biases + own + 0.8 * rng.standard_normal(len(users))
    return scores


def _drawn(n_users: int, n_items: int, mean: float, personal: float = 0.5) -> Drawn:
    rng = np.random.default_rng(_SEED)
    sizes = np.clip(rng.geometric(1 / mean, n_users), 3, n_items - 1)
    users, items = _pairs(rng, sizes, n_items)
    return rng, users, items, _scores(rng, users, items, personal)


def _rated(drawn: Drawn, values: np.ndarray, times: np.ndarray | None = None) -> Interactions:
    _, users, items, _ = drawn
    sizes = {"users": int(users.max()) + 1, "items": int(items.max()) + 1}
    values = values.astype(np.float32)
    return Interactions.from_rows(users, items, values, times=times, source="shape", **sizes)


def stars(n_users: int, n_items: int, mean: float, personal: float = 0.5) -> Interactions:
    """From 1 to 5."""
    drawn = _drawn(n_users, n_items, mean, personal)
    return _rated(drawn, np.clip(np.rint(3.4 + drawn[-1]), 1, 5))


def scaled(
    ends: tuple[float, float], middle: float, width: float, digits: int = 0, **more: Any
) -> Interactions:
    """On another scale, rounded to some digits."""
    drawn = _drawn(**({"n_users": 700, "n_items": 350, "mean": 20.0} | more))
    return _rated(drawn, np.clip(np.round(middle + width * drawn[-1], digits), *ends))


def halves() -> Interactions:
    """From .5 to 5 in halves."""
    drawn = _drawn(700, 350, 20.0)
    return _rated(drawn, np.clip(np.rint(2 * (3.4 + drawn[-1])) / 2, 0.5, 5))


def binary() -> Interactions:
    """0 and 1."""
    drawn = _drawn(700, 350, 20.0)
    return _rated(drawn, drawn[-1] > 0.2)


def mostly_best() -> Interactions:
    """From 1 to 5, seven in ten of them 5."""
    drawn = _drawn(1_500, 800, 7.0, 0.3)
    return _rated(drawn, np.digitize(drawn[-1], [-2.2, -1.7, -1.2, -0.5]) + 1)


def always_the_same() -> Interactions:
    """From 1 to 5, and one user in three gives all items the same rating."""
    drawn = _drawn(700, 350, 20.0)
    rng, users, _, scores = drawn
    same, fixed = rng.random(700) < 0.35, rng.choice([1, 3, 5], 700, p=[0.1, 0.2, 0.7])
    free = np.clip(np.rint(3.4 + scores), 1, 5)
    return _rated(drawn, np.where(same[users], fixed[users], free))


def falling() -> Interactions:
    """From 1 to 5, with times: the mean falls by 1.3, and items go up and down."""
    drawn = _drawn(700, 350, 16.0)
    rng, users, items, scores = drawn
    when = rng.random(len(users))
    change = 0.8 * rng.standard_normal(350)[items] * (when - 0.5) - 1.3 * when
    times = (1e9 + 1e7 * when).astype(np.int64)
    return _rated(drawn, np.clip(np.rint(4.2 + change + scores), 1, 5), times)


def one_has_most() -> Interactions:
    """120 users with four ratings each, but for one with 4,600."""
    rng, sizes = np.random.default_rng(_SEED), np.full(120, 4)
    sizes[7] = 4_600
    users, items = _pairs(rng, sizes, 6_000)
    drawn = rng, users, items, _scores(rng, users, items, 0.5)
    return _rated(drawn, np.clip(np.rint(3.4 + drawn[-1]), 1, 5))


_SHAPES: dict[str, Callable[[], Interactions]] = {
    "1..5": partial(stars, 700, 350, 20.0, 0.7),
    "0.5..5": halves,
    "1..10": partial(scaled, (1, 10), 6.5, 2.0, n_users=900, n_items=900, mean=8.0),
    "0..100": partial(scaled, (0, 100), 60, 20.0, mean=14.0),
    "-10..10, 60 items": partial(
        scaled, (-10, 10), 1, 4.5, 2, n_users=500, n_items=60, mean=25.0, personal=0.9
    ),
    "0 and 1": binary,
    "mostly 5": mostly_best,
    "25 users": partial(stars, 25, 400, 120.0),
    "12 items": partial(stars, 1_500, 12, 6.0),
    "200 ratings": partial(stars, 35, 30, 6.0),
    "falling, cut by time": falling,
    "one user has nine in ten": one_has_most,
    "a third always the same": always_the_same,
}


def _cut(make: Callable[[], Interactions], rule: str) -> Split:
    return split(make(), rule, test=0.2, validation=0.1, seed=0)


_RULES = {"falling, cut by time": "time", "one user has nine in ten": "random"}
SHAPES: dict[str, Callable[[], Split]] = {
    name: partial(_cut, make, _RULES.get(name, "per-user")) for name, make in _SHAPES.items()
}
