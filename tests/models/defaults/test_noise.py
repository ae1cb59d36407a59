"""Regularization that follows the data's noise, where it isn't set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.defaults.damped_biases import USUAL_DAMPING, estimated_damping
from cofactor.models.defaults.noise import noise, rating_penalties, relative_noise
from models.implicit.dense_checks import random_pairs

RUN = Run(seed=0, threads=1)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_noise_is_the_norm_of_interactions_without_structure(share: float) -> None:
    data = random_pairs(400, 250, share)
    sizes = np.linalg.svd(data.matrix().toarray(), compute_uv=False)
    # The first direction holds how many there are; the second one is noise, less what full rows
    # take off.
    assert sizes[1] == pytest.approx(noise(data) * np.sqrt(1 - share), rel=0.1)
    assert sizes[1] / sizes[0] == pytest.approx(relative_noise(data), rel=0.25)


def sparse_ratings() -> tuple[Interactions, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """A training part of five ratings a user, and pairs with their ratings."""
    rng = np.random.default_rng(1)
    users, items = np.nonzero(rng.random((600, 300)) < 0.02)
    level = 0.35 * rng.standard_normal(600)[users] + 0.35 * rng.standard_normal(300)[items]
    ratings = (3 + level + 0.9 * rng.standard_normal(len(users))).astype(np.float32)
    known = rng.random(len(users)) < 0.8
    data = Interactions.from_rows(users[known], items[known], ratings[known], users=600, items=300)
    return data, (users[~known], items[~known]), ratings[~known]


def rmse_of(name: str, **settings: Any) -> float:
    data, pairs, ratings = sparse_ratings()
    model = registry.create(name, **settings).fit(data, run=RUN)
    return float(np.sqrt(np.mean((model.predict_rows(*pairs) - ratings) ** 2)))


@pytest.mark.parametrize(
    ("name", "settings", "loose"),
    [
        (
            "biased_mf",
            {"solver": "als", "factors": 16, "epochs": 12},
            {"regularization": 0.06, "bias_regularization": 0.003},
        ),
        (
            "latent_factor",
            {"epochs": 20, "batch_size": 4096},
            {"regularization": 0.1, "bias_regularization": 0.005},
        ),
    ],
)
def test_defaults_on_few_ratings_are_no_worse_than_bias(
    name: str, settings: dict[str, Any], loose: dict[str, Any]
) -> None:
    bias, settings = rmse_of("bias"), {**settings, "bias_weight": 0.0}  # what vectors say alone
    assert rmse_of(name, **settings) < 1.01 * bias
    # What was the default before.
    assert rmse_of(name, **settings, **loose) > 1.02 * bias


def own_means(deviation: float) -> tuple[Interactions, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Ratings from 1 to 100 around means of the users' own: a training part, and other pairs."""
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((300, 150)) < 0.06)
    level = deviation * rng.standard_normal(300)[users] + 2 * rng.standard_normal(150)[items]
    ratings = np.clip(50 + level + 6 * rng.standard_normal(len(users)), 1, 100).astype(np.float32)
    known = rng.random(len(users)) < 0.8
    data = Interactions.from_rows(users[known], items[known], ratings[known], users=300, items=150)
    return data, (users[~known], items[~known]), ratings[~known]


@pytest.mark.parametrize("deviation", [6.0, 18.0])
def test_the_damping_is_the_variance_of_the_noise_over_that_of_the_biases(deviation: float) -> None:
    data, _, _ = own_means(deviation)
    found = estimated_damping(data)
    assert found.users == pytest.approx(36 / deviation**2, rel=0.3)
    assert found.items == pytest.approx(9.0, rel=0.4)
    moved = replace(data, values=7 * data.weights - 90)
    assert estimated_damping(moved) == pytest.approx(found, rel=1e-3)


def test_where_there_is_nothing_to_estimate_the_damping_is_the_usual_one() -> None:
    pairs = random_pairs(20, 10, 0.3)
    data = replace(pairs, values=np.full(len(pairs), 4, np.float32))
    assert estimated_damping(data) == USUAL_DAMPING
    assert estimated_damping(data.where(np.zeros(len(data), bool))) == USUAL_DAMPING


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bias", {}),
        ("biased_mf", {}),
        ("biased_mf", {"solver": "als", "factors": 8, "epochs": 5}),
        ("svdpp", {}),
        ("latent_factor", {}),
    ],
)
def test_users_who_rate_around_their_own_means_are_learned(
    name: str, settings: dict[str, Any]
) -> None:
    data, pairs, ratings = own_means(18.0)
    model = registry.create(name, **settings).fit(data, run=RUN)
    found = float(np.sqrt(np.mean((model.predict_rows(*pairs) - ratings) ** 2)))
    # The noise alone is 6. With a damping of 4 to 10, or from 0 by SGD, it was 10.4 to 14.2.
    assert found < 6.9


def test_penalties_are_those_of_damped_means() -> None:
    data, _, _ = sparse_ratings()
    found = rating_penalties(data)
    per_user = len(data) / np.count_nonzero(data.user_counts)
    assert found.user_bias * per_user == pytest.approx(estimated_damping(data).users)
    assert found.vectors == pytest.approx(relative_noise(data))


@pytest.mark.parametrize("name", ["bpr", "warp", "logistic_mf"])
def test_the_regularization_in_use_comes_back_with_a_loaded_model(name: str) -> None:
    model = registry.create(name, factors=4, epochs=2).fit(random_pairs(60, 40, 0.2), run=RUN)
    loaded = type(model).from_state(model.config, model.state(), model.data)
    assert loaded._l2 == model._l2 > 0
    sparse = registry.create(name, factors=4, epochs=2).fit(random_pairs(60, 40, 0.1), run=RUN)
    grows = name != "logistic_mf"  # a share of each draw; logistic MF's is of a whole row
    assert (sparse._l2 > model._l2) == grows


def few_each() -> tuple[Interactions, Interactions]:
    """Some five items of 200 that suit each user, of 10,000 in all, and one more to be found."""
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(500), 6)
    items = (users % 50) * 200 + (200 * rng.random(len(users)) ** 6).astype(np.int64)
    data = Interactions.from_rows(users, items, users=500, items=10_000)
    drawn = data.indptr[:-1] + rng.integers(0, data.user_counts)
    held_out = np.isin(np.arange(len(data)), drawn)
    return data.where(~held_out), data.where(held_out)


def found(name: str, **settings: Any) -> float:
    """The share of held-out items that are among a user's first 20."""
    train, held_out = few_each()
    # The vectors alone are asked: popularity beside them needn't be weighed.
    model = registry.create(name, factors=16, popularity_weight=0.0, **settings).fit(train, run=RUN)
    scores = model.user_factors @ model.item_factors.T + model.item_bias
    scores[train.user_rows, train.item_rows] = -np.inf
    mine = scores[held_out.user_rows, held_out.item_rows]
    return float(((scores[held_out.user_rows] > mine[:, None]).sum(1) < 20).mean())


def test_logistic_mf_learns_from_few_interactions_in_a_large_catalogue() -> None:
    # .09 where biases start from 0 and L2 pulls them there; popularity finds .06, BPR .31.
    assert found("logistic_mf") > 0.2


def test_warps_regularization_helps_where_interactions_are_few() -> None:
    # What was the default before.
    assert found("warp") > 1.15 * found("warp", epochs=30, learning_rate=0.02, regularization=0.002)
