"""Pairwise hinge losses: against every negative, and against the hardest of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.training.losses.loss import Candidates, Loss, LossSettings, Needs, Slopes

if TYPE_CHECKING:
    from torch import Tensor


class Hinge(Loss):
    """Pairwise hinge.

    ``L = 1/(Bn) Σ_b Σ_j max(0, margin − s⁺_b + s⁻_bj)``

    Notes
    -----
    Source: Herbrich, Graepel and Obermayer, "Large margin rank boundaries for ordinal regression",
    2000.
    """

    name = "hinge"
    needs = Needs.NEGATIVES

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over pairs of an observed and a drawn item; see `Loss.value`."""
        return (settings.margin - scores[:, :1] + scores[:, 1:]).relu().mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the same for one user; see `Loss.slopes`."""
        return hinge_slopes(own, others, settings.margin)

    def check(self, settings: LossSettings) -> None:
        """Refuse a margin below 0."""
        check_margin(self.name, settings.margin)


class AdaptiveHinge(Hinge):
    """Hinge against the hardest of each row's own negatives.

    ``L = 1/B Σ_b max(0, margin − s⁺_b + max_j s⁻_bj)``

    Notes
    -----
    The maximum is taken along a row, that is within one user; over the wrong axis of a flat draw
    reshaped to [n, B], users would be compared with one another. Source: Weston, Bengio and
    Usunier, "WSABIE", 2011, with the sampling bounded at n as in Kula's Spotlight, 2017.
    """

    name = "adaptive_hinge"

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        return (settings.margin - scores[:, 0] + scores[:, 1:].amax(1)).relu().mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the mean over groups of ``negatives`` of the others; see `Loss.slopes`."""
        return hardest_slopes(own, others, settings)


def hinge_slopes(own: np.ndarray, others: np.ndarray, margin: float) -> Slopes:
    """Return the mean hinge of all pairs of own and other scores, and its derivatives."""
    gap = margin - own[:, None] + others[None, :]
    on = (gap > 0) / gap.size
    return Slopes(float((gap * on).sum()), -on.sum(1), on.sum(0))


def hardest_slopes(own: np.ndarray, others: np.ndarray, settings: LossSettings) -> Slopes:
    """Return the mean hinge against the hardest of each ``negatives`` others.

    It is what a loss of the hardest of n draws sees of these others on average.
    """
    m, k = len(others), settings.negatives
    groups = others[: max(1, m // k) * k].reshape(-1, min(k, m))
    at = groups.argmax(1) + np.arange(len(groups)) * groups.shape[1]
    value, up, inner = hinge_slopes(own, groups.ravel()[at], settings.margin)
    down = np.zeros(m)
    np.add.at(down, at, inner)
    return Slopes(value, up, down)


def check_margin(name: str, margin: float) -> None:
    """Refuse a margin below 0, by which an observed item may lose."""
    if margin < 0:
        raise ArgumentError(f"margin of {name} must be at least 0, not {margin}.")
