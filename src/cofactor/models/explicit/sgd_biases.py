"""Biases learned by SGD: where they start and their penalty, so that they end near the damped means
that the ratings ask for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.models.defaults.damped_biases import Damping, damped_biases
from cofactor.models.defaults.noise import RatingPenalties

# Turns of the damped means that biases start from: two digits are enough for a start.
_TURNS = 5


def rate_of_all_epochs(config: Any) -> float:
    """Return R, the sum of the biases' learning rates over the epochs.

    From 0, a bias of n ratings gets to ``1 - exp(-R n)`` of the mean of what it is to explain: as
    if it were damped by about 1/R pseudo-ratings.
    """
    rates, epochs = config.rates(), config.epochs
    return config.bias_learning_rate * sum(
        rates.factor(epoch, epochs, epoch, epochs) for epoch in range(epochs)
    )


def started_biases(
    data: Interactions, damping: Damping, config: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the biases of users and of items start, float32.

    At the share of the damped mean that the rates don't reach from 0 even if twice the damping λ
    would do, since vectors explain a part of it: ``max(0, 1 - exp(R n) 2λ / (n + 2λ))``. It is 0
    for most rows of most data, and nearly 1 for users who rate around means of their own, with few
    ratings each.
    """
    rate = rate_of_all_epochs(config)
    shares = [
        np.clip(1 - np.exp(np.minimum(rate * counts, 80.0)) * 2 * by / (counts + 2 * by), 0, 1)
        for counts, by in zip((data.user_counts, data.item_counts), damping, strict=True)
    ]
    _, *biases = damped_biases(data, *damping, turns=_TURNS)
    users, items = (
        (bias * share).astype(np.float32) for bias, share in zip(biases, shares, strict=True)
    )
    return users, items


def with_sgd_penalties(
    least: RatingPenalties, data: Interactions, damping: Damping, config: Any
) -> RatingPenalties:
    """Return penalties with those of biases raised where the ratings ask for more damping than by
    rates that run out.
    """
    by_rates = 1 / rate_of_all_epochs(config)
    users, items = (
        (by - by_rates) * np.count_nonzero(counts) / max(1, len(data))
        for by, counts in zip(damping, (data.user_counts, data.item_counts), strict=True)
    )
    return least._replace(
        user_bias=max(least.user_bias, users), item_bias=max(least.item_bias, items)
    )
