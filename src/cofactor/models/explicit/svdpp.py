"""SVD++: biased matrix factorisation plus implicit feedback from the set of rated items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.memory import aligned
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.damped_biases import estimated_damping
from cofactor.models.defaults.noise import RatingPenalties
from cofactor.models.explicit.ratings import (
    RATING_ARRAYS,
    RatingConfig,
    RatingHooks,
    RatingLearner,
)
from cofactor.models.explicit.sgd_learner import SGDLearner, with_sgd_penalties
from cofactor.models.iterative import IterativeModel
from cofactor.models.similarity import root_sums
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.warm_start import KeptRows


class SVDppConfig(RatingConfig):
    """Settings of `SVDpp`."""

    search = {
        "factors": log(8, 256),
        "learning_rate": log(0.002, 0.06),
        "bias_learning_rate": log(0.001, 0.03),
        "decay": between(0.85, 1.0),
        "regularization": log(0.005, 0.5),
        "implicit_regularization": log(1e-4, 0.1),
        "frequency_exponent": between(0.3, 1.0),
    }

    new_defaults = {
        "decay": 0.945,
        "bias_learning_rate": 0.004,
        "init_scale": 0.01,
    }

    usual_learning_rate = 0.015

    implicit_regularization: float = setting(
        0.003, low=0, doc="Penalty of the implicit item vectors, which start at 0, in each step."
    )


LEAST_BIAS_PENALTY = 0.003

# Chosen on a tenth of the first fold's training ratings (benchmarks/accuracy_ratings.py --tune);
# the defaults are good for both sizes.
PRESETS: dict[str, dict[str, float]] = {
    "ml-100k": {
        "factors": 256,
        "decay": 0.94,
        "regularization": 0.08,
        "bias_regularization": 0.005,
        "implicit_regularization": 0.005,
        "frequency_exponent": 0.5,
        "bias_weight": 0.0,
    },
    "ml-1m": {
        "factors": 256,
        "decay": 0.95,
        "regularization": 0.05,
        "implicit_regularization": 0.0015,
        "frequency_exponent": 0.9,
        "bias_weight": 0.0,
    },
}


class SVDpp(IterativeModel, RatingHooks):
    """Predict ratings by ``mu + b_u + b_i + q_i · (p_u + |N(u)|^-1/2 sum_{j in N(u)} y_j)``.

    N(u) are the items that u has rated. Trained by SGD with the paper's updates, but the vectors of
    N(u) are read and written only once per user and pass (see the kernel).

    Predictions are ``1 - bias_weight`` times that plus ``bias_weight`` times the mean and damped
    biases alone, as in `BiasedMF`.

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
        answers_empty=True,
        same_on_any_threads=False,
    )
    arrays = {
        **RATING_ARRAYS,
        "implicit_factors": ArraySpec.of_items("items", "factors"),
    }

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        learner = SVDppLearner(self, data, run)
        self._learn(learner, data, validation, run, lambda: self._take_over(learner))
        self._take_over(learner)

    def _penalties_of(self, data: Interactions) -> RatingPenalties:
        bias = self.config.bias_regularization
        least = LEAST_BIAS_PENALTY if bias is None else bias
        found = RatingPenalties(self.config.regularization, least, least)
        self._damping = estimated_damping(data)
        if bias is not None:
            return found
        return with_sgd_penalties(found, data, self._damping, self.config)

    def _take_over(self, learner: RatingLearner) -> None:
        super()._take_over(learner)
        # A trained user is p_u + z_u.
        data = learner.data
        self.user_factors = self.user_factors + self._implicit(data.indptr, data.item_rows)

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        # What is learned is p_u, and what is kept p_u + z_u.
        data, made = before.data, dict(super()._begin_with(before, fresh, rows))
        own = before.user_factors - before._implicit(data.indptr, data.item_rows)
        made["user_factors"] = rows.moved("users", own, fresh["user_factors"])
        return made

    def _implicit(self, indptr: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        assert self.implicit_factors is not None
        return root_sums(indptr, item_rows, self.implicit_factors)


class SVDppLearner(SGDLearner):
    """Stochastic gradient descent user by user, with the vectors of the items they have rated."""

    def __init__(self, model: SVDpp, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run, blocks=np.array([0, data.n_items]))
        self.implicit = aligned(np.zeros_like(self.held[-1]))
        self.live["implicit_factors"] = self.implicit[:, : self.config.factors]
        strength = model.config.implicit_regularization * self.spread
        self.implicit_penalty = np.full(data.n_users, strength, np.float32)

    def squared_error(self, order: np.ndarray, rates: tuple[float, float]) -> float:
        """Take a gradient step for each rating."""
        from cofactor.kernels.cpu.svdpp import svdpp_epoch

        data = self.data
        user, item, user_bias, item_bias = self.penalties
        return float(
            svdpp_epoch(
                *self.walks,
                data.indptr,
                data.item_rows,
                order,
                self.mean,
                *self.held,
                self.implicit,
                *rates,
                user,
                item,
                self.implicit_penalty,
                user_bias,
                item_bias,
                self.run.n_threads,
            )
        )
