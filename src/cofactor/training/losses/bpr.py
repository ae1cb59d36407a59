"""Bayesian personalised ranking."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.training.losses.loss import (
    Candidates,
    Loss,
    LossSettings,
    Needs,
    Slopes,
    sigmoid,
    softplus,
)

if TYPE_CHECKING:
    from torch import Tensor


class BPRLoss(Loss):
    """Bayesian personalised ranking.

    ``L = 1/(Bn) Σ_b Σ_j −log σ(s⁺_b − s⁻_bj)``

    Notes
    -----
    Source: Rendle et al., "BPR", UAI 2009, BPR-Opt (section 4.1).
    """

    name = "bpr"
    needs = Needs.NEGATIVES
    gives_log_odds = True

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over pairs of an observed and a drawn item; see `Loss.value`."""
        from torch.nn import functional

        return functional.softplus(scores[:, 1:] - scores[:, :1]).mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the same for one user; see `Loss.slopes`."""
        gap = others[None, :] - own[:, None]
        slope = sigmoid(gap) / gap.size
        return Slopes(float(softplus(gap).mean()), -slope.sum(1), slope.sum(0))
