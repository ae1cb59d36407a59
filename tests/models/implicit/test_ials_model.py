"""IALS, the model: what its settings mean, beyond the contract that every model keeps."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models.implicit.ials import IALS, IALSConfig
from cofactor.models.implicit.ials_learner import IALSLearner
from cofactor.models.implicit.normal_equations import NormalEquations
from cofactor.training.learner import Epoch
from cofactor.training.schedule import Schedule

N_USERS, N_ITEMS = 23, 17
RUN = Run(seed=4, threads=1)


def interactions(values=True):
    rng = np.random.default_rng(6)
    users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.35)
    given = rng.integers(1, 9, len(users)).astype(np.float32) if values else None
    return Interactions.from_rows(users, items, given, users=N_USERS, items=N_ITEMS)


def scores(data, **settings):
    model = IALS(
        **{
            "factors": 5,
            "unobserved_weight": 0.1,
            "regularization": 0.003,
            "epochs": 30,
            **settings,
        }
    ).fit(data, run=RUN)
    return model.score_rows(np.arange(N_USERS))


@pytest.mark.parametrize(
    "settings", [{"solver": "cholesky"}, {"solver": "subspace", "block_size": 2}]
)
def test_every_solver_ends_at_the_same_scores(settings):
    data = interactions()
    np.testing.assert_allclose(
        scores(data, cg_steps=6, epochs=300), scores(data, epochs=300, **settings), atol=0.01
    )


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_trained_user_equals_fold_in_of_the_own_history(power):
    data = interactions()
    model = IALS(factors=5, confidence="log", epochs=3, item_weight_power=power).fit(data, run=RUN)
    users = np.arange(N_USERS, dtype=np.int32)
    folded = model.score_batch(model.fold_in(data.histories(users)))
    np.testing.assert_allclose(folded, model.score_rows(users), atol=1e-4)


def test_warmup_epochs_take_one_step_and_the_others_all():
    data = interactions()
    one, warm, full = (
        scores(data, epochs=4, **settings)
        for settings in ({"cg_steps": 1}, {"warmup_epochs": 4}, {})
    )
    np.testing.assert_array_equal(warm, one)
    np.testing.assert_array_equal(scores(data, epochs=4, warmup_epochs=0), full)
    mixed = scores(data, epochs=4, warmup_epochs=2)
    assert min(np.abs(mixed - one).max(), np.abs(mixed - full).max()) > 1e-4


def test_confidence_ones_ignores_values_and_linear_does_not():
    plain = scores(interactions(values=False))
    np.testing.assert_array_equal(scores(interactions()), plain)
    assert np.abs(scores(interactions(), confidence="linear") - plain).max() > 0.02


def test_linear_confidence_of_scale_one_doubles_the_weight_of_a_value_of_one():
    linear = NormalEquations(IALSConfig(confidence="linear"), 0.1)
    np.testing.assert_allclose(linear.confidence(np.array([0, 1, 3], np.float32)), [1, 2, 4])
    log = NormalEquations(IALSConfig(confidence="log", confidence_scale=2), 0.1)
    np.testing.assert_allclose(
        log.confidence(np.array([0, np.e - 1], np.float32)), [1, 3], rtol=1e-6
    )


def test_negative_values_are_refused_where_they_would_be_weights():
    data = Interactions.from_rows(
        np.array([0, 1]), np.array([0, 1]), np.array([1, -2], np.float32), users=2, items=2
    )
    with pytest.raises(ArgumentError, match=r"needs values from 0, and the data holds -2\.0"):
        IALS(factors=2, confidence="linear").fit(data, run=RUN)
    assert IALS(factors=2).fit(data, run=RUN).user_factors.shape == (2, 2)


def test_value_of_a_past_item_weighs_in_the_explanation_of_a_history():
    model = IALS(factors=5, confidence="linear", epochs=5).fit(interactions(), run=RUN)
    heavy, light = (
        {r.id: r.contribution for r in model.explain(item=9, history={2: v, 5: 1.0}).reasons}
        for v in (8.0, 1.0)
    )
    share = [abs(c[2]) / (abs(c[2]) + abs(c[5])) for c in (heavy, light)]
    assert share[0] > share[1]


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_explanation_of_a_history_adds_up_to_its_score(power):
    model = IALS(factors=5, confidence="linear", epochs=5, item_weight_power=power).fit(
        interactions(), run=RUN
    )
    explained = model.explain(item=9, history={2: 8.0, 5: 1.0, 14: 3.0})
    state = model.fold_in(Histories.of([[2, 5, 14]], N_ITEMS, [[8.0, 1.0, 3.0]]))
    assert explained.score == pytest.approx(float(model.score_batch(state)[0, 9]), abs=1e-5)


@pytest.mark.parametrize("confidence", ["linear", "log"])
def test_default_unobserved_weight_follows_the_weights_of_observed_pairs(confidence):
    rng = np.random.default_rng(2)
    users, items = np.nonzero(rng.random((30, 20)) < 0.3)
    counts = rng.integers(1, 2_000, len(users)).astype(np.float32)
    data = Interactions.from_rows(users, items, counts, users=30, items=20)
    model = IALS(factors=2, epochs=1, confidence=confidence, confidence_scale=0.5).fit(data)
    weights = 1 + 0.5 * (counts if confidence == "linear" else np.log1p(counts))
    pairs = len(np.unique(users)) * len(np.unique(items))
    np.testing.assert_allclose(model.state()["alpha0"], [10 * weights.sum() / pairs], rtol=1e-5)


def test_default_unobserved_weight_is_ten_times_the_density_among_known_users_and_items():
    data = interactions()
    density = len(data) / (N_USERS * N_ITEMS)
    # Nine users and four items more, of whom nothing is known.
    wide = Interactions.from_rows(
        data.user_rows, data.item_rows, users=N_USERS + 9, items=N_ITEMS + 4
    )
    for one in (data, wide):
        model = IALS(factors=2, epochs=1).fit(one, run=RUN)
        np.testing.assert_allclose(model.state()["alpha0"], [10 * density], rtol=1e-12)
    given = IALS(factors=2, epochs=1, unobserved_weight=0.25).fit(data, run=RUN)
    assert given.state()["alpha0"].tolist() == [0.25]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"solver": "subspace", "block_size": 2},
        {"item_weight_power": 0.7},
        {"unobserved_regularization": 0.0, "cg_steps": 1},
    ],
)
def test_loss_of_an_epoch_is_the_objective_per_interaction(settings):
    data, alpha = interactions(), 0.1
    given = {"factors": 5, "confidence": "linear", "regularization": 0.003}
    config = IALSConfig(**given, unobserved_weight=alpha, **settings)
    learner = IALSLearner(NormalEquations.of(config, data), data, RUN)
    for number in range(3):
        facts = learner.run_epoch(Epoch(number, 3, Schedule(), lambda: None))
        x, y = learner.x.astype(np.float64), learner.y.astype(np.float64)
        observed = np.zeros((N_USERS, N_ITEMS))
        observed[data.user_rows, data.item_rows] = 1.0 + data.weights
        pairs = observed * (1.0 - x @ y.T) ** 2 + alpha * (x @ y.T) ** 2
        c = 1.0 if learner.shares is None else learner.shares
        norms = learner.user_ridge @ (x**2).sum(axis=1) + learner.item_ridge @ (y**2).sum(axis=1)
        assert facts["loss"] == pytest.approx(((c * pairs).sum() + norms) / len(data), rel=1e-5)


def test_item_weight_power_minimises_the_documented_loss():
    data, alpha, reg, power = interactions(), 0.1, 0.003, 0.8
    given = {
        "factors": 5,
        "unobserved_weight": alpha,
        "regularization": reg,
        "confidence": "linear",
    }
    model = IALS(**given, epochs=300, solver="cholesky", item_weight_power=power).fit(data, run=RUN)
    c = data.item_counts**-power
    c *= len(data) / (c @ data.item_counts)
    x, y = model.user_factors.astype(np.float64), model.item_factors.astype(np.float64)
    observed = np.zeros((N_USERS, N_ITEMS))
    observed[data.user_rows, data.item_rows] = 1.0 + data.weights
    pull = c * (observed * (x @ y.T - 1.0) + alpha * (x @ y.T))
    of_users = pull @ y + (reg * (data.user_counts + alpha * N_ITEMS))[:, None] * x
    of_items = pull.T @ x + (reg * (data.item_counts + alpha * N_USERS))[:, None] * y
    size = np.abs((c * observed) @ y).max()
    assert np.abs(of_users).max() < 1e-4 * size
    assert (
        np.abs(of_items).max() < 1e-2 * size
    )  # they come one half-epoch after the items' own solve


def test_item_weight_power_fits_rare_items_better_at_the_expense_of_popular_ones():
    data = interactions()
    order = np.argsort(data.item_counts)
    found = []
    for power in (0.0, 1.5):
        observed = np.zeros((N_USERS, N_ITEMS))
        observed[data.user_rows, data.item_rows] = scores(data, item_weight_power=power)[
            data.user_rows, data.item_rows
        ]
        fit = observed.sum(axis=0) / data.item_counts
        found.append((fit[order[:4]].mean(), fit[order[-4:]].mean()))
    assert found[1][0] > found[0][0]
    assert found[1][1] < found[0][1]


@pytest.mark.parametrize("power", [0.0, 0.7])
def test_loaded_model_folds_in_and_explains_with_the_weight_of_the_fit(power):
    data = interactions()
    model = IALS(factors=5, epochs=3, item_weight_power=power).fit(data, run=RUN)
    state = model.state()
    loaded = IALS.from_state(model.config, {**state, "alpha0": state["alpha0"] * 3}, data)
    again = IALS.from_state(model.config, state, data)
    history = Histories.of([[2, 5, 14]], N_ITEMS)
    first, same, other = (m.score_batch(m.fold_in(history)) for m in (model, again, loaded))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.01
    assert (
        again.explain(item=9, history=[2, 5]).score == model.explain(item=9, history=[2, 5]).score
    )


def test_higher_regularization_lowers_the_observed_scores_and_exponent_zero_is_plain_l2():
    data = interactions()
    low, high = (
        scores(data, regularization=r)[data.user_rows, data.item_rows].mean() for r in (0.001, 0.1)
    )
    assert 0 < high < 0.9 * low
    plain = IALS(factors=2, epochs=1, regularization=0.7, frequency_exponent=0.0).fit(data, run=RUN)
    ridge = plain._equations.ridge(data.indptr, N_ITEMS)
    np.testing.assert_allclose(ridge, np.full(N_USERS, 0.7), rtol=1e-6)


def test_without_any_regularization_and_unobserved_weight_the_singular_row_is_named():
    with pytest.raises(TrainingError, match=r"row \d+ \(\d+ interactions\) is singular"):
        IALS(factors=16, regularization=0.0, unobserved_weight=0.0, solver="cholesky").fit(
            interactions(), run=RUN
        )


def test_explanations_of_short_and_long_pasts_add_up_to_the_score_and_agree() -> None:
    """A past shorter than the factors is explained by a smaller system; both must split the same
    score in the same way.
    """
    data = shop(n_users=60, n_items=47, seed=8)
    model = IALS(factors=9).fit(data, run=Run(threads=1))
    lengths = {int(n) for n in data.user_counts}
    assert min(lengths) < 9 < max(lengths)
    for user in range(12):
        batch = model.user_batch(np.array([user], np.int32))
        rows = np.array([3, 11, 29])
        past, added, rest = model.explain_rows(batch, rows)
        assert added.shape == (3, len(past))
        np.testing.assert_allclose(
            added.sum(axis=1) + rest, model._score(batch.states, rows)[0], rtol=2e-4, atol=1e-5
        )
        y = model.item_factors.astype(np.float64)
        w = np.ones(len(past))
        ridge = float(model._equations.ridge(np.array([0, len(past)]), data.n_items)[0])
        system = np.diag(model._items.diagonal + ridge) + (y[past].T * w) @ y[past]
        wanted = (w[:, None] * (y[past] @ np.linalg.solve(system, y[rows].T))).T
        np.testing.assert_allclose(added, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("device", ["cuda", "xpu"])
def test_a_gpu_that_is_not_there_is_refused_with_the_cure(device: str) -> None:
    torch = pytest.importorskip("torch")
    if getattr(torch, device).is_available():
        pytest.skip("there is a GPU")
    refused = rf"device '{device}' can't be used here .*device='cpu'"
    with pytest.raises(ArgumentError, match=refused):
        IALS(factors=4).fit(interactions(), run=Run(device=device, threads=1))
