"""WARP: matrix factorisation for the top of the list, by sampling negatives until one is ranked
too high.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import NEGATIVE_LAWS, SCHEDULES, Epoch, SampledModel
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC71)
_FOLD_IN_DRAWS = 1_000


# Chosen on a tenth of the training interactions. Looking long for a violation costs more draws an
# epoch and pays: there nDCG@20 is .063, .085 and .089 after 4 epochs with at most 10, 300 and 1000
# trials, .092 after 6 with 1000; the defaults reach .079 after 32.
PRESETS: dict[str, dict[str, Any]] = {"gowalla": {"max_trials": 1000, "epochs": 6}}


class WARPConfig(Config):
    """Settings of `WARP`."""

    factors: int = setting(
        64,
        low=1,
        high=4096,
        doc="Length of the user and item vectors; multiples of 16 are fastest.",
    )
    epochs: int = setting(
        30, low=1, doc="Walks over the data; each looks for a violation for every interaction."
    )
    learning_rate: float = setting(0.1, above=0, doc="The step at the start.")
    schedule: str = setting(
        "constant",
        choices=SCHEDULES,
        doc="The step over time: constant, linearly to zero, or to 30 % after 70 % of the epochs.",
    )
    adaptive: bool = setting(
        True, doc="Whether a vector's step shrinks with the squared gradients it has had."
    )
    margin: float = setting(1.0, above=0, doc="By how much a positive must lead, in score.")
    max_trials: int = setting(
        10,
        low=1,
        high=10_000,
        doc=(
            "Negatives drawn at most for one positive in search of a violation; hundreds rank"
            " better, at more cost an epoch."
        ),
    )
    regularization: float = setting(
        0.002, low=0, doc="Decay of the user vector per step, times the step; zero for none."
    )
    item_regularization: float | None = setting(
        None, low=0, doc="Decay of the item vectors; None takes regularization."
    )
    bias_regularization: float | None = setting(
        None, low=0, doc="Decay of the item biases; None takes regularization."
    )
    negative_law: str = setting(
        "uniform", choices=NEGATIVE_LAWS, doc="How negatives are drawn from the items a user lacks."
    )
    negative_power: float = setting(
        0.5,
        low=0,
        high=4,
        doc="Under the law of popularity: an item's chance goes with its count to this power.",
    )
    init_scale: float = setting(0.01, low=0, doc="Standard deviation of the vectors' first values.")
    validate_every: int = setting(
        5, low=1, doc="Epochs between two checks, if a validation part is given."
    )
    patience: int = setting(
        5, low=0, doc="Checks without improvement before training stops; zero never stops."
    )
    fold_in_epochs: int = setting(
        50,
        low=1,
        doc="Walks over the history of a user never seen (and never fewer than 1,000 positives).",
    )


class WARP(SampledModel):
    """Matrix factorisation that minimises an estimate of the rank of what a user took.

    For a positive (u, i) negatives j are drawn until ``x_uj > x_ui - margin`` or `max_trials` are
    reached; the hinge of a violation after n draws is descended with the weight ``ln ⌊(n_items -
    |I_u|) / n⌋``: few draws mean a bad rank.

    Notes
    ----- Threads write without locks: only ``threads=1`` repeats bit for bit. Values of the
    interactions aren't read. Adaptive steps keep one sum of squares for each vector, not for each
    of its entries. A new user's vector is fitted by the same descent with the items held.

    Source: Weston, Bengio, Usunier 2011, "WSABIE: Scaling up to large vocabulary image annotation".
    """

    name = "warp"
    Config = WARPConfig
    traits = Traits(has_vectors=True, same_on_any_threads=False)

    def _begin(self, data: Interactions, run: Run) -> None:
        super()._begin(data, run)
        self._squares = [
            np.zeros(n, np.float32) for n in (data.n_users, data.n_items, data.n_items)
        ]

    def _end(self) -> None:
        self._squares = []

    def _epoch(
        self, data: Interactions, order: np.ndarray, rate: float, seed: np.uint64, n_threads: int
    ) -> Epoch:
        from cofactor.kernels.cpu.warp import warp_epoch

        c = self.config
        loss, correct = warp_epoch(
            data.indptr,
            data.item_rows,
            order,
            self.user_factors,
            self.item_factors,
            self.item_bias,
            *self._squares,
            float(rate),
            *self._decays(),
            c.margin,
            c.max_trials,
            c.adaptive,
            *self._law(),
            seed,
            n_threads,
        )
        return Epoch(float(loss), float(correct))

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.warp import warp_fold_in

        indptr, item_rows, _ = histories.csr
        c = self.config
        folded: np.ndarray = warp_fold_in(
            indptr,
            item_rows,
            self.item_factors,
            self.item_bias,
            c.learning_rate,
            self._decays()[0],
            c.margin,
            c.max_trials,
            *self._law(),
            c.fold_in_epochs,
            _FOLD_IN_DRAWS,
            _FOLD_IN_SEED,
        )
        return folded

    def _decays(self) -> tuple[float, float, float]:
        """Regularisation of the users, the items and the biases."""
        c = self.config
        item = c.regularization if c.item_regularization is None else c.item_regularization
        bias = c.regularization if c.bias_regularization is None else c.bias_regularization
        return float(c.regularization), float(item), float(bias)
