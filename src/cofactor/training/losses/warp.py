"""WARP: weighted approximate-rank pairwise loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.training.losses.hinge import check_margin, hardest_slopes
from cofactor.training.losses.loss import Candidates, Loss, LossSettings, Needs, Slopes

if TYPE_CHECKING:
    from torch import Tensor


class WARPLoss(Loss):
    """The first violator among the draws, weighted by the rank that the number of draws suggests.

    ``t`` is the first draw with ``s⁻_t > s⁺ − margin``; ``rank ≈ ⌊(n_items − 1) / t⌋``; ``L = 1/B
    Σ_b Φ(rank_b) (margin − s⁺_b + s⁻_bt)`` with ``Φ(k) = Σ_{i=1..k} 1/i``; rows without a violator
    give 0.

    Notes
    -----
    The paper draws one by one and stops; here n are scored at once, so a positive whose rank is far
    better than ``n_items / n`` is mostly left alone. Fold-in takes the hardest of n draws, weighted
    as if it came up in the last one: a constant weight keeps the descent convex. Source: Weston,
    Bengio and Usunier, "WSABIE", IJCAI 2011, eq. 2 to 5.
    """

    name = "warp"
    needs = Needs.NEGATIVES

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        import torch

        positive, negatives = scores[:, 0], scores[:, 1:]
        violates = negatives > positive[:, None] - settings.margin
        first = violates.to(torch.uint8).argmax(1)
        rank = torch.div(candidates.n_items - 1, first + 1, rounding_mode="floor").clamp_min(1)
        # Φ(k) = ψ(k + 1) + γ, the k-th harmonic number.
        harmonic = torch.digamma(rank.to(torch.float64) + 1) + np.euler_gamma
        weight = harmonic.to(positive.dtype) * violates.any(1)
        violator = negatives.gather(1, first[:, None]).squeeze(1)
        return (weight * (settings.margin - positive + violator).relu()).mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the bound that fold-in descends on; see `Loss.slopes`."""
        value, up, down = hardest_slopes(own, others, settings)
        rank = max(1, (n_items - 1) // settings.negatives)
        weight = float(np.sum(1 / np.arange(1, rank + 1)))
        return Slopes(weight * value, weight * up, weight * down)

    def check(self, settings: LossSettings) -> None:
        """Refuse a margin below 0."""
        check_margin(self.name, settings.margin)
