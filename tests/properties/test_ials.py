"""Implicit ALS held to mathematics: the loss falls, gradients vanish, what can be fitted is
fitted.
"""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import ials
from cofactor.kernels.cpu.ials_cg import solve_cg
from cofactor.kernels.reference.ials_cg import RowSystems

N_USERS, N_ITEMS, FACTORS, ALPHA = 41, 29, 8, 0.2


def data(seed=1):
    rng = np.random.default_rng(seed)
    dense = rng.random((N_USERS, N_ITEMS)) < 0.25
    dense[3] = False
    weights = np.where(dense, rng.uniform(0.5, 2.0, dense.shape), 0.0).astype(np.float32)
    return dense, weights


def csr(dense, weights):
    indptr = np.concatenate([[0], np.cumsum(dense.sum(axis=1))]).astype(np.int64)
    return indptr, np.nonzero(dense)[1].astype(np.int32), np.ascontiguousarray(weights[dense])


def start(seed=2, factors=FACTORS):
    rng = np.random.default_rng(seed)
    shape = (N_USERS + N_ITEMS, factors)
    both = (rng.standard_normal(shape) / 5).astype(np.float32)
    return both[:N_USERS].copy(), both[N_USERS:].copy()


def gradient(dense, weights, x, y, ridge):
    """Half the gradient of the loss for each row of x, from dense matrices in float64."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    scores = x @ y.T
    return (dense * weights * (scores - 1.0)) @ y + ALPHA * scores @ y + ridge[:, None] * x


@pytest.mark.parametrize(
    ("solver", "steps", "block_size", "times"),
    [("cholesky", 1, 1, 1), ("cg", 30, 1, 1), ("subspace", 1, 3, 60), ("subspace", 1, FACTORS, 1)],
)
def test_gradient_vanishes_where_a_half_epoch_ends(solver, steps, block_size, times):
    dense, weights = data()
    x, y = start()
    ridge = ials.row_ridge(csr(dense, weights)[0], N_ITEMS, ALPHA, 0.02, 1.0)
    before = np.abs(gradient(dense, weights, x, y, ridge)).max()
    for _ in range(times):
        ials.half_epoch(*csr(dense, weights), y, x, ALPHA, ridge, solver, steps, block_size)
    assert np.abs(gradient(dense, weights, x, y, ridge)).max() < 2e-5 * before


@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_gradient_vanishes_when_columns_of_the_loss_weigh_differently(solver):
    dense, weights = data()
    x, y = start()
    shares = np.linspace(0.3, 2.5, N_ITEMS).astype(np.float32)
    ridge = ials.row_ridge(csr(dense, weights)[0], N_ITEMS, ALPHA, 0.02, 1.0)
    ials.half_epoch(*csr(dense, weights * shares), y, x, ALPHA, ridge, solver, 40, FACTORS, shares)
    wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
    scores = wide_x @ wide_y.T
    left = (shares * (dense * weights * (scores - 1.0) + ALPHA * scores)) @ wide_y + ridge[
        :, None
    ] * wide_x
    assert np.abs(left).max() < 2e-5 * np.abs((shares * dense * weights) @ wide_y).max()


def objective(dense, weights, x, y, user_ridge, item_ridge):
    x, y = x.astype(np.float64), y.astype(np.float64)
    scores = x @ y.T
    pairs = dense * weights * (1.0 - scores) ** 2 + ALPHA * scores**2
    return pairs.sum() + user_ridge @ (x**2).sum(axis=1) + item_ridge @ (y**2).sum(axis=1)


@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_loss_falls_in_every_half_epoch_until_both_gradients_vanish(solver):
    dense, weights = data()
    x, y = start()
    rows, columns = csr(dense, weights), csr(dense.T, weights.T)
    user_ridge = ials.row_ridge(rows[0], N_ITEMS, ALPHA, 0.02, 1.0)
    item_ridge = ials.row_ridge(columns[0], N_USERS, ALPHA, 0.02, 1.0)
    losses = [objective(dense, weights, x, y, user_ridge, item_ridge)]
    began = np.abs(gradient(dense, weights, x, y, user_ridge)).max()
    for _ in range(160):
        ials.half_epoch(*rows, y, x, ALPHA, user_ridge, solver, 9, 3)
        losses.append(objective(dense, weights, x, y, user_ridge, item_ridge))
        ials.half_epoch(*columns, x, y, ALPHA, item_ridge, solver, 9, 3)
        losses.append(objective(dense, weights, x, y, user_ridge, item_ridge))
    # float32 factors: equal losses may wobble in the seventh digit.
    assert np.all(np.diff(losses) <= 1e-6 * losses[0])
    assert np.abs(gradient(dense, weights, x, y, user_ridge)).max() < 1e-3 * began
    assert np.abs(gradient(dense.T, weights.T, y, x, item_ridge)).max() < 1e-3 * began


@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_turning_the_basis_changes_no_score(solver):
    x, y = start()
    scores = x @ y.T
    basis, diagonal = ials.gram_basis(y, ALPHA)
    ials.rotate(x, basis)
    ials.rotate(y, basis)
    np.testing.assert_allclose(x @ y.T, scores, atol=1e-6)
    np.testing.assert_allclose(ALPHA * y.T @ y, np.diag(diagonal), atol=1e-5)


@pytest.mark.parametrize("solver", ["cg", "cholesky", "subspace"])
def test_small_matrix_is_fitted_exactly_with_enough_factors(solver):
    dense = np.array([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 1, 0, 0, 1]], bool)
    weights = np.full(dense.shape, 4.0, np.float32)
    rng = np.random.default_rng(8)
    x, y = (rng.standard_normal((n, 5)).astype(np.float32) for n in dense.shape)
    ridges = [np.full(n, 1e-5, np.float32) for n in dense.shape]
    # Unobserved pairs weigh 1e-3 everywhere, so an observed score is (4 / 4.001) and the others are
    # 0.
    for _ in range(150):
        ials.half_epoch(*csr(dense, weights), y, x, 1e-3, ridges[0], solver, 12, 5)
        ials.half_epoch(*csr(dense.T, weights.T), x, y, 1e-3, ridges[1], solver, 12, 5)
    np.testing.assert_allclose(x @ y.T, dense, atol=0.02)


def test_conjugate_gradient_is_exact_after_one_step_more_than_interactions():
    rng = np.random.default_rng(4)
    fixed = rng.standard_normal((23, 16)).astype(np.float32)
    indptr, indices = np.array([0, 2], np.int64), np.array([5, 11], np.int32)
    diagonal = np.linspace(0.1, 3, 16).astype(np.float32)
    results = []
    for steps in (2, 3, 9):
        x = np.empty((1, 16), np.float32)
        ridge = np.full(1, 0.3, np.float32)
        weights = np.array([1, 2], np.float32)
        systems = RowSystems(indptr, indices, weights, fixed, diagonal, ridge)
        solve_cg(systems, np.arange(1), x, steps)
        results.append(x)
    # From zero the first direction already lies in the span of the two rows, so here two steps are
    # enough.
    np.testing.assert_allclose(results[0], results[2], atol=1e-5)
    np.testing.assert_allclose(results[1], results[2], atol=1e-5)


def test_tolerance_ends_conjugate_gradient_early_and_near_the_solution():
    rng = np.random.default_rng(7)
    dense = rng.random((31, 19)) < 0.5
    indptr, indices, values = csr(dense, rng.uniform(0.5, 3, dense.shape).astype(np.float32))
    fixed = rng.standard_normal((19, 12)).astype(np.float32)
    systems = RowSystems(
        indptr,
        indices,
        values,
        fixed,
        np.linspace(0.1, 3, 12).astype(np.float32),
        np.full(31, 0.3, np.float32),
    )
    found = []
    for steps, tolerance in ((60, 0.0), (60, 1e-3), (60, 0.3), (1, 0.0)):
        x = np.empty((31, 12), np.float32)
        assert solve_cg(systems, np.arange(31), x, steps, tolerance) == -1
        found.append(x)
    error = [float(np.abs(x - found[0]).max()) for x in found[1:]]
    assert 1e-7 < error[0] < 0.01 < error[1] < error[2]
