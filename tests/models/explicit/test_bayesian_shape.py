"""What BayesianMF takes ratings for, and how much it learns beside biases: on ratings whose noise
isn't its own, vectors mustn't explain it.
"""

from __future__ import annotations

import numpy as np
import pytest

import cofactor
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.bayesian_mf import BayesianMF
from cofactor.models.explicit.bayesian_shape import Shape, choose_shape, shapes
from cofactor.models.explicit.rating_levels import Levels, level_of

ONE = Run(threads=1, seed=0)
SHORT = {"sweeps": 90, "burn_in": 30, "samples": 20}


def mostly_zero() -> tuple[Interactions, Interactions]:
    """Ratings of which nine in ten are 0 whatever the item, the others wide: all but normal."""
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((150, 80)) < 0.2)
    wide = 4 * (rng.normal(0, 0.4, 150)[users] + rng.standard_normal(len(users)))
    values = np.where(rng.random(len(users)) < 0.9, 0, np.round(wide, 1)).astype(np.float32)
    data = Interactions.from_rows(users, items, values, users=150, items=80)
    training = rng.random(len(users)) < 0.8
    return data.where(training), data.where(~training)


@pytest.fixture(scope="module")
def parts() -> tuple[Interactions, Interactions]:
    return mostly_zero()


@pytest.fixture(scope="module")
def model(parts: tuple[Interactions, Interactions]) -> BayesianMF:
    return BayesianMF(**SHORT).fit(parts[0], run=ONE)


def rmse(model, part) -> float:
    found = model.predict_rows(part.user_rows, part.item_rows)
    return float(np.sqrt(np.mean((found - part.values) ** 2)))


def test_noise_that_is_not_normal_is_not_explained_by_vectors(parts, model):
    bias = cofactor.Bias().fit(parts[0], run=ONE)
    assert rmse(model, parts[1]) < 1.01 * rmse(bias, parts[1])


def test_without_anything_personal_only_biases_are_learned(parts, model):
    assert model.posterior.user_samples.shape[2] == 1
    assert model.posterior.implicit_samples is None
    again = BayesianMF.from_state(model.config, model.state(), parts[0])
    np.testing.assert_array_equal(again.score_rows(np.arange(3)), model.score_rows(np.arange(3)))
    assert len(model.similar_items([0], k=3).ids) <= 3
    assert np.isfinite(model.predict([0], [1], interval=0.9)).all()


def test_given_factors_and_features_are_taken(parts):
    fitted = BayesianMF(factors=2, implicit=True, **SHORT | {"sweeps": 60}).fit(parts[0], run=ONE)
    assert fitted.posterior.user_samples.shape[2] == 3
    assert fitted.posterior.implicit_samples is not None
    assert shapes(2, True) == [Shape(2, True)]
    assert shapes(None, None) == [Shape(0, False), Shape(16, False), Shape(16, True)]
    assert shapes(4, None) == [Shape(4, False), Shape(4, True)]


def test_joined_levels_are_the_means_of_their_ratings():
    cauchy = np.random.default_rng(0).standard_cauchy(5_000)
    ratings = np.concatenate((cauchy, np.zeros(5_000))).astype(np.float32)
    levels = Levels.joined(ratings)
    which = level_of(ratings, levels.ends)
    assert 30 <= len(levels.values) <= 34
    assert (np.diff(levels.values) > 0).all()
    assert 0 in levels.values
    for n, (value, ends) in enumerate(zip(levels.values, levels.ends, strict=True)):
        mine = ratings[which == n]
        assert mine.mean(dtype=np.float64) == pytest.approx(value, rel=1e-5)
        assert (mine.min(), mine.max()) == tuple(ends)


@pytest.mark.parametrize(
    ("start", "step"), [(1, 0.5), (10_000_000, 1), (2_024_000, 0.25), (1e18, 2**37), (0, 1e-44)]
)
def test_each_distinct_rating_is_its_own_level(start: float, step: float) -> None:
    ratings = (start + step * np.arange(6)).astype(np.float32)
    assert level_of(ratings, Levels.distinct(ratings).ends).tolist() == [0, 1, 2, 3, 4, 5]


def test_values_that_are_nearly_all_the_same_have_two_levels_at_least():
    for n in (40, 200):
        ratings = np.r_[np.zeros(10_000), np.linspace(1, 50, n)].astype(np.float32)
        assert len(Levels.joined(ratings).values) >= 2


def test_intervals_of_joined_levels_reach_from_rating_to_rating():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((200, 60)) < 0.4)
    values = 20 * (rng.standard_normal(200)[users] + rng.standard_normal(len(users)))
    data = Interactions.from_rows(users, items, values.astype(np.float32), users=200, items=60)
    training = rng.random(len(users)) < 0.8
    fitted = BayesianMF(factors=1, implicit=False, **SHORT).fit(data.where(training), run=ONE)
    test = data.where(~training)
    found = fitted.predict(
        test.users.ids(test.user_rows), test.items.ids(test.item_rows), interval=0.9
    )
    inside = (found[:, 1] <= test.values) & (test.values <= found[:, 2])
    assert 0.86 <= inside.mean() <= 0.95


class Guess:
    """Errors of 1; with vectors by turns a little smaller and, a little less, larger: t is about 1.
    With the feature larger still.
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape

    def predict_rows(self, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        by_turns = np.where(np.arange(len(user_rows)) % 2, -0.1, 0.09)
        return np.sqrt(1 + by_turns * (self.shape.factors > 0) + 0.5 * self.shape.implicit)


@pytest.mark.parametrize(("n_users", "factors"), [(60, 0), (400, 16)])
def test_vectors_have_to_be_proved_by_few_held_out_ratings_alone(n_users, factors):
    users, items = np.nonzero(np.random.default_rng(0).random((n_users, 40)) < 0.35)
    ratings = np.where(np.arange(len(users)) < 9, 1e-6, 0).astype(np.float32)
    data = Interactions.from_rows(users, items, ratings, users=n_users, items=40)
    found = choose_shape(shapes(None, None), data, lambda _, shape, __: Guess(shape), ONE)
    assert found == Shape(factors, False)
