"""Damped means: where trained biases begin, what answers for users and items without ratings, and
how much damping the ratings ask for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.data.interactions import Interactions

_TURNS = 10  # enough for four digits


def damped_biases(
    data: Interactions,
    user_damping: float = 10.0,
    item_damping: float = 5.0,
    *,
    turns: int = _TURNS,
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean and the damped biases of users and items.

    ``b_i = Σ_u (r_ui − μ − b_u) / (n_i + λ_i)``, ``b_u = Σ_i (r_ui − μ − b_i) / (n_u + λ_u)``, in
    turns.

    Parameters
    ----------
    data
        Interactions with values.
    user_damping, item_damping
        ``λ``: the number of pseudo-ratings at the mean.
    turns
        How often both are computed.

    Returns
    -------
    tuple
        The mean, float32 [n_users], float32 [n_items]; 0 for whom nothing is known.

    Notes
    -----
    Source: Koren, "Factor in the Neighbors", TKDD 2010, section 2.2, iterated.
    """
    values = data.weights.astype(np.float64)
    mean = float(values.mean())
    users, items = data.user_rows, data.item_rows
    user_bias, item_bias = np.zeros(data.n_users), np.zeros(data.n_items)
    for _ in range(turns):
        item_bias = np.bincount(items, values - mean - user_bias[users], data.n_items) / (
            data.item_counts + item_damping
        )
        user_bias = np.bincount(users, values - mean - item_bias[items], data.n_users) / (
            data.user_counts + user_damping
        )
    return mean, user_bias.astype(np.float32), item_bias.astype(np.float32)


class Damping(NamedTuple):
    """Pseudo-ratings at the mean that the biases of users and of items are damped by."""

    users: float
    items: float


USUAL_DAMPING = Damping(10.0, 5.0)
# Ratings that the damping is estimated from at the most, and the rounds of that: where users or
# items hardly differ, more rounds would go on to more damping that changes nothing.
_MOST, _ROUNDS = 200_000, 25
_LEAST = 0.01


def estimated_damping(data: Interactions) -> Damping:
    """Return the damping of biases that the ratings ask for: the variance of the noise over that
    of users' biases, and of items'.

    Biases are taken as draws from normal distributions with the mean 0, whose variances are found
    by expectation maximisation: ``σ_u² = mean(b_u² + σ² / (n_u + λ_u))``, likewise of the items,
    and ``λ_u = σ² / σ_u²``, in turns with the biases themselves (`damped_biases`). Users who rate
    around means of their own need hardly any damping, ratings that are mostly noise much.

    Parameters
    ----------
    data
        Interactions with values; of many, those of random users are looked at.

    Returns
    -------
    Damping
        At least .01; the usual one where all values are the same.

    Notes
    -----
    Source: Laird and Ware, "Random-effects models for longitudinal data", Biometrics 38, 1982.
    """
    if len(data) > _MOST:
        some = np.random.default_rng(0).random(data.n_users) < _MOST / len(data)
        data = data.where(some[data.user_rows])
    values = data.weights.astype(np.float64)
    if not len(values) or values.min() == values.max():
        return USUAL_DAMPING
    rest = values - values.mean()
    sides = [
        (rows, counts, counts > 0)
        for rows, counts in (
            (data.item_rows, data.item_counts),
            (data.user_rows, data.user_counts),
        )
    ]
    damping = [USUAL_DAMPING.items, USUAL_DAMPING.users]
    biases = [np.zeros(data.n_items), np.zeros(data.n_users)]
    for _ in range(_ROUNDS):
        for n, (rows, counts, _) in enumerate(sides):
            other = biases[1 - n][sides[1 - n][0]]
            biases[n] = np.bincount(rows, rest - other, len(counts)) / (counts + damping[n])
        error = rest - biases[0][data.item_rows] - biases[1][data.user_rows]
        fitted = sum(
            float((c / (c + d)).sum()) for (_, c, _), d in zip(sides, damping, strict=True)
        )
        noise = float(error @ error) / max(1.0, len(rest) - fitted)
        for n, (_, counts, known) in enumerate(sides):
            left = noise / (counts[known] + damping[n])
            damping[n] = max(_LEAST, noise / float((biases[n][known] ** 2 + left).mean()))
    return Damping(users=damping[1], items=damping[0])


def damping_of(data: Interactions, users: float | None, items: float | None) -> Damping:
    """Return damping as settings give it; None: what the ratings ask for."""
    if users is not None and items is not None:
        return Damping(users, items)
    found = estimated_damping(data)
    return Damping(found.users if users is None else users, found.items if items is None else items)
