"""BayesianMF: what it learns and how sure it is, on data drawn from its own model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import cofactor
from cofactor.base import memory
from cofactor.base.errors import ArgumentError, MemoryLimitError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.bayesian_mf import BayesianMF
from cofactor.models.explicit.gibbs_chain import draw_cuts

N_USERS, N_ITEMS = 120, 60
ONE = Run(threads=1, seed=3)
SMALL = {"factors": 3, "sweeps": 120, "burn_in": 40, "samples": 40, "implicit": True}


def drawn(seed=0, share=0.5, times=False):
    """Ratings 1..5 from vectors, biases and noise: a share of them for training, and the rest."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.6)
    p, q = rng.standard_normal((N_USERS, 3)), rng.standard_normal((N_ITEMS, 3))
    score = 0.5 * (p[users] * q[items]).sum(1)
    score += 0.6 * rng.standard_normal(N_USERS)[users] + 0.6 * rng.standard_normal(N_ITEMS)[items]
    day = rng.integers(0, 20, len(users))
    if times:
        score += np.where(day >= 10, 1.0, -1.0)
    values = np.clip(np.rint(3 + score + 0.6 * rng.standard_normal(len(users))), 1, 5)
    whole = Interactions.from_rows(
        users,
        items,
        values.astype(np.float32),
        (day * 86_400).astype(np.int64) if times else None,
        users=N_USERS,
        items=N_ITEMS,
    )
    training = rng.random(len(users)) < share
    return whole.where(training), whole.where(~training)


@pytest.fixture(scope="module")
def parts():
    return drawn()


@pytest.fixture(scope="module")
def model(parts):
    return BayesianMF(**SMALL).fit(parts[0], run=ONE)


def rmse(model, part, **more):
    users, items = part.users.ids(part.user_rows), part.items.ids(part.item_rows)
    return float(np.sqrt(np.mean((model.predict(users, items, **more) - part.values) ** 2)))


def test_it_predicts_held_out_ratings_better_than_biases(parts, model):
    bias = cofactor.Bias().fit(parts[0], run=ONE)
    test = parts[1]
    floor = np.sqrt(np.mean((bias.predict_rows(test.user_rows, test.item_rows) - test.values) ** 2))
    assert rmse(model, test) < 0.93 * floor


@pytest.mark.parametrize("likelihood", ["ordinal", "normal"])
def test_nine_tenths_of_held_out_ratings_lie_in_their_interval(parts, likelihood):
    fitted = BayesianMF(likelihood=likelihood, **SMALL).fit(parts[0], run=ONE)
    test = parts[1]
    found = fitted.predict(
        test.users.ids(test.user_rows), test.items.ids(test.item_rows), interval=0.9
    )
    assert found.shape == (len(test), 3)
    assert (found[:, 1] <= found[:, 0]).all()
    assert (found[:, 0] <= found[:, 2]).all()
    inside = (found[:, 1] <= test.values) & (test.values <= found[:, 2])
    assert 0.87 <= inside.mean() <= 0.94
    wider = fitted.predict(
        test.users.ids(test.user_rows), test.items.ids(test.item_rows), interval=0.99
    )
    assert (wider[:, 1] <= found[:, 1]).all()
    assert (wider[:, 2] >= found[:, 2]).all()


def test_level_probabilities_are_calibrated_and_give_the_prediction(parts, model):
    test = parts[1]
    users, items = test.users.ids(test.user_rows), test.items.ids(test.item_rows)
    levels, share = model.predict_levels(users, items)
    assert levels.tolist() == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(share.sum(axis=1), 1)
    np.testing.assert_allclose(share @ levels, model.predict(users, items), atol=1e-5)
    for level, mine in zip(levels, share.T, strict=True):
        assert mine.mean() == pytest.approx((test.values == level).mean(), abs=0.03)
    # The likelier half of "5" is 5 more often, by about as much as it says.
    likely = share[:, 4] > np.quantile(share[:, 4], 0.9)
    assert (test.values[likely] == 5).mean() == pytest.approx(share[likely, 4].mean(), abs=0.1)


@pytest.mark.parametrize("likelihood", ["ordinal", "normal"])
@pytest.mark.parametrize(("times", "plus"), [(100.0, 0.0), (1.0, 50.0), (5.0, -15.0)])
def test_predictions_follow_the_ratings_scale(parts, likelihood, times, plus):
    train, test = parts
    settings = {**SMALL, "sweeps": 30, "burn_in": 10, "samples": 20, "likelihood": likelihood}
    moved = Interactions.from_rows(
        train.user_rows,
        train.item_rows,
        train.values * np.float32(times) + np.float32(plus),
        users=N_USERS,
        items=N_ITEMS,
    )
    plain = BayesianMF(**settings).fit(train, run=ONE)
    scaled = BayesianMF(**settings).fit(moved, run=ONE)
    expected = times * plain.predict_rows(test.user_rows, test.item_rows) + plus
    found = scaled.predict_rows(test.user_rows, test.item_rows)
    np.testing.assert_allclose(found, expected, atol=0.02 * times)


def test_a_folded_in_history_predicts_nearly_as_the_trained_user(parts, model):
    train, test = parts
    batch = model.fold_in(train.histories())
    folded = model.predict_batch(batch, test.user_rows, test.item_rows)
    trained = model.predict_rows(test.user_rows, test.item_rows)
    assert np.corrcoef(folded, trained)[0, 1] > 0.97
    assert np.sqrt(np.mean((folded - test.values) ** 2)) < rmse(model, test) + 0.03


def test_a_new_user_is_answered_alike_in_any_company(model):
    histories = Histories.of([[1, 5, 9], [2], []], N_ITEMS, [[5, 1, 4], [3], []])
    together = model.score_batch(model.fold_in(histories))
    alone = model.score_batch(model.fold_in(histories.take([0])))
    np.testing.assert_allclose(together[:1], alone, rtol=1e-5)


