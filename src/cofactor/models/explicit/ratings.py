"""What the rating models share: predictions on the data's scale, ridge fold-in, explanations,
and the descent loop.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from cofactor.base.config import Renamed, setting
from cofactor.base.memory import aligned
from cofactor.base.offsets import owners_of, row_offsets
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.bias_term import BIAS_TERM_ARRAYS, BiasedTermHooks, BiasTermConfig
from cofactor.models.defaults.damped_biases import Damping
from cofactor.models.defaults.noise import RatingPenalties
from cofactor.models.explicit.sgd_rates import faster_by
from cofactor.models.factors import FACTOR_ARRAYS, aligned_rows, pair_dots, solution, vector_bytes
from cofactor.models.iterative import CURVE_ARRAYS
from cofactor.models.liked import rated_csr, seen_ratings
from cofactor.models.rating_scale import ScaleConfig, on_scale, rating_scale, spread_of
from cofactor.models.traits import ArraySpec, penalty_array
from cofactor.models.user_batch import InnerProduct, Shares, States, UserBatch
from cofactor.training.learner import Epoch, Facts, Learner
from cofactor.training.schedule import Schedule
from cofactor.training.training_config import DescentConfig


class RatingConfig(DescentConfig, ScaleConfig, BiasTermConfig):
    """Settings that the factor models of ratings share."""

    renamed = {
        "balance": Renamed("frequency_exponent", lambda balance: round(1 - balance, 12)),
        "clip": "clip_predictions",
    }

    new_defaults = {"decay": 0.92, "patience": 3, "schedule": "exponential"}

    factors: int = setting(128, low=1, high=4096, doc="Length of the user and item vectors.")
    epochs: int = setting(40, low=1, high=100_000, doc="Passes over the data.")
    usual_learning_rate: ClassVar[float] = 0.03

    learning_rate: float | None = setting(  # type: ignore[assignment]
        None,
        above=0,
        doc="Step size of the vectors in the first epoch (SGD); None: .03, or up to"
        " .06 where users and items have few ratings; in svdpp half of that.",
    )
    bias_learning_rate: float = setting(
        0.0075, above=0, doc="Step size of the biases in the first epoch (SGD)."
    )
    regularization: float = setting(
        0.06, low=0, doc="Penalty of the vectors for each rating of an average row."
    )
    bias_regularization: float | None = setting(
        None,
        low=0,
        doc=(
            "Penalty of the biases for each rating of an average row; None: estimated from the"
            " ratings, with SGD at least .003."
        ),
    )
    frequency_exponent: float = setting(
        0.7,
        low=0,
        high=1,
        doc=(
            "A row's penalty grows as n^frequency_exponent with its n ratings."
            " 1: the same on each rating; 0: the same for all rows."
        ),
    )
    init_scale: float = setting(0.005, above=0, doc="Standard deviation of the initial vectors.")

    def rates(self) -> Schedule:
        """Return the schedule; without a learning rate, that of the usual one."""
        rate = self.learning_rate or self.usual_learning_rate
        return DescentConfig.rates(self.replace(learning_rate=rate))


RATING_ARRAYS = {
    "mean": ArraySpec("float64", ("1",)),
    "scale": ArraySpec("float32", ("2",)),
    "user_bias": ArraySpec("float32", ("users",)),
    "item_bias": ArraySpec("float32", ("items",)),
    **FACTOR_ARRAYS,
    **CURVE_ARRAYS,
    **penalty_array(3),
    **BIAS_TERM_ARRAYS,
}


class RatingHooks(BiasedTermHooks):
    """What models ``r_ui ~ mu + b_u + b_i + q_i · x_u`` answer; users are ``[x_u, mu + b_u]``,
    the vectors times the share that a `BiasTerm` leaves them.

    The score is the predicted rating before clipping. Similarity is the cosine of q or x alone."""

    mean: np.ndarray
    scale: np.ndarray
    user_factors: np.ndarray
    item_factors: np.ndarray
    implicit_factors: np.ndarray | None = None
    _typical: float
    _spread: float
    _penalties: RatingPenalties
    fold_in_penalties: np.ndarray | None = None  # float64 [3]: the same
    _damping: Damping  # what the biases of SGD start from

    def memory_needed(self, data: Interactions) -> int | None:
        """Return the bytes that a fit needs at least."""
        return vector_bytes(data, self._n_factors(data))

    def _n_factors(self, data: Interactions) -> int:
        """The length of the vectors learned of some data."""
        factors: int = self.config.factors
        return factors

    # Scores and predictions.

    def _states(self, user_rows: np.ndarray) -> States:
        level = (self.mean[0] + self.user_bias[user_rows]).astype(np.float32)
        return np.column_stack([self._own_share * self.user_factors[user_rows], level])

    @property
    def _level(self) -> float:
        return float(self.mean[0])

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        states = np.asarray(states)
        q, b = self.item_factors, self.item_bias
        if item_rows is not None:
            q, b = q[item_rows], b[item_rows]
        scores: np.ndarray = states[:, :-1] @ q.T
        scores += states[:, -1:]
        scores += b
        return scores

    def inner_product(self) -> InnerProduct:
        """Return the item vectors and offsets; see `Model.inner_product`."""
        return InnerProduct(self.item_vectors(), self.item_bias)

    def item_vectors(self) -> np.ndarray:
        """Return ``[q_i, 1]``, float32 [n_items, factors + 1], in row order: its product with a
        user's vector, plus b_i.
        """
        q = self.item_factors
        return self._once("items", lambda: np.column_stack([q, np.ones(len(q), np.float32)]))

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        states = np.asarray(states)
        known = item_rows >= 0
        dots = pair_dots(states[:, :-1], which, self.item_factors, item_rows)
        values = states[which, -1] + dots * known
        values += self.item_bias[item_rows] * known
        return on_scale(values, self.config, self.scale)

    def _compared_items(self) -> np.ndarray:
        return self.item_factors

    def _compared_users(self) -> np.ndarray:
        return self.user_factors

    # Users never seen.

    def _ridge(self, counts: np.ndarray, strength: float) -> np.ndarray:
        """The whole penalty of users with some numbers of ratings, float32; never quite 0, so
        that it can be solved.
        """
        n = np.maximum(counts, 1)
        return np.maximum(
            strength * n * (self._typical / n) ** shrinking(self.config), 1e-6
        ).astype(np.float32)

    def _implicit(self, indptr: np.ndarray, item_rows: np.ndarray) -> np.ndarray | None:
        """z_u = |N(u)|^-1/2 sum_j y_j of some histories, float32 [B, factors]; None for a model
        without y.
        """
        return None

    def _fold_in(self, histories: Histories) -> States:
        from cofactor.kernels.cpu.mf_als import als_half_epoch

        indptr, item_rows, ratings = rated_csr(self, histories)
        z = self._implicit(indptr, item_rows)
        if z is not None:
            owners = owners_of(np.diff(indptr))
            ratings = ratings - pair_dots(z, owners, self.item_factors, item_rows)
        counts = np.diff(indptr)
        bias, x = (
            np.zeros(len(histories), np.float32),
            np.zeros((len(histories), self.item_factors.shape[1]), np.float32),
        )
        als_half_epoch(
            indptr,
            item_rows,
            ratings,
            mean=float(self.mean[0]),
            other_bias=self._own_item_bias(),
            other_factors=self.item_factors,
            reg=self._ridge(counts, self._penalties.vectors * self._spread),
            reg_bias=self._ridge(counts, self._penalties.user_bias),
            bias=bias,
            factors=x,
        )
        learned = np.column_stack(
            [x if z is None else x + z, (self.mean[0] + bias).astype(np.float32)]
        )
        return self._with_term(learned, rated_csr(self, histories), self._level)

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        # The ridge solution is linear in the ratings: [b, p] = A^-1 Y't, so rating i adds y' A^-1
        # y_i t_i to the score. A trained row is only near that solution; what it has beyond goes to
        # the rest.
        past, rows = batch.seen[1], np.asarray(item_rows)
        scores = self._score(batch.states, rows)[0].astype(np.float64)
        added = np.zeros((len(rows), len(past)))
        mine = self.item_factors[past].astype(np.float64)
        theirs = self.item_factors[rows].astype(np.float64)
        y = np.column_stack([np.ones(len(past)), mine])
        right_sides = np.column_stack([np.ones(len(rows)), theirs])
        ratings = seen_ratings(self, batch)
        target = ratings - self.mean[0] - self._own_item_bias()[past]
        z = self._implicit(np.array([0, len(past)]), past)
        if z is not None and self.implicit_factors is not None:
            target = target - mine @ z[0]
            added += theirs @ self.implicit_factors[past].T / np.sqrt(len(past))
        count = np.array([len(past)])
        strength = self._penalties.vectors * self._spread
        ridge = np.full(y.shape[1], self._ridge(count, strength)[0], np.float64)
        ridge[0] = self._ridge(count, self._penalties.user_bias)[0]
        added += (y @ solution(y.T @ y + np.diag(ridge), right_sides.T)).T * target
        term = self._term
        if term is not None:
            level = term.left_over(past, ratings) / (len(past) + term.damping)
            added = self._own_share * added + term.weight * level
        return Shares(past, added, scores - added.sum(1))

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(aligned_rows(arrays))
        self._measure(self.data)
        if self.fold_in_penalties is not None:
            self._penalties = RatingPenalties(*map(float, self.fold_in_penalties))

    def _measure(self, data: Interactions) -> None:
        """Keep what fold-in needs to know of the data."""
        self._typical, self._spread = typical(data.user_counts), spread_of(data)
        self._penalties = self._penalties_of(data)

    @abstractmethod
    def _penalties_of(self, data: Interactions) -> RatingPenalties:
        """The penalties in use; where settings are None, what they are then."""

    def _start(self, data: Interactions, run: Run) -> None:
        """Set the arrays to where learning starts."""
        self.scale = rating_scale(self.config, data, type(self).__name__)
        self.mean = np.array([data.weights.mean(dtype=np.float64)])
        self._measure(data)
        self.fold_in_penalties = np.array(self._penalties, np.float64)
        self.user_bias, self.item_bias = (
            np.zeros(data.n_users, np.float32),
            np.zeros(data.n_items, np.float32),
        )
        draw, factors = run.generator(self.name, "start"), self._n_factors(data)
        for name, n in (("user_factors", data.n_users), ("item_factors", data.n_items)):
            vectors = draw.standard_normal((n, factors), np.float32)
            deviation = self.config.init_scale * np.sqrt(self._spread)
            setattr(self, name, aligned(vectors * np.float32(deviation)))

    def _take_over(self, learner: RatingLearner) -> None:
        """Bring the arrays to what they are if learning ends now."""
        for name, array in learner.arrays().items():
            copied = np.array(array, order="C")
            setattr(self, name, aligned(copied) if copied.ndim == 2 else copied)
        # Nothing has moved the vectors of users and items without ratings from their random start.
        self.user_factors[learner.data.user_counts == 0] = 0
        self.item_factors[learner.data.item_counts == 0] = 0


class RatingLearner(Learner):
    """Passes over the ratings; a subclass says what one pass is.

    Ratings c times as wide are learned by vectors √c and biases c times as long: with the learning
    rate of vectors over c, their regularization times c and their start times √c, each step is the
    same but for that. So the settings don't depend on the ratings' scale.

    Parameters
    ----------
    model
        Its arrays are set to where learning starts.
    data, run
        On what, with which seed and threads.
    """

    def __init__(self, model: RatingHooks, data: Interactions, run: Run) -> None:
        model._start(data, run)
        self.data, self.run, self.config, self.name = data, run, model.config, model.name
        self.faster = 1.0 if self.config.learning_rate else faster_by(data)
        now = self.config.rates().learning_rate * self.faster
        self.cure = f"lower learning_rate (now {now:g})"
        self.mean, self.spread = float(model.mean[0]), model._spread
        names = ("user_bias", "item_bias", "user_factors", "item_factors")
        self.live: dict[str, np.ndarray] = {name: getattr(model, name) for name in names}
        # Of users' and items' vectors, then of their biases.
        vectors, user_bias, item_bias = model._penalties
        strengths = (vectors * self.spread, vectors * self.spread, user_bias, item_bias)
        self.penalties = [
            per_rating(counts, strength, shrinking(self.config))
            for counts, strength in zip(
                2 * (data.user_counts, data.item_counts), strengths, strict=True
            )
        ]

    @abstractmethod
    def squared_error(self, order: np.ndarray, rates: tuple[float, float]) -> float:
        """Pass over the ratings of the users in ``order``, with the learning rates of vectors and
        biases; return the sum of squared errors.
        """

    def arrays(self) -> dict[str, np.ndarray]:
        """Return biases and vectors, live."""
        return self.live

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Pass once; the loss is the mean squared error."""
        order = user_order(self.data.n_users, self.run.generator(self.name, "order", epoch.number))
        rates = (
            self.faster * epoch.rate() / self.spread,
            self.config.bias_learning_rate * epoch.factor(),
        )
        return {"loss": self.squared_error(order, rates) / len(self.data)}


