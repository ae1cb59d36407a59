"""The interface of losses: the scores they need, value in torch, slopes in NumPy, checks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


class Needs(Enum):
    """The scores that a loss needs for a batch of observed pairs."""

    PAIRS = "the observed pairs alone"
    NEGATIVES = "items drawn for each observed one"
    IN_BATCH = "the items of the whole batch"
    CATALOGUE = "all items"


class LossSettings(Protocol):
    """The settings that losses read."""

    @property
    def batch_size(self) -> int | None:
        """Examples of a step; 0 takes all of them."""

    @property
    def negatives(self) -> int:
        """Items drawn for each observed one."""

    @property
    def margin(self) -> float:
        """The margin of an observed item over others; the cosine above which negatives count."""

    @property
    def negative_weight(self) -> float:
        """The weight of the negatives beside the positive."""


class Candidates(NamedTuple):
    """What the scores of a batch refer to, beside the observed items.

    Parameters
    ----------
    n_items
        The number of items that negatives are drawn from.
    target
        float32 [B]: the values to be predicted (`Needs.PAIRS`); int64 [B]: the column of each
        observed item (`Needs.CATALOGUE`); else None.
    log_expected
        float32 [B, n]: log of the expected number of times that each drawn item is among the n
        draws (`Needs.NEGATIVES`), or float32 [B]: log of the probability of each item in a batch
        (`Needs.IN_BATCH`).
    forbidden
        bool [B, B]: True where item c is another positive of user b (`Needs.IN_BATCH`).
    """

    n_items: int
    target: Tensor | None = None
    log_expected: Tensor | None = None
    forbidden: Tensor | None = None


class Slopes(NamedTuple):
    """A loss of one user's scores, and its derivatives.

    Parameters
    ----------
    value
        The loss.
    own
        float64 [n]: its derivative by the scores of the user's own items.
    others
        float64 [m]: its derivative by the scores of the other items.
    """

    value: float
    own: np.ndarray
    others: np.ndarray


class Loss(ABC):
    """A training loss, for training (in torch) and for folding in new users (in NumPy).

    A subclass sets `name` and `needs`, and writes `value` and `slopes`. In a file of this folder it
    is registered automatically; from elsewhere it is passed as an object:
    ``LatentFactor(loss=MyLoss())``.

    Attributes
    ----------
    name
        Its name in settings and saved models.
    needs
        The scores it is computed from.
    fits_values
        Whether it fits the values of the interactions, if there are any (only `Pointwise`).
    sees_user_bias
        Whether adding a constant to all scores of a user changes it.
    uses_cosine
        Whether scores have to be cosines.
    corrects_draws
        Whether drawn items represent the catalogue, each 1 / (expected count) items.
    gives_log_odds
        Whether the best scores without user information are the log odds that an item is observed
        rather than drawn.
    """

    name: ClassVar[str]
    needs: ClassVar[Needs]
    fits_values: ClassVar[bool] = False
    sees_user_bias: ClassVar[bool] = False
    uses_cosine: ClassVar[bool] = False
    corrects_draws: ClassVar[bool] = False
    gives_log_odds: ClassVar[bool] = False

    @abstractmethod
    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean loss of a batch, a scalar.

        Parameters
        ----------
        scores
            By `needs`: [B] of the pairs; [B, 1 + n], the observed item first and the drawn ones
            after it; [B, B] of each user and each example's item; or [B, n_items]. Row b belongs
            to one user.
        candidates
            What the scores refer to.
        settings
            The model's settings.
        """

    @abstractmethod
    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the loss of one user's own items against other ones, and its derivatives.

        It equals `value` if each own item has all others as its negatives (for m = n; for other m,
        it estimates the same mean).

        Parameters
        ----------
        own
            float64 [n]: scores of the user's items, n at least 1.
        others
            float64 [m]: scores of items that the user has not interacted with; where
            `corrects_draws`, less the log of how often each is expected among them.
        settings
            The model's settings.
        n_items
            The number of items that negatives are drawn from.
        """

    def check(self, settings: LossSettings) -> None:  # noqa: B027
        """Raise ArgumentError for settings for which the loss isn't defined."""

    def link(self, scores: np.ndarray) -> np.ndarray:
        """Return the values that a model shows for ``scores``, of the same shape."""
        return scores


class Pointwise(Loss):
    """A loss of single pairs: ``L = 1/B Σ_b l(s_b, y_b)``.

    ``y`` is a value to be predicted (`fits_values`), or 1 for an observed item and 0 for a drawn
    one.

    Attributes
    ----------
    is_quadratic
        Whether it is squared error, whose fold-in is a linear system.
    """

    needs = Needs.NEGATIVES
    sees_user_bias = True
    is_quadratic: ClassVar[bool] = False

    @abstractmethod
    def each(self, scores: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each pair, of the shape of ``scores``."""

    @abstractmethod
    def each_slope(self, scores: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the loss of each pair and its derivative by the score, float64 [n] both."""

    def value(self, scores: Tensor, candidates: Candidates, settings: LossSettings) -> Tensor:
        """Return the mean over the pairs; see `Loss.value`."""
        target = candidates.target
        if target is None:
            target = scores.new_zeros(scores.shape)
            target[:, 0] = 1
        return self.each(scores, target).mean()

    def slopes(
        self, own: np.ndarray, others: np.ndarray, settings: LossSettings, n_items: int
    ) -> Slopes:
        """Return the loss with one own item for each ``negatives`` others; see `Loss.slopes`."""
        share = 1 / (1 + settings.negatives) if len(others) else 1.0
        up, own_slope = self.each_slope(own, np.ones(len(own)))
        value, own_slope = share * up.mean(), share * own_slope / len(own)
        down, others_slope = self.each_slope(others, np.zeros(len(others)))
        if len(others):
            value = value + (1 - share) * down.mean()
            others_slope = (1 - share) * others_slope / len(others)
        return Slopes(float(value), own_slope, others_slope)


def softplus(x: np.ndarray) -> np.ndarray:
    """Return ``log(1 + e^x)`` without overflow."""
    return np.logaddexp(0, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return ``1 / (1 + e^-x)`` without overflow."""
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
