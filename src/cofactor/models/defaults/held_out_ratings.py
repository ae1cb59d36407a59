"""Training ratings that are held out, by which a rating model's settings are chosen."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from cofactor.data.interactions import Interactions

_MOST = 100_000  # ratings that settings are tried on
_FEWEST = 30  # held-out ratings below which nothing can be said
_HELD_OUT = 0.15


class HeldOutRatings(NamedTuple):
    """Ratings that a model is fitted on to try its settings, and those by which it is judged."""

    training: Interactions
    rest: Interactions

    @classmethod
    def draw(cls, data: Interactions, generator: np.random.Generator) -> Self | None:
        """Hold out 15 % of the ratings at random, of many those of random users who have about
        100,000 together; None where these are fewer than 30, or the others are all the same.
        """
        if len(data) > _MOST:
            some = generator.random(data.n_users) < _MOST / len(data)
            data = data.where(some[data.user_rows]).compact()
        out = generator.random(len(data)) < _HELD_OUT
        training, rest = data.where(~out), data.where(out)
        if len(rest) < _FEWEST or len(np.unique(training.weights)) < 2:
            return None
        return cls(training, rest)

    def squared_errors(self, model: Any) -> np.ndarray:
        """Return those of a fitted model's predictions, float64 [n]."""
        predicted = model.predict_rows(self.rest.user_rows, self.rest.item_rows)
        return np.square(predicted - self.rest.weights, dtype=np.float64)
