"""Logistic matrix factorisation: the probability of an interaction, by alternating ascent."""

from __future__ import annotations

from typing import Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.base.search import log
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.noise import counts_of_interactions, noise
from cofactor.models.defaults.popularity_term import PopularityTermConfig
from cofactor.models.factors import FactorModel
from cofactor.models.implicit.held_out_choice import NOISE_SHARE_ARRAY, NoiseShareHooks, Usual
from cofactor.models.implicit.pairwise import (
    MONITORED_NDCG,
    Walk,
    WalkConfig,
    WalkHooks,
    WalkLearner,
)
from cofactor.models.iterative import IterativeModel
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States
from cofactor.training.learner import Facts

# All folded-in users draw the same numbers, so that a vector depends on the history alone.
_FOLD_IN_SEED = np.uint64(0xC0FAC72)


class LogisticMFConfig(WalkConfig, PopularityTermConfig):
    """Settings of `LogisticMF`."""

    search = {
        "factors": log(16, 256),
        "epochs": log(20, 200),
        "learning_rate": log(0.03, 0.5),
        "alpha": log(1.0, 50.0),
        "regularization": log(1.0, 300.0),
    }

    epochs: int = setting(
        60, low=1, doc="Epochs; each takes one step for all users and one for all items."
    )
    learning_rate: float = setting(
        0.1,
        above=0,
        doc="Learning rate, divided by the root of the sum of squared gradients.",
    )
    alpha: float = setting(
        5.0, above=0, doc="Confidence of a positive of value 1, against that of a negative."
    )
    negatives: int = setting(
        5,
        low=0,
        high=10_000,
        doc="Negatives sampled for each positive at each step; 0 takes all there are (small data).",
    )
    regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "L2 regularization: weight of half the squared vectors in the loss; None: half of"
            " the gradient's noise at the start of training, or another share that ranks"
            " held-out interactions better."
        ),
    )
    use_values: bool = setting(
        False, doc="Whether a positive's confidence is alpha times its value, or alpha alone."
    )
    fold_in_steps: int = setting(
        60, low=1, high=10_000, doc="Gradient steps for the vector of an unseen user."
    )


class LogisticMF(NoiseShareHooks, IterativeModel, WalkHooks, FactorModel):
    """Matrix factorisation of the probability of an interaction, ``σ(x_u · y_i + β_u + β_i)``.

    ``Σ α r_ui s_ui - (1 + α r_ui) ln(1 + exp s_ui) - λ/2 (|x|² + |y|²)`` is maximised by
    AdaGrad, users and items alternately, over the positives and ``negatives`` drawn for each, which
    stand for all others (or over all others). Biases start at what is best without vectors.

    Notes
    -----
    The user's bias doesn't change a ranking, so scores and the state leave it out. Results are the
    same for any number of threads. Values of the interactions must not be negative if they are
    used.

    By default λ is ``s α (√m_u + √m_i) / (1 + α m_u m_i / n)``, with m_u and m_i the mean numbers
    of interactions of an interaction's user and item, and n of all: a share s of the largest
    singular value that the gradient of interactions without structure would have (`noise`), where
    the biases are at their best. s is 1/2, or 1/8, 1/4, 1 or 2 if that ranks held-out interactions
    of the training data significantly better (`choose_value`); with ``max_time`` this isn't tried.
    Unless held-out training interactions show that scores with it rank better than popularity, a
    term of popularity is added to them (`models.defaults.popularity_term`).

    Source: Johnson 2014, "Logistic matrix factorization for implicit feedback data".
    """

    name = "logistic_mf"
    Config = LogisticMFConfig
    monitored_ndcg = MONITORED_NDCG
    traits = Traits(has_vectors=True)
    weighs_popularity = True
    arrays = {**WalkHooks.arrays, **NOISE_SHARE_ARRAY, **popularity_term.ARRAYS}
    # Right for 15 of the 17 sets of the panel (benchmarks/panel.py), by their validation parts.
    # Sets of the same counts may differ: where what people like has much structure, less L2 is
    # better, and more where it has hardly any.
    usual_share = Usual(0.5, 2.0)

    item_bias: np.ndarray

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self._choose_share(data, run)
        self._settle_l2(data)
        self._learn(LogisticLearner(self, data, run), data, validation, run)

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.logistic_mf import logistic_fold_in

        c = self.config
        indptr, item_rows, values = histories.csr
        folded: np.ndarray = logistic_fold_in(
            indptr,
            item_rows,
            self._weights(values, len(item_rows)),
            other_factors=self.item_factors,
            other_bias=self.item_bias,
            learning_rate=c.learning_rate,
            alpha=c.alpha,
            regularization=self._l2,
            negatives=c.negatives,
            steps=c.fold_in_steps,
            seed=int(_FOLD_IN_SEED),
        )
        return folded

    def as_chosen(self, data: Interactions) -> Self | None:
        """Return what `NoiseShareHooks` does; None where the L2 is given."""
        return None if self.config.regularization is not None else super().as_chosen(data)

    def _l2_by(self, data: Interactions, share: float) -> float:
        alpha, (m_u, m_i) = self.config.alpha, counts_of_interactions(data)
        # σ / (1 - σ) of an interaction, as its user's and its item's counts let expect
        odds = alpha * m_u * m_i / max(1, len(data))
        return share * alpha * noise(data) / (1 + odds)

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


