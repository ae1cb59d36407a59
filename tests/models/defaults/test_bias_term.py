"""The biases alone beside a rating model's own predictions: with few ratings it isn't worse than
they are, and every answer has the same share of both.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.panel import few_ratings

import cofactor
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.models.defaults import held_out_bias
from cofactor.models.defaults.bias_term import BiasTerm, best_weight

ONE = Run(threads=1, seed=0)
SMALL: dict[str, dict[str, Any]] = {
    "biased_mf": {"factors": 8, "epochs": 15},
    "als": {"solver": "als", "factors": 4, "epochs": 5},
    "svdpp": {"factors": 8, "epochs": 15},
    "latent_factor": {"factors": 8, "epochs": 5, "batch_size": 512},
    "mlp": {"factors": 8, "epochs": 2, "batch_size": 512},
    "neumf": {"factors": 8, "epochs": 2, "batch_size": 512, "loss": "squared"},
    "two_tower": {"factors": 4, "epochs": 2, "batch_size": 512, "loss": "squared"},
    "lstm_rating": {
        "factors": 4,
        "hidden": 4,
        "epochs": 2,
        "pretrain_epochs": 2,
        "batch_size": 64,
    },
}
EXPLAINED = ("biased_mf", "als", "svdpp")


def made(name: str, **settings: Any) -> Any:
    return registry.create("biased_mf" if name == "als" else name, **SMALL[name] | settings)


@cache
def parts() -> Split:
    data = few_ratings(400, 150, 8.0, personal=0.2)
    kinds = pa.table({"kind": [f"kind {item % 5}" for item in range(data.n_items)]})
    return split(replace(data, catalogue=Catalogue(kinds)), "random", test=0.2, seed=0)


@cache
def shared(name: str, weight: float | None = 0.4) -> Any:
    return made(name, bias_weight=weight).fit(parts().train, run=ONE)


def rmse(model: Any) -> float:
    return float(evaluate(model, parts(), ["rmse"], run=ONE, resamples=0)["rmse"])


@pytest.mark.parametrize("name", ["biased_mf", "svdpp", "neumf"])
@pytest.mark.parametrize("seed", [0, 1])
def test_with_few_ratings_the_defaults_are_not_worse_than_biases_alone(name, seed):
    cut = split(few_ratings(600, 400, 10.0, personal=0.3, seed=seed), "random", test=0.2, seed=seed)

    def error(model: Any) -> float:
        fitted = model.fit(cut.train, run=Run(threads=1, seed=seed))
        return float(evaluate(fitted, cut, ["rmse"], run=ONE, resamples=0)["rmse"])

    settings = {"loss": "squared"} if name == "neumf" else {}
    assert error(registry.create(name, **settings)) < 1.003 * error(cofactor.Bias())


@pytest.mark.parametrize("name", SMALL)
def test_predictions_are_that_share_of_both(name):
    own, both, data = shared(name, 0.0), shared(name), parts().train
    assert own.bias_term is None
    assert "bias_term" not in own.state()
    users, items = data.user_rows[::7], data.item_rows[::5][: len(data.user_rows[::7])]
    users = users[: len(items)]
    term = BiasTerm.of(data)
    levels = term.users(data.indptr, data.item_rows, data.weights)
    scores = np.diagonal(own.score_rows(users, items))
    expected = 0.6 * scores + 0.4 * (levels[users] + term.items[items])
    np.testing.assert_allclose(np.diagonal(both.score_rows(users, items)), expected, atol=1e-5)
    clipped = np.clip(expected, 1, 5)
    np.testing.assert_allclose(both.predict_rows(users, items), clipped, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_new_users_get_the_same_share(name):
    own, both, data = shared(name, 0.0), shared(name), parts().train
    histories = data.histories(np.arange(30, dtype=np.int32))
    term = BiasTerm.of(data)
    expected = 0.6 * own.score_batch(own.fold_in(histories)) + 0.4 * (
        term.users(*histories.csr)[:, None] + term.items
    )
    np.testing.assert_allclose(both.score_batch(both.fold_in(histories)), expected, atol=1e-4)


def test_what_the_next_rating_is_expected_to_be_has_the_same_share():
    own, both, alone = (shared("lstm_rating", weight) for weight in (0.0, 0.4, 1.0))
    data = parts().train
    found = [model.predict_next(data) for model in (own, both, alone)]
    np.testing.assert_allclose(found[1], 0.6 * found[0] + 0.4 * found[2], atol=0.05)
    term, user = BiasTerm.of(data), int(np.argmax(data.user_counts))
    history = data.histories(np.array([user], np.int32))
    items, ratings = history.item_rows, history.values
    levels = term.users(np.array([0, len(items) - 1]), items[:-1], ratings[:-1])
    last = data.indptr[user + 1] - 1
    assert found[2][last] == pytest.approx(float(levels[0] + term.items[items[-1]]), abs=1e-5)


def test_a_new_item_has_the_same_share():
    own, both = (
        shared("two_tower", weight).with_items([{"item_id": 999, "kind": "kind 3"}])
        for weight in (0.0, 0.4)
    )
    data, new, rows = parts().train, both.data.n_items - 1, np.arange(20, dtype=np.int32)
    levels = BiasTerm.of(data).users(data.indptr, data.item_rows, data.weights)
    expected = 0.6 * own.score_rows(rows)[:, new] + 0.4 * levels[rows]
    np.testing.assert_allclose(both.score_rows(rows)[:, new], expected, atol=1e-5)
    reasons = [
        sum(r.contribution for r in m._explain_features(m.user_batch(rows[:1]), new))
        for m in (own, both)
    ]
    assert reasons[1] == pytest.approx(0.6 * reasons[0], abs=1e-5)
    histories = both.data.histories(rows)
    assert both.fold_in(histories).states.shape == (20, 5)


@pytest.mark.parametrize("name", EXPLAINED)
def test_reasons_add_up_with_the_share(name):
    model = shared(name)
    explained = model.explain(item=9, history={3: 5.0, 11: 1.0, 40: 4.0, 77: 2.0})
    rest = float(model.mean[0] + model.item_bias[9])
    assert explained.rest == pytest.approx(rest, abs=2e-4)


@pytest.mark.parametrize("name", SMALL)
def test_the_share_is_kept_in_the_saved_model_and_by_updates(name):
    model, data = shared(name), parts().train
    saved = {key: array.copy() for key, array in model.state().items()}  # others go on with it
    again = type(model).from_state(model.config, saved, data)
    rows = np.arange(20, dtype=np.int32)
    np.testing.assert_array_equal(again.score_rows(rows), model.score_rows(rows))
    histories = data.histories(rows)
    folded = [each.fold_in(histories).states for each in (again, model)]
    np.testing.assert_allclose(*folded, rtol=1e-6, atol=1e-7)
    if name == "two_tower":  # it has no warm start
        return
    again.config = again.config.replace(bias_weight=None)
    again.update(cofactor.read([("new", 0, 4.0), ("new", 1, 5.0)]), epochs=1, run=ONE)
    assert again.bias_term[0] == 0.4


@pytest.mark.parametrize("name", ["biased_mf", "svdpp"])
def test_biases_alone_are_level_with_the_bias_model(name):
    bias = cofactor.Bias().fit(parts().train, run=ONE)
    assert rmse(shared(name, 1.0)) == pytest.approx(rmse(bias), rel=1e-4)


def test_the_weight_is_least_squares_between_0_and_1():
    rng = np.random.default_rng(0)
    own, biases = rng.standard_normal((2, 500))
    assert best_weight(own, biases, 0.7 * own + 0.3 * biases) == pytest.approx(0.3)
    assert best_weight(own, biases, 2 * own - biases) == 0
    assert best_weight(own, biases, 2 * biases - own) == 1
    assert best_weight(own, own, biases) == 0


@pytest.mark.parametrize(("n", "least", "most"), [(12, 0.6, 1.0), (100_000, 0.0, 0.02)])
def test_few_held_out_ratings_leave_most_to_the_biases(n, least, most):
    rng = np.random.default_rng(0)
    biases, taste, noise = rng.standard_normal((3, n))
    own = biases + 0.3 * taste
    found = [
        best_weight(own, biases, own + turn * noise) for turn in (-1, 1)
    ]  # noise for and against the model
    assert least <= np.mean(found) <= most


@pytest.mark.parametrize("name", ["biased_mf", "svdpp", "mlp"])
def test_a_hundred_ratings_are_not_predicted_worse_than_by_biases(name):
    above = []
    for seed in range(4):
        data = few_ratings(30, 60, 5.0, personal=0.0, seed=seed)
        cut = split(data, "random", test=0.3, seed=seed)
        errors = [
            evaluate(model.fit(cut.train, run=ONE), cut, ["rmse"], run=ONE, resamples=0)["rmse"]
            for model in (registry.create(name), cofactor.Bias())
        ]
        above.append(errors[0] / errors[1] - 1)
    assert np.mean(above) < 0.005


def test_a_validation_part_gives_the_weight_and_refitting_keeps_it():
    cut = split(parts().train, "random", test=0.1, validation=0.2, seed=0)
    model = made("svdpp").fit(cut.train, validation=cut.validation, run=ONE)
    assert model.bias_term is not None
    assert model.refit_config.bias_weight == model.bias_term[0]
    assert model.config.bias_weight is None
    for none in (
        made("svdpp").fit(cut.train, run=ONE, max_time=60.0),
        made("latent_factor", biases=False).fit(cut.train, run=ONE),
        made("latent_factor", biases=False, epochs=None).fit(cut.train, run=ONE),
    ):
        assert none.bias_term is None


def test_models_that_rank_are_left_alone(monkeypatch):
    monkeypatch.setattr(held_out_bias, "pilot_of", None)
    model = cofactor.LatentFactor(loss="bpr", factors=4, epochs=1).fit(parts().train, run=ONE)
    assert model.bias_term is None
    assert model.refit_config.bias_weight is None


def test_of_many_ratings_some_users_are_looked_at_first(monkeypatch):
    looked_at = []
    pilot_of = held_out_bias.pilot_of

    def counted(model: Any, config: Any, run: Run) -> Any:
        pilot, alone = pilot_of(model, config, run)
        fit = pilot.fit
        pilot.fit = lambda data, **how: (looked_at.append(len(data)), fit(data, **how))[1]
        return pilot, alone

    monkeypatch.setattr(held_out_bias, "pilot_of", counted)
    monkeypatch.setattr(held_out_bias, "_SAMPLE", 1500)
    made("svdpp").fit(parts().train, run=ONE)  # hardly personal: all of the ratings decide
    assert len(looked_at) == 2
    assert looked_at[0] < 1500 < looked_at[1]
    looked_at.clear()
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((120, 60)) < 0.6)
    p, q = rng.standard_normal((120, 2)), rng.standard_normal((60, 2))
    values = ((p[users] * q[items]).sum(1) + 3).astype(np.float32)
    data = Interactions.from_rows(users, items, values, users=120, items=60)
    found = made("als", regularization=0.05).fit(data, run=ONE)
    assert len(looked_at) == 1
    assert found.bias_term is None
