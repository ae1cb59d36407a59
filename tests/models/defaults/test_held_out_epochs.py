"""How many epochs networks are trained for where nobody says so, and where the next-item networks
begin: neither noise nor too little training may leave them below the baselines.
"""

from __future__ import annotations

import numpy as np
import pytest

import cofactor
from cofactor.base.offsets import pick_rows
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models import registry
from cofactor.models.defaults import held_out_epochs
from cofactor.models.defaults.held_out_epochs import _Measured

ONE = Run(threads=1, seed=0)


def alike(values: bool, n_users: int = 250) -> Interactions:
    """Users who all choose by the items' fame, and rate by nothing but biases and noise."""
    rng = np.random.default_rng(0)
    fame = -0.8 * np.log(np.arange(60) + 1.0)
    chosen = [np.argsort(-(fame + rng.gumbel(size=60)))[:6] for _ in range(n_users)]
    users, items = np.repeat(np.arange(n_users), 6), np.concatenate(chosen)
    ratings = 3 + rng.normal(0, 0.3, 60)[items] + rng.standard_normal(len(users))
    return Interactions.from_rows(
        users, items, ratings.astype(np.float32) if values else None, users=n_users, items=60
    )


@pytest.fixture(scope="module")
def ranked():
    return split(alike(values=False), "per-user", test=0.2, seed=0)


def ndcg(model, parts) -> float:
    return float(evaluate(model, parts, ["ndcg@10"], run=ONE, resamples=0)["ndcg@10"])


@pytest.mark.parametrize("model", [cofactor.GRU4Rec(factors=8), cofactor.Transformer(factors=8)])
def test_next_item_networks_begin_at_popularity_and_stay_there_where_nothing_is_personal(
    ranked, model
):
    popularity = ndcg(cofactor.Popularity().fit(ranked.train, run=ONE), ranked)
    model.fit(ranked.train, run=ONE)
    assert ndcg(model, ranked) > 0.93 * popularity
    assert model.config.epochs is None
    again = type(model).from_state(model.config, model.state(), ranked.train)
    np.testing.assert_array_equal(again.score_rows(np.arange(3)), model.score_rows(np.arange(3)))


@pytest.mark.parametrize(
    "model",
    [
        cofactor.LatentFactor(loss="bpr", factors=8),
        cofactor.NeuMF(factors=8, hidden=(8,)),
        pytest.param(cofactor.SimpleX(factors=8, negatives=8), marks=pytest.mark.slow),
    ],
)
def test_models_of_pairs_stay_at_popularity_where_nothing_is_personal(ranked, model):
    popularity = ndcg(cofactor.Popularity().fit(ranked.train, run=ONE), ranked)
    model.fit(ranked.train, run=ONE)
    assert ndcg(model, ranked) > 0.97 * popularity
    again = type(model).from_state(model.config, model.state(), ranked.train)
    np.testing.assert_array_equal(again.score_rows(np.arange(3)), model.score_rows(np.arange(3)))


@pytest.mark.parametrize("loss", ["logistic", "squared"])
@pytest.mark.parametrize("sampling", ["uniform", "popularity"])
def test_the_prior_is_where_the_loss_of_scores_without_users_is_least(ranked, loss, sampling):
    from cofactor.models.neural.fitting import popularity_prior

    data, negatives = ranked.train, 3
    settings = {"loss": loss, "negative_sampling": sampling, "negatives": negatives}
    prior = popularity_prior(data, cofactor.MLP(**settings).config, 1.0)
    counts = np.maximum(data.item_counts, 0.5)
    drawn = counts**0.75 if sampling == "popularity" else np.ones(data.n_items)
    drawn *= negatives * len(data) / drawn.sum()
    chance = 1 / (1 + np.exp(-prior)) if loss == "logistic" else prior
    np.testing.assert_allclose(counts * (1 - chance), drawn * chance, rtol=1e-4)
    assert popularity_prior(data, cofactor.MLP(**settings).config, 0.0) is None


def test_an_update_keeps_what_popularity_weighs(ranked):
    model = cofactor.SimpleX(factors=4, epochs=1, popularity_weight=0.1)
    model.fit(ranked.train, run=ONE)
    assert model.item_bias.max() == pytest.approx(0.1 * np.log1p(ranked.train.item_counts.max()))
    model.config = model.config.replace(popularity_weight=None)
    model.update(cofactor.read([("new", 0), ("new", 1)]), epochs=1, run=ONE)
    assert model.item_bias.max() == pytest.approx(0.1 * np.log1p(model.data.item_counts.max()))


