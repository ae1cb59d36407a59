"""Item kNN and EASE against their formulas on dense matrices, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base import memory
from cofactor.base.errors import ArgumentError, ArtifactError, MemoryLimitError, TrainingError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.noise import relative_noise
from cofactor.models.implicit import ease as ease_module
from cofactor.models.implicit.ease import EASE
from cofactor.models.implicit.item_knn import ItemKNN
from models.implicit.dense_checks import all_weights, dense, small_data

N_USERS, N_ITEMS = 41, 23
ONE = Run(threads=1)


@pytest.fixture(scope="module")
def data():
    return small_data(N_USERS, N_ITEMS)


def test_ease_weights_equal_the_closed_form(data):
    x = dense(data)
    p = np.linalg.inv(x.T @ x + 7.0 * np.eye(N_ITEMS))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    np.testing.assert_allclose(
        all_weights(EASE(regularization=7.0).fit(data, run=ONE)), b, atol=2e-6
    )


def test_ease_is_the_minimum_of_its_loss_among_zero_diagonals(data):
    x = dense(data)
    b = all_weights(EASE(regularization=3.0).fit(data, run=ONE))
    assert (np.diag(b) == 0).all()
    gradient = -x.T @ (x - x @ b) + 3.0 * b
    np.fill_diagonal(gradient, 0.0)  # the constraint carries the diagonal
    assert np.abs(gradient).max() < 1e-4


def test_ease_frequency_exponent_scales_each_items_ridge(data):
    x = dense(data)
    counts = np.maximum(x.sum(axis=0), 1)
    p = np.linalg.inv(x.T @ x + np.diag(4.0 * (counts / x.sum(axis=0).mean()) ** 0.5))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    model = EASE(regularization=4.0, frequency_exponent=0.5).fit(data, run=ONE)
    np.testing.assert_allclose(all_weights(model), b, atol=2e-6)


@pytest.mark.parametrize("by_users", [False, True])
def test_ease_weights_users_and_drops_inputs_as_the_formula_says(data, monkeypatch, by_users):
    x = dense(data)
    counts = np.maximum(x.sum(axis=1), 1) ** -0.6
    gram = x.T @ (counts[:, None] * x)
    p = np.linalg.inv(gram + np.diag(4.0 * counts.mean() + 0.25 / 0.75 * np.diag(gram)))
    b = -p / np.diag(p)
    np.fill_diagonal(b, 0.0)
    monkeypatch.setattr(ease_module, "FEWER_USERS", 99.0 if by_users else 0.0)
    model = EASE(regularization=4.0, user_exponent=0.6, dropout=0.25).fit(data, run=ONE)
    np.testing.assert_allclose(all_weights(model), b, atol=2e-6)


def test_ease_keep_holds_the_largest_weights_of_each_recommended_item(data):
    whole = all_weights(EASE(regularization=5.0).fit(data, run=ONE))
    model = EASE(regularization=5.0, keep=4).fit(data, run=ONE)
    kept = all_weights(model)
    for j in range(N_ITEMS):
        largest = np.argsort(-np.abs(whole[:, j]), kind="stable")[:4]
        assert set(np.flatnonzero(kept[:, j])) == set(largest[whole[largest, j] != 0].tolist())
        np.testing.assert_allclose(kept[largest, j], whole[largest, j], rtol=1e-5)
    assert "weights" not in model.state()
    again = EASE.from_state(model.config, model.state(), data)
    np.testing.assert_array_equal(all_weights(again), kept)


def test_ease_refuses_what_does_not_fit_with_the_number(data, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    with pytest.raises(
        MemoryLimitError, match=r"23 × 23 matrix needs 64\.0 MiB of memory.*item_knn or ials"
    ):
        EASE().fit(data, run=ONE)


def test_ease_with_all_neighbours_is_ease(data):
    settings = {"regularization": 7.0, "user_exponent": 0.5, "dropout": 0.2}
    whole = all_weights(EASE(**settings).fit(data, run=ONE))
    sparse = EASE(**settings, neighbours=N_ITEMS).fit(data, run=ONE)
    assert sparse.dense is None
    np.testing.assert_allclose(all_weights(sparse), whole, atol=2e-5)


def test_ease_with_neighbours_is_the_minimum_of_its_loss_on_their_places(data):
    x = dense(data)
    found = all_weights(EASE(regularization=3.0, neighbours=5).fit(data, run=ONE))
    places = found != 0
    assert places.sum(axis=0).max() == 5
    assert not places.diagonal().any()
    gradient = -x.T @ (x - x @ found) + 3.0 * found
    assert np.abs(gradient[places]).max() < 1e-3
    cut = all_weights(EASE(regularization=3.0, keep=5).fit(data, run=ONE))

    def loss(b):
        return ((x - x @ b) ** 2).sum() + 3.0 * (b**2).sum()

    assert loss(found) < loss(cut)


def test_ease_with_neighbours_says_what_memory_it_wants_before_it_takes_any(data, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    with pytest.raises(MemoryLimitError, match="lower neighbours"):
        EASE(neighbours=5).fit(data, run=ONE)


def test_ease_refuses_keep_beside_neighbours():
    with pytest.raises(ArgumentError, match="can't both be set"):
        EASE(keep=3, neighbours=3)


@pytest.mark.parametrize("keep", [None, 4])
@pytest.mark.parametrize("power", [0.0, 0.7])
def test_ease_by_way_of_the_users_gives_the_same_weights(data, monkeypatch, keep, power):
    settings = {
        "regularization": 3.0,
        "frequency_exponent": power,
        "keep": keep,
        "values": "log",
        "weighting": "tfidf",
    }
    by_items = all_weights(EASE(**settings).fit(data, run=ONE))
    monkeypatch.setattr(ease_module, "FEWER_USERS", 99.0)
    monkeypatch.setattr(EASE, "_fit_by_items", None)
    by_users = all_weights(EASE(**settings).fit(data, run=ONE))
    np.testing.assert_allclose(by_users, by_items, atol=1e-5)


def test_ease_goes_by_the_items_when_the_users_matrix_would_not_fit_beside(data, monkeypatch):
    monkeypatch.setattr(ease_module, "FEWER_USERS", 99.0)
    model = EASE()
    between = (model._bytes(data, by_users=False) + model._bytes(data, by_users=True)) // 2
    assert model._goes_by_users(data)
    monkeypatch.setattr(memory, "available_bytes", lambda: between)
    assert not model._goes_by_users(data)


def test_ease_says_so_when_the_matrix_cannot_be_factorised(data, monkeypatch):
    monkeypatch.setattr(
        EASE, "_ridge", lambda *_: np.full(data.n_items, -50.0, np.float32)
    )  # no λ may be so
    with pytest.raises(TrainingError, match="raise the regularization"):
        EASE().fit(data, run=ONE)


def test_ease_state_of_the_other_kind_is_refused(data):
    model = EASE(keep=3).fit(data, run=ONE)
    with pytest.raises(ArtifactError, match="must have arrays"):
        EASE.from_state(EASE().config, model.state(), data)


def similarity(data, settings):
    """sim(i, j), i the past item, from the formulas of the class's docstring."""
    weights = np.ones(len(data))
    if "weighting" not in settings:
        weights = np.log(1 + N_ITEMS / (1 + data.user_counts))[data.user_rows]
    x = dense(data, weights)
    d, square = x.T @ x, (x**2).sum(axis=0)
    usual = 200 * relative_noise(data) ** 2 * (weights**2).mean()
    h, kind = settings.get("shrinkage", usual), settings.get("similarity", "cosine")
    if kind == "cosine":
        below = np.sqrt(np.outer(square, square)) + h
    elif kind == "asymmetric":
        below = np.outer(square ** settings["asymmetry"], square ** (1 - settings["asymmetry"])) + h
    elif kind == "dot":
        below = np.ones_like(d)
    else:
        past, new = (
            (1, 1) if kind == "jaccard" else (settings["tversky_past"], settings["tversky_new"])
        )
        below = d + past * (square[:, None] - d) + new * (square[None, :] - d) + h
    with np.errstate(invalid="ignore"):
        s = np.where(d > 0, d / np.where(below == 0, 1, below), 0.0)
    np.fill_diagonal(s, 0.0)
    return s


