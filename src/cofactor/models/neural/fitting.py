"""From interactions and a loss to the steps of the training loop: what is common to all modules
that score pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.training import losses, negatives
from cofactor.training.batches import Batches
from cofactor.training.settings import PAIRWISE, LossConfig
from cofactor.training.torch.learner import Step

# pairs(users [B], items [B] or [B, n]) -> scores of the items' shape
Pairs = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Scorer:
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


def device_of(run: Run) -> torch.device:
    """Return the device that a run means: a GPU if PyTorch sees one and the run leaves it open,
    else what it names.

    Raises
    ------
    ArgumentError
        If the named device isn't there.
    """
    if run.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(run.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ArgumentError(
            f"device {run.device!r} can't be used here ({str(error).splitlines()[0]}); use"
            " device='cpu'."
        ) from None
    return device


def examples(
    data: Interactions, config: LossConfig, run: Run, device: torch.device, offset: float, name: str
) -> Batches:
    """Return the batches of a fit: users, items, and the target of each (the value less the offset;
    1 without values).

    For losses with negatives, users who met every item are left out: no negative of theirs exists.
    """
    users = torch.as_tensor(data.user_rows, device=device)
    items = torch.as_tensor(data.item_rows, device=device)
    learns_values = config.loss == "squared" and data.values is not None
    target = (
        torch.as_tensor(data.weights, device=device) - offset
        if learns_values
        else torch.ones(len(data), device=device)
    )
    columns = (users, items, target)
    if samples(data, config):
        open_ = torch.as_tensor(data.user_counts < data.n_items, device=device)[users.long()]
        if not bool(open_.any()):
            raise ArgumentError(
                f"every user met every item, so {config.loss} finds nothing to rank below them."
            )
        columns = tuple(column[open_] for column in columns)  # type: ignore[assignment]
    return Batches(columns, config.batch_size, seed=rng.state64(run.seed, name, "batches"))


def samples(data: Interactions, config: LossConfig) -> bool:
    """Whether the loss needs sampled items on this data: where gravity holds all other pairs at
    0, none are needed.
    """
    return config.draws_negatives or (
        config.loss == "squared" and data.values is None and not getattr(config, "gravity", 0)
    )


def sampler_of(data: Interactions, config: LossConfig, device: torch.device) -> negatives.Sampler:
    """Return the sampler that the Config names.

    Raises
    ------
    ArgumentError
        If the popularity sampler leaves some user nothing to draw.
    """
    positives = negatives.Positives.of(data, device)
    if config.sampler == "uniform":
        return negatives.uniform(positives)
    sampler = negatives.popularity(positives, data.item_counts, config.popularity_power)
    # A user who took all items that anybody took has only items of law 0 left: give those a chance.
    if not bool(
        sampler.can_draw()[torch.as_tensor(data.user_counts < data.n_items, device=device)].all()
    ):
        return negatives.popularity(positives, data.item_counts + 1, config.popularity_power)
    return sampler


def step_of(
    data: Interactions,
    config: LossConfig,
    device: torch.device,
    scorer: Scorer,
    extra: Callable[[], Tensor] | None = None,
) -> Step:
    """Return the loss of a batch for the Config's loss, with the penalty and an extra term
    (gravity) added.
    """
    plain = _plain_step(data, config, device, scorer)
    if extra is None:
        return plain
    return lambda batch, generator: plain(batch, generator) + extra()


def _plain_step(
    data: Interactions, config: LossConfig, device: torch.device, scorer: Scorer
) -> Step:
    if config.loss == "squared" and not samples(data, config):
        return _values_step(scorer)
    if config.loss == "full_softmax":
        return _full_softmax_step(scorer, torch.arange(data.n_items, device=device))
    if config.loss == "in_batch_softmax":
        return _in_batch_step(
            scorer, negatives.InBatch(negatives.Positives.of(data, device), data.item_counts)
        )
    sampler = sampler_of(data, config, device)
    if config.loss in PAIRWISE:
        chosen = losses.pairwise(
            config.loss,
            n_items=data.n_items,
            margin=config.margin,
            negative_weight=config.negative_weight,
        )
        return _pairwise_step(scorer, sampler, config.negatives, chosen)
    if config.loss == "sampled_softmax":
        return _sampled_softmax_step(scorer, sampler, config.negatives)
    return _labels_step(
        scorer,
        sampler,
        config.negatives,
        losses.logistic if config.loss == "logistic" else losses.squared_error,
    )


def _with_penalty(loss: Tensor, penalty: Tensor | None) -> Tensor:
    return loss if penalty is None else loss + penalty


def _values_step(scorer: Scorer) -> Step:
    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, target = batch
        return _with_penalty(
            losses.squared_error(scorer.pairs(users, items), target), scorer.penalty(users, items)
        )

    return step


def _labels_step(
    scorer: Scorer, sampler: negatives.Sampler, n: int, loss: Callable[[Tensor, Tensor], Tensor]
) -> Step:
    """Observed items are labelled 1, sampled ones 0."""

    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, _ = batch
        asked = torch.cat((items.long()[:, None], sampler.draw(users, n, generator)), 1)
        scores = scorer.pairs(users, asked)
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        return _with_penalty(loss(scores.flatten(), labels.flatten()), scorer.penalty(users, asked))

    return step


def _pairwise_step(
    scorer: Scorer, sampler: negatives.Sampler, n: int, loss: Callable[[Tensor, Tensor], Tensor]
) -> Step:
    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, _ = batch
        asked = torch.cat((items.long()[:, None], sampler.draw(users, n, generator)), 1)
        scores = scorer.pairs(users, asked)
        return _with_penalty(loss(scores[:, 0], scores[:, 1:]), scorer.penalty(users, asked))

    return step


def _sampled_softmax_step(scorer: Scorer, sampler: negatives.Sampler, n: int) -> Step:
    # The expected count of item j among n draws is n q_j; the positive stands there by design, so
    # its correction is 0.
    log_expected = sampler.log_q + float(torch.log(torch.tensor(float(n))))

    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, _ = batch
        drawn = sampler.draw(users, n, generator)
        asked = torch.cat((items.long()[:, None], drawn), 1)
        scores = scorer.pairs(users, asked)
        positive, others = scores[:, 0], scores[:, 1:]
        loss = losses.sampled_softmax(
            positive, others, torch.zeros_like(positive), log_expected[drawn]
        )
        return _with_penalty(loss, scorer.penalty(users, asked))

    return step


def _in_batch_step(scorer: Scorer, in_batch: negatives.InBatch) -> Step:
    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, _ = batch
        scores = scorer.whole(users, items)
        loss = losses.in_batch_softmax(
            scores, in_batch.log_q(items), in_batch.forbidden(users, items)
        )
        return _with_penalty(loss, scorer.penalty(users, items))

    return step


def _full_softmax_step(scorer: Scorer, every: Tensor) -> Step:
    def step(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        users, items, _ = batch
        loss = losses.full_softmax(scorer.whole(users, every), items.long())
        return _with_penalty(loss, scorer.penalty(users, items))

    return step


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Return a module's weights and buffers by name, on the CPU."""
    return {name: tensor.detach().to("cpu") for name, tensor in module.state_dict().items()}
