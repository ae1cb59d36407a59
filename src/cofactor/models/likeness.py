"""Similarity of sparse rows: cosines between histories, or between features."""

from __future__ import annotations

from typing import Any

import numpy as np


def cosines(left: Any, right: Any) -> np.ndarray:
    """Return the cosines between the rows of two sparse matrices, float32 [n_left, n_right];
    zero rows give 0.
    """
    return np.asarray((unit_rows(left) @ unit_rows(right).T).todense(), np.float32)


def unit_rows(matrix: Any) -> Any:
    """Return a sparse matrix with rows of length 1; zero rows stay zero."""
    from scipy import sparse

    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())
    return (sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ matrix).tocsr()
