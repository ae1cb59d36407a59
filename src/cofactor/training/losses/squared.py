"""Squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.training.losses.loss import Pointwise

if TYPE_CHECKING:
    from torch import Tensor


class Squared(Pointwise):
    """Mean squared error.

    ``L = 1/B Σ_b (s_b − y_b)²``

    Notes
    -----
    Source: Gauss; for factorisation Koren, Bell and Volinsky, "Matrix Factorization Techniques",
    2009, eq. 2.
    """

    name = "squared"
    fits_values = True
    is_quadratic = True

    def each(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return ``(s − y)²``."""
        return (scores - target).square()

    def each_slope(self, scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``(s − y)²`` and ``2 (s − y)``."""
        gap = scores - target
        return gap**2, 2 * gap
