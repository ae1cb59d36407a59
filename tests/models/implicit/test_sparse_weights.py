"""Sparse weights between items: what is asked of a few is what the whole matrix says."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.offsets import offsets
from cofactor.models.implicit.sparse_weights import SparseWeights


@pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
def test_the_weights_between_some_items_are_those_of_the_matrix(density: float) -> None:
    rng = np.random.default_rng(0)
    whole = (rng.random((9, 9)) + 0.1).astype(np.float32) * (rng.random((9, 9)) < density)
    rows, columns = np.nonzero(whole)
    indptr = offsets(np.bincount(rows, minlength=9))
    weights = SparseWeights(indptr, columns.astype(np.int32), whole[rows, columns])
    past, wanted = np.array([8, 0, 3, 3]), np.array([5, 0, 8])
    np.testing.assert_array_equal(weights.between(past, wanted), whole[past][:, wanted])
    np.testing.assert_array_equal(weights.column(past, 5), whole[past, 5])
    assert weights.between(np.zeros(0, np.int64), wanted).shape == (0, 3)
