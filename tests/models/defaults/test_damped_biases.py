"""Damped means of users and items, against their definition rating by rating."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from cofactor.models.defaults.damped_biases import Damping, _Ratings, damped_biases
from models.implicit.dense_checks import random_pairs


def ratings() -> Interactions:
    """Some ratings; the last user and the last item have none."""
    pairs = random_pairs(12, 9, 0.4)
    values = np.random.default_rng(3).normal(3, 1, len(pairs)).astype(np.float32)
    return Interactions.from_rows(pairs.user_rows, pairs.item_rows, values, users=13, items=10)


def test_turns_take_damped_means_of_what_the_others_leave() -> None:
    data = ratings()
    user_bias, item_bias = np.zeros(13), np.zeros(10)
    triples = list(zip(data.user_rows, data.item_rows, data.weights, strict=True))
    mean = np.mean([float(value) for _, _, value in triples])
    for _ in range(3):
        for i in range(10):
            left = [float(r) - mean - user_bias[u] for u, of, r in triples if of == i]
            item_bias[i] = sum(left) / (len(left) + 2)
        for u in range(13):
            left = [float(r) - mean - item_bias[i] for of, i, r in triples if of == u]
            user_bias[u] = sum(left) / (len(left) + 4)
    found, *biases = damped_biases(data, 4, 2, turns=3)
    assert found == pytest.approx(mean)
    np.testing.assert_allclose(biases[0], user_bias, atol=1e-6)
    np.testing.assert_allclose(biases[1], item_bias, atol=1e-6)


def test_without_damping_a_user_and_an_item_without_ratings_have_no_bias() -> None:
    _, users, items = damped_biases(ratings(), 0, 0)
    assert users[12] == items[9] == 0
    assert np.isfinite(users).all()
    assert np.isfinite(items).all()


def test_squared_error_follows_from_the_sums() -> None:
    data, damping = ratings(), Damping(3.0, 1.5)
    of = _Ratings.of(data)
    rest = data.weights.astype(np.float64) - of.mean
    users, items = of.turn(np.random.default_rng(1).normal(size=13), damping)
    error = rest - users[data.user_rows] - items[data.item_rows]
    found = of.squared_error(users, items, damping, float((rest**2).sum()))
    assert found == pytest.approx(float((error**2).sum()))
