"""The cosine contrastive loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.training.losses.loss import Candidates, Loss, LossSettings, Needs, Slopes

if TYPE_CHECKING:
    from torch import Tensor


class CosineContrastive(Loss):
    """Cosine contrastive loss (CCL).

    ``L = 1/B Σ_b [(1 − c⁺_b) + w/n Σ_j max(0, c⁻_bj − margin)]``, c the cosines; negatives below
    the margin are left alone, w is ``negative_weight``.

    Notes
    -----
    Source: Mao et al., "SimpleX", CIKM 2021, eq. 1.
    """

    name = "cosine_contrastive"
    needs = Needs.NEGATIVES
    uses_cosine = True

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        over = (scores[:, 1:] - settings.margin).relu()
        return (1 - scores[:, 0]).mean() + settings.negative_weight * over.mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the same for one user; see `Loss.slopes`."""
        over, weight = others - settings.margin, settings.negative_weight
        value = 1 - own.mean() + weight * np.maximum(over, 0).mean()
        up = np.full(len(own), -1 / len(own))
        return Slopes(float(value), up, weight * (over > 0) / len(others))

    def check(self, settings: LossSettings) -> None:
        """Refuse a margin that no cosine reaches."""
        if settings.margin > 1:
            raise ArgumentError(
                f"margin of {self.name} is a cosine, so at most 1, not {settings.margin}."
            )
