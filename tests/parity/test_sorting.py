"""Sorting and selecting inside kernels against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu.sorting import SMALL, smallest, sort_integers


@pytest.mark.parametrize("n", [0, 1, 2, SMALL, SMALL + 1, SMALL + 2, 1000, 50_000])
def test_integers_come_in_ascending_order(n: int) -> None:
    rng = np.random.default_rng(n)
    up = np.arange(n)
    extremes = np.array([np.iinfo(np.int64).min, -1, 0, np.iinfo(np.int64).max])
    for keys in (
        rng.permutation(n),
        up,
        up[::-1],
        np.concatenate([up[::2], up[1::2][::-1]]),
        np.zeros(n, int),
        rng.integers(0, 3, n),
        rng.choice(extremes, n),
    ):
        mine = np.ascontiguousarray(keys, np.int64)
        wanted = np.sort(mine)
        sort_integers(mine)
        np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 1000])
def test_the_kth_smallest_is_numpys(n: int) -> None:
    rng = np.random.default_rng(n)
    up = np.arange(n, dtype=float)
    for values in (
        rng.standard_normal(n),
        up,
        up[::-1],
        np.concatenate([up[::2], up[1::2][::-1]]),
        np.zeros(n),
        rng.integers(0, 3, n).astype(float),
        rng.choice([-np.inf, -0.5, 0.0, np.inf], n),
    ):
        for k in {0, n // 3, n // 2, n - 1}:
            assert smallest(values.copy(), k) == np.partition(values, k)[k]
