"""Softmax losses: over drawn items, over the items of the batch, over the whole catalogue."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.training.losses.loss import Candidates, Loss, LossSettings, Needs, Slopes

if TYPE_CHECKING:
    from torch import Tensor


class Softmax(Loss):
    """What the softmax losses share: the fold-in of one user."""

    corrects_draws = gives_log_odds = True

    @abstractmethod
    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return ``1/n Σ_j log[e^{s_j} + Σ_k e^{s_k}] − s_j``; see `Loss.slopes`."""
        top = max(float(own.max()), float(others.max()))
        e_own, e_others = np.exp(own - top), np.exp(others - top)
        whole = e_own + e_others.sum()
        value = np.mean(np.log(whole) + top - own)
        return Slopes(float(value), (e_own / whole - 1) / len(own), e_others * np.mean(1 / whole))


class SampledSoftmax(Softmax):
    """Softmax over the positive and the drawn negatives, corrected for how they were drawn.

    ``L = 1/B Σ_b −log [e^{s⁺} / (e^{s⁺} + Σ_j e^{s⁻_j − log(n q_j)})]``

    Notes
    -----
    With q the sampling distribution, ``Σ_j e^{s_j} / (n q_j)`` is an unbiased estimate of the full
    denominator's negative part; the positive is there by design and not by chance, so it has no
    correction. Source: Bengio and Senécal, "Adaptive Importance Sampling", 2008; Yi et al.,
    "Sampling-Bias-Corrected Neural Modeling", RecSys 2019, eq. 3.
    """

    name = "sampled_softmax"
    needs = Needs.NEGATIVES

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        import torch

        assert candidates.log_expected is not None
        logits = torch.cat((scores[:, :1], scores[:, 1:] - candidates.log_expected), 1)
        return (torch.logsumexp(logits, 1) - logits[:, 0]).mean()


class InBatchSoftmax(Softmax):
    """Softmax over the items of the batch itself, corrected for their popularity.

    ``L = 1/B Σ_b −log [e^{s_bb − log q_b} / Σ_{c allowed} e^{s_bc − log q_c}]``; items that are
    other positives of the user aren't allowed.

    Notes
    -----
    Source: Yi et al., "Sampling-Bias-Corrected Neural Modeling", RecSys 2019, eq. 3 to 5.
    """

    name = "in_batch_softmax"
    needs = Needs.IN_BATCH

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        import torch

        log_q, forbidden = candidates.log_expected, candidates.forbidden
        assert log_q is not None
        assert forbidden is not None
        own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        logits = (scores - log_q[None, :]).masked_fill(forbidden & ~own, -math.inf)
        return (torch.logsumexp(logits, 1) - logits.diagonal()).mean()

    def check(self, settings: LossSettings) -> None:
        """Refuse batches without other items."""
        if settings.batch_size == 1:
            raise ArgumentError(f"batch_size of {self.name} must be 0 or at least 2, not 1.")


class FullSoftmax(Softmax):
    """Softmax over the whole catalogue.

    ``L = 1/B Σ_b [log Σ_j e^{s_bj} − s_b,target]``

    Notes
    -----
    Source: Bridle, "Probabilistic Interpretation of Feedforward Classification Network Outputs",
    1990.
    """

    name = "full_softmax"
    needs = Needs.CATALOGUE

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the observed items; see `Loss.value`."""
        from torch.nn import functional

        assert candidates.target is not None
        return functional.cross_entropy(scores, candidates.target)
