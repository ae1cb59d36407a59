"""Bias, BiasedMF and SVDpp: what they promise beyond the contract of all models."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.panel import few_ratings

from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models import registry
from cofactor.models.defaults.noise import rating_penalties, relative_noise
from cofactor.models.explicit.als_defaults import als_factors
from cofactor.models.explicit.biased_mf import BiasedMF
from cofactor.models.explicit.sgd_learner import item_blocks
from cofactor.models.explicit.sgd_rates import faster_by

N_USERS, N_ITEMS = 230, 140
ONE = Run(seed=1, threads=1)
FACTOR_MODELS = ("biased_mf", "svdpp")


@cache
def two_parts() -> tuple[Interactions, Interactions]:
    """Ratings 1..5 of rank 3 with biases and noise, cut into training (11,000 and more) and
    held-out ratings.
    """
    rng = np.random.default_rng(0)
    level = 3.2 + 0.4 * rng.standard_normal((N_USERS, 1)) + 0.5 * rng.standard_normal(N_ITEMS)
    taste = 0.8 * rng.standard_normal((N_USERS, 3)) @ rng.standard_normal((3, N_ITEMS)) / np.sqrt(3)
    ratings = np.clip(np.rint(level + taste + 0.3 * rng.standard_normal(taste.shape)), 1, 5).astype(
        np.float32
    )
    draw = rng.random(ratings.shape)
    draw[:, 0] = 1  # nobody rated item 0
    train, test = draw < 0.4, (draw >= 0.4) & (draw < 0.5)
    return tuple(  # type: ignore[return-value]
        Interactions.from_rows(*np.nonzero(part), ratings[part], users=N_USERS, items=N_ITEMS)
        for part in (train, test)
    )


SMALL: dict[str, dict[str, Any]] = {
    "bias": {},
    "biased_mf": {
        "factors": 6,
        "epochs": 60,
        "learning_rate": 0.02,
        "decay": 0.98,
        "init_scale": 0.1,
    },
    "svdpp": {"factors": 6, "epochs": 60, "learning_rate": 0.02, "decay": 0.98, "init_scale": 0.1},
}


@cache
def fitted(name: str, **settings: Any) -> Any:
    """A model of the registry fitted on the training part."""
    return registry.create(name, **{**SMALL[name], **settings}).fit(two_parts()[0], run=ONE)


def rmse(model: Any, part: Interactions) -> float:
    """The error on a part."""
    return float(
        np.sqrt(np.mean((part.weights - model.predict_rows(part.user_rows, part.item_rows)) ** 2))
    )


@pytest.mark.parametrize(
    "settings", [{}, {"solver": "als", "regularization": 0.05, "epochs": 15}], ids=["sgd", "als"]
)
def test_biased_mf_recovers_a_low_rank_preference_that_biases_cannot(
    settings: dict[str, Any],
) -> None:
    test = two_parts()[1]
    # The noise and the rounding alone are about 0.42.
    assert rmse(fitted("biased_mf", **settings), test) < 0.56
    assert rmse(fitted("bias"), test) > 0.75


def test_svdpp_recovers_a_low_rank_preference() -> None:
    assert rmse(fitted("svdpp"), two_parts()[1]) < 0.58


def test_biased_mf_is_the_same_on_one_and_two_threads_where_items_are_cut() -> None:
    train = two_parts()[0]
    assert len(item_blocks(train)) > 2
    one, two = (
        BiasedMF(factors=5, epochs=3).fit(train, run=Run(seed=1, threads=t)).state() for t in (1, 2)
    )
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_item_blocks_hold_about_as_many_ratings_each() -> None:
    train = two_parts()[0]
    bounds = item_blocks(train)
    assert bounds[0] == 0
    assert bounds[-1] == N_ITEMS
    sizes = np.add.reduceat(train.item_counts, bounds[:-1])
    assert sizes.sum() == len(train)
    assert np.abs(sizes - sizes.mean()).max() <= train.item_counts.max()


@pytest.mark.parametrize("name", ["bias", *FACTOR_MODELS])
def test_unknown_users_and_items_are_answered_by_what_is_known_of_the_other(name: str) -> None:
    model = fitted(name)
    mean = float(two_parts()[0].weights.mean(dtype=np.float64))
    nobody, nothing, unrated, some = 10_000, 10_000, 0, 7
    got = model.predict([nobody, nobody, 3, 3], [nothing, some, nothing, unrated])
    by_user = np.clip(mean + float(model.user_bias[3]), 1, 5)
    np.testing.assert_allclose(
        got, [mean, np.clip(mean + model.item_bias[some], 1, 5), by_user, by_user], rtol=1e-5
    )


@pytest.mark.parametrize("name", ["bias", *FACTOR_MODELS])
def test_predictions_are_cut_to_the_scale_unless_set_otherwise(name: str) -> None:
    train = two_parts()[0]
    users, items = (grid.ravel() for grid in np.meshgrid(np.arange(N_USERS), np.arange(N_ITEMS)))
    cut = fitted(name).predict_rows(users, items)
    assert cut.min() == 1
    assert cut.max() == 5
    free = (
        registry.create(name, **{**SMALL[name], "clip_predictions": False})
        .fit(train, run=ONE)
        .predict_rows(users, items)
    )
    assert free.max() > 5
    np.testing.assert_allclose(np.clip(free, 1, 5), cut, rtol=1e-5)
    given = registry.create(name, **{**SMALL[name], "lowest": 0.5, "highest": 4}).fit(
        train, run=ONE
    )
    assert given.predict_rows(users, items).max() == 4


@pytest.mark.parametrize("name", ["bias", *FACTOR_MODELS])
def test_data_without_ratings_is_refused_with_a_cure(name: str) -> None:
    implicit = Interactions.from_rows(np.array([0, 1]), np.array([0, 1]), users=2, items=3)
    with pytest.raises(
        ArgumentError,
        match="learns from ratings, and this data has no values; use an implicit model",
    ):
        registry.create(name).fit(implicit)


@pytest.mark.parametrize("name", ["bias", *FACTOR_MODELS])
def test_scale_upside_down_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match=r"lowest must be below highest, not 5.0 and 1.0"):
        registry.create(name, lowest=5, highest=1)


@pytest.mark.parametrize("name", FACTOR_MODELS)
def test_divergence_is_said_with_the_setting_to_change(name: str) -> None:
    with pytest.raises(TrainingError, match="diverged in epoch .*lower learning_rate"):
        registry.create(name, learning_rate=50.0, epochs=30, init_scale=1.0).fit(
            two_parts()[0], run=ONE
        )


@pytest.mark.parametrize("name", FACTOR_MODELS)
def test_validation_stops_early_and_keeps_the_best_epoch(name: str) -> None:
    train, test = two_parts()
    settings = {
        **SMALL[name],
        "factors": 40,
        "epochs": 400,
        "regularization": 0.0,
        "decay": 1.0,
        "learning_rate": 0.03,
    }
    heard: list[float] = []
    stopped = registry.create(name, **settings).fit(
        train, validation=Part(test, train), run=_listening(heard)
    )
    assert len(heard) < 400
    assert rmse(stopped, test) == pytest.approx(min(heard), rel=1e-5)
    assert min(heard) < heard[-1]


def test_validation_users_may_be_new() -> None:
    train, test = two_parts()
    old, new = np.arange(N_USERS) < 200, np.arange(N_USERS) >= 200
    known = _only(train, old)
    heard: list[float] = []
    part = Part(_only(test, new), _only(train, new), fold_in=True)
    model = BiasedMF(**{**SMALL["biased_mf"], "epochs": 30}).fit(
        known, validation=part, run=_listening(heard)
    )
    assert min(heard) < 0.7
    assert not model.user_factors[new].any()


def test_fold_in_equals_the_trained_row_once_als_has_converged() -> None:
    model = fitted(
        "biased_mf", solver="als", regularization=0.1, bias_regularization=0.1, epochs=200
    )
    folded = model.fold_in(two_parts()[0].histories()).states
    np.testing.assert_allclose(folded, model._states(np.arange(N_USERS)), atol=2e-3)


def test_als_objective_never_rises() -> None:
    train = two_parts()[0]
    values = []
    for epochs in (1, 2, 4, 8):
        m = BiasedMF(
            solver="als",
            factors=5,
            epochs=epochs,
            regularization=0.1,
            frequency_exponent=0.0,
            clip_predictions=False,
        ).fit(train, run=ONE)
        error = train.weights - m.predict_rows(train.user_rows, train.item_rows)
        penalty = sum(
            (len(train) / met)
            * (0.1 * (vectors**2).sum(dtype=np.float64) + 0.005 * (bias**2).sum(dtype=np.float64))
            for vectors, bias, met in (
                (m.user_factors, m.user_bias, (train.user_counts > 0).sum()),
                (m.item_factors, m.item_bias, (train.item_counts > 0).sum()),
            )
        )
        values.append(float((error.astype(np.float64) ** 2).sum() + penalty))
    assert all(later < earlier * (1 + 1e-6) for earlier, later in pairwise(values))
    assert values[-1] < 0.9 * values[0]


@pytest.mark.parametrize("name", ["bias", *FACTOR_MODELS])
def test_explanation_of_a_folded_in_user_leaves_only_the_mean_and_the_items_bias(name: str) -> None:
    # Everything that is personal in a folded-in score is linear in the past.
    model = fitted(name)
    explained = model.explain(item=9, history={3: 5.0, 11: 1.0, 40: 4.0, 77: 2.0})
    assert explained.rest == pytest.approx(float(model.mean[0] + model.item_bias[9]), abs=2e-4)
    assert len(explained.reasons) == 4


@pytest.mark.parametrize("name", FACTOR_MODELS)
def test_dots_of_vectors_and_item_bias_are_the_scores(name: str) -> None:
    model = fitted(name)
    np.testing.assert_allclose(
        model.user_vectors() @ model.item_vectors().T + model.item_bias,
        model.score_rows(np.arange(N_USERS)),
        atol=1e-4,
    )


def test_joint_biases_fit_better_than_damped_means() -> None:
    train = two_parts()[0]
    damped = fitted("bias", method="damped", item_damping=2.0)
    assert rmse(fitted("bias"), train) < rmse(damped, train)
    item = 12
    ratings = train.values[train.item_rows == item]
    assert damped.item_bias[item] == pytest.approx(
        float((ratings - damped.mean[0]).sum() / (2.0 + ratings.size))
    )


def _only(data: Interactions, users: np.ndarray) -> Interactions:
    keep = users[data.user_rows]
    return Interactions.from_rows(
        data.user_rows[keep],
        data.item_rows[keep],
        data.weights[keep],
        users=data.users,
        items=data.items,
    )


def _listening(heard: list[float]) -> Run:
    """A run that writes down each epoch's validation error."""

    class Task:
        def advance(self, steps: int = 1, **facts: Any) -> None:
            heard.append(float(facts["rmse"]))

        def __enter__(self) -> Task:
            return self

        def __exit__(self, *exc: object) -> None:
            return None

    class Progress:
        def task(self, name: str, total: int | None) -> Task:
            return Task()

        def say(self, text: str) -> None:
            return None

    return Run(seed=1, threads=1, progress=Progress())


