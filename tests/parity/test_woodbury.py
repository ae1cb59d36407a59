"""The inverse by way of the users against its plain NumPy twin and against the direct inverse."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import woodbury as fast
from cofactor.kernels.reference import woodbury as slow
from parity.nasty import KINDS, both_orders, nasty


@pytest.mark.parametrize("kind", KINDS)
def test_inverse_by_way_of_the_users_is_the_inverse(kind):
    x = nasty(kind, np.random.default_rng(6)).astype(np.float64)
    ridge = np.random.default_rng(7).uniform(1, 9, x.shape[1])
    scale = (ridge**-0.5).astype(np.float32)
    scaled = x * scale
    between = np.linalg.inv(np.eye(len(x)) + scaled @ scaled.T).astype(np.float32)
    by_item = both_orders(scaled)[3:]
    direct = np.tril(np.linalg.inv(x.T @ x + np.diag(ridge)))
    for kernel in (fast, slow):
        np.testing.assert_allclose(
            kernel.inverse_lower(*by_item, between, scale, 3), direct, atol=2e-6
        )
    for keep in (1, 6, 99):
        ours, theirs = (
            kernel.strongest_weights(*by_item, between, scale, keep, 2) for kernel in (fast, slow)
        )
        # of weights that differ by rounding alone, either may be kept: their sizes agree
        sizes = [np.sort(np.nan_to_num(np.abs(found[1])), axis=1) for found in (ours, theirs)]
        np.testing.assert_allclose(*sizes, atol=3e-6)
        if kind == "plain":
            np.testing.assert_array_equal(ours[0], theirs[0])
