"""The kernel of regressions on neighbours against its reference implementation."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu.neighbour_ridge import neighbour_ridge
from cofactor.kernels.reference import neighbour_ridge as reference
from parity.nasty import both_orders


@pytest.mark.parametrize("share", [0.03, 0.3, 1.0])
@pytest.mark.parametrize("neighbours", [1, 5, 24])
def test_weights_agree_with_the_reference(share: float, neighbours: int) -> None:
    rng = np.random.default_rng(2)
    x = (rng.random((60, 25)) < share) * rng.exponential(1.0, (60, 25)).astype(np.float32)
    x[:, 7] = 0
    rows = np.array(
        [rng.permutation(np.delete(np.arange(25), j))[:neighbours] for j in range(25)], np.int32
    )
    count = rng.integers(0, neighbours + 1, 25).astype(np.int32)
    ridge = rng.uniform(0.05, 20.0, 25).astype(np.float32)
    by_item = both_orders(x.astype(np.float32))[3:]
    expected = reference.neighbour_ridge(*by_item, 60, rows, count, ridge, 1)
    for n_threads in (1, 3):
        found = neighbour_ridge(*by_item, 60, rows, count, ridge, n_threads)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=5e-5)