@pytest.mark.data("ml-100k")
@pytest.mark.parametrize(("name", "bar"), [("bias", 0.956), ("biased_mf", 0.918), ("svdpp", 0.906)])
def test_error_on_the_first_published_fold_of_movielens_100k_stays_under_the_bar(
    name: str, bar: float, data_home: Path
) -> None:
    # Measured: 0.953, 0.915, 0.903; the bars leave room for another machine's rounding, and not for
    # a defect.
    split = datasets.load_split("ml-100k", fold="u1", home=data_home)
    assert rmse(registry.create(name).fit(split.train, run=ONE), split.test.truth) < bar


@pytest.mark.parametrize(
    ("n_ratings", "factors"), [(100, 16), (18_000, 16), (80_000, 32), (900_000, 112), (10**8, 128)]
)
def test_als_has_as_many_factors_as_the_ratings_are_worth(n_ratings, factors):
    class Sized:
        def __len__(self) -> int:
            return n_ratings

    assert als_factors(Sized()) == factors


def test_the_number_of_factors_follows_the_data_by_als_alone_and_updates_keep_it():
    data = few_ratings(100, 60, 8.0, personal=0.3)
    als = registry.create("biased_mf", solver="als", epochs=2).fit(data)
    assert als.item_factors.shape[1] == 16
    assert registry.create("biased_mf", epochs=1).fit(data).item_factors.shape[1] == 128
    given = registry.create("biased_mf", solver="als", epochs=1, factors=5).fit(data)
    given.config = given.config.replace(factors=None)  # more ratings may have more factors
    assert given.update([("new", 0, 4.0)], epochs=1).item_factors.shape[1] == 5


