"""The least-squares kernels of the rating models against their references and against
mathematics.
"""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import bias as fast_bias
from cofactor.kernels.cpu import mf_als as fast_als
from cofactor.kernels.reference import bias as slow_bias
from cofactor.kernels.reference import mf_als as slow_als

N_USERS, N_ITEMS, FACTORS = 19, 541, 7


def ratings(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A CSR of ratings with empty rows and one row longer than a chunk of the kernel."""
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 11, (N_USERS, N_ITEMS)) * (rng.random((N_USERS, N_ITEMS)) < 0.05)
    dense[[0, 8, N_USERS - 1]] = 0
    dense[3] = rng.integers(1, 11, N_ITEMS)
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    rows, columns = np.nonzero(dense)
    return indptr, columns.astype(np.int32), dense[rows, columns].astype(np.float32)


def als_arguments(seed: int = 1) -> dict[str, np.ndarray]:
    """Everything but the ratings and the mean, the outputs filled with rubbish."""
    rng = np.random.default_rng(seed)
    return {
        "other_bias": rng.standard_normal(N_ITEMS).astype(np.float32),
        "other_factors": rng.standard_normal((N_ITEMS, FACTORS)).astype(np.float32),
        "reg": rng.uniform(0.1, 3, N_USERS).astype(np.float32),
        "reg_bias": rng.uniform(0.1, 3, N_USERS).astype(np.float32),
        "bias": np.full(N_USERS, 9, np.float32),
        "factors": np.full((N_USERS, FACTORS), 9, np.float32),
    }


def test_als_half_epoch_equals_the_reference() -> None:
    ours, theirs = als_arguments(), als_arguments()
    fast_als.als_half_epoch(*ratings(), 5.5, *ours.values())
    slow_als.als_half_epoch(*ratings(), 5.5, *theirs.values())
    np.testing.assert_allclose(ours["factors"], theirs["factors"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours["bias"], theirs["bias"], rtol=1e-4, atol=1e-5)
    assert not ours["factors"][[0, 8, N_USERS - 1]].any()


def test_als_solution_has_zero_gradient() -> None:
    indptr, indices, values = ratings()
    held = als_arguments()
    fast_als.als_half_epoch(indptr, indices, values, 5.5, *held.values())
    for u in range(N_USERS):
        i = indices[indptr[u] : indptr[u + 1]]
        p = held["factors"][u].astype(np.float64)
        error = values[indptr[u] : indptr[u + 1]] - 5.5 - held["other_bias"][i] - held["bias"][u]
        error = error - held["other_factors"][i] @ p
        scale = max(i.size, 1)
        gradient = held["reg"][u] * p - error @ held["other_factors"][i]
        assert np.abs(gradient).max() < 2e-4 * scale
        assert abs(held["reg_bias"][u] * held["bias"][u] - error.sum()) < 2e-4 * scale


def test_als_fits_a_tiny_matrix_exactly_when_the_ridge_vanishes() -> None:
    # Three items, three unknowns (bias and two factors): solvable without error.
    indptr, indices = np.array([0, 3], np.int64), np.array([0, 1, 2], np.int32)
    values = np.array([4.0, 1.0, 3.0], np.float32)
    other = np.array([[1, 0], [0, 1], [1, 3]], np.float32)
    bias, factors = np.zeros(1, np.float32), np.zeros((1, 2), np.float32)
    tiny = np.full(1, 1e-7, np.float32)
    fast_als.als_half_epoch(
        indptr, indices, values, 2.0, np.zeros(3, np.float32), other, tiny, tiny, bias, factors
    )
    np.testing.assert_allclose(2.0 + bias[0] + other @ factors[0], values, atol=1e-4)


@pytest.mark.parametrize("damping", [0.0, 4.5])
def test_bias_sweep_equals_the_reference(damping: float) -> None:
    other = np.random.default_rng(3).standard_normal(N_ITEMS)
    ours, theirs = np.ones(N_USERS), np.ones(N_USERS)
    moved = fast_bias.bias_sweep(*ratings(), 5.5, other, damping, ours)
    assert moved == pytest.approx(slow_bias.bias_sweep(*ratings(), 5.5, other, damping, theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    assert ours[0] == 0


def test_repeated_bias_sweeps_reach_the_joint_ridge_solution() -> None:
    indptr, indices, values = ratings()
    rows = np.repeat(np.arange(N_USERS), np.diff(indptr))
    order = np.lexsort((rows, indices))
    item_indptr = np.concatenate([[0], np.cumsum(np.bincount(indices, minlength=N_ITEMS))]).astype(
        np.int64
    )
    by_item = (item_indptr, rows[order].astype(np.int32), values[order])
    user_bias, item_bias = np.zeros(N_USERS), np.zeros(N_ITEMS)
    for _ in range(200):
        fast_bias.bias_sweep(*by_item, 5.5, user_bias, 2.0, item_bias)
        moved = fast_bias.bias_sweep(indptr, indices, values, 5.5, item_bias, 3.0, user_bias)
    assert moved < 1e-10
    design = np.zeros((values.size, N_USERS + N_ITEMS))
    design[np.arange(values.size), rows] = 1
    design[np.arange(values.size), N_USERS + indices] = 1
    ridge = np.diag(np.concatenate([np.full(N_USERS, 3.0), np.full(N_ITEMS, 2.0)]))
    exact = np.linalg.solve(design.T @ design + ridge, design.T @ (values - 5.5))
    np.testing.assert_allclose(np.concatenate([user_bias, item_bias]), exact, atol=1e-8)
