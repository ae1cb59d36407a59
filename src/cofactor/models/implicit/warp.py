"""WARP: matrix factorisation for the top of the list, by sampling negatives until one is ranked
too high.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.search import log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.noise import MOST_NOISE, relative_noise
from cofactor.models.factors import FactorModel
from cofactor.models.implicit.pairwise import (
    MONITORED_NDCG,
    SampledConfig,
    SampledHooks,
    Walk,
    either,
)
from cofactor.models.implicit.pairwise_blocks import Arrays, SampledLearner
from cofactor.models.iterative import IterativeModel
from cofactor.models.user_batch import States

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC71)
_FOLD_IN_DRAWS = 1_000


# Chosen on a tenth of the training interactions. Looking long for a violation costs more draws an
# epoch and pays: there nDCG@20 is .063, .085 and .089 after 4 epochs with at most 10, 300 and 1000
# trials, .092 after 6 with 1000; few trials and a learning rate of .1 reach .079 after 32.
PRESETS: dict[str, dict[str, Any]] = {
    "gowalla": {"max_trials": 1000, "epochs": 6, "learning_rate": 0.1, "regularization": 0.002}
}

# Chosen on validation parts of the panel (benchmarks/panel.py), where the best shares lie between
# .35 and .55.
NOISE_SHARE = 0.45


class WARPConfig(SampledConfig):
    """Settings of `WARP`."""

    search = {
        "factors": log(16, 256),
        "epochs": log(20, 200),
        "learning_rate": log(0.01, 0.2),
        "regularization": log(0.01, 10.0),
        "max_trials": log(5, 200),
        "margin": log(0.1, 4.0),
    }

    new_defaults = {"init_scale": 0.01}

    epochs: int = setting(
        60,
        low=1,
        doc="Passes over the data; each searches for a violation for every interaction.",
    )
    learning_rate: float = setting(0.05, above=0, doc="Peak learning rate of the schedule.")
    adaptive: bool = setting(
        True,
        doc=(
            "Whether a vector's learning rate decreases with its"
            " accumulated squared gradients (AdaGrad)."
        ),
    )
    margin: float = setting(
        1.0, above=0, doc="Margin by which a positive's score must exceed a negative's."
    )
    max_trials: int = setting(
        10,
        low=1,
        high=10_000,
        doc=(
            "Maximum number of negatives sampled per positive in search of a violation;"
            " hundreds rank better, at more cost per epoch."
        ),
    )
    regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "L2 on the user vector per step, times the step size; 0: none; None: .45 ln n_items"
            " times the data's relative noise."
        ),
    )
    item_regularization: float | None = setting(
        None, low=0, doc="L2 on the item vectors; None takes regularization."
    )
    bias_regularization: float | None = setting(
        None, low=0, doc="L2 on the item biases; None takes regularization."
    )
    fold_in_epochs: int = setting(
        50,
        low=1,
        high=10_000,
        doc="Passes over the history of an unseen user (at least 1,000 positives).",
    )


class WARP(IterativeModel, SampledHooks, FactorModel):
    """Matrix factorisation that minimises an estimate of the rank of items with an interaction.

    For a positive (u, i) negatives j are drawn until ``x_uj > x_ui - margin`` or `max_trials` are
    reached; a violation after n draws takes a gradient step on its hinge, with the weight ``ln
    max(1, ⌊(n_items - |I_u|) / n⌋)``: few draws mean a bad rank.

    Notes
    -----
    Threads write without locks: only ``threads=1`` repeats bit for bit. Values of the interactions
    aren't read. Adaptive steps keep one sum of squares for each vector, not for each of its
    entries. A new user's vector is fitted by the same descent with the items held.

    Steps are taken, and vectors shrunk, only where there is a violation, and a step weighs ``ln
    n_items`` at the most. So the L2 is by default ``.45 ln(n_items) min(e, .7)``, with e the
    `relative_noise` of the data. Unless held-out training interactions show that scores rank better
    than popularity, a term of popularity is added to them (`models.defaults.popularity_term`).

    Source: Weston, Bengio, Usunier 2011, "WSABIE: Scaling up to large vocabulary image annotation".
    """

    name = "warp"
    Config = WARPConfig
    monitored_ndcg = MONITORED_NDCG

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._configure_sampling(data)
        self._learn(WARPLearner(self, data, run), data, validation, run)

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.warp import warp_fold_in

        indptr, item_rows, _ = histories.csr
        c = self.config
        folded: np.ndarray = warp_fold_in(
            indptr,
            item_rows,
            self.item_factors,
            item_bias=self.item_bias,
            learning_rate=c.learning_rate,
            user_regularization=self._decays()[0],
            margin=c.margin,
            max_trials=c.max_trials,
            threshold=self.negative_threshold,
            alias=self.negative_alias,
            epochs=c.fold_in_epochs,
            least_draws=_FOLD_IN_DRAWS,
            seed=_FOLD_IN_SEED,
        )
        return folded

    def _default_l2(self, data: Interactions) -> float:
        noise = min(relative_noise(data), MOST_NOISE)
        return either(self.config.regularization, NOISE_SHARE * np.log(data.n_items) * noise)

    def _decays(self) -> tuple[float, float, float]:
        """L2 of the users, the items and the biases."""
        c = self.config
        item = either(c.item_regularization, self._l2)
        return self._l2, item, either(c.bias_regularization, self._l2)


def warp_steps(
    c: WARPConfig,
    walk: Walk,
    users: Arrays,
    items: Arrays,
    decays: Arrays,
    table: Arrays,
    share: int = 1,
) -> tuple[float, float]:
    """Take the steps of a walk, as `bpr_steps`, with the sums of squares of the users' vectors, the
    items' vectors and the biases behind them.
    """
    from cofactor.kernels.cpu.warp import warp_epoch

    (x, x_squares), (y, bias, *squares) = users, items
    settings = (walk.rate, *decays, c.margin, c.max_trials, c.adaptive, *table)
    arguments: Arrays = (*walk[:3], x, y, bias, x_squares, *squares, *settings, *walk[4:], share)
    return warp_epoch(*arguments)


class WARPLearner(SampledLearner):
    """A violation is looked for for every interaction."""

    take_steps = staticmethod(warp_steps)

    def __init__(self, model: WARP, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run)
        self.squares = {
            "user_squares": np.zeros(data.n_users, np.float32),
            "item_squares": np.zeros(data.n_items, np.float32),
            "bias_squares": np.zeros(data.n_items, np.float32),
        }

    def memory(self) -> dict[str, np.ndarray]:
        """Return the sums of squared gradients of the adaptive steps, live."""
        return self.squares

    def sides(self) -> tuple[Arrays, Arrays]:
        """Return vectors of the users; vectors and biases of the items; sums of squares of each."""
        model: WARP = self.model
        users, *others = self.squares.values()
        return (model.user_factors, users), (model.item_factors, model.item_bias, *others)
