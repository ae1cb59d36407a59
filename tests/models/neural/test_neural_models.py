"""The models that the training loop trains: losses, fold-in, histories, checkpoints, own
modules, life without torch.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.base
from torch import Tensor, nn

import cofactor
import forked
from cofactor.artifact.save import save
from cofactor.base.errors import ArgumentError, ArtifactError, TrainingError, TraitError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.models.baselines.bias import Bias
from cofactor.models.neural.latent_factor import LatentFactor
from cofactor.models.neural.mlp import MLP
from cofactor.models.neural.own_module import OwnModule
from cofactor.models.sequence.lstm_rating import LSTMRating
from cofactor.training.losses import LOSSES

RUN = Run(seed=1, threads=1, device="cpu")
N_USERS, N_ITEMS = 50, 30


@cache
def ratings() -> Interactions:
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.5)
    values = np.where(users % 2 == items % 2, 4.5, 1.5) + rng.normal(0, 0.2, len(users))
    return Interactions.from_rows(
        users, items, values.astype(np.float32), users=N_USERS, items=N_ITEMS
    )


@cache
def taken() -> Interactions:
    """Users took two thirds of the items of their own parity."""
    rng = np.random.default_rng(3)
    same = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2
    users, items = np.nonzero(same & (rng.random(same.shape) < 0.67))
    return Interactions.from_rows(users, items, users=N_USERS, items=N_ITEMS)


SMALL = {"factors": 4, "epochs": 12, "batch_size": 64, "learning_rate": 0.03}


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "squared"])
def test_every_ranking_loss_finds_the_preference_and_folds_it_in(loss: str) -> None:
    margin = 0.4 if loss == "cosine_contrastive" else 1.0
    model = LatentFactor(
        **SMALL, loss=loss, margin=margin, regularization=0.005, negative_weight=2.0
    ).fit(taken(), run=RUN)
    right = lambda table, user: np.mean([item % 2 == user % 2 for item in table.ids])  # noqa: E731
    assert np.mean([right(model.recommend(u, k=3, run=RUN), u) for u in range(10)]) >= 0.9
    # A loss that looks at the hardest negative alone pulls down what is most like the history, too:
    # one slip is borne.
    wanted = 0.6 if loss in ("adaptive_hinge", "warp") else 1.0
    assert right(model.recommend(history=[1, 3, 5, 7, 9], k=3, run=RUN), 1) >= wanted
    with pytest.raises(TraitError, match="doesn't predict ratings"):
        model.predict([0], [0])


def test_squared_loss_without_values_ranks_by_gravity_or_by_draws() -> None:
    for gravity in (0.0, 10.0):
        model = LatentFactor(**SMALL, gravity=gravity, regularization=0.005, biases=False).fit(
            taken(), run=RUN
        )
        found = [
            item % 2 == u % 2 for u in range(10) for item in model.recommend(u, k=3, run=RUN).ids
        ]
        assert np.mean(found) >= 0.9
        assert all(
            item % 2 == 0 for item in model.recommend(history=[0, 2, 4, 6], k=3, run=RUN).ids
        )


@pytest.mark.parametrize("gravity", [0.0, 0.3])
def test_folded_in_vector_minimises_the_training_loss(gravity: float) -> None:
    data = ratings()
    model = LatentFactor(
        **SMALL,
        regularization=0.05,
        bias_regularization=0.02,
        gravity=gravity,
        frequency_exponent=0.5,
    )
    model.fit(data, run=RUN)
    own = slice(data.indptr[7], data.indptr[8])
    items, values = data.item_rows[own], data.values[own]
    state = np.asarray(model.fold_in(data.histories(np.array([7]))).states)[0].astype(np.float64)
    weight = data.user_counts ** (-0.5)
    weight = weight[7] * len(data) / (weight * data.user_counts).sum()

    def loss(x: np.ndarray) -> float:
        expected = (
            model.item_factors[items] @ x[:-1] + x[-1] + model.item_bias[items] + model.scale[0]
        )
        penalty = len(items) * weight * (0.05 * (x[:-1] @ x[:-1]) + 0.02 * x[-1] ** 2)
        pull = (
            gravity
            * len(data)
            / (N_USERS * N_ITEMS)
            * np.sum((model.item_factors.astype(np.float64) @ x[:-1]) ** 2)
        )
        return float(np.sum((expected - values) ** 2) + penalty + pull)

    best = loss(state)
    for axis in range(len(state)):
        for step in (-1e-3, 1e-3):
            moved = state.copy()
            moved[axis] += step
            assert loss(moved) > best


def test_early_stopping_watches_any_metric_and_the_history_is_saved_with_the_model() -> None:
    parts = split(ratings(), "random", test=0.2, validation=0.1, seed=0)
    model = LatentFactor(**SMALL, patience=3)
    model.monitor(
        "spread",
        lambda m, part: float(np.ptp(m.score_rows(part.user_rows[:3]))),
        higher_is_better=False,
    )
    model.monitor(
        "validation rmse", lambda m, part: float(np.std(part.truth.values)), higher_is_better=False
    )
    model.fit(parts.train, validation=parts.validation, run=RUN)
    spread = model.curve.metrics["spread"]
    assert model.curve.best_epoch == int(np.argmin(spread))
    assert len(spread) == min(12, model.curve.best_epoch + 4)
    again = LatentFactor.from_state(model.config, model.state(), parts.train)
    assert again.curve.metrics == model.curve.metrics
    assert again.curve.loss == model.curve.loss
    kept = float(np.ptp(model.score_rows(parts.validation.user_rows[:3])))
    assert kept == pytest.approx(min(spread), rel=1e-6)


def test_interrupted_fit_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    parts = split(ratings(), "random", test=0.2, validation=0.1, seed=0)

    class Stop(Exception):
        pass

    def fit(fail_at: int | None, path: Path | None) -> LatentFactor:
        calls = []

        def metric(model: object, part: object) -> float:
            calls.append(1)
            if len(calls) == fail_at:
                raise Stop
            return -float(len(calls))

        model = LatentFactor(**SMALL, ema_decay=0.9).monitor("m", metric, higher_is_better=True)
        if path is not None:
            model.checkpoint_to(path)
        return model.fit(parts.train, validation=parts.validation, run=RUN)

    whole = fit(None, None)
    with pytest.raises(Stop):
        fit(6, tmp_path / "run.safetensors")
    resumed = fit(None, tmp_path / "run.safetensors")
    np.testing.assert_array_equal(whole.item_factors, resumed.item_factors)
    with pytest.raises(TrainingError, match="other data, settings or seed"):
        LatentFactor(**SMALL, ema_decay=0.8).checkpoint_to(tmp_path / "run.safetensors").fit(
            parts.train, run=RUN
        )


def test_a_rate_that_is_too_high_says_so() -> None:
    with pytest.raises(TrainingError, match="latent_factor diverged.*lower learning_rate"):
        LatentFactor(factors=4, epochs=40, batch_size=64, optimizer="sgd", learning_rate=900.0).fit(
            ratings(), run=RUN
        )


def test_unknown_ids_are_answered_by_what_is_known_of_the_other() -> None:
    data = ratings()
    model = LatentFactor(**SMALL).fit(data, run=RUN)
    lonely = float(model.predict(["nobody"], [-1])[0])
    assert lonely == pytest.approx(float(data.values.mean()), abs=1e-4)
    # User 3's own bias, and nothing else, answers for an item never seen.
    assert float(model.predict([3], [-1])[0]) == pytest.approx(
        float(model.scale[0] + model.user_bias[3]), abs=1e-5
    )
    plain = LatentFactor(**SMALL, mean=False, biases=False).fit(data, run=RUN)
    assert abs(float(plain.predict(["nobody"], [-1])[0]) - data.values.mean()) < 1.0


def test_users_of_every_item_are_left_out_of_pairwise_training_and_alone_are_refused() -> None:
    users = np.append(np.zeros(N_ITEMS, int), taken().user_rows[taken().user_rows > 0])
    items = np.append(np.arange(N_ITEMS), taken().item_rows[taken().user_rows > 0])
    data = Interactions.from_rows(users, items, users=N_USERS, items=N_ITEMS)
    assert np.isfinite(
        LatentFactor(**SMALL, loss="bpr").fit(data, run=RUN).score_rows(np.array([0]))
    ).all()
    with pytest.raises(ArgumentError, match="with every item, .*; use a model without"):
        LatentFactor(loss="bpr").fit(data.where(data.user_rows == 0).compact(), run=RUN)


def test_sparse_tables_learn_as_well_as_dense_ones() -> None:
    errors = []
    for sparse in ("yes", "no"):
        # Ratings without noise want less than the penalties that noise needs.
        loose = {"regularization": 0.1, "bias_regularization": 0.005}
        model = LatentFactor(**SMALL, **loose, sparse=sparse).fit(ratings(), run=RUN)
        errors.append(
            np.mean(
                (model.predict_rows(ratings().user_rows, ratings().item_rows) - ratings().values)
                ** 2
            )
        )
    assert max(errors) < 0.3
    assert errors[0] == pytest.approx(errors[1], abs=0.05)


class Dot(nn.Module):
    def __init__(self, n_users: int, n_items: int) -> None:
        super().__init__()
        self.user, self.item = nn.Embedding(n_users, 4), nn.Embedding(n_items, 4)
        self.norm = nn.BatchNorm1d(4)

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return (self.norm(self.user(users) * self.item(items))).sum(1)


def test_a_module_of_ones_own_gets_the_contract_and_says_why_it_is_not_loaded() -> None:
    data = ratings()
    model = OwnModule(Dot, epochs=25, batch_size=64, learning_rate=0.03, regularization=0.005).fit(
        data, run=RUN
    )
    assert np.mean((model.predict_rows(data.user_rows, data.item_rows) - data.values) ** 2) < 0.5
    assert (
        np.mean(
            [
                item % 2 == 0
                for item in model.recommend(
                    history={0: 5.0, 2: 4.5, 1: 1.0, 3: 1.0}, k=4, run=RUN
                ).ids
            ]
        )
        == 1
    )
    again = OwnModule.restored(Dot, model.config, model.state(), data)
    np.testing.assert_allclose(
        again.score_rows(np.arange(5)), model.score_rows(np.arange(5)), rtol=1e-5
    )
    with pytest.raises(TraitError, match="doesn't hold its code"):
        OwnModule.from_state(model.config, model.state(), data)
    with pytest.raises(ArgumentError, match="an nn.Embedding with one row per user"):
        OwnModule(lambda users, items: Dot(users + 1, items), epochs=1).fit(data, run=RUN)


def test_a_module_of_ones_own_is_cloned_compared_and_pickled(tmp_path: Path) -> None:
    data = ratings()
    model = OwnModule(Dot, item_tables=("item",), epochs=2).fit(data, run=RUN)
    rows = np.arange(5)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.score_rows(rows), model.score_rows(rows))
    for other in (model.clone(), sklearn.base.clone(model)):
        np.testing.assert_array_equal(
            other.fit(data, run=RUN).score_rows(rows), model.score_rows(rows)
        )
    assert (
        "mine" in cofactor.compare(data, {"mine": model, "bias": Bias()}, baselines=False).results
    )
    with pytest.raises(ArtifactError, match="isn't in the registry"):
        save(model, tmp_path / "mine")


class Table(Dot):
    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        return self.user(users) * self.item(items)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (None, "make must be a function, not None"),
        (lambda users, items: None, "must be an nn.Module, not None"),
        (Table, r"a score for each of \d+ pairs, not \[\d+, 4\]"),
    ],
)
def test_what_is_no_module_of_scores_is_named(make: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        OwnModule(make, epochs=1).fit(ratings(), run=RUN)


def test_logistic_scores_of_a_network_are_probabilities() -> None:
    model = MLP(factors=4, hidden=(8,), epochs=5, batch_size=64, loss="logistic").fit(
        taken(), run=RUN
    )
    scores = model.score_rows(np.arange(6))
    assert ((scores > 0) & (scores < 1)).all()


def test_lstm_reads_a_history_step_by_step_and_by_its_order() -> None:
    data = ratings()
    model = LSTMRating(
        factors=4, hidden=8, epochs=3, batch_size=16, pretrain_epochs=5, bias_weight=0
    ).fit(data, run=RUN)
    # Each step of predict_next sees only what came before: changing the last rating changes no
    # prediction.
    first = model.predict_next(data)
    values = data.values.copy()
    values[data.chronological[data.indptr[1:] - 1]] = 1.0
    np.testing.assert_array_equal(model.predict_next(replace(data, values=values)), first)
    # A prefix folded in predicts its next item as the whole reading did.
    history = data.histories(np.array([5]))
    prefix = Histories.of([history.item_rows[:6]], N_ITEMS, [history.values[:6].tolist()])
    expected = model._predict(
        model.fold_in(prefix).states, np.zeros(1, int), history.item_rows[6:7]
    )
    assert float(expected[0]) == pytest.approx(float(first[data.indptr[5] + 6]), abs=1e-4)
    turned = Histories.of(
        [history.item_rows[:6][::-1]], N_ITEMS, [history.values[:6][::-1].tolist()]
    )
    assert not np.allclose(model.fold_in(turned).states, model.fold_in(prefix).states, atol=1e-6)
    with pytest.raises(ArgumentError, match="has no values"):
        LSTMRating().fit(taken(), run=RUN)


def test_serving_a_factorisation_never_imports_torch(tmp_path: Path) -> None:
    model = LatentFactor(**SMALL).fit(ratings(), run=RUN)
    np.savez(tmp_path / "state.npz", **model.state())
    data = ratings()
    np.savez(tmp_path / "data.npz", users=data.user_rows, items=data.item_rows, values=data.values)
    code = f"""
import sys, numpy as np
from cofactor.data.interactions import Interactions
from cofactor.models import registry
d, s = np.load(r"{tmp_path}/data.npz"), dict(np.load(r"{tmp_path}/state.npz"))
data = Interactions.from_rows(d["users"], d["items"], d["values"], users={N_USERS}, items={N_ITEMS})
kind = registry.get("latent_factor")
model = kind.from_state(kind.Config(**{model.config.to_dict()!r}), s, data)
model.recommend(0, k=3); model.recommend(history={{2: 5.0}}, k=3)
model.predict([0, 1], [2, 3]); model.similar_items(4)
print("torch" in sys.modules)
"""
    done = forked.run(code)
    assert done.stdout.strip() == "False", done.stderr