def test_large_catalogues_are_measured_on_some_items(ranked, monkeypatch):
    from cofactor.models.defaults import held_out_epochs

    monkeypatch.setattr(held_out_epochs, "_MEASURED", (40, 40))
    monkeypatch.setattr(held_out_epochs, "_PAIRS", (40, 40))
    measured = _Measured(ranked, True, ONE)
    assert len(measured.users) == 40
    _, at = pick_rows(ranked.test.truth.indptr, measured.users)
    true = ranked.test.truth.item_rows[at]
    assert (measured.items[measured.true_places] == true).all()
    assert len(measured.items) < ranked.train.n_items
    model = cofactor.Popularity().fit(ranked.train, run=ONE)
    assert 0 < measured(model, ranked.test) <= 1


def test_large_data_finds_its_epochs_on_some_users(monkeypatch):
    from cofactor.models.defaults import held_out_epochs

    monkeypatch.setattr(held_out_epochs, "_MOST", 900)
    parts = split(alike(values=True), "per-user", test=0.2, seed=0)
    found = cofactor.MLP(factors=4, hidden=(4,)).fit(parts.train, run=ONE)
    assert len(found.curve) < 20
    some = held_out_epochs.some_users(parts.train, 900, ONE, "epochs")
    assert 600 < len(some) < 1200


def test_models_without_a_prior_are_read_and_trained_as_before(ranked):
    plain = cofactor.GRU4Rec(factors=8, epochs=1, popularity_prior=0.0).fit(ranked.train, run=ONE)
    assert plain.item_bias is None
    assert "item_bias" not in plain.state()
    old = cofactor.GRU4Rec.from_state(
        cofactor.GRU4Rec(factors=8).config, plain.state(), ranked.train
    )
    np.testing.assert_array_equal(old.score_rows(np.arange(3)), plain.score_rows(np.arange(3)))


def test_networks_for_ratings_stop_before_they_learn_noise():
    parts = split(alike(values=True), "per-user", test=0.2, seed=0)

    def rmse(model) -> float:
        found = evaluate(model.fit(parts.train, run=ONE), parts, ["rmse"], run=ONE, resamples=0)
        return float(found["rmse"])

    bias = rmse(cofactor.Bias())
    assert rmse(cofactor.MLP(epochs=20, bias_weight=0.0)) > 1.1 * bias
    assert rmse(cofactor.MLP(bias_weight=0.0)) < 1.03 * bias


def test_given_epochs_and_validation_parts_are_left_alone(ranked):
    small = {"factors": 2, "hidden": (4,)}
    short = cofactor.NeuMF(**small, epochs=2).fit(ranked.train, run=ONE)
    assert len(short.curve) == 2
    watched = cofactor.NeuMF(**small).fit(ranked.train, validation=ranked.test, run=ONE)
    assert len(watched.curve) == 20
    assert watched.refit_config.epochs == watched.curve.best_epoch + 1


def test_the_first_epoch_is_taken_that_the_best_one_is_not_clearly_better_than():
    measured = _Measured.__new__(_Measured)
    rng = np.random.default_rng(0)
    best = rng.random(400)
    good = best - 0.01 * rng.standard_normal(400) - 1e-5
    measured.weights = (0.0, 1.0)
    measured.epochs = [[best - 0.3, best - 0.2], [good, best], [best, best], [best - 0.1, best]]
    assert measured.first_good() == (1, 0.0)
    measured.epochs = [[best - 0.3, best - 0.4], [best - 0.2, best]]
    assert measured.first_good() == (1, 1.0)


def test_what_is_not_clearly_better_than_popularity_is_said_to_be_popular(ranked):
    measured = _Measured(ranked, True, ONE)
    model = cofactor.Popularity().fit(ranked.train, run=ONE)
    popular = measured(model, ranked.test)
    assert measured.found(may_be_popular=True) == (1, 0.0, True, None)
    assert measured.found(may_be_popular=False) == (1, 0.0, False, None)
    measured.epochs = [[measured.epochs[0][0] + 0.1]]
    assert popular > 0
    assert measured.found(may_be_popular=True) == (1, 0.0, False, None)


