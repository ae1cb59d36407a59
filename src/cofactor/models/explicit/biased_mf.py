"""BiasedMF: ratings by matrix factorisation with biases, learned by SGD or by alternating least
squares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.data.interactions import Interactions
from cofactor.models.explicit.ratings import (
    RATING_ARRAYS,
    Epoch,
    RatingConfig,
    RatingFactors,
    per_rating,
    shuffled_walks,
)
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States

if TYPE_CHECKING:
    from cofactor.data.split import Part


class BiasedMFConfig(RatingConfig):
    """Settings of `BiasedMF`."""

    solver: str = setting(
        "sgd",
        choices=("sgd", "als"),
        doc="Stochastic gradient descent, or alternating least squares.",
    )


# Chosen on a tenth of the first fold's training ratings (benchmarks/accuracy_ratings.py --tune);
# the defaults are good for both sizes, and what ml-100k got.
PRESETS: dict[str, dict[str, float]] = {
    "ml-1m": {
        "factors": 256,
        "learning_rate": 0.015,
        "decay": 0.95,
        "regularization": 0.04,
        "balance": 0.1,
    },
}


class BiasedMF(RatingFactors):
    """Predict ratings by ``mu + b_u + b_i + q_i · p_u``.

    Minimises ``sum (r_ui - mu - b_u - b_i - q_i · p_u)^2`` plus, for each row with n ratings,
    ``lambda n (m / n)^balance`` times its squared vector (and likewise its squared bias), where m
    is the mean of n on that side. ``balance=0`` with ``solver="als"`` is ALS-WR; ``balance=1`` is
    the plain ridge. ALS is solved with the bias as a component of the vector.

    Notes
    ----- SGD walks users and items in conflict-free blocks: the result is the same on any number of
    threads. Its defaults count on the learning rate running out before the vectors fit the noise.
    ALS has no such brake and wants fewer factors and a stronger penalty: ``factors=16,
    regularization=.1, bias_regularization=.05, balance=.6, init_scale=.1, epochs=15`` is a start,
    and ``factors=8, regularization=.15`` for small data.

    References
    ---------- Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender
    Systems", IEEE Computer 42(8), 2009. Y. Zhou et al., "Large-Scale Parallel Collaborative
    Filtering for the Netflix Prize", AAIM 2008."""

    name = "biased_mf"
    Config = BiasedMFConfig
    traits = Traits(
        predicts_ratings=True, has_vectors=True, explains=True, uses_values=True, answers_empty=True
    )
    arrays = RATING_ARRAYS

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._start(data, run)
        if self.config.solver == "als":
            with native_threads(run.n_threads, blas=1):
                self._descend(data, validation, run, self._als_epoch(data))
        else:
            self._descend(data, validation, run, self._sgd_epoch(data, run))

    def _sgd_epoch(self, data: Interactions, run: Run) -> Epoch:
        from cofactor.kernels.cpu.mf_sgd import mf_sgd_epoch, padded

        config, bounds = self.config, item_blocks(data)
        walks = shuffled_walks(data, bounds, run.generator(self.name, "walks"))
        penalties = [
            per_rating(counts, strength, config.balance)
            for strength in (config.regularization, config.bias_regularization)
            for counts in (data.user_counts, data.item_counts)
        ]
        users, items = padded(self.user_factors), padded(self.item_factors)
        # The model sees the kernel's rows without what they are filled up with.
        self.user_factors, self.item_factors = (
            users[:, : config.factors],
            items[:, : config.factors],
        )
        held = (self.user_bias, self.item_bias, users, items)

        def epoch(order: np.ndarray, rate: float) -> float:
            return float(
                mf_sgd_epoch(
                    *walks,
                    order,
                    float(self.mean[0]),
                    *held,
                    config.learning_rate * rate,
                    config.bias_learning_rate * rate,
                    *penalties,
                )
            )

        return epoch

    def _als_epoch(self, data: Interactions) -> Epoch:
        from cofactor.kernels.cpu.mf_als import als_half_epoch

        config, mean = self.config, float(self.mean[0])
        item_indptr, user_rows, positions = data.by_item
        by_item = (item_indptr, user_rows, data.weights[positions])
        user_ridge, user_bias_ridge, item_ridge, item_bias_ridge = (
            np.maximum(per_rating(counts, strength, config.balance) * counts, 1e-6).astype(
                np.float32
            )
            for counts in (data.user_counts, data.item_counts)
            for strength in (config.regularization, config.bias_regularization)
        )
        users, items = (self.user_bias, self.user_factors), (self.item_bias, self.item_factors)

        def epoch(order: np.ndarray, rate: float) -> float:
            by_user = (data.indptr, data.item_rows, data.weights)
            als_half_epoch(*by_user, mean, *items, user_ridge, user_bias_ridge, *users)
            als_half_epoch(*by_item, mean, *users, item_ridge, item_bias_ridge, *items)
            guess = self._predict(
                self._states(np.arange(data.n_users)), data.user_rows, data.item_rows
            )
            return float(np.sum((data.weights - guess) ** 2, dtype=np.float64))

        return epoch

    def _trained(self, user_rows: np.ndarray) -> States:
        return self._states(user_rows)


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
