"""What the SGD of rating models shares: its walks, and where biases start and their penalty, so
that they end near the damped means that the ratings ask for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.damped_biases import Damping, damped_biases
from cofactor.models.defaults.noise import RatingPenalties
from cofactor.models.explicit.ratings import RatingHooks, RatingLearner, shuffled_walks

# Turns of the damped means that biases start from: two digits are enough for a start.
_TURNS = 5


def rate_of_all_epochs(config: Any) -> float:
    """Return R, the sum of the biases' learning rates over the epochs.

    From 0, a bias of n ratings gets to ``1 - exp(-R n)`` of the mean of what it is to explain: as
    if it were damped by about 1/R pseudo-ratings.
    """
    rates, epochs = config.rates(), config.epochs
    return config.bias_learning_rate * sum(
        rates.factor(epoch, epochs, epoch, epochs) for epoch in range(epochs)
    )


def started_biases(
    data: Interactions, damping: Damping, config: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the biases of users and of items start, float32.

    At the share of the damped mean that the rates don't reach from 0 even if twice the damping λ
    would do, since vectors explain a part of it: ``max(0, 1 - exp(R n) 2λ / (n + 2λ))``. It is 0
    for most rows of most data, and nearly 1 for users who rate around means of their own, with few
    ratings each.
    """
    rate = rate_of_all_epochs(config)
    shares = [
        np.clip(1 - np.exp(np.minimum(rate * counts, 80.0)) * 2 * by / (counts + 2 * by), 0, 1)
        for counts, by in zip((data.user_counts, data.item_counts), damping, strict=True)
    ]
    _, *biases = damped_biases(data, *damping, turns=_TURNS)
    users, items = (
        (bias * share).astype(np.float32) for bias, share in zip(biases, shares, strict=True)
    )
    return users, items


def with_sgd_penalties(
    least: RatingPenalties, data: Interactions, damping: Damping, config: Any
) -> RatingPenalties:
    """Return penalties with those of biases raised where the ratings ask for more damping than by
    rates that run out.
    """
    by_rates = 1 / rate_of_all_epochs(config)
    users, items = (
        (by - by_rates) * np.count_nonzero(counts) / max(1, len(data))
        for by, counts in zip(damping, (data.user_counts, data.item_counts), strict=True)
    )
    return least._replace(
        user_bias=max(least.user_bias, users), item_bias=max(least.item_bias, items)
    )


class SGDLearner(RatingLearner):
    """Stochastic gradient descent from damped biases on.

    Parameters
    ----------
    model, data, run
        As of a `RatingLearner`.
    blocks
        Where blocks of items begin, in which a user's ratings are walked together; None: as
        `item_blocks` has them.
    """

    def __init__(
        self, model: RatingHooks, data: Interactions, run: Run, blocks: np.ndarray | None = None
    ) -> None:
        from cofactor.kernels.cpu.mf_sgd import padded

        super().__init__(model, data, run)
        blocks = item_blocks(data) if blocks is None else blocks
        self.walks = shuffled_walks(data, blocks, run.generator(self.name, "walks"))
        users, items = padded(model.user_factors), padded(model.item_factors)
        model.user_bias[:], model.item_bias[:] = started_biases(data, model._damping, self.config)
        self.held = (model.user_bias, model.item_bias, users, items)
        # What is learned are the kernel's rows without what they are filled up with.
        factors = model.user_factors.shape[1]
        self.live |= {"user_factors": users[:, :factors], "item_factors": items[:, :factors]}


def item_blocks(data: Interactions) -> np.ndarray:
    """Return where blocks of items with about as many ratings each begin, and the end, int64 [P +
    1].

    P depends on the data alone, so that the number of threads doesn't change the result: as many as
    leave a user about thirty ratings in a block, 16 at most; small data isn't cut, since rounds
    would cost more than threads save."""
    wanted = len(data) / max(1, data.n_users) / 30
    parts = 1 if len(data) < 10_000 else 2 ** int(np.clip(np.rint(np.log2(max(wanted, 1))), 0, 4))
    done = np.cumsum(data.item_counts)
    inner = np.searchsorted(done, done[-1] * np.arange(1, parts) / parts) + 1
    return np.concatenate([[0], np.minimum(inner, data.n_items), [data.n_items]]).astype(np.int64)
