"""The tiled inverse against its plain NumPy twin, and its failure on a matrix that isn't positive definite."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import inverse as fast
from cofactor.kernels.reference import inverse as slow


def positive_definite(n, generator, ridge=0.5):
    x = generator.normal(size=(n + 5, n))
    return (x.T @ x / max(1, n) + ridge * np.eye(n)).astype(np.float32)


@pytest.mark.parametrize("block", [32, 128])
@pytest.mark.parametrize("n", [0, 1, 5, 32, 33, 129, 300])
def test_lower_triangle_becomes_that_of_the_inverse(n, block, monkeypatch):
    monkeypatch.setattr(fast, "SMALL", 0)
    monkeypatch.setattr(fast, "BLOCK", block)
    matrix = positive_definite(n, np.random.default_rng(n))
    ours, theirs, shares = matrix.copy(), matrix.copy(), []
    ours[np.triu_indices(n, 1)] = np.nan  # the upper triangle must not be read
    assert fast.invert_lower(ours, 2, shares.append) == -1
    assert slow.invert_lower(theirs, 1) == -1
    np.testing.assert_allclose(np.tril(ours), np.tril(theirs), atol=2e-5)
    assert shares == sorted(shares)
    assert n == 0 or shares[-1] == 1.0


@pytest.mark.parametrize("bad_row", [0, 40, 99])
def test_matrix_that_is_not_positive_definite_is_reported_with_its_place(bad_row, monkeypatch):
    monkeypatch.setattr(fast, "BLOCK", 64)
    matrix = positive_definite(100, np.random.default_rng(1))
    matrix[bad_row, bad_row] = -1.0
    assert slow.invert_lower(matrix.copy(), 1) == bad_row
    assert fast.invert_lower(matrix.copy(), 2) == bad_row // 32 * 32  # the block's first row


def test_nan_is_reported_and_not_spread():
    matrix = positive_definite(60, np.random.default_rng(2))
    matrix[50, 3] = np.nan
    assert fast.invert_lower(matrix, 1) == 0


def test_float32_inverse_of_a_skewed_gram_matrix_stays_accurate():
    # Counts over four orders of magnitude, as popular items have them, and a small ridge.
    generator = np.random.default_rng(3)
    taken = generator.random((3000, 400)) < np.geomspace(0.9, 1e-3, 400)
    gram = (taken.T.astype(np.float64) @ taken + 5 * np.eye(400)).astype(np.float32)
    exact = np.linalg.inv(gram.astype(np.float64))
    assert fast.invert_lower(gram, 2) == -1
    assert np.abs(np.tril(gram) - np.tril(exact)).max() < 2e-6 * np.abs(exact).max()