class LogisticLearner(WalkLearner):
    """A step for all users, then one for all items."""

    def __init__(self, model: LogisticMF, data: Interactions, run: Run) -> None:
        super().__init__(model, data, run)
        width = model.config.factors + 1
        self.user_bias, model.item_bias = biases_at_start(data, model.config.alpha)
        self.user_squares = np.zeros((data.n_users, width), np.float32)
        self.item_squares = np.zeros((data.n_items, width), np.float32)
        indptr, user_rows, positions = data.by_item
        values = model._weights(data.values, len(data))
        self.by_user = (data.indptr, data.item_rows, values)
        self.by_item = (indptr, user_rows, values[positions])

    def memory(self) -> dict[str, np.ndarray]:
        """Return the users' biases and the sums of squared gradients, live."""
        return {
            "user_bias": self.user_bias,
            "user_squares": self.user_squares,
            "item_squares": self.item_squares,
        }

    def walk(self, walk: Walk) -> Facts:
        """Return the mean loss of the items' step."""
        from cofactor.kernels.cpu.logistic_mf import logistic_half_epoch

        c = self.model.config
        x, b_x, y, b_y = (
            self.model.user_factors,
            self.user_bias,
            self.model.item_factors,
            self.model.item_bias,
        )
        settings = (walk.rate, c.alpha, self.model._l2, c.negatives, int(walk.seed))
        logistic_half_epoch(*self.by_user, x, b_x, self.user_squares, y, b_y, *settings)
        loss = logistic_half_epoch(*self.by_item, y, b_y, self.item_squares, x, b_x, *settings)
        return {"loss": float(loss) / max(1, len(self.data))}


def biases_at_start(data: Interactions, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the users' and the items' biases that are best as long as all vectors are 0.

    With n_u and n_i interactions of n in all, ``β_u + β_i = ln(α n_u n_i / n)``, for rows without
    any as for half an interaction.

    Notes
    -----
    Where they start from 0, all pairs are likely at first. The gradients of the first steps are
    as large as the catalogue then, and adaptive steps never forget them: on sparse data nothing
    would be learned.
    """
    n_users = max(1, int(np.count_nonzero(data.user_counts)))
    mean = max(1, len(data)) / n_users
    user_bias = np.log(np.maximum(data.user_counts, 0.5) / mean)
    item_bias = np.log(alpha * np.maximum(data.item_counts, 0.5) / n_users)
    return user_bias.astype(np.float32), item_bias.astype(np.float32)
