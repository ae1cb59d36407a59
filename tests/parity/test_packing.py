"""Packing kernels against their plain NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import packing as fast
from cofactor.kernels.reference import packing as slow


@pytest.mark.parametrize("shape", [(0, 3, 4), (5, 1, 9), (17, 6, 11), (4, 3, 300)])
def test_packing_agrees_with_the_reference(shape):
    n, k, n_columns = shape
    generator = np.random.default_rng(n)
    columns = (
        np.stack([np.sort(generator.permutation(n_columns)[:k]) for _ in range(n)])
        if n
        else np.zeros((0, k))
    )
    values = generator.normal(size=(n, k)).astype(np.float32)
    count = generator.integers(0, k + 1, n).astype(np.int32)
    arguments = (columns.astype(np.int32), values, count)
    for ours, theirs in zip(fast.pack(*arguments), slow.pack(*arguments), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    both = (kernels.pack_transposed(*arguments, n_columns) for kernels in (fast, slow))
    for ours, theirs in zip(*both, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