def test_dates_are_learned_and_asked_by_time():
    train, test = drawn(seed=2, times=True)
    dated = BayesianMF(dates=True, **SMALL).fit(train, run=ONE)
    plain = BayesianMF(**SMALL).fit(train, run=ONE)
    assert rmse(dated, test, times=test.times) < 0.9 * rmse(plain, test)
    late = test.users.ids(test.user_rows[:50]), test.items.ids(test.item_rows[:50])
    on_the_last_day = np.full(50, int(train.times.max()))
    np.testing.assert_allclose(
        dated.predict(*late), dated.predict(*late, times=on_the_last_day), rtol=1e-5
    )
    with pytest.raises(ArgumentError, match="fitted with dates=True"):
        plain.predict(*late, times=on_the_last_day)


def test_dates_need_times(parts):
    with pytest.raises(ArgumentError, match="needs times, and this data has none"):
        BayesianMF(dates=True).fit(parts[0], run=ONE)


def test_features_of_items_help_where_items_have_few_ratings():
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 4, 300)
    users = rng.integers(0, 100, 1500)
    items = rng.integers(0, 300, 1500)
    taste = rng.standard_normal((100, 4)) + 1.5 * rng.standard_normal(4)
    values = np.clip(np.rint(3 + taste[users, kind[items]]), 1, 5).astype(np.float32)
    data = Interactions.from_rows(users, items, values, users=100, items=300)
    table = pa.table({"kind": pa.array([f"kind {k}" for k in kind])})
    data = replace(data, catalogue=Catalogue(table))
    training = rng.random(len(data)) < 0.7
    train, test = data.where(training), data.where(~training)
    with_kind = BayesianMF(item_features=("kind",), **SMALL).fit(train, run=ONE)
    without = BayesianMF(**SMALL).fit(train, run=ONE)
    assert rmse(with_kind, test) < 0.9 * rmse(without, test)


def test_the_kept_draws_are_bounded_and_come_back_from_their_arrays(parts, model):
    assert model.posterior.user_samples.shape == (N_USERS, 40, 4)
    again = BayesianMF.from_state(model.config, model.state(), parts[0])
    np.testing.assert_array_equal(again.score_rows(np.arange(5)), model.score_rows(np.arange(5)))
    few = BayesianMF(**{**SMALL, "samples": 7, "sweeps": 50}).fit(parts[0], run=ONE)
    assert few.posterior.user_samples.shape[1] == 7


def test_levels_are_refused_where_there_are_none(parts):
    few = {**SMALL, "sweeps": 6, "burn_in": 2, "samples": 4}
    normal = BayesianMF(**few, likelihood="normal").fit(parts[0], run=ONE)
    with pytest.raises(ArgumentError, match="needs likelihood='ordinal'"):
        normal.predict_levels([0], [0])
    many = Interactions.from_rows(
        np.zeros(300, int), np.arange(300), np.arange(300, dtype=np.float32), users=1, items=300
    )
    with pytest.raises(ArgumentError, match="2 to 256 distinct ratings, and there are 300"):
        BayesianMF(likelihood="ordinal").fit(many, run=ONE)


def test_what_does_not_fit_into_memory_is_refused_with_the_cure(parts, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    with pytest.raises(MemoryLimitError, match="lower samples or factors"):
        BayesianMF().fit(parts[0], run=ONE)


def test_burn_in_must_leave_something():
    with pytest.raises(ArgumentError, match="burn_in must be below sweeps, not 50 of 50"):
        BayesianMF(burn_in=50, sweeps=50)


def test_cuts_are_drawn_around_those_that_made_the_levels():
    rng = np.random.default_rng(0)
    true = np.array([-np.inf, -1.0, 0.2, 1.5, np.inf])
    scores = rng.standard_normal(20_000).astype(np.float32)
    latent = scores + rng.standard_normal(20_000)
    levels = (np.searchsorted(true, latent) - 1).astype(np.int32)
    cuts = np.array([-np.inf, -0.5, 0.0, 0.5, np.inf])
    found = []
    for _ in range(60):
        cuts = draw_cuts(scores, levels, cuts, rng)
        found.append(cuts[1:-1])
    np.testing.assert_allclose(np.mean(found[5:], axis=0), true[1:-1], atol=0.04)
    assert (np.std(found[5:], axis=0) > 0.004).all()  # they are drawn, not maximised


def test_the_mean_over_the_draws_of_a_users_scores_is_the_score() -> None:
    from cofactor.base.run import Run
    from cofactor.data.synthetic import shop
    from cofactor.models import registry

    data = shop(n_users=60, n_items=40, seed=1)
    model = registry.create("bayesian_mf", factors=4, sweeps=20, burn_in=5, samples=10)
    model.fit(data, run=Run(threads=1))
    rows = np.array([3, 17, 30])
    for batch in (
        model.user_batch(np.array([5], np.int32)),
        model.fold_in(data.histories(np.array([5]))),
    ):
        draws = model.score_draws(batch, rows)
        assert draws.shape == (10, 3)
        assert draws.std(axis=0).min() > 0
        np.testing.assert_allclose(draws.mean(axis=0), model.score_batch(batch, rows)[0], rtol=1e-4)


def test_other_models_say_that_they_have_no_draws() -> None:
    from cofactor.base.errors import TraitError
    from cofactor.data.synthetic import shop
    from cofactor.models import registry

    model = registry.create("popularity").fit(shop(n_users=30, n_items=20, seed=1))
    with pytest.raises(TraitError, match="no posterior draws"):
        model.score_draws(model.user_batch(np.array([0], np.int32)), np.array([0]))