KNN = [
    {},
    {"similarity": "cosine", "weighting": "none", "shrinkage": 3.0},
    {"similarity": "asymmetric", "asymmetry": 0.8, "weighting": "none"},
    {"similarity": "jaccard", "shrinkage": 1.0},
    {"similarity": "tversky", "tversky_past": 0.2, "tversky_new": 0.7},
    {"similarity": "dot"},
]


@pytest.mark.parametrize("neighbours_of", ["recommended", "past"])
@pytest.mark.parametrize("settings", KNN, ids=str)
def test_item_knn_weights_equal_the_formula(data, settings, neighbours_of):
    whole = similarity(data, settings)
    everything = ItemKNN(neighbours=N_ITEMS, neighbours_of=neighbours_of, **settings).fit(
        data, run=ONE
    )
    np.testing.assert_allclose(all_weights(everything), whole, rtol=1e-5, atol=1e-7)
    some = all_weights(
        ItemKNN(neighbours=3, neighbours_of=neighbours_of, **settings).fit(data, run=ONE)
    )
    axis = 0 if neighbours_of == "recommended" else 1
    np.testing.assert_array_equal(
        (some > 0).sum(axis=axis), np.minimum((whole > 0).sum(axis=axis), 3)
    )
    np.testing.assert_allclose(
        some.sum(axis=axis),
        -np.sort(-whole, axis=axis).take(range(3), axis).sum(axis=axis),
        rtol=1e-5,
    )


def test_item_knn_defaults_have_no_scale(data):
    larger = Interactions.from_rows(
        data.user_rows, data.item_rows, 600 * data.values, users=N_USERS, items=N_ITEMS
    )
    before, after = (
        all_weights(ItemKNN(values="values", weighting="none").fit(some, run=ONE))
        for some in (data, larger)
    )
    np.testing.assert_allclose(after, before, rtol=1e-5)


