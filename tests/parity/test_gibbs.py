"""The kernels of the Bayesian factorisation against their references and against mathematics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from cofactor.kernels.cpu import gibbs as fast
from cofactor.kernels.cpu import probit as fast_probit
from cofactor.kernels.reference import gibbs as slow
from cofactor.kernels.reference import probit as slow_probit

CUTS = np.array([-np.inf, -1.5, -0.4, 0.3, 1.2, np.inf])


def block(seed: int = 0, factors: int = 3):
    """Arguments of `sample_block`: 7 rows (one without ratings), beside two other blocks."""
    rng = np.random.default_rng(seed)
    counts = np.array([9, 0, 4, 30, 1, 5, 11])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n = int(indptr[-1])
    others = np.stack([rng.integers(7, 12, n), rng.integers(12, 15, n)]).astype(np.int32)
    rows = rng.standard_normal((factors + 1, 15)).astype(np.float32)
    # Each row has its own feature, and three features are shared.
    shared = rng.random((3, 7)) * (rng.random((3, 7)) < 0.6)
    phi = np.concatenate([np.eye(7), shared])
    feature, row = np.nonzero(phi)
    feature_indptr = np.concatenate([[0], np.cumsum((phi > 0).sum(axis=1))]).astype(np.int64)
    weights = rng.standard_normal((factors + 1, 10)).astype(np.float32)
    return {
        "indptr": indptr,
        "others": others,
        "residual": rng.standard_normal(n).astype(np.float32),
        "rows": rows,
        "start": 0,
        "feature_indptr": feature_indptr,
        "feature_rows": row.astype(np.int32),
        "feature_values": phi[feature, row].astype(np.float32),
        "weights": weights,
        "prior_mean": rng.standard_normal((factors + 1, 2)),
        "prior_precision": rng.uniform(0.5, 2, (factors + 1, 2)),
        "group": np.array([0] * 7 + [1] * 3, np.int32),
        "noise": rng.standard_normal((factors + 1, 10)),
        "alpha": 1.7,
    }


@pytest.mark.parametrize("factors", [0, 1, 4])
def test_sample_block_equals_the_reference(factors: int) -> None:
    ours, theirs = block(factors=factors), block(factors=factors)
    fast.sample_block(*ours.values())
    slow.sample_block(*theirs.values())
    for name in ("weights", "rows", "residual"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-4, atol=2e-5)


def test_without_noise_the_biases_are_their_conditional_means() -> None:
    held = block(factors=0)
    held["noise"][:] = 0
    before, values = held["weights"].copy(), held["residual"].copy()
    fast.sample_block(*held.values())
    # The last feature drawn is at its optimum given all the others.
    phi = np.zeros(7)
    last = slice(held["feature_indptr"][-2], held["feature_indptr"][-1])
    phi[held["feature_rows"][last]] = held["feature_values"][last]
    x = np.repeat(phi, np.diff(held["indptr"]))
    mean, precision = held["prior_mean"][0, 1], held["prior_precision"][0, 1]
    gradient = 1.7 * x @ held["residual"] - precision * (held["weights"][0, -1] - mean)
    assert abs(gradient) < 1e-4
    assert (before != held["weights"]).all()
    assert (values != held["residual"]).any()


def histories(levels: bool):
    """Arguments of `draw_rows`: four users, one without history."""
    rng = np.random.default_rng(3)
    indptr = np.array([0, 5, 5, 17, 19], np.int64)
    values = rng.integers(0, 5, 19) if levels else rng.standard_normal(19)
    vectors = rng.standard_normal((8, 3, 4)).astype(np.float32)
    vectors[:, :, -1] = 1
    return {
        "indptr": indptr,
        "items": rng.integers(0, 8, 19).astype(np.int32),
        "values": values.astype(np.float32),
        "item_vectors": vectors,
        "item_offsets": rng.standard_normal((8, 3)).astype(np.float32),
        "prior_mean": rng.standard_normal((4, 3, 4)).astype(np.float32),
        "prior_precision": rng.uniform(1, 3, (3, 4)).astype(np.float32),
        "alpha": np.ones(3) if levels else rng.uniform(0.5, 2, 3),
        "cuts": np.tile(CUTS, (3, 1)) if levels else np.zeros((3, 0)),
        "noise": rng.standard_normal((3, 4)).astype(np.float32),
        "iterations": 6,
        "out": np.zeros((4, 3, 4), np.float32),
    }


@pytest.mark.parametrize("levels", [False, True])
def test_draw_rows_equals_the_reference(levels: bool) -> None:
    ours, theirs = histories(levels), histories(levels)
    fast.draw_rows(*ours.values())
    slow.draw_rows(*theirs.values())
    np.testing.assert_allclose(ours["out"], theirs["out"], rtol=1e-4, atol=2e-5)


def probit_input(n: int = 400):
    rng = np.random.default_rng(1)
    scores = (3 * rng.standard_normal(n)).astype(np.float32)
    scores[:4] = [-12, 12, -9, 9]  # far in the tails
    return scores, rng.integers(0, 5, n).astype(np.int32), rng.random(n).astype(np.float32)


def test_latent_values_equal_the_reference_and_stay_in_their_interval() -> None:
    scores, levels, uniform = probit_input()
    ours = fast_probit.draw_latent(scores, levels, CUTS, uniform)
    theirs = slow_probit.draw_latent(scores, levels, CUTS, uniform)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)
    assert (ours >= CUTS[levels] - 1e-5).all()
    assert (ours <= CUTS[levels + 1] + 1e-5).all()


def test_cut_likelihood_equals_the_reference_and_its_own_differences() -> None:
    scores, levels, _ = probit_input()
    scores = (scores / 3).astype(np.float32)
    ours, theirs = (
        module.cut_likelihood(scores, levels, CUTS) for module in (fast_probit, slow_probit)
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)
    for at in range(4):
        step = np.zeros(6)
        step[at + 1] = 1e-5
        up, down = (
            slow_probit.cut_likelihood(scores, levels, cuts) for cuts in (CUTS + step, CUTS - step)
        )
        assert (up[0] - down[0]) / 2e-5 == pytest.approx(ours[1][at], rel=1e-4, abs=1e-3)
        np.testing.assert_allclose((up[1] - down[1]) / 2e-5, ours[2][at], rtol=1e-3, atol=1e-2)


def test_level_probabilities_equal_the_reference_and_add_up_to_one() -> None:
    held = histories(True)
    which, items = np.array([0, 3, 3, 1]), np.array([7, 0, 2, 5])
    arguments = (
        held["prior_mean"],
        which,
        held["item_vectors"],
        held["item_offsets"],
        items,
        held["cuts"],
    )
    ours = fast_probit.level_probabilities(*arguments)
    np.testing.assert_allclose(ours, slow_probit.level_probabilities(*arguments), atol=1e-6)
    np.testing.assert_allclose(ours.sum(axis=1), 1)


def test_normal_quantile_is_the_inverse_of_the_distribution() -> None:
    for p in (1e-280, 1e-12, 0.001, 0.02424, 0.02426, 0.3, 0.5, 0.7, 0.976, 1 - 1e-9):
        assert fast_probit.normal_quantile(p) == pytest.approx(ndtri(p), rel=2e-9, abs=2e-9)
