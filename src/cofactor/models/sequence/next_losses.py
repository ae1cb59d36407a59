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
_LOGITS = 2**20  # scores of a chunk: few enough to stay in a cache
_SMALL = 40.0  # e to the power of minus this and of this are far from what float32 can't hold
_WIDE = torch.backends.cpu.get_cpu_capability() == "AVX512" and hasattr(
    torch.ops.mkldnn, "_linear_pointwise"
)
_TO_BITS = 1 / math.log(2)  # torch raises 2 to a power in a fifth of the time that e takes


class _ChunkedSoftmax(torch.autograd.Function):
    """Cross-entropy whose scores never stand in memory at once: chunk by chunk the gradients are
    computed with the loss, and kept in place of the scores.

    The true item's score is taken by itself, so it has no correction and full precision; among the
    others it is left out. Under autocast the others' scores are bfloat16.
    """

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, target: Tensor, items: Tensor, others: Tensor | None, stand_for: float
    ) -> Tensor:
        h, items, low = h.float(), items.float(), _half(h)
        table = (items if others is None else items.index_select(0, others)).to(low)
        place = target if others is None else _places(others, len(items))[target]
        true = items.index_select(0, target)
        own, read = (h * true).sum(1), (h * _TO_BITS).to(low)
        normaliser, grad_h = torch.empty_like(own), torch.empty_like(h)
        grad_table: Tensor | None = None
        chunks = max(1, round(len(h) * len(table) / _LOGITS))
        rows = max(1, -(-len(h) // chunks))
        # Scores that 2 can be raised to need nothing taken from them first.
        small = float(h.norm(dim=1).max() * items.norm(dim=1).max()) < _SMALL
        for low_row in range(0, len(h), rows):
            part = slice(low_row, low_row + rows)
            scores = _product(read[part], table)
            known = (place[part] >= 0).nonzero().squeeze(1)
            scores[known, place[part][known]] = -math.inf
            highest, total = _totals(scores, own[part], stand_for, small)
            normaliser[part] = highest + total.log()
            # The gradient by the scores is what they are now, over the total.
            grad_h[part] = _product(scores, table.T) / total[:, None]
            moved = _transposed_product(scores, (h[part] / total[:, None]).to(low))
            grad_table = moved.float() if grad_table is None else grad_table.add_(moved)
        missing = (own - normaliser).exp_().sub_(1)[:, None]
        grad_h.addcmul_(missing, true)
        assert grad_table is not None
        grad_items = grad_table if others is None else torch.zeros_like(items)
        if others is not None:
            grad_items.index_copy_(0, others, grad_table)
        grad_items.index_add_(0, target, missing * h)
        ctx.save_for_backward(grad_h, grad_items)
        return (normaliser - own).mean()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_h, grad_items = ctx.saved_tensors
        share = grad / len(grad_h)
        return share * grad_h, None, share * grad_items, None, None


def _totals(scores: Tensor, own: Tensor, stand_for: float, small: bool) -> tuple[Tensor, Tensor]:
    """Raise 2 to the scores, logarithms to base 2, less the highest, in place; return what was
    taken from them, to base e, and their sums with the true item's.
    """
    highest = torch.zeros_like(own)
    if not small:
        highest = torch.maximum(scores.amax(1), ((own - stand_for) * _TO_BITS).to(scores.dtype))
        scores.sub_(highest[:, None])
    scores.exp2_()
    highest = highest.float() / _TO_BITS + stand_for
    return highest, (own - highest).exp() + scores.sum(1)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a @ b.T``; b may be a transposed view.

    Where torch multiplies float32 by a library that leaves an AMD processor's wide registers
    alone, oneDNN takes half the time; bfloat16 it multiplies anyway.
    """
    if not _by_onednn(a):
        return a @ b.T
    made: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return made


def _transposed_product(a: Tensor, b: Tensor) -> Tensor:
    """Return ``a.T @ b``, whose transpose oneDNN makes faster."""
    return _product(b.T.contiguous(), a.T).T.contiguous() if _by_onednn(a) else a.T @ b


def _by_onednn(a: Tensor) -> bool:
    return _WIDE and a.dtype == torch.float32 and a.device.type == "cpu"


def _half(h: Tensor) -> torch.dtype:
    """The precision of large products: that of autocast where it is on."""
    kind = h.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32


def _places(rows: Tensor, n_items: int) -> Tensor:
    """Return the place of each item among distinct rows, int64 [n_items]; -1 where it doesn't."""
    places = rows.new_full((n_items,), -1)
    places[rows] = torch.arange(len(rows), device=rows.device)
    return places


def softmax(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Cross-entropy over all items, ``log Σ_j e^{s_j} − s_t``.

    Memory is bounded whatever the catalogue. Source: Bridle 1990; as the loss of a next-item
    transformer, Klenitskiy and Vasilev, "Turning Dross Into Gold Loss", RecSys 2023.
    """
    loss: Tensor = _ChunkedSoftmax.apply(h, target, items, None, 0.0)
    return loss


def sampled_softmax(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Cross-entropy against K uniform draws shared by the batch.

    ``log(e^{s_t} + Σ_k e^{s_k} N/K) − s_t``: each of the K distinct draws stands for N/K of the N
    items, which is the correction for how it was drawn; the true item isn't drawn, so it has none,
    and where it is among the draws it doesn't count twice. Source: Bengio and Senécal 2008;
    Klenitskiy and Vasilev, RecSys 2023 (shared negatives)."""
    pool = _pool(len(items), config.negatives, h.device, generator).unique()
    stand_for = math.log(len(items) / len(pool))
    loss: Tensor = _ChunkedSoftmax.apply(h, target, items, pool, stand_for)
    return loss


def gbce(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """Generalised binary cross-entropy, ``−β log σ(s_t) − Σ_k log(1 − σ(s_k))``.

    With the sampling rate ``α = K / (N − 1)`` and the calibration c: ``β = α (c (1 − 1/α) + 1/α)``;
    c = 0 is binary cross-entropy. Source: Petrov and Macdonald, "gSASRec", RecSys 2023, eq. 12, 17.
    """
    own, others = _scores(h, target, items, config, generator)
    alpha = min(1.0, config.negatives / max(1, len(items) - 1))
    beta = alpha * (config.calibration * (1 - 1 / alpha) + 1 / alpha)
    return (beta * functional.softplus(-own) + functional.softplus(others).sum(1)).mean()


def bpr_max(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> Tensor:
    """BPR-max, ``−log Σ_k p_k σ(s_t − s_k) + λ Σ_k p_k s_k²``.

    p is the softmax of the draws' scores, λ ``score_regularization``. Source: Hidasi and
    Karatzoglou, "Recurrent Neural Networks with Top-k Gains", CIKM 2018, eq. 11 and 12."""
    own, others = _scores(h, target, items, config, generator)
    weights = others.softmax(1)
    others = others.masked_fill(weights == 0, 0.0)
    gained = (weights * torch.sigmoid(own[:, None] - others)).sum(1)
    penalty = config.score_regularization * (weights * others.square()).sum(1)
    return (-(gained + 1e-10).log() + penalty).mean()


def _scores(
    h: Tensor, target: Tensor, items: Tensor, config: NextLossSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Scores of the true items [n] and of the shared draws [n, K], -inf where a draw is the true
    item.
    """
    pool = _pool(len(items), config.negatives, h.device, generator)
    own = (h * functional.embedding(target, items)).sum(1)
    others = h @ functional.embedding(pool, items).T
    others = others.masked_fill(pool[None, :] == target[:, None], -math.inf)
    return own, others


def _pool(n_items: int, wanted: int, device: torch.device, generator: torch.Generator) -> Tensor:
    """Draw items uniformly, int64; without replacement where the catalogue is small."""
    size = min(wanted, n_items)
    if size * 4 > n_items:
        return torch.randperm(n_items, generator=generator, device=device)[:size]
    return torch.randint(n_items, (size,), generator=generator, device=device)


LOSSES: dict[str, NextLoss] = {
    "softmax": softmax,
    "sampled_softmax": sampled_softmax,
    "gbce": gbce,
    "bpr_max": bpr_max,
}