def dense(personal: float) -> tuple[Interactions, Interactions]:
    """Ratings of 60 items by 300 users, in which so much is personal: training and test."""
    rng = np.random.default_rng(4)
    users, items = np.nonzero(rng.random((300, 60)) < 0.3)
    p, q = rng.standard_normal((300, 4)), rng.standard_normal((60, 4))
    score = 3 + personal * (p[users] * q[items]).sum(1) / 2 + 0.6 * rng.standard_normal(len(users))
    whole = Interactions.from_rows(users, items, score.astype(np.float32), users=300, items=60)
    training = rng.random(len(users)) < 0.8
    return whole.where(training), whole.where(~training)


def test_als_shrinks_less_where_much_is_personal() -> None:
    train, test = dense(1.0)
    usual = BiasedMF(solver="als", regularization=rating_penalties(train).vectors)
    errors = [
        np.sqrt(np.mean((m.predict_rows(test.user_rows, test.item_rows) - test.weights) ** 2))
        for m in (usual.fit(train, run=ONE), BiasedMF(solver="als").fit(train, run=ONE))
    ]
    assert errors[1] < 0.97 * errors[0]
    noise, _ = dense(0.0)
    plain = BiasedMF(solver="als").fit(noise, run=ONE)
    assert plain.fold_in_penalties[0] == pytest.approx(rating_penalties(noise).vectors)