def shrinking(config: Any) -> float:
    """The power of 1/n in the penalty of one rating; rounded, so that 1 - .7 is .3."""
    return round(1 - config.frequency_exponent, 12)


def typical(counts: np.ndarray) -> float:
    """The mean number of ratings of the rows that have any."""
    positive = counts[counts > 0]
    return float(positive.mean()) if positive.size else 1.0


def per_rating(counts: np.ndarray, strength: float, power: float) -> np.ndarray:
    """Return each row's penalty in one SGD step, float32: ``strength (mean count / n)^power``,
    n times a pass.
    """
    n = np.maximum(counts, 1)
    return (strength * (typical(counts) / n) ** power).astype(np.float32)


def user_order(n_users: int, generator: np.random.Generator) -> np.ndarray:
    """Return all users, sixteen neighbours at a time, the sixteens shuffled, int64 [n_users]:
    random, yet kind to memory.
    """
    starts = 16 * generator.permutation((n_users + 15) // 16)
    order = (starts[:, None] + np.arange(16)).ravel()
    return order[order < n_users]


def shuffled_walks(
    data: Interactions, bounds: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ratings by user and item block, shuffled within: indptr int64 [n_users P + 1],
    item rows, values.
    """
    n_blocks = len(bounds) - 1
    blocks = np.searchsorted(bounds, data.item_rows, side="right") - 1
    rows = data.user_rows * np.int64(n_blocks) + blocks
    shuffled = generator.permutation(len(data))
    shuffled = shuffled[np.argsort(rows[shuffled], kind="stable")]
    indptr = row_offsets(rows, data.n_users * n_blocks)
    return indptr, data.item_rows[shuffled], data.weights[shuffled]
