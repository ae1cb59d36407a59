"""The tables behind `SimpleX`: a user is a vector of its own and the mean of its history."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cofactor.models.neural.latent_factor_module import FactorTables, TableSettings
from cofactor.training.torch.ranges import ranges

_USERS = 4096  # whose vectors are made at a time


class Aggregation(NamedTuple):
    """How histories become vectors.

    Parameters
    ----------
    indptr, item_rows
        CSR of the training histories, int64 [n_users + 1] and [n].
    own_share
        g: the weight of the user's own vector, 0..1.
    """

    indptr: Tensor
    item_rows: Tensor
    own_share: float

    @classmethod
    def of(cls, indptr: np.ndarray, item_rows: np.ndarray, own_share: float) -> Aggregation:
        """Make it of arrays."""
        rows = torch.from_numpy(item_rows.astype(np.int64))
        return cls(torch.from_numpy(indptr.astype(np.int64)), rows, own_share)


class HistoryTable(nn.Module):
    """Rows ``g p_u + (1 - g) M mean_{j in I_u} q_j``, with a last place of 0.

    In training the item that is to be predicted is left out of the mean, so that nothing is
    predicted by itself.

    Parameters
    ----------
    own
        The users' table p, or None where g is 0.
    items
        The items' table q, shared with what is scored.
    aggregation
        The histories, and g.
    """

    indptr: Tensor
    item_rows: Tensor

    def __init__(self, own: nn.Embedding | None, items: nn.Embedding, how: Aggregation) -> None:
        super().__init__()
        width = items.weight.shape[1] - 1
        self.own, self.items, self.own_share = own, items, how.own_share
        self.map = nn.Parameter(torch.eye(width))
        self.register_buffer("indptr", how.indptr, persistent=False)
        self.register_buffer("item_rows", how.item_rows, persistent=False)
        self.target: Tensor | None = None

    def forward(self, users: Tensor) -> Tensor:
        """Return the rows of users [B], [B, factors + 1]."""
        users = users.long()
        distinct, which = torch.unique(users, return_inverse=True)
        begin = self.indptr[distinct]
        lengths = self.indptr[distinct + 1] - begin
        offsets, at = ranges(begin, lengths)
        table = self.items.weight[:, :-1]
        sums = functional.embedding_bag(self.item_rows[at], table, offsets, mode="sum")
        counts = lengths[which].to(sums.dtype)
        total = sums[which]
        if self.target is not None:
            total, counts = total - table[self.target.long()], counts - 1
        rows = total / counts.clamp(min=1)[:, None] @ self.map * (1 - self.own_share)
        if self.own is not None:
            rows = rows + self.own_share * self.own(users)[:, :-1]
        return functional.pad(rows, (0, 1))

    @property
    def weight(self) -> Tensor:
        """The rows of all users, with their whole histories."""
        self.target = None
        users = torch.arange(len(self.indptr) - 1, device=self.indptr.device)
        return torch.cat([self(some) for some in users.split(_USERS)])


class HistoryTables(FactorTables):
    """The tables of `LatentFactor` with users as `HistoryTable` has them.

    Parameters
    ----------
    users, items, settings
        As of `FactorTables`.
    how
        How histories become vectors.
    """

    def __init__(
        self, users: Tensor, items: Tensor, settings: TableSettings, how: Aggregation
    ) -> None:
        super().__init__(users, items, settings)
        self.histories = HistoryTable(self.users if how.own_share else None, self.items, how)
        self.users = self.histories

    def pairs(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores of pairs, the first item of each row being the user's own."""
        self.histories.target = items[:, 0] if items.dim() == 2 else items
        return super().pairs(users, items)

    def whole(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the scores of users against many items, each with its whole history."""
        self.histories.target = None
        return super().whole(users, items)