def test_a_network_that_ranks_alike_for_all_has_to_be_significantly_better(ranked):
    measured, users = _Measured(ranked, True, ONE), np.arange(len(ranked.test.user_rows))
    popular = measured(cofactor.Popularity().fit(ranked.train, run=ONE), ranked.test)
    before = measured.epochs[0][0]
    noise = np.random.default_rng(0).standard_normal(len(users))
    noise -= noise.mean()
    unit = noise.std() / len(users) ** 0.5
    assert popular > 0
    for alike, t, only_popular in (
        (True, 1.5, True),
        (True, 3.0, False),
        (False, 1.5, False),
        (False, 0.5, True),
    ):
        measured.epochs, measured.alike = [[before + noise + t * unit]], [alike]
        assert measured.found(may_be_popular=True).only_popular is only_popular


def test_whether_users_are_ranked_alike_is_seen_at_each_epoch(ranked):
    measured = _Measured(ranked, True, ONE)
    measured(cofactor.Popularity().fit(ranked.train, run=ONE), ranked.test)
    measured(cofactor.ItemKNN(popularity_weight=0.0).fit(ranked.train, run=ONE), ranked.test)
    assert measured.alike == [True, False]


NETWORKS = {
    "mlp": {"loss": "logistic", "factors": 4, "hidden": (4,), "batch_size": 256},
    "latent_factor": {"loss": "bpr", "factors": 4, "batch_size": 256},
    "simplex": {"factors": 4, "negatives": 4, "batch_size": 256},
    "gru4rec": {"factors": 4, "blocks": 1},
}


@pytest.fixture
def popular(monkeypatch):
    """Held-out interactions that show of no network that it is better than popularity."""
    monkeypatch.setattr(
        _Measured, "found", lambda self, may: held_out_epochs.EpochsFound(1, 0.0, bool(may))
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_not_shown_to_be_better_ranks_by_popularity(popular, name):
    data, users = alike(values=False, n_users=100), np.arange(6)
    model = registry.create(name, **NETWORKS[name]).fit(data, run=ONE)
    lists = cofactor.Popularity().fit(data, run=ONE).topk(model.user_batch(users), 3).rows
    np.testing.assert_array_equal(
        data.item_counts[model.topk(model.user_batch(users), 3).rows], data.item_counts[lists]
    )
    again = type(model).from_state(model.config, model.state(), data)
    np.testing.assert_array_equal(again.score_rows(users), model.score_rows(users))
    np.testing.assert_array_equal(
        model.score_rows(users, np.array([4, 2])), model.score_rows(users)[:, [4, 2]]
    )
    model.update(cofactor.read([("new", 0), ("new", 1)]), epochs=1, run=ONE)
    assert model.popularity_offset is not None


@pytest.mark.parametrize(
    "settings", [{"epochs": 1}, {"popularity_prior": 0.0}, {"loss": "squared"}]
)
def test_who_leaves_popularity_out_gets_none(popular, settings):
    data = alike(values="squared" in settings.values(), n_users=100)
    model = cofactor.MLP(**{**NETWORKS["mlp"], **settings}).fit(data, run=ONE)
    assert model.popularity_offset is None


def test_few_interactions_make_small_batches():
    config = cofactor.NeuMF().config
    assert [config.batch_of(n) for n in (100, 3_200, 10**6)] == [64, 200, 4096]
    assert cofactor.SimpleX().config.batch_of(10**6) == 1024
    assert config.replace(batch_size=0).batch_of(100) == 0


def test_an_mlp_for_rankings_grows_beside_the_prior():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(120), 10)
    items = np.concatenate([rng.permutation(30)[:10] + 30 * (u % 2) for u in range(120)])
    data = Interactions.from_rows(users, items, users=120, items=60)
    model = cofactor.MLP(loss="logistic", factors=8, hidden=(8,), epochs=30, dropout=0.0)
    rated = alike(values=True)
    found = [cofactor.MLP(loss=loss).config.on(rated) for loss in ("squared", "logistic")]
    assert [config.regularization for config in found] == [0.01, 0.001]
    scores = model.fit(data, run=ONE).score_rows(np.arange(2))
    assert scores[0, :30].mean() > 1.5 * scores[0, 30:].mean()
    assert scores[1, 30:].mean() > 1.5 * scores[1, :30].mean()
