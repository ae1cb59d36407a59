"""The Gram and history kernels against their plain NumPy twins."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from cofactor.kernels.cpu import gram as fast
from cofactor.kernels.cpu import history as fast_history
from cofactor.kernels.reference import gram as slow
from cofactor.kernels.reference import history as slow_history
from parity.nasty import KINDS, both_orders, nasty


@pytest.mark.parametrize("kind", KINDS)
def test_gram_lower_is_the_lower_triangle_of_the_product(kind):
    x = nasty(kind, np.random.default_rng(1))
    parts = both_orders(x)
    for threads in (1, 2, 5):
        np.testing.assert_array_equal(fast.gram_lower(*parts, threads), np.tril(x.T @ x))
    np.testing.assert_array_equal(slow.gram_lower(*parts, 1), np.tril(x.T @ x))


@pytest.mark.parametrize("n", [0, 1, 3, 64, 65, 150])
def test_mirror_and_ease_weights_agree_with_the_reference(n):
    generator = np.random.default_rng(n)
    lower = generator.normal(size=(n, n)).astype(np.float32) + 3 * np.eye(n, dtype=np.float32)
    for name in ("mirror_lower", "ease_weights"):
        ours, theirs = lower.copy(), lower.copy()
        getattr(fast, name)(ours, 3)
        getattr(slow, name)(theirs, 1)
        np.testing.assert_allclose(ours, theirs, rtol=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_history_scores_agree_with_the_reference(kind):
    generator = np.random.default_rng(5)
    x = nasty(kind, generator)
    indptr, indices, values = both_orders(x)[:3]
    weights = (generator.integers(-4, 5, (37, 530)) * (generator.random((37, 530)) < 0.3)).astype(
        np.float32
    )
    sparse = sp.csr_matrix(weights)
    sparse_parts = (
        sparse.indptr.astype(np.int64),
        sparse.indices.astype(np.int32),
        sparse.data,
        530,
    )
    for threads in (1, 3):
        dense_scores = fast_history.scores_from_dense(indptr, indices, values, weights, threads)
        sparse_scores = fast_history.scores_from_sparse(
            indptr, indices, values, *sparse_parts, threads
        )
        np.testing.assert_array_equal(dense_scores, x @ weights)
        np.testing.assert_array_equal(sparse_scores, x @ weights)
    np.testing.assert_array_equal(
        slow_history.scores_from_dense(indptr, indices, values, weights, 1), x @ weights
    )
    np.testing.assert_array_equal(
        slow_history.scores_from_sparse(indptr, indices, values, *sparse_parts, 1), x @ weights
    )
