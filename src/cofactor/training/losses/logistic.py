"""The logistic loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.training.losses.loss import Pointwise, sigmoid, softplus

if TYPE_CHECKING:
    from torch import Tensor


class Logistic(Pointwise):
    """Mean logistic loss of single pairs, on scores before the sigmoid.

    ``L = 1/B Σ_b [softplus(s_b) − y_b s_b]``, which is ``−y log σ(s) − (1 − y) log(1 − σ(s))``.

    Notes
    -----
    Source: He et al., "Neural Collaborative Filtering", WWW 2017, eq. 7.
    """

    name = "logistic"
    gives_log_odds = True

    def each(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return ``softplus(s) − y s``."""
        from torch.nn import functional

        return functional.softplus(scores) - target * scores

    def each_slope(self, scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ``softplus(s) − y s`` and ``σ(s) − y``."""
        return softplus(scores) - target * scores, sigmoid(scores) - target

    def link(self, scores: np.ndarray) -> np.ndarray:
        """Return the probability ``σ(s)``."""
        return (1 / (1 + np.exp(-scores.astype(np.float64)))).astype(np.float32)
