"""Logistic matrix factorisation: the probability that a user takes an item, by alternating
gradient ascent.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.pairwise import SCHEDULES, Epoch, StochasticModel
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC72)


class LogisticMFConfig(Config):
    """Settings of `LogisticMF`."""

    factors: int = setting(
        64,
        low=1,
        high=4096,
        doc="Length of the user and item vectors; multiples of 16 are fastest.",
    )
    epochs: int = setting(
        30, low=1, doc="Rounds; each takes one step for all users and one for all items."
    )
    learning_rate: float = setting(
        0.3,
        above=0,
        doc="The step at the start, divided by the root of a sum of squared gradients.",
    )
    schedule: str = setting(
        "constant",
        choices=SCHEDULES,
        doc="The step over time: constant, linearly to zero, or to 30 % after 70 % of the epochs.",
    )
    alpha: float = setting(
        5.0, above=0, doc="Confidence of a positive of value 1, against that of a negative."
    )
    negatives: int = setting(
        5,
        low=0,
        high=10_000,
        doc="Others drawn for each positive, each time anew; 0 takes all there are (small data).",
    )
    regularization: float = setting(
        5.0, low=0, doc="Weight of half the squared vectors and biases in the loss."
    )
    use_values: bool = setting(
        False, doc="Whether a positive's confidence is alpha times its value, or alpha alone."
    )
    init_scale: float = setting(0.1, low=0, doc="Standard deviation of the vectors' first values.")
    validate_every: int = setting(
        5, low=1, doc="Epochs between two checks, if a validation part is given."
    )
    patience: int = setting(
        5, low=0, doc="Checks without improvement before training stops; zero never stops."
    )
    fold_in_steps: int = setting(60, low=1, doc="Steps for the vector of a user never seen.")


class LogisticMF(StochasticModel):
    """Matrix factorisation of the probability that a user takes an item, ``σ(x_u · y_i + β_u +
    β_i)``.

    ``Σ α r_ui s_ui - (1 + α r_ui) ln(1 + exp s_ui) - λ/2 (|x|² + |y|² + β²)`` is ascended by
    adaptive steps, users and items in turn, over the positives and ``negatives`` drawn for each,
    which stand for all others (or over all others).

    Notes
    ----- The user's bias doesn't change a ranking, so scores and the state leave it out. Results
    are the same for any number of threads. Values of the interactions must not be negative if they
    are used.

    Source: Johnson 2014, "Logistic matrix factorization for implicit feedback data".
    """

    name = "logistic_mf"
    Config = LogisticMFConfig
    traits = Traits(has_vectors=True, uses_values=True)
    arrays = {  # noqa: RUF012
        "user_factors": ArraySpec("float32", ("users", "factors")),
        "item_factors": ArraySpec("float32", ("items", "factors")),
        "item_bias": ArraySpec("float32", ("items",)),
    }

    item_bias: np.ndarray

    def _begin(self, data: Interactions, run: Run) -> None:
        super()._begin(data, run)
        self._user_bias = np.zeros(data.n_users, np.float32)
        self._user_squares = np.zeros((data.n_users, self.config.factors + 1), np.float32)
        self._item_squares = np.zeros((data.n_items, self.config.factors + 1), np.float32)
        indptr, user_rows, positions = data.by_item
        values = self._weights(data.values, len(data))
        self._by_user = (data.indptr, data.item_rows, values)
        self._by_item = (indptr, user_rows, values[positions])

    def _end(self) -> None:
        del self._user_bias, self._user_squares, self._item_squares, self._by_user, self._by_item

    def _epoch(
        self, data: Interactions, order: np.ndarray, rate: float, seed: np.uint64, n_threads: int
    ) -> Epoch:
        from cofactor.kernels.cpu.logistic_mf import logistic_half_epoch

        c = self.config
        x, b_x, y, b_y = self.user_factors, self._user_bias, self.item_factors, self.item_bias
        settings = (float(rate), c.alpha, c.regularization, c.negatives, int(seed))
        logistic_half_epoch(*self._by_user, x, b_x, self._user_squares, y, b_y, *settings)
        loss = logistic_half_epoch(*self._by_item, y, b_y, self._item_squares, x, b_x, *settings)
        return Epoch(float(loss) / max(1, len(data)))

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.logistic_mf import logistic_fold_in

        c = self.config
        indptr, item_rows, values = histories.csr
        folded: np.ndarray = logistic_fold_in(
            indptr,
            item_rows,
            self._weights(values, len(item_rows)),
            self.item_factors,
            self.item_bias,
            c.learning_rate,
            c.alpha,
            c.regularization,
            c.negatives,
            c.fold_in_steps,
            int(_FOLD_IN_SEED),
        )
        return folded

    def _weights(self, values: np.ndarray | None, count: int) -> np.ndarray:
        """The confidence of each interaction before alpha, float32 [n]."""
        if values is None or not self.config.use_values:
            return np.ones(count, np.float32)
        if values.size and values.min() < 0:
            raise ArgumentError(
                f"LogisticMF needs values from 0 on, not {values.min()}; shift them, or leave"
                " use_values False."
            )
        return np.ascontiguousarray(values, np.float32)