def test_updates_keep_the_share_of_the_noise_and_settings_stay_open() -> None:
    train, _ = dense(1.0)
    model = BiasedMF(solver="als", factors=4, epochs=3).fit(train, run=ONE)
    share = model.fold_in_penalties[0] / relative_noise(train)
    assert share < 0.7
    assert model.config.regularization is None
    model.update([("new", 0, 4.0), ("new", 1, 2.0)], epochs=1, run=ONE)
    assert model.fold_in_penalties[0] / relative_noise(model.data) == pytest.approx(share)


@pytest.mark.parametrize("name", FACTOR_MODELS)
def test_few_ratings_are_learned_faster_by_default(name: str) -> None:
    train, test = dense(0.8)
    usual = registry.get(name).Config.usual_learning_rate
    errors = [
        np.sqrt(np.mean((m.predict_rows(test.user_rows, test.item_rows) - test.weights) ** 2))
        for m in (
            registry.create(name, **settings).fit(train, run=ONE)
            for settings in ({}, {"learning_rate": 2 * usual}, {"learning_rate": usual})
        )
    ]
    assert errors[0] < 0.98 * errors[2]
    assert errors[0] <= errors[1] * 1.01


@pytest.mark.parametrize(
    ("n_users", "n_items", "times"), [(120, 110, 1), (100, 50, 1.457), (9, 5, 2)]
)
def test_the_rate_follows_the_number_of_ratings_of_a_row(n_users, n_items, times) -> None:
    pairs = np.nonzero(np.ones((n_users, n_items)))
    ones = np.ones(n_users * n_items, np.float32)
    data = Interactions.from_rows(*pairs, ones, users=n_users, items=n_items)
    assert faster_by(data) == pytest.approx(times, abs=0.001)
