"""BiasedMF: ratings by matrix factorisation with biases, learned by SGD or by alternating least
squares.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.search import between, log
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults.damped_biases import estimated_damping
from cofactor.models.defaults.noise import RatingPenalties, rating_penalties
from cofactor.models.explicit.als_defaults import als_factors, settled_als_regularization
from cofactor.models.explicit.ratings import (
    RATING_ARRAYS,
    RatingConfig,
    RatingHooks,
    RatingLearner,
)
from cofactor.models.explicit.sgd_learner import SGDLearner, with_sgd_penalties
from cofactor.models.iterative import IterativeModel
from cofactor.models.traits import Traits

_BLOCK = 65_536  # ratings whose vectors are gathered at a time: 32 MiB at 128 factors


class BiasedMFConfig(RatingConfig):
    """Settings of `BiasedMF`."""

    search = {
        "factors": log(8, 256),
        "learning_rate": log(0.003, 0.1),
        "bias_learning_rate": log(0.001, 0.05),
        "decay": between(0.85, 1.0),
        "regularization": log(0.005, 0.5),
        "bias_regularization": log(1e-4, 0.1),
        "frequency_exponent": between(0.3, 1.0),
    }

    factors: int | None = setting(  # type: ignore[assignment]
        None,
        low=1,
        high=4096,
        doc=(
            "Length of the user and item vectors; None: 128 for sgd; for als √ratings / 8 in"
            " sixteens, from 16 to 128."
        ),
    )
    regularization: float | None = setting(  # type: ignore[assignment]
        None,
        low=0,
        doc=(
            "Penalty of the vectors for each rating of an average row; None: .06 for sgd; for"
            " als computed from the ratings' noise, less if that predicts held-out ratings better."
        ),
    )
    solver: str = setting(
        "sgd",
        choices=("sgd", "als"),
        doc="Stochastic gradient descent, or alternating least squares.",
    )


_SGD_FACTORS = 128
# They count on the learning rate running out.
SGD_PENALTIES = RatingPenalties(0.06, 0.003, 0.003)

# Chosen on a tenth of the first fold's training ratings (benchmarks/accuracy_ratings.py --tune);
# the defaults are good for both sizes, and what ml-100k got.
PRESETS: dict[str, dict[str, float]] = {
    "ml-1m": {
        "factors": 256,
        "learning_rate": 0.015,
        "decay": 0.95,
        "regularization": 0.04,
        "frequency_exponent": 0.9,
        "bias_weight": 0.0,
    },
}


class BiasedMF(IterativeModel, RatingHooks):
    """Predict ratings by ``mu + b_u + b_i + q_i · p_u``.

    Minimises ``sum (r_ui - mu - b_u - b_i - q_i · p_u)^2`` plus, for each row with n ratings,
    ``lambda m (n / m)^frequency_exponent`` times its squared vector (and likewise its squared
    bias), where m is the mean of n on that side. ``frequency_exponent=1`` with ``solver="als"`` is
    ALS-WR; ``frequency_exponent=0`` is the plain ridge. ALS is solved with the bias as a component
    of the vector.

    Predictions are ``1 - bias_weight`` times that plus ``bias_weight`` times the mean and damped
    biases alone (as in `Bias`): with few ratings a user, vectors are mostly noise. By default that
    share is the least-squares one on held-out training ratings, which takes a second fit; see
    `cofactor.models.defaults.held_out_bias.settled_bias_weight`.

    Notes
    -----
    SGD starts biases ahead where its rates would be too small for them, see
    `cofactor.models.explicit.sgd_learner`. It walks users and items in conflict-free blocks: the
    result is the same on any number of threads. Its defaults assume that the learning rate decays
    before the vectors fit the noise.
    ALS has no learning rate: its penalties are by default those that the ratings' noise needs
    (`cofactor.models.defaults.noise.rating_penalties`), or that of the vectors 2/3 or 4/9 of it
    (`cofactor.models.explicit.als_defaults.settled_als_regularization`). With these, more factors
    hardly change the predictions, so their number follows the data (`als_factors`); 15 epochs are
    enough.

    References
    ----------
    Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE
    Computer 42(8), 2009. Y. Zhou et al., "Large-Scale Parallel Collaborative Filtering for the
    Netflix Prize", AAIM 2008.
    """

    name = "biased_mf"
    Config = BiasedMFConfig
    traits = Traits(predicts_ratings=True, has_vectors=True, explains=True, answers_empty=True)
    arrays = RATING_ARRAYS

    def _n_factors(self, data: Interactions) -> int:
        if self.config.factors is not None:
            return int(self.config.factors)
        if self._before is not None:
            # By the rule more data may have more factors, which vectors that are there haven't.
            return int(self._before.item_factors.shape[1])
        return als_factors(data) if self.config.solver == "als" else _SGD_FACTORS

    def _penalties_of(self, data: Interactions) -> RatingPenalties:
        vectors, bias = self.config.regularization, self.config.bias_regularization
        if self.config.solver == "als":
            found = rating_penalties(data)
        else:
            self._damping = estimated_damping(data)
            found = with_sgd_penalties(SGD_PENALTIES, data, self._damping, self.config)
        if vectors is not None:
            found = found._replace(vectors=vectors)
        return found if bias is None else found._replace(user_bias=bias, item_bias=bias)

    @contextmanager
    def _settled(self, data: Interactions, validation: Part | None, run: Run) -> Iterator[None]:
        with settled_als_regularization(self, data, run), super()._settled(data, validation, run):
            yield

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        als = self.config.solver == "als"
        learner = (ALSLearner if als else BlockedSGDLearner)(self, data, run)
        with native_threads(run.n_threads, blas=1) if als else nullcontext():
            self._learn(learner, data, validation, run, lambda: self._take_over(learner))
        self._take_over(learner)


class BlockedSGDLearner(SGDLearner):
    """Stochastic gradient descent, in conflict-free blocks of items."""

    def squared_error(self, order: np.ndarray, rates: tuple[float, float]) -> float:
        """Take a gradient step for each rating."""
        from cofactor.kernels.cpu.mf_sgd import mf_sgd_epoch

        return float(
            mf_sgd_epoch(*self.walks, order, self.mean, *self.held, *rates, *self.penalties)
        )


class ALSLearner(RatingLearner):
    """Alternating least squares; the learning rates mean nothing."""

    def __init__(self, model: BiasedMF, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run)
        self.cure = "raise regularization"
        item_indptr, user_rows, positions = data.by_item
        self.by_user = (data.indptr, data.item_rows, data.weights)
        self.by_item = (item_indptr, user_rows, data.weights[positions])
        counts = 2 * (data.user_counts, data.item_counts)
        self.ridges = [
            np.maximum(each * n, 1e-6).astype(np.float32)
            for each, n in zip(self.penalties, counts, strict=True)
        ]

    def squared_error(self, order: np.ndarray, rates: tuple[float, float]) -> float:
        """Solve the users, then the items."""
        from cofactor.kernels.cpu.mf_als import als_half_epoch

        user_ridge, item_ridge, user_bias_ridge, item_bias_ridge = self.ridges
        bias, other_bias, x, y = self.live.values()
        mean, data = self.mean, self.data
        als_half_epoch(*self.by_user, mean, other_bias, y, user_ridge, user_bias_ridge, bias, x)
        als_half_epoch(*self.by_item, mean, bias, x, item_ridge, item_bias_ridge, other_bias, y)
        total = 0.0
        for low in range(0, len(data), _BLOCK):
            users, items = data.user_rows[low : low + _BLOCK], data.item_rows[low : low + _BLOCK]
            guess = mean + bias[users] + other_bias[items]
            guess += np.einsum("nf,nf->n", x[users], y[items])
            total += float(np.square(data.weights[low : low + _BLOCK] - guess).sum())
        return total
