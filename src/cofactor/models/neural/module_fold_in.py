"""New users' rows of any module's user tables: descent on the training loss over a history, all
else frozen.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.data.interactions import Interactions
from cofactor.models.neural.tables import Tables
from cofactor.training import losses
from cofactor.training.settings import LossConfig

# Histories of so many users are descended on together.
_USERS = 128
_DRAWS = 512
_RATE = 0.05


def vectors(
    module: nn.Module,
    tables: Tables,
    indptr: np.ndarray,
    items: np.ndarray,
    target: np.ndarray,
    start: Tensor,
    config: LossConfig,
    data: Interactions,
    *,
    rated: bool,
) -> np.ndarray:
    """Return the rows of users never seen, float32 [B, width].

    Each user's row begins at ``start`` and takes Adam steps on the sum over the history of the
    training loss, with the training's own penalty. Adam works element by element and users share no
    element, so nobody depends on who else is in the batch. Negatives come from one fixed draw,
    without the user's own items.

    Parameters
    ----------
    module, tables
        What scores, and where users enter it.
    indptr, items, target
        CSR of the histories: int64 [B + 1], int32 [n], float32 [n].
    start
        float32 [width]: where descent begins, and what an empty history gets.
    config
        The loss; ``fold_in_steps`` is the number of steps.
    data
        The training data, for the law of negatives.
    rated
        Whether the targets are values to be predicted.
    """
    found = start.repeat(len(indptr) - 1, 1)
    for low in range(0, len(found), _USERS):
        bounds = indptr[low : low + _USERS + 1]
        span = slice(bounds[0], bounds[-1])
        if bounds[-1] > bounds[0]:
            found[low : low + _USERS] = _descended(
                module,
                tables,
                bounds - bounds[0],
                items[span],
                target[span],
                start,
                config,
                data,
                rated,
            )
    return found.numpy()


def _descended(
    module: nn.Module,
    tables: Tables,
    indptr: np.ndarray,
    items: np.ndarray,
    target: np.ndarray,
    start: Tensor,
    config: LossConfig,
    data: Interactions,
    rated: bool,
) -> Tensor:
    states = start.repeat(len(indptr) - 1, 1).requires_grad_()
    users = torch.from_numpy(np.repeat(np.arange(len(indptr) - 1), np.diff(indptr)))
    positives, wanted = (
        torch.from_numpy(items.astype(np.int64)),
        torch.from_numpy(np.ascontiguousarray(target)),
    )
    asked = (
        positives
        if rated
        else torch.cat((positives[:, None], _negatives(indptr, items, config, data)), 1)
    )
    optimizer = torch.optim.Adam([states], lr=_RATE)
    steps: int = config.fold_in_steps  # type: ignore[attr-defined]
    whose = users if rated else users[:, None].expand_as(asked)
    with torch.enable_grad():
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = _RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
            scores = tables.call(module, states, whose.reshape(-1), asked.reshape(-1)).reshape(
                asked.shape
            )
            loss = (
                losses.squared_error(scores, wanted)
                if rated
                else _ranking_loss(scores, config, data)
            )
            penalty = tables.penalty(
                module, users, asked, config.regularization, config.bias_regularization, states
            )
            # The sum over events, not their mean: then Adam's epsilon is as small beside every
            # user's gradient.
            total = (loss if penalty is None else loss + penalty) * len(users)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
    return states.detach()


def _ranking_loss(scores: Tensor, config: LossConfig, data: Interactions) -> Tensor:
    """The training's loss of scores [n, 1 + negatives], the observed item first."""
    if config.loss in ("logistic", "squared"):
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        chosen = losses.logistic if config.loss == "logistic" else losses.squared_error
        return chosen(scores.flatten(), labels.flatten())
    positive, others = scores[:, 0], scores[:, 1:]
    if config.loss == "sampled_softmax":
        # The draws follow the sampler's law here too; a constant shift of all negatives is the
        # uniform law's correction.
        shift = float(np.log(config.negatives / data.n_items))
        return losses.sampled_softmax(
            positive, others, torch.zeros_like(positive), torch.full_like(others, shift)
        )
    return losses.pairwise(config.loss, n_items=data.n_items, margin=config.margin)(
        positive, others
    )


def _negatives(
    indptr: np.ndarray, items: np.ndarray, config: LossConfig, data: Interactions
) -> Tensor:
    """For each event the next few of one fixed draw, without the user's own items: int64 [n,
    negatives].
    """
    law = np.ones(data.n_items)
    if config.sampler == "popularity":
        law = data.item_counts.astype(np.float64) ** config.popularity_power
    draws = rng.generator(0, "fold-in", data.n_items).choice(
        data.n_items, max(_DRAWS, config.negatives), p=law / law.sum()
    )
    rows = np.empty((len(items), config.negatives), np.int64)
    for user in range(len(indptr) - 1):
        span = slice(indptr[user], indptr[user + 1])
        free = draws[~np.isin(draws, items[span])]
        pool = (
            free if len(free) else draws
        )  # whoever met everything tells no taste, and gets some row
        places = np.arange((span.stop - span.start) * config.negatives) % len(pool)
        rows[span] = pool[places].reshape(-1, config.negatives)
    return torch.from_numpy(rows)
