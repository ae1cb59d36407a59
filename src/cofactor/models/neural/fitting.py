"""From interactions and a loss to the steps of the training loop: what is common to all modules
that score pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.rating_scale import spread_of
from cofactor.training.losses import Candidates, Needs, Pointwise
from cofactor.training.losses.loss_config import LossConfig
from cofactor.training.torch import forking as _forking  # noqa: F401
from cofactor.training.torch import negatives
from cofactor.training.torch.batches import Batches
from cofactor.training.torch.learner import Step

# pairs(users [B], items [B] or [B, n]) -> scores of the items' shape
Pairs = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class PairScorer:
    """How a module scores, as the losses see it.

    Parameters
    ----------
    pairs
        Scores of pairs: ``pairs(users [B], items [B])`` gives [B], ``pairs(users [B], items [B,
        n])`` gives [B, n].
    penalty
        The regulariser of what a batch touched: ``penalty(users, items)`` with items of any shape,
        a scalar or None.
    whole
        Scores of users against many items: ``whole(users [B], items [n])`` gives [B, n].
    """

    pairs: Pairs
    penalty: Callable[[Tensor, Tensor], Tensor | None]
    whole: Pairs


def unit_of(data: Interactions, config: LossConfig) -> float:
    """Return the unit in which values are learned: `spread_of`, or 1 where none are."""
    return spread_of(data) if config.fits(data) else 1.0


def popularity_prior(data: Interactions, config: LossConfig, weight: float) -> np.ndarray | None:
    """Return what the loss is least at as long as nothing personal is known, float32 [n_items], or
    None where values are learned, the weight is 0, or the loss has no such scores (hinges).

    With n_j interactions of n in all (half a one for an item without any), K negatives and the
    sampling distribution q, an item's odds are ``o_j = n_j / (n K q_j)``. The prior is ``c log
    o_j``, for squared error on drawn negatives ``c o_j / (1 + o_j)``; q_j is 1 where the loss
    corrects for it.

    Parameters
    ----------
    data, config
        The training interactions, and the loss and its negatives.
    weight
        c; 0: none.
    """
    needs, objective = config.needs(data), config.objective
    quadratic = isinstance(objective, Pointwise) and objective.is_quadratic
    if not weight or needs is Needs.PAIRS or not (objective.gives_log_odds or quadratic):
        return None
    log_odds = np.log(np.maximum(data.item_counts, 0.5))
    if needs is Needs.NEGATIVES:
        q = np.ones(data.n_items)
        if config.negative_sampling == "popularity" and not objective.corrects_draws:
            q = np.maximum(data.item_counts, 0.5) ** config.negative_power
        log_odds -= np.log(config.negatives * max(1, len(data)) * q / q.sum())
    if quadratic:
        log_odds = 1 / (1 + np.exp(-log_odds))
    return (weight * log_odds).astype(np.float32)


def examples(
    data: Interactions, config: LossConfig, run: Run, device: torch.device, offset: float, name: str
) -> Batches:
    """Return the batches of a fit: users, items, and the target of each (the value less the offset,
    in units of `unit_of`; 1 without values).

    For losses with negatives, users who interacted with every item are left out: no negative of
    theirs exists.
    """
    users = torch.as_tensor(data.user_rows, device=device)
    items = torch.as_tensor(data.item_rows, device=device)
    target = (
        (torch.as_tensor(data.weights, device=device) - offset) / unit_of(data, config)
        if config.fits(data)
        else torch.ones(len(data), device=device)
    )
    columns: tuple[torch.Tensor, ...] = (users, items, target)
    if config.needs(data) is Needs.NEGATIVES:
        open_ = torch.as_tensor(data.user_counts < data.n_items, device=device)[users.long()]
        if not bool(open_.any()):
            raise ArgumentError(
                f"every user has interacted with every item, so {config.objective.name} has no"
                " negatives to sample; use a model without negatives (item_knn, ease), or ratings"
                " with a loss that fits them."
            )
        columns = tuple(column[open_] for column in columns)
    per_batch = config.batch_of(len(columns[0]))
    return Batches(columns, per_batch, seed=rng.state64(run.seed, name, "batches"))


def sampler_of(data: Interactions, config: LossConfig, device: torch.device) -> negatives.Sampler:
    """Return the sampler that the Config names."""
    positives = negatives.Positives.of(data, device)
    if config.negative_sampling == "uniform":
        return negatives.uniform(positives)
    sampler = negatives.popularity(positives, data.item_counts, config.negative_power)
    # A user who has all items with interactions has only items of probability 0 left: give those a
    # chance.
    if not bool(
        sampler.can_draw()[torch.as_tensor(data.user_counts < data.n_items, device=device)].all()
    ):
        return negatives.popularity(positives, data.item_counts + 1, config.negative_power)
    return sampler


def step_of(
    data: Interactions,
    config: LossConfig,
    device: torch.device,
    scorer: PairScorer,
    extra: Callable[[], Tensor] | None = None,
) -> Step:
    """Return the loss of a batch for the Config's loss, with the penalty and an extra term
    (gravity) added.
    """
    scored = _SCORED[config.needs(data)](data, config, device, scorer)
    value = config.objective.value

    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        scores, candidates, touched = scored(batch, generator)
        loss = value(scores, candidates, config)
        penalty = scorer.penalty(batch[0], touched)
        loss = loss if penalty is None else loss + penalty
        return loss if extra is None else loss + extra()

    return step


class Scored(NamedTuple):
    """The scores of a batch, what they are scores of, and the items whose rows were looked up."""

    scores: Tensor
    candidates: Candidates
    items: Tensor


Scoring = Callable[[tuple[Tensor, ...], torch.Generator], Scored]


def _of_pairs(
    data: Interactions, config: LossConfig, device: torch.device, scorer: PairScorer
) -> Scoring:
    def scored(batch: tuple[Tensor, ...], generator: torch.Generator) -> Scored:
        users, items, target = batch
        return Scored(scorer.pairs(users, items), Candidates(data.n_items, target), items)

    return scored


def _of_negatives(
    data: Interactions, config: LossConfig, device: torch.device, scorer: PairScorer
) -> Scoring:
    sampler = sampler_of(data, config, device)
    # The expected count of item j among n draws is n q_j.
    log_expected = sampler.log_q + float(torch.log(torch.tensor(float(config.negatives))))

    def scored(batch: tuple[Tensor, ...], generator: torch.Generator) -> Scored:
        users, items, _ = batch
        drawn = sampler.draw(users, config.negatives, generator)
        item_rows = torch.cat((items.long()[:, None], drawn), 1)
        correction = log_expected[drawn] if config.objective.corrects_draws else None
        candidates = Candidates(data.n_items, log_expected=correction)
        return Scored(scorer.pairs(users, item_rows), candidates, item_rows)

    return scored


def _of_batch(
    data: Interactions, config: LossConfig, device: torch.device, scorer: PairScorer
) -> Scoring:
    in_batch = negatives.InBatch(negatives.Positives.of(data, device), data.item_counts)

    def scored(batch: tuple[Tensor, ...], generator: torch.Generator) -> Scored:
        users, items, _ = batch
        candidates = Candidates(
            data.n_items,
            log_expected=in_batch.log_q(items),
            forbidden=in_batch.forbidden(users, items),
        )
        return Scored(scorer.whole(users, items), candidates, items)

    return scored


def _of_catalogue(
    data: Interactions, config: LossConfig, device: torch.device, scorer: PairScorer
) -> Scoring:
    every = torch.arange(data.n_items, device=device)

    def scored(batch: tuple[Tensor, ...], generator: torch.Generator) -> Scored:
        users, items, _ = batch
        return Scored(scorer.whole(users, every), Candidates(data.n_items, items.long()), items)

    return scored


_SCORED = {
    Needs.PAIRS: _of_pairs,
    Needs.NEGATIVES: _of_negatives,
    Needs.IN_BATCH: _of_batch,
    Needs.CATALOGUE: _of_catalogue,
}


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's weights and buffers by name, on the CPU."""
    return {name: tensor.detach().to("cpu") for name, tensor in module.state_dict().items()}
