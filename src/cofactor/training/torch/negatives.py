"""Negative sampling: items that a user has not interacted with, by a defined sampling distribution,
on any device.

Each sampler has a base distribution ``q`` over the items and gives, for user ``u``, exactly

``P(j | u) = q_j / Σ_{k ∉ I_u} q_k`` for ``j ∉ I_u``, and 0 for the items ``I_u`` of the user,

by drawing from q and drawing again whatever fell into I_u, until nothing is left to draw. Draws are
independent, so an item may come up twice among the n of one example."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import owners_of
from cofactor.data.interactions import Interactions
from cofactor.training.torch.ranges import ranges

# After so many rounds of rejection, the rest is drawn from the distribution over all items, with
# the user's own at 0: exact, but O(n_items).
_ROUNDS = 24
_DENSE_ROWS = 1024
# Below this size a table of all pairs (one byte each) is held instead of searching: one look-up in
# place of ~20 steps.
_TABLE_BYTES = 2**26


class Positives:
    """The observed pairs, for looking up many pairs at once.

    Parameters
    ----------
    indptr
        int64 [n_users + 1], the CSR offsets.
    item_rows
        int32 [n_pairs], ascending within each user.
    n_items
        The number of items.
    device
        The device of the lookups.

    Notes
    -----
    Pair (u, i) has the key ``u n_items + i``; keys in CSR order are sorted, so a lookup is one
    binary search. Small catalogues get a table of all pairs instead.
    """

    def __init__(
        self,
        indptr: np.ndarray,
        item_rows: np.ndarray,
        n_items: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.n_users, self.n_items, self.device = (
            len(indptr) - 1,
            int(n_items),
            torch.device(device),
        )
        self.counts = torch.as_tensor(np.diff(indptr), device=device)
        owners = owners_of(np.diff(indptr))
        keys = torch.as_tensor(owners * n_items + item_rows, device=device)
        self._table: Tensor | None = None
        if self.n_users * self.n_items <= _TABLE_BYTES:
            self._table = torch.zeros(self.n_users * self.n_items, dtype=torch.bool, device=device)
            self._table[keys] = True
        self._keys = keys
        self._starts = torch.cumsum(self.counts, 0) - self.counts

    @classmethod
    def of(cls, data: Interactions, device: torch.device | str = "cpu") -> Positives:
        """Build it from interactions."""
        return cls(data.indptr, data.item_rows, data.n_items, device)

    def holds(self, users: Tensor, items: Tensor) -> Tensor:
        """Return for each pair whether it was observed, bool of the shape that both broadcast
        to.
        """
        wanted = users.to(torch.int64) * self.n_items + items
        if self._table is not None:
            return self._table[wanted]
        if len(self._keys) == 0:
            return torch.zeros_like(wanted, dtype=torch.bool)
        place = torch.searchsorted(self._keys, wanted).clamp_max_(len(self._keys) - 1)
        return self._keys[place] == wanted

    def among(self, users: Tensor, items: Tensor) -> Tensor:
        """Return which of some items each of some users has, bool [len(users), len(items)]; items
        may come up twice.

        If the users have fewer items than there are pairs to look up, their items are marked
        instead."""
        users, items = users.to(torch.int64), items.to(torch.int64)
        lengths = self.counts[users]
        total = int(lengths.sum())
        if 4 * total > len(users) * len(items):
            return self.holds(users[:, None], items[None, :])
        _, at = ranges(self._starts[users], lengths)
        owners = torch.repeat_interleave(torch.arange(len(users), device=self.device), lengths)
        distinct, which = torch.unique(items, return_inverse=True)
        # One more column takes items that aren't among the given ones.
        place = torch.full((self.n_items,), len(distinct), dtype=torch.int64, device=self.device)
        place[distinct] = torch.arange(len(distinct), device=self.device)
        marked = torch.zeros((len(users), len(distinct) + 1), dtype=torch.bool, device=self.device)
        marked[owners, place[self._keys[at] % self.n_items]] = True
        return marked[:, which]

    def rows(self, users: Tensor) -> Tensor:
        """Return the observed items of a few users as a table, bool [len(users), n_items]."""
        every = torch.arange(self.n_items, device=self.device)
        return self.holds(users[:, None], every[None, :])


@dataclass
class Sampler:
    """Draws by a base distribution q with exact rejection of the user's positives.

    Parameters
    ----------
    positives
        What must never be drawn.
    distribution
        float64 [n_items], at least 0, with a positive sum: q up to its scale.
    """

    positives: Positives
    distribution: Tensor

    def __post_init__(self) -> None:
        distribution = torch.as_tensor(
            self.distribution, dtype=torch.float64, device=self.positives.device
        )
        total = float(distribution.sum())
        if (
            distribution.shape != (self.positives.n_items,)
            or not bool((distribution >= 0).all())
            or not 0 < total < float("inf")
        ):
            raise ArgumentError(
                "a sampling distribution must be one finite number, at least 0, for each item, and"
                " not all 0."
            )
        self.distribution = distribution / total
        self._is_uniform = bool((distribution == distribution[0]).all())
        self._cumulated = torch.cumsum(self.distribution, 0)

    @property
    def log_q(self) -> Tensor:
        """log q_j before rejection, float32 [n_items]."""
        return self.distribution.clamp_min(1e-300).log().to(torch.float32)

    def can_draw(self) -> Tensor:
        """Return for each user whether any item with q > 0 is left to draw, bool [n_users]."""
        allowed = self.distribution > 0
        n_allowed = int(allowed.sum())
        keys = self.positives._keys
        owners = torch.div(keys, self.positives.n_items, rounding_mode="floor")
        taken = torch.zeros(self.positives.n_users, dtype=torch.int64, device=keys.device)
        taken.index_add_(0, owners, allowed[keys % self.positives.n_items].to(torch.int64))
        return taken < n_allowed

    def draw(self, users: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Draw n negatives for each user.

        Parameters
        ----------
        users
            int [B] user rows, on the device of the positives.
        n
            Negatives of each, at least 1.
        generator
            A generator of that device.

        Returns
        -------
        Tensor
            int64 [B, n] item rows.

        Raises
        ------
        ArgumentError
            If a user has interacted with every item that could be drawn.
        """
        items = self._propose(users.numel() * n, generator).view(-1, n)
        owners = users.to(torch.int64)[:, None].expand(-1, n)
        flat, owners = items.view(-1), owners.reshape(-1)
        open_ = self.positives.holds(owners, flat).nonzero().squeeze(1)
        for _ in range(_ROUNDS):
            if len(open_) == 0:
                return items
            again = self._propose(len(open_), generator)
            flat[open_] = again
            open_ = open_[self.positives.holds(owners[open_], again)]
        for part in open_.split(_DENSE_ROWS):
            flat[part] = self._written_out(owners[part], generator)
        return items

    def _propose(self, count: int, generator: torch.Generator) -> Tensor:
        device = self.positives.device
        if self._is_uniform:
            return torch.randint(
                self.positives.n_items, (count,), generator=generator, device=device
            )
        uniform = (
            torch.rand(count, generator=generator, device=device, dtype=torch.float64)
            * self._cumulated[-1]
        )
        # right=True: the first item whose cumulated probability is above the draw, so items of
        # probability 0 are never drawn.
        return torch.searchsorted(self._cumulated, uniform, right=True).clamp_max_(
            self.positives.n_items - 1
        )

    def _written_out(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One draw for each user from q with the positives at 0."""
        distribution = self.distribution[None, :].masked_fill(self.positives.rows(users), 0.0)
        if bool((distribution.sum(1) <= 0).any()):
            stuck = int(users[(distribution.sum(1) <= 0).nonzero()[0, 0]])
            raise ArgumentError(
                f"user row {stuck} has interacted with every item that negatives are drawn from; "
                "leave such users out of pairwise training (see Sampler.can_draw)."
            )
        return torch.multinomial(distribution, 1, generator=generator).squeeze(1)


def uniform(positives: Positives) -> Sampler:
    """Return the sampler with ``q_j = 1 / n_items``: all items that the user hasn't
    interacted with are equally likely.
    """
    return Sampler(positives, torch.ones(positives.n_items, dtype=torch.float64))


def popularity(positives: Positives, counts: np.ndarray | Tensor, power: float = 0.75) -> Sampler:
    """Return the sampler with ``q_j ∝ count_j^power``.

    Parameters
    ----------
    positives
        What must never be drawn.
    counts
        int [n_items]: the interactions of each item; an item without any is never drawn (unless
        power is 0).
    power
        1 draws by popularity, 0 uniformly, 0.75 is word2vec's choice (Mikolov et al., NeurIPS
        2013).
    """
    return Sampler(positives, torch.as_tensor(np.asarray(counts), dtype=torch.float64) ** power)


@dataclass
class InBatch:
    """The other items of the batch as negatives.

    A batch of B examples drawn uniformly from the data holds item j with probability ``q_j =
    count_j / n_pairs`` at each place, so negatives come by popularity; `log_q` is what the softmax
    subtracts for it. Items that the user has interacted with are forbidden exactly, wherever else
    in the batch they stand.

    Parameters
    ----------
    positives
        What must not count as a negative.
    counts
        int [n_items]: the interactions of each item.
    """

    positives: Positives
    counts: np.ndarray | Tensor

    def __post_init__(self) -> None:
        counts = torch.as_tensor(
            np.asarray(self.counts), dtype=torch.float64, device=self.positives.device
        )
        self._log_q = (counts / counts.sum()).clamp_min(1e-300).log().to(torch.float32)
        self._last: tuple[Tensor, Tensor, Tensor] | None = None

    def log_q(self, items: Tensor) -> Tensor:
        """Return log q of some items, float32 of their shape."""
        return self._log_q[items]

    def forbidden(self, users: Tensor, items: Tensor) -> Tensor:
        """Return which item c is a positive of which user b, bool [B, B]; the diagonal is always
        True.

        The last result is kept: a loss that is computed twice on one batch looks up once.
        """
        if self._last is None or self._last[0] is not users or self._last[1] is not items:
            self._last = (users, items, self.positives.among(users, items))
        return self._last[2]
