"""Losses of the next item, over the whole catalogue or over sampled items shared by a batch.

Legend: ``h`` [n, width] hidden vectors, ``t`` [n] the rows of the next items, ``E`` [n_items,
width] item embeddings, ``s_j = h · E_j``. All return the mean over the n places.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional


class NextLossSettings(Protocol):
    """The settings that losses of the next item read."""

    @property
    def negatives(self) -> int:
        """Items drawn for each batch."""

    @property
    def calibration(self) -> float:
        """Of gbce, in [0, 1]."""

    @property
    def score_regularization(self) -> float:
        """Of bpr_max."""


# loss(h, t, E, config, generator)
NextLoss = Callable[[Tensor, Tensor, Tensor, NextLossSettings, torch.Generator], Tensor]
_LOGITS = 2**23  # scores of a chunk: 32 MiB


class _ChunkedSoftmax(torch.autograd.Function):
    """Cross-entropy over all items whose scores never stand in memory at once: chunk by chunk the
    gradients are computed with the loss, and kept in place of the scores.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, target: Tensor, items: Tensor) -> Tensor:
        total = h.new_zeros(())
        grad_h, grad_items = torch.empty_like(h), torch.zeros_like(items)
        rows = max(1, _LOGITS // len(items))
        for low in range(0, len(h), rows):
            part, right = h[low : low + rows], target[low : low + rows]
            scores = part @ items.T
            normaliser = scores.logsumexp(1)
            own = scores.gather(1, right[:, None]).squeeze(1)
            total += (normaliser - own).sum()
            # softmax less the true item, over n: the gradient by the scores.
            slope = scores.sub_(normaliser[:, None]).exp_()
            slope[torch.arange(len(part), device=h.device), right] -= 1
            slope /= len(h)
            grad_h[low : low + rows] = slope @ items
            grad_items.addmm_(slope.T, part)
        ctx.save_for_backward(grad_h, grad_items)
        return total / len(h)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor]:
        grad_h, grad_items = ctx.saved_tensors
        return grad * grad_h, None, grad * grad_items


def softmax(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Cross-entropy over all items, ``log Σ_j e^{s_j} − s_t``.

    Memory is bounded whatever the catalogue. Source: Bridle 1990; as the loss of a next-item
    transformer, Klenitskiy and Vasilev, "Turning Dross Into Gold Loss", RecSys 2023.
    """
    loss: Tensor = _ChunkedSoftmax.apply(h.float(), target, items.float())
    return loss


def sampled_softmax(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Cross-entropy against K uniform draws shared by the batch.

    ``log(e^{s_t} + Σ_k e^{s_k} N/K) − s_t``: each draw stands for N/K of the N items, which is the
    correction for how it was drawn; the true item isn't drawn, so it has none, and where it is
    among the draws it doesn't count twice. Source: Bengio and Senécal 2008; Klenitskiy and Vasilev,
    RecSys 2023 (shared negatives)."""
    own, others, correction = _scores(h, target, items, config, generator)
    logits = torch.cat((own[:, None], others + correction), 1)
    return (logits.logsumexp(1) - own).mean()


def gbce(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Generalised binary cross-entropy, ``−β log σ(s_t) − Σ_k log(1 − σ(s_k))``.

    With the sampling rate ``α = K / (N − 1)`` and the calibration c: ``β = α (c (1 − 1/α) + 1/α)``;
    c = 0 is binary cross-entropy. Source: Petrov and Macdonald, "gSASRec", RecSys 2023, eq. 12, 17.
    """
    own, others, _ = _scores(h, target, items, config, generator)
    alpha = min(1.0, config.negatives / max(1, len(items) - 1))
    beta = alpha * (config.calibration * (1 - 1 / alpha) + 1 / alpha)
    return (beta * functional.softplus(-own) + functional.softplus(others).sum(1)).mean()


def bpr_max(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """BPR-max, ``−log Σ_k p_k σ(s_t − s_k) + λ Σ_k p_k s_k²``.

    p is the softmax of the draws' scores, λ ``score_regularization``. Source: Hidasi and
    Karatzoglou, "Recurrent Neural Networks with Top-k Gains", CIKM 2018, eq. 11 and 12."""
    own, others, _ = _scores(h, target, items, config, generator)
    weights = others.softmax(1)
    others = others.masked_fill(weights == 0, 0.0)
    gained = (weights * torch.sigmoid(own[:, None] - others)).sum(1)
    penalty = config.score_regularization * (weights * others.square()).sum(1)
    return (-(gained + 1e-10).log() + penalty).mean()


def _scores(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor, float]:
    """Scores of the true items [n] and of the shared draws [n, K] (-inf where a draw is the true
    item), and the log of how many items each draw stands for.
    """
    n_items, size = len(items), min(config.negatives, len(items))
    # Without replacement where the catalogue is small: every item at most once.
    if size * 4 > n_items:
        pool = torch.randperm(n_items, generator=generator, device=h.device)[:size]
    else:
        pool = torch.randint(n_items, (size,), generator=generator, device=h.device)
    own = (h * functional.embedding(target, items)).sum(1)
    others = h @ functional.embedding(pool, items).T
    others = others.masked_fill(pool[None, :] == target[:, None], -math.inf)
    return own, others, math.log(n_items / size)


LOSSES: dict[str, NextLoss] = {
    "softmax": softmax,
    "sampled_softmax": sampled_softmax,
    "gbce": gbce,
    "bpr_max": bpr_max,
}
