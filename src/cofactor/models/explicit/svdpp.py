"""SVD++: matrix factorisation in which what a user has rated at all, whatever the rating, speaks
too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.ratings import (
    RATING_ARRAYS,
    RatingConfig,
    RatingFactors,
    per_rating,
    shuffled_walks,
)
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States

if TYPE_CHECKING:
    from cofactor.data.split import Part


class SVDppConfig(RatingConfig):
    """Settings of `SVDpp`."""

    learning_rate: float = setting(0.015, above=0, doc="Step of the vectors in the first epoch.")
    bias_learning_rate: float = setting(
        0.004, above=0, doc="Step of the biases in the first epoch."
    )
    decay: float = setting(
        0.945, above=0, high=1, doc="What both steps are multiplied by after each epoch."
    )
    init_scale: float = setting(
        0.01,
        above=0,
        doc="Standard deviation of the starting vectors; the implicit ones start at 0.",
    )
    implicit_regularization: float = setting(
        0.003, low=0, doc="Penalty of the implicit item vectors in each step."
    )


# Chosen on a tenth of the first fold's training ratings (benchmarks/accuracy_ratings.py --tune);
# the defaults are good for both sizes.
PRESETS: dict[str, dict[str, float]] = {
    "ml-100k": {
        "factors": 256,
        "decay": 0.94,
        "regularization": 0.08,
        "bias_regularization": 0.005,
        "implicit_regularization": 0.005,
        "balance": 0.5,
    },
    "ml-1m": {
        "factors": 256,
        "decay": 0.95,
        "regularization": 0.05,
        "implicit_regularization": 0.0015,
        "balance": 0.1,
    },
}


class SVDpp(RatingFactors):
    """Predict ratings by ``mu + b_u + b_i + q_i · (p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j)``.

    N(u) are the items that u has rated. Learned by SGD, at the cost of the vectors of N(u) once per
    user and pass, yet with the very updates of the paper (see the kernel).

    Notes
    -----
    Threads share item vectors without locks; only ``threads=1`` repeats bit for bit.

    References
    ----------
    Y. Koren, "Factorization Meets the Neighborhood", KDD 2008, equation 15.
    """

    name = "svdpp"
    Config = SVDppConfig
    traits = Traits(
        predicts_ratings=True,
        has_vectors=True,
        explains=True,
        uses_values=True,
        answers_empty=True,
        same_on_any_threads=False,
    )
    arrays = {  # noqa: RUF012
        **RATING_ARRAYS,
        "implicit_factors": ArraySpec("float32", ("items", "factors")),
    }

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.kernels.cpu.svdpp import svdpp_epoch

        config = self.config
        self._start(data, run)
        self.implicit_factors = np.zeros_like(self.item_factors)
        self._learning: Interactions | None = data
        user, item, user_bias, item_bias = (
            per_rating(counts, strength, config.balance)
            for strength in (config.regularization, config.bias_regularization)
            for counts in (data.user_counts, data.item_counts)
        )
        walks = shuffled_walks(data, np.array([0, data.n_items]), run.generator(self.name, "walks"))
        implicit = np.full(data.n_users, config.implicit_regularization, np.float32)
        held = (
            self.user_bias,
            self.item_bias,
            self.user_factors,
            self.item_factors,
            self.implicit_factors,
        )

        def epoch(order: np.ndarray, rate: float) -> float:
            return float(
                svdpp_epoch(
                    *walks,
                    data.indptr,
                    data.item_rows,
                    order,
                    float(self.mean[0]),
                    *held,
                    config.learning_rate * rate,
                    config.bias_learning_rate * rate,
                    user,
                    item,
                    implicit,
                    user_bias,
                    item_bias,
                    run.n_threads,
                )
            )

        self._descend(data, validation, run, epoch)
        # From here on a user is p_u + z_u.
        self.user_factors = self.user_factors + self._implicit(data.indptr, data.item_rows)
        self._learning = None

    def _trained(self, user_rows: np.ndarray) -> States:
        assert self._learning is not None
        states = np.array(self._states(user_rows))
        indptr, item_rows, _ = self._learning.histories(user_rows).csr
        states[:, :-1] += self._implicit(indptr, item_rows)
        return states

    def _implicit(self, indptr: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        from scipy.sparse import csr_matrix

        assert self.implicit_factors is not None
        counts = np.diff(indptr)
        weights = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts).astype(np.float32)
        touched = csr_matrix(
            (weights, item_rows, indptr), shape=(len(counts), len(self.implicit_factors))
        )
        return np.asarray(touched @ self.implicit_factors, np.float32)
