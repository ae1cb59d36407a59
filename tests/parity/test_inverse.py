"""The inverse by LAPACK and by halves against the reference implementation, and its failure on a
matrix that isn't positive definite.
"""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.kernels.cpu import inverse as fast
from cofactor.kernels.reference import inverse as slow


def positive_definite(n, generator, ridge=0.5):
    x = generator.normal(size=(n + 5, n))
    return (x.T @ x / max(1, n) + ridge * np.eye(n)).astype(np.float32)


@pytest.mark.parametrize("leaf", [1, 7, 8192])
@pytest.mark.parametrize("n", [0, 1, 5, 31, 33, 95, 96, 97, 150])
def test_lower_triangle_becomes_that_of_the_inverse(n, leaf, monkeypatch):
    monkeypatch.setattr(fast, "LEAF", leaf)
    matrix = positive_definite(n, np.random.default_rng(n))
    ours, theirs, shares = matrix.copy(), matrix.copy(), []
    ours[np.triu_indices(n, 1)] = np.nan  # the upper triangle must be neither read nor written
    assert fast.invert_lower(ours, 2, shares.append) == -1
    assert slow.invert_lower(theirs, 1) == -1
    np.testing.assert_allclose(np.tril(ours), np.tril(theirs), atol=2e-5)
    assert np.isnan(ours[np.triu_indices(n, 1)]).all()
    assert shares == sorted(shares)
    assert n == 0 or shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("n", [511, 512, 513, 1025])
def test_several_threads_and_unequal_halves(n, monkeypatch):
    monkeypatch.setattr(fast, "LEAF", 200)
    matrix = positive_definite(n, np.random.default_rng(n))
    exact = np.tril(np.linalg.inv(matrix.astype(np.float64)))
    assert fast.invert_lower(matrix, 2) == -1
    np.testing.assert_allclose(np.tril(matrix), exact, atol=3e-6)


def test_result_of_one_thread_is_that_of_several_but_for_rounding():
    matrix = positive_definite(500, np.random.default_rng(4))
    alone, together = matrix.copy(), matrix.copy()
    assert fast.invert_lower(alone, 1) == -1
    assert fast.invert_lower(together, 3) == -1
    np.testing.assert_allclose(np.tril(alone), np.tril(together), atol=1e-6)


def test_rows_of_unlike_scale_are_each_as_accurate_as_the_others():
    # Six orders of magnitude, whose small rows must not be lost beside the large ones.
    n = 400
    matrix = positive_definite(n, np.random.default_rng(5))
    size = np.random.default_rng(6).permutation(np.geomspace(1e-3, 1e3, n))
    scaled = (matrix * size[:, None] * size).astype(np.float32)
    exact = np.linalg.inv(scaled.astype(np.float64)) * size[:, None] * size
    assert fast.invert_lower(scaled, 2) == -1
    assert np.abs(np.tril(scaled * size[:, None] * size - exact)).max() < 3e-6 * np.abs(exact).max()


@pytest.mark.parametrize("leaf", [60, 8192])
@pytest.mark.parametrize("bad_row", [0, 40, 99, 250])
def test_matrix_that_is_not_positive_definite_is_reported_with_its_row(bad_row, leaf, monkeypatch):
    monkeypatch.setattr(fast, "LEAF", leaf)
    matrix = positive_definite(251, np.random.default_rng(1))
    matrix[bad_row, bad_row] = -1.0
    if bad_row < 100:
        assert slow.invert_lower(matrix[:100, :100].copy(), 1) == bad_row
    assert fast.invert_lower(matrix, 2) == bad_row


@pytest.mark.parametrize(("row", "column"), [(50, 3), (250, 3), (299, 299)])
def test_nan_is_reported_and_not_spread(row, column):
    matrix = positive_definite(300, np.random.default_rng(2))
    matrix[row, column] = np.nan
    assert fast.invert_lower(matrix, 1) >= 0


def test_float32_inverse_of_a_skewed_gram_matrix_stays_accurate():
    # Counts over four orders of magnitude, as popular items have them, and a small ridge.
    generator = np.random.default_rng(3)
    taken = generator.random((3000, 400)) < np.geomspace(0.9, 1e-3, 400)
    gram = (taken.T.astype(np.float64) @ taken + 5 * np.eye(400)).astype(np.float32)
    exact = np.linalg.inv(gram.astype(np.float64))
    assert fast.invert_lower(gram, 2) == -1
    assert np.abs(np.tril(gram) - np.tril(exact)).max() < 2e-6 * np.abs(exact).max()
