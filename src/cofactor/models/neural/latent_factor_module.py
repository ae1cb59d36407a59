"""The module behind `LatentFactor`: two tables, each row a vector and, in its last place, a
bias.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cofactor.training.torch.penalties import gravity, l2_of_batch


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """How tables score and are regularized.

    Parameters
    ----------
    biases
        Whether the last places count (else they are ignored, and stay what they were).
    user_biases
        Whether those of the users do: a loss that compares items for one user can't see them.
    cosine
        Whether scores are cosines.
    sparse
        Whether gradients hold only the rows of a batch.
    regularization, bias_regularization
        L2 of vectors, and of users' and items' biases, per example.
    user_weight, item_weight
        float32 [n_users] and [n_items]: what each one's L2 is multiplied by, or None for ones.
    item_prior
        float32 [n_items]: what items' biases are differences from, or None for zeros.
    """

    biases: bool
    user_biases: bool
    cosine: bool
    sparse: bool
    regularization: float
    bias_regularization: tuple[float, float]
    user_weight: Tensor | None = None
    item_weight: Tensor | None = None
    item_prior: Tensor | None = None


class FactorTables(nn.Module):
    """Users and items as rows ``[p_u ; b_u]`` and ``[q_i ; b_i]``: one look-up brings vector and
    bias together.

    ``s_ui = p_u · q_i + b_u + b_i + prior_i``, or the cosine of ``p_u`` and ``q_i``.

    Parameters
    ----------
    users, items
        float32 [n_users, factors + 1] and [n_items, factors + 1]: the rows to begin with.
    settings
        How they score.
    """

    user_weight: Tensor | None
    item_weight: Tensor | None
    item_prior: Tensor | None

    def __init__(self, users: Tensor, items: Tensor, settings: TableSettings) -> None:
        super().__init__()
        self.settings = settings
        self.users = nn.Embedding.from_pretrained(users, freeze=False, sparse=settings.sparse)
        self.items = nn.Embedding.from_pretrained(items, freeze=False, sparse=settings.sparse)
        self.register_buffer("user_weight", settings.user_weight, persistent=False)
        self.register_buffer("item_weight", settings.item_weight, persistent=False)
        self.register_buffer("item_prior", settings.item_prior, persistent=False)
        self._touched: tuple[Tensor, Tensor] | None = None

    def pairs(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores of pairs: users [B], items [B] give [B]; items [B, n] give [B, n]."""
        if self.settings.cosine:
            return self._cosines(self.users(users), items)
        p, q = self.users(users), self.items(items)
        self._touched = (p, q)
        if q.dim() == 3:
            p = p[:, None, :]
        left, right = p[..., :-1], q[..., :-1]
        scores = (left * right).sum(-1)
        if self.settings.biases:
            scores = scores + self._offsets(q, items)
            if self.settings.user_biases:
                scores = scores + p[..., -1]
        return scores

    def _cosines(self, p: Tensor, items: Tensor) -> Tensor:
        """Return the cosines of users' rows [B, factors + 1] with items [B] or [B, n].

        With many negatives an item is looked up many times in a batch. Each one is normalised
        once, since that and its gradient would otherwise take most of a step."""
        distinct, which = torch.unique(items, return_inverse=True)
        units = functional.normalize(self.items(distinct)[:, :-1], dim=1)
        left, right = functional.normalize(p[:, :-1], dim=1), functional.embedding(which, units)
        if items.dim() == 1:
            return (left * right).sum(-1)
        return torch.bmm(right, left[:, :, None])[..., 0]

    def whole(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores of users [B] against items [n], [B, n]."""
        p, q = self.users(users), self.items(items)
        self._touched = (p, q)
        left, right = p[:, :-1], q[:, :-1]
        if self.settings.cosine:
            return functional.normalize(left, dim=1) @ functional.normalize(right, dim=1).T
        scores = left @ right.T
        return scores + self._offsets(q, items) if self.settings.biases else scores

    def _offsets(self, rows: Tensor, items: Tensor) -> Tensor:
        """Biases of items, of their shape."""
        biases = rows[..., -1]
        return biases if self.item_prior is None else biases + self.item_prior[items.long()]

    def penalty(self, users: Tensor, items: Tensor) -> Tensor | None:
        """Return the L2 of the rows that the last call looked up, per example."""
        touched, self._touched = self._touched, None
        if self.settings.cosine or (
            self.settings.regularization == 0 and not any(self.settings.bias_regularization)
        ):
            return None
        assert touched is not None
        p, q = touched
        if self.user_weight is not None and self.item_weight is not None:
            return self._weighted(p, self.user_weight[users], 0) + self._weighted(
                q, self.item_weight[items], 1
            )
        total = self.settings.regularization * l2_of_batch(p[..., :-1], q[..., :-1])
        if self.settings.biases:
            for rows, strength in zip((p, q), self.settings.bias_regularization, strict=True):
                total = total + strength * rows[..., -1].square().sum() / len(p)
        return total

    def _weighted(self, rows: Tensor, weight: Tensor, side: int) -> Tensor:
        """The mean over examples of ``w (λ ‖vector‖² + λ_b bias²)``."""
        squares = rows.square()
        each = self.settings.regularization * squares[:, :-1].sum(1)
        if self.settings.biases:
            each = each + self.settings.bias_regularization[side] * squares[:, -1]
        return (each * weight).mean()

    def gravity(self) -> Tensor:
        """Return the mean square of ``p_u · q_i`` (or of the cosines) over all pairs."""
        left, right = self.users.weight[:, :-1], self.items.weight[:, :-1]
        if self.settings.cosine:
            left, right = functional.normalize(left, dim=1), functional.normalize(right, dim=1)
        return gravity(left, right)


def initial_rows(
    count: int, factors: int, scale: float, biases: Tensor, generator: torch.Generator
) -> Tensor:
    """Return rows to begin with: normal vectors of standard deviation ``scale``, and the given
    biases [count].
    """
    rows = torch.randn(count, factors + 1, generator=generator) * scale
    rows[:, -1] = biases
    return rows
