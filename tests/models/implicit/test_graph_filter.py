"""The graph filter against its formula on dense matrices, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.panel import simulated

from cofactor.base import memory
from cofactor.base.errors import ArgumentError, MemoryLimitError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.models.implicit import graph_filter, truncated_svd
from cofactor.models.implicit.graph_filter import GraphFilter
from cofactor.models.implicit.linear import by_user_and_item
from cofactor.models.implicit.truncated_svd import item_vectors
from cofactor.models.validation import ndcg
from models.implicit.dense_checks import all_weights, dense, small_data

N_USERS, N_ITEMS = 43, 27
ONE = Run(threads=1)


@pytest.fixture(scope="module")
def data():
    return small_data(N_USERS, N_ITEMS)


def expected(x, config):
    """The formula of the docstring, by a full decomposition."""
    users, items = x.sum(axis=1), x.sum(axis=0)
    user = np.where(users > 0, users, 1) ** -config.user_exponent
    item = np.where(items > 0, items, 1) ** -config.item_exponent
    normalised = user[:, None] * x * item
    linear = normalised.T @ normalised
    np.fill_diagonal(linear, 0)
    _, s, vt = np.linalg.svd(normalised)
    s, vt = s[: config.factors], vt[: config.factors]
    weight = 2.4 if config.ideal_weight is None else config.ideal_weight
    soft = weight * (s / s[0]) ** config.spectral_power
    return item[:, None] * (linear + (vt.T * soft) @ vt / item)


@pytest.mark.parametrize(
    "settings",
    [
        {"factors": 5, "iterations": 30},
        {"factors": 5, "user_exponent": 0.3, "item_exponent": 0.7, "ideal_weight": 2.0},
        {"factors": 20, "spectral_power": 0.0},
        {"factors": 7, "values": "values"},
    ],
)
def test_weights_equal_the_formula(data, settings):
    model = GraphFilter(**{"iterations": 30, **settings}).fit(data, run=ONE)
    x = dense(data, data.values if "values" in settings else None)
    np.testing.assert_allclose(all_weights(model), expected(x, model.config), atol=3e-6)


def test_only_the_largest_linear_weights_of_each_recommended_item_are_kept(data):
    whole = all_weights(GraphFilter(factors=0, neighbours=N_ITEMS).fit(data, run=ONE))
    kept = all_weights(GraphFilter(factors=0, neighbours=4).fit(data, run=ONE))
    for j in range(N_ITEMS):
        largest = np.argsort(-whole[:, j], kind="stable")[:4]
        largest = largest[whole[largest, j] > 0]
        assert set(np.flatnonzero(kept[:, j])) == set(largest)
        np.testing.assert_allclose(kept[largest, j], whole[largest, j], rtol=1e-6)


def test_without_neighbours_the_ideal_filter_answers_alone(data):
    whole = all_weights(GraphFilter(factors=6, iterations=30).fit(data, run=ONE))
    linear = all_weights(GraphFilter(factors=0).fit(data, run=ONE))
    ideal = all_weights(GraphFilter(factors=6, iterations=30, neighbours=0).fit(data, run=ONE))
    np.testing.assert_allclose(linear + ideal, whole, atol=1e-6)


def test_the_number_of_factors_follows_the_items_with_interactions(data):
    known = np.count_nonzero(data.item_counts)
    assert known < N_ITEMS
    assert GraphFilter().fit(data, run=ONE).new_vectors.shape == (N_ITEMS, int(known**0.5))


def test_the_ideal_filter_carries_the_model_where_common_users_are_chance():
    # Five interactions a user of 1,000 items, of eight hidden dimensions.
    parts = split(simulated(1000, 1000, 0.005), "per-user", test=0.2, seed=0)
    alone = {"popularity_weight": 0}
    usual, less = (
        GraphFilter(**alone, **s).fit(parts.train, run=ONE) for s in ({}, {"ideal_weight": 0.6})
    )
    values = [ndcg(one, parts.test, parts.test.user_rows) for one in (usual, less)]
    assert values[0] > 1.1 * values[1]


def test_its_weight_is_chosen_among_filters_that_are_fitted_once(data, monkeypatch):
    def choose_value(fit, some, usual, run, *, most):
        models = [(w, fit(some, w, run).past_vectors.copy()) for w in (usual.value, 9.6)]
        np.testing.assert_allclose(4 * models[0][1], models[1][1], rtol=1e-6)
        return 9.6

    monkeypatch.setattr(graph_filter, "choose_value", choose_value)
    chosen, given = (GraphFilter(ideal_weight=w).fit(data, run=ONE) for w in (None, 9.6))
    np.testing.assert_array_equal(all_weights(chosen), all_weights(given))
    one_filter = GraphFilter(neighbours=0).fit(data, run=ONE)
    np.testing.assert_array_equal(
        all_weights(one_filter),
        all_weights(GraphFilter(neighbours=0, ideal_weight=2.4).fit(data, run=ONE)),
    )


@pytest.mark.parametrize("alike", [False, True])
def test_an_orthonormal_basis_spans_the_columns(alike):
    columns = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
    if alike:  # too much so for the products of the columns
        columns[:, 4] = columns[:, 3] + 1e-4 * columns[:, 4]
    basis = truncated_svd._orthonormal(columns.copy())
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-5)
    np.testing.assert_allclose(basis @ (basis.T @ columns), columns, atol=1e-5)


def test_more_factors_than_the_rank_add_nothing(data):
    repeated = Interactions.from_rows(
        np.repeat(np.arange(30), 3),
        np.tile(np.arange(9).reshape(3, 3), (10, 1)).ravel(),
        users=30,
        items=9,
    )
    model = GraphFilter(factors=9).fit(repeated, run=ONE)
    assert model.new_vectors.shape == (9, 3)  # three groups of items, each with the same users
    assert np.isfinite(all_weights(model)).all()


def test_the_random_projection_finds_the_singular_vectors(data):
    x = dense(data).astype(np.float32)
    orders = by_user_and_item(data, np.ones(len(data), np.float32))
    values, vectors = item_vectors(orders, 6, 4, np.random.default_rng(0), 1)
    _, s, vt = np.linalg.svd(x)
    np.testing.assert_allclose(values, s[:6], rtol=1e-5)
    np.testing.assert_allclose(np.abs(np.sum(vectors.T * vt[:6], axis=1)), 1, atol=1e-5)


def test_negative_values_are_refused_with_the_cure(data):
    negative = Interactions.from_rows(
        data.user_rows, data.item_rows, -data.values, users=N_USERS, items=N_ITEMS
    )
    with pytest.raises(ArgumentError, match=r"at least 0, and one is -5; use values='ones'"):
        GraphFilter(values="values").fit(negative, run=ONE)


def test_what_does_not_fit_into_memory_is_refused_with_the_cure(data, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    with pytest.raises(MemoryLimitError, match=r"5 factors needs .* lower neighbours or factors"):
        GraphFilter().fit(data, run=ONE)
