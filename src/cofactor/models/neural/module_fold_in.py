"""New users' rows of any module's user tables: descent on the training loss over a history, all
else frozen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.threads import torch_threads_for
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.bias_term import BiasTermConfig
from cofactor.models.neural.embedding_tables import Tables
from cofactor.training.losses import LOSSES, Candidates, Loss, Needs
from cofactor.training.losses.loss_config import LossConfig

# Histories are descended on together up to so many scores: their hidden layers stay in the cache.
_SCORES = 2048
_DRAWS = 512
_RATE = 0.05


class ModuleConfig(LossConfig, BiasTermConfig):
    """Settings of every module that scores pairs."""

    fold_in_steps: int = setting(
        150, low=1, high=10_000, doc="Gradient steps for the vector of an unseen user."
    )
    popularity_prior: float = setting(
        0.0,
        low=0.0,
        high=2.0,
        doc=(
            "With a loss that ranks: weight of an item's popularity (its log odds) in the"
            " scores, on top of which the network learns; 0: none."
        ),
    )

    def on(self, data: Interactions) -> Self:
        """Return the settings without None in what follows the data."""
        return self

    def check(self) -> None:
        """Refuse losses that would run the whole module for every item of each example."""
        super().check()
        if not _is_of_pairs(self.objective):
            names = ", ".join(name for name, loss in LOSSES.items() if _is_of_pairs(loss))
            raise ArgumentError(
                f"{self._label('loss')} can't be {self.objective.name}, which needs"
                f" {self.objective.needs.value} or cosines; use one of {names}."
            )


def _is_of_pairs(loss: Loss) -> bool:
    return loss.needs in (Needs.PAIRS, Needs.NEGATIVES) and not loss.uses_cosine


@dataclass(frozen=True)
class FoldIn:
    """What new users are folded in by.

    Parameters
    ----------
    tables
        Where users enter the module.
    start
        float32 [width]: where descent begins, and what an empty history gets.
    config
        The loss; ``fold_in_steps`` is the number of steps.
    needs
        What the loss needs: with `Needs.PAIRS` the targets are predicted.
    item_counts
        int64 [n_items], for popularity sampling.
    prior
        float32 [n_items]: what is added to the module's scores.
    """

    tables: Tables
    start: Tensor
    config: ModuleConfig
    needs: Needs
    item_counts: np.ndarray
    prior: Tensor

    def rows(
        self, module: nn.Module, indptr: np.ndarray, items: np.ndarray, target: np.ndarray
    ) -> np.ndarray:
        """Return the rows of users never seen, float32 [B, width].

        Each user's row takes Adam steps on the sum over the history of the training loss, with the
        training's own penalty. Adam works element by element and users share no element, so nobody
        depends on who else is in the batch. Negatives come from one fixed draw, without the user's
        own items.

        Parameters
        ----------
        module
            What scores, used by no other thread.
        indptr, items, target
            CSR of the histories: int64 [B + 1], int32 [n], float32 [n].
        """
        found = self.start.repeat(len(indptr) - 1, 1)
        each = 1 if self.needs is Needs.PAIRS else 1 + self.config.negatives
        low = 0
        while low < len(found):
            high = int(np.searchsorted(indptr, indptr[low] + _SCORES // each, side="right")) - 1
            high = min(max(high, low + 1), len(found))
            bounds = indptr[low : high + 1]
            span = slice(bounds[0], bounds[-1])
            if bounds[-1] > bounds[0]:
                # However many there are in all, they are descended on in small parts.
                with torch_threads_for((span.stop - span.start) * each):
                    found[low:high] = self._descended(
                        module, bounds - bounds[0], items[span], target[span]
                    )
            low = high
        return found.numpy()

    def _descended(
        self, module: nn.Module, indptr: np.ndarray, items: np.ndarray, target: np.ndarray
    ) -> Tensor:
        lengths = torch.from_numpy(np.diff(indptr))
        users = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
        item_rows, candidates = self._sampled(indptr, items, target)
        whose = users if item_rows.dim() == 1 else users[:, None].expand_as(item_rows)
        pairs = whose.reshape(-1), item_rows.reshape(-1)
        config = self.config
        held = self.tables.strengths(module, config.regularization, config.bias_regularization)
        # The sum over events, not their mean: then Adam's epsilon is as small beside every user's
        # gradient.
        held = lengths[:, None] * held
        prior = self.prior[item_rows]

        def gradient(rows: Tensor) -> Tensor:
            rows = rows.requires_grad_()
            weights = self.tables.weights(module, self.tables.users, rows)
            scores = self.tables.call(module, weights, *pairs).reshape(item_rows.shape)
            loss = config.objective.value(scores + prior, candidates, config) * len(users)
            return torch.autograd.grad(loss, rows)[0] + 2 * held * rows.detach()

        return _adam(gradient, self.start.repeat(len(lengths), 1), config.fold_in_steps)

    def _sampled(
        self, indptr: np.ndarray, items: np.ndarray, target: np.ndarray
    ) -> tuple[Tensor, Candidates]:
        """The items whose scores the loss needs, and what they are."""
        n_items = len(self.item_counts)
        own = torch.from_numpy(items.astype(np.int64))
        if self.needs is Needs.PAIRS:
            return own, Candidates(n_items, torch.from_numpy(np.ascontiguousarray(target)))
        drawn = self._negatives(indptr, items)
        # The draws follow the sampling distribution here too; a constant shift of all negatives is
        # the uniform one's correction.
        shift = float(np.log(self.config.negatives / n_items))
        expected = torch.full(drawn.shape, shift)
        return torch.cat((own[:, None], drawn), 1), Candidates(n_items, log_expected=expected)

    def _negatives(self, indptr: np.ndarray, items: np.ndarray) -> Tensor:
        """For each event the next few of one fixed draw, without the user's own items: int64 [n,
        negatives].
        """
        n_items, negatives = len(self.item_counts), self.config.negatives
        q = np.ones(n_items)
        if self.config.negative_sampling == "popularity":
            q = self.item_counts.astype(np.float64) ** self.config.negative_power
        draws = rng.generator(0, "fold-in", n_items).choice(
            n_items, max(_DRAWS, negatives), p=q / q.sum()
        )
        rows = np.empty((len(items), negatives), np.int64)
        for user in range(len(indptr) - 1):
            span = slice(indptr[user], indptr[user + 1])
            free = draws[~np.isin(draws, items[span])]
            # Who has interacted with everything says nothing, and gets some row.
            pool = free if len(free) else draws
            places = np.arange((span.stop - span.start) * negatives) % len(pool)
            rows[span] = pool[places].reshape(-1, negatives)
        return torch.from_numpy(rows)


def _adam(gradient: Callable[[Tensor], Tensor], rows: Tensor, steps: int) -> Tensor:
    """Adam with its usual constants, by hand: for so few numbers the optimiser's own bookkeeping is
    what costs. The rate falls to 0 by half a cosine.

    Notes
    -----
    Source: Kingma and Ba, "Adam", ICLR 2015, algorithm 1.
    """
    mean, square = torch.zeros_like(rows), torch.zeros_like(rows)
    with torch.enable_grad():
        for step in range(steps):
            slope = gradient(rows)
            mean.lerp_(slope, 0.1)
            square.mul_(0.999).addcmul_(slope, slope, value=0.001)
            rate = _RATE * 0.5 * (1 + cos(pi * step / steps)) / (1 - 0.9 ** (step + 1))
            spread = square.sqrt().div_((1 - 0.999 ** (step + 1)) ** 0.5).add_(1e-8)
            rows = rows.detach().addcdiv(mean, spread, value=-rate)
    return rows