def test_item_knn_normalized_score_is_a_mean(data):
    model = ItemKNN(neighbours=5, normalize=True, values="values").fit(data, run=ONE)
    likes_all = Histories.of([range(N_ITEMS)], N_ITEMS, [[4.0] * N_ITEMS])
    scores = model.score_batch(model.fold_in(likes_all))[0]
    has_neighbours = (
        all_weights(ItemKNN(neighbours=5, values="values").fit(data, run=ONE)).sum(axis=0) > 0
    )
    np.testing.assert_allclose(scores[has_neighbours], 4.0, rtol=1e-5)
    assert has_neighbours.sum() > N_ITEMS / 2


def test_values_and_weightings_change_the_training_matrix_as_written(data):
    n_u, n_i = (
        data.user_counts[data.user_rows],
        np.bincount(data.item_rows, data.values, minlength=N_ITEMS),
    )
    idf = np.log(1 + N_ITEMS / (1 + n_u))
    v = data.values.astype(np.float64)
    held = 1.5 * (1 - 0.4 + 0.4 * n_i[data.item_rows] / n_i.mean())
    expected = {
        ("values", "none"): v,
        ("log", "none"): np.log1p(v),
        ("values", "tfidf"): np.sqrt(v) * idf,
        ("values", "bm25"): idf * v * 2.5 / (v + held),
    }
    for (values, weighting), x in expected.items():
        config = ItemKNN.Config(
            values=values,
            weighting=weighting,
            bm25_k1=1.5,
            bm25_b=0.4,
            similarity="dot",
            neighbours=99,
        )
        w = all_weights(ItemKNN(config).fit(data, run=ONE))
        matrix = dense(data, x)
        d = matrix.T @ matrix
        np.fill_diagonal(d, 0.0)
        scale = (
            np.log1p(1.0) if values == "log" else 1.0
        )  # the history of one item counts by the same rule
        np.testing.assert_allclose(w, scale * d, rtol=1e-4, atol=1e-6)


def test_negative_values_are_refused_where_a_weighting_needs_none(data):
    users, items = data.user_rows, data.item_rows
    negative = Interactions.from_rows(users, items, -data.values, users=N_USERS, items=N_ITEMS)
    for settings in ({"values": "log"}, {"values": "values", "weighting": "bm25"}):
        with pytest.raises(ArgumentError, match="at least 0"):
            ItemKNN(**settings).fit(negative, run=ONE)


@pytest.mark.parametrize(
    "model", [EASE(regularization=2.0), EASE(keep=5), ItemKNN(neighbours=6)], ids=str
)
def test_explanation_of_a_history_is_each_items_own_share(data, model):
    fitted = type(model)(model.config).fit(data, run=ONE)
    w = all_weights(fitted)
    explained = fitted.explain(item=7, history=[2, 11, 20])
    assert {r.id: pytest.approx(r.contribution, abs=1e-6) for r in explained.reasons} == {
        i: w[i, 7] for i in (2, 11, 20)
    }
    assert explained.rest == 0.0


def test_damaged_sparse_weights_are_refused(data):
    model = ItemKNN(neighbours=4).fit(data, run=ONE)
    for name, change, message in [
        ("weight_items", lambda a: a + 100, "must hold rows of items"),
        ("weight_items", lambda a: a[::-1].copy(), "must ascend"),
        ("weight_offsets", lambda a: a[::-1].copy(), "must rise"),
        ("weight_offsets", lambda a: a[:-1], "must have 24 items \\+ 1"),
    ]:
        state = model.state()
        state[name] = change(state[name])
        with pytest.raises(ArtifactError, match=message):
            ItemKNN.from_state(model.config, state, data)


@pytest.mark.parametrize("kind", [EASE, ItemKNN])
def test_recency_counts_the_newest_interactions_most(data, kind):
    timed = Interactions.from_rows(
        data.user_rows,
        data.item_rows,
        data.values,
        np.random.default_rng(1).permutation(len(data)).astype(np.int64),
        users=N_USERS,
        items=N_ITEMS,
    )
    plain = kind().fit(timed, run=ONE)
    recent = kind(recency_half_life=2.0, recency_floor=0.25).fit(timed, run=ONE)
    w = all_weights(plain)
    user = int(np.argmax(timed.user_counts))
    history = timed.histories(np.array([user])).item_rows
    newer = np.arange(len(history))[::-1]
    expected = (0.25 + 0.75 * 0.5 ** (newer / 2.0)) @ w[history]
    np.testing.assert_allclose(recent.score_rows(np.array([user]))[0], expected, rtol=1e-4)
    folded = recent.fold_in(timed.histories(np.array([user])))
    np.testing.assert_allclose(recent.score_batch(folded)[0], expected, rtol=1e-4)
    assert recent.traits.uses_order
    assert not kind().traits.uses_order
    item = int(np.argmax(expected))
    past, added, rest = recent.explain_rows(folded, np.array([item]))
    assert added.sum() + rest[0] == pytest.approx(expected[item], rel=1e-4)
    assert set(past) == set(history)
