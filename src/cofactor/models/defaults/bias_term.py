"""The biases alone beside a rating model's own predictions, where held-out ratings ask for that.

What vectors learn of few ratings is mostly noise, and then the mean and the biases alone predict
better. A share of both is never much worse than the better one."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Self

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.offsets import owners_of
from cofactor.data.interactions import Interactions
from cofactor.models import validation
from cofactor.models.defaults.damped_biases import damped_biases, estimated_damping
from cofactor.models.hooks import Hooks
from cofactor.models.liked import seen_ratings
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import UserBatch

# What a model with such a term keeps: the weight, the damping of users and the mean; the items'
# biases. Without a term, and in older versions, there is neither.
BIAS_TERM_ARRAYS = {
    "bias_term": ArraySpec("float64", ("3",), optional=True, low=(0, 1e-6, -np.inf)),
    "bias_term_items": ArraySpec("float32", ("items",), optional=True),
}


# How far from 0 the model's own share is expected before any rating is held out. Chosen on the
# validation parts of simulated draws: less costs more where much is personal, more is worse than
# biases alone in draws with few ratings.
_PRIOR = 0.25


class BiasTermConfig(Config):
    """The setting of models whose predictions may need the biases alone beside them."""

    bias_weight: float | None = setting(
        None,
        low=0,
        high=1,
        doc=(
            "Share of the mean and the damped biases alone in a prediction of ratings; the rest"
            " is the model's own. None: the share with which held-out training ratings (or those"
            " of the validation part) are predicted best; 0 in a model with biases=False."
        ),
    )


class BiasTerm(NamedTuple):
    """The mean and the damped biases, and their share in predictions.

    ``r = (1 - c) own + c (mu + b_u + b_i)``, where ``b_u = sum_i (r_ui - mu - b_i) / (n_u +
    damping)`` for trained and for unseen users.

    Parameters
    ----------
    weight
        c, 0 to 1.
    damping
        Pseudo-ratings at the mean for each user.
    mean
        mu, on the data's scale.
    items
        float32 [n_items]: b_i.
    """

    weight: float
    damping: float
    mean: float
    items: np.ndarray

    @classmethod
    def of(cls, data: Interactions, weight: float = 1.0) -> Self:
        """Return the term of some ratings, with the damping that they ask for."""
        damping = estimated_damping(data)
        mean, _, items = damped_biases(data, *damping)
        return cls(weight, damping.users, mean, items)

    def left_over(self, item_rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        """Return ratings less the mean and the items' biases, float64 [n]."""
        return ratings.astype(np.float64) - self.mean - self.items[item_rows]

    def users(self, indptr: np.ndarray, item_rows: np.ndarray, ratings: np.ndarray) -> np.ndarray:
        """Return mu + b_u of some users with the ratings in these CSR arrays, float64 [B]."""
        counts = np.diff(indptr)
        rest = self.left_over(item_rows, ratings)
        sums = np.bincount(owners_of(counts), weights=rest, minlength=len(counts))
        return np.asarray(self.mean + sums / (counts + self.damping))

    def each_before(
        self, indptr: np.ndarray, item_rows: np.ndarray, ratings: np.ndarray
    ) -> np.ndarray:
        """Return mu + b_u + b_i of each rating in these CSR arrays, where b_u is of those before
        it, float64 [n].
        """
        counts = np.diff(indptr)
        rest, nth = self.left_over(item_rows, ratings), np.arange(indptr[-1])
        first = np.repeat(indptr[:-1], counts)
        summed = np.append(0.0, np.cumsum(rest))
        levels = (summed[nth] - summed[first]) / (nth - first + self.damping)
        return np.asarray(self.mean + levels + self.items[item_rows])

    def beside(self, rows: np.ndarray, *rated: np.ndarray) -> np.ndarray:
        """Return the rows of some users followed by c (mu + b_u), float32 [B, width + 1]; ``rated``
        as in `users`.
        """
        levels = self.weight * self.users(*rated)
        return np.column_stack((rows, levels.astype(np.float32)))

    @property
    def of_items(self) -> np.ndarray:
        """c b_i, and 0 for an item that isn't known, float32 [n_items + 1]."""
        return np.append(np.float32(self.weight) * self.items, np.float32(0))

    def pairs(
        self, model: Any, batch: UserBatch, which: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """Return mu + b_u + b_i of pairs of a user of a model's batch and an item, float64 [n]."""
        levels = self.users(*batch.seen, seen_ratings(model, batch))
        return np.asarray(levels[which] + self.items[item_rows])


def best_weight(own: np.ndarray, biases: np.ndarray, truth: np.ndarray) -> float:
    """Return the share c of the biases alone with which ratings are predicted best, as far as
    held-out ratings show it.

    Least squares of the truth r on the model's predictions m and those of the biases b, of shares
    that add up to 1, gives the model ``w = sum (m - b)(r - b) / sum (m - b)^2``, with the standard
    error ``s = sqrt(mean (r - b - w (m - b))^2 / sum (m - b)^2)``. With a normal prior of mean 0
    and deviation .25, ``1 - c = w / (1 + (s / .25)^2)``, from 0 to 1: few ratings leave much to
    the biases, thousands decide by themselves.

    Parameters
    ----------
    own, biases, truth
        m, b and r, float [n], of ratings that neither was fitted on.

    Notes
    -----
    Source: Breiman, "Stacked regressions", Machine Learning 24, 1996, section 2, for two models;
    Hoerl and Kennard, "Ridge regression", Technometrics 12, 1970, for the prior.
    """
    apart, rest = (np.asarray(each, np.float64) - biases for each in (own, truth))
    squares = float(apart @ apart)
    if squares <= 1e-12 * max(1e-300, float(rest @ rest)):
        return 0.0
    share = float(apart @ rest) / squares
    error = float(np.square(rest - share * apart).sum()) / max(1, len(rest) - 1) / squares
    return float(np.clip(1 - share / (1 + error / _PRIOR**2), 0, 1))


def proves_personal(own: np.ndarray, biases: np.ndarray, truth: np.ndarray) -> bool:
    """Whether a model predicts ratings significantly better than biases alone (paired t of squared
    errors); see `best_weight`.
    """
    gain = np.square(biases - truth, dtype=np.float64) - np.square(own - truth, dtype=np.float64)
    return validation.proven(gain)


class BiasTermHooks(Hooks[Any]):
    """What models of ratings with a `BiasTerm` share."""

    bias_term: np.ndarray | None = None
    bias_term_items: np.ndarray | None = None

    @property
    def _term(self) -> BiasTerm | None:
        numbers, items = self.bias_term, self.bias_term_items
        if numbers is None or items is None:
            return None
        weight, damping, mean = map(float, numbers)
        return BiasTerm(weight, damping, mean, items)

    @property
    def _own_share(self) -> np.float32:
        """1 - c."""
        return np.float32(1 if self.bias_term is None else 1 - self.bias_term[0])

    def _take_term(self, term: BiasTerm, data: Interactions) -> None:
        """Put a term beside what was just learned of some data."""
        self._keep_term(term)

    def _keep_term(self, term: BiasTerm) -> None:
        self.bias_term = np.array([term.weight, term.damping, term.mean])
        self.bias_term_items = term.items


class BiasedTermHooks(BiasTermHooks):
    """What models ``mu + b_u + b_i + q_i · x_u`` answer with a `BiasTerm`.

    ``user_bias`` and ``item_bias`` hold what is added to a score: (1 - c) times the learned ones
    plus c times the term's. Vectors are kept as they were learned, and a user's state holds 1 - c
    of them, so that scores stay inner products.
    """

    user_bias: np.ndarray
    item_bias: np.ndarray

    @property
    @abstractmethod
    def _level(self) -> float:
        """What is added to the biases of all users: the mean, or 0."""

    def _take_term(self, term: BiasTerm, data: Interactions) -> None:
        super()._take_term(term, data)
        c, own = np.float32(term.weight), self._own_share
        levels = term.users(data.indptr, data.item_rows, data.weights) - self._level
        self.user_bias = own * self.user_bias + c * levels.astype(np.float32)
        self.item_bias = own * self.item_bias + c * term.items

    def _own_item_bias(self) -> np.ndarray:
        """The learned biases of items, float32 [n_items]; zeros where they have no share."""
        term = self._term
        if term is None:
            return self.item_bias
        own = self._own_share
        if own == 0:
            return np.zeros_like(self.item_bias)
        return (self.item_bias - np.float32(term.weight) * term.items) / own

    def _with_term(
        self, learned: np.ndarray, histories: tuple[np.ndarray, ...], level: float
    ) -> np.ndarray:
        """Return the states of unseen users, whose last place is a bias (plus ``level``), with what
        the term adds, from their learned states and their rated histories as CSR.
        """
        term = self._term
        if term is None:
            return learned
        states: np.ndarray = self._own_share * learned
        own = term.users(*histories) - self._level + level
        states[:, -1] += (term.weight * own).astype(np.float32)
        return states
