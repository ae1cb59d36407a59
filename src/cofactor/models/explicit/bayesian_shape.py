"""How much `BayesianMF` learns beside biases: its factors, and whether who rated what is a feature.

Priors whose precision is drawn should shrink what isn't there to nothing, and do where the ratings
come from the model. Real noise differs between users, and vectors explain a part of that, so that
on sparse data fewer of them predict better: held-out training ratings say how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender

USUAL_FACTORS, FEW_FACTORS = 16, 0
_MOST = 100_000  # ratings that shapes are tried on
_FEWEST = 30  # held-out ratings below which nothing can be said
_HELD_OUT = 0.15
_LEAST_T = 2.0  # paired t from which a larger shape is worth it


class Shape(NamedTuple):
    """What there is beside biases.

    Parameters
    ----------
    factors
        Length of the vectors.
    implicit
        Whether who rated what is a feature of users and items.
    """

    factors: int
    implicit: bool


def shapes(factors: int | None, implicit: bool | None) -> list[Shape]:
    """Return the shapes that settings leave open, the smallest first."""
    lengths = (FEW_FACTORS, USUAL_FACTORS) if factors is None else (factors,)
    features = (False, True) if implicit is None else (implicit,)
    steps = [(lengths[0], features[0]), (lengths[-1], features[0]), (lengths[-1], features[-1])]
    return [Shape(*step) for step in dict.fromkeys(steps)]


def choose_shape(
    candidates: list[Shape],
    data: Interactions,
    fit: Callable[[Interactions, Shape, Run], Recommender],
    run: Run,
) -> Shape:
    """Return the largest shape that predicts held-out ratings significantly better than the ones
    before it, by the paired t-test of squared errors.

    Parameters
    ----------
    candidates
        The smallest first.
    data
        The training ratings; of many, those of random users are looked at.
    fit
        Returns a model fitted on data with a shape.
    run
        Seed and threads.
    """
    if len(candidates) == 1:
        return candidates[0]
    generator = run.generator("bayesian_mf", "shape")
    if len(data) > _MOST:
        some = generator.random(data.n_users) < _MOST / len(data)
        data = data.where(some[data.user_rows]).compact()
    out = generator.random(len(data)) < _HELD_OUT
    training, rest = data.where(~out), data.where(out)
    if len(rest) < _FEWEST or len(np.unique(training.weights)) < 2:
        return candidates[0]
    alone = run.quiet()

    def errors(shape: Shape) -> np.ndarray:
        model = fit(training, shape, alone)
        predicted = model.predict_rows(rest.user_rows, rest.item_rows)
        return np.square(predicted - rest.weights, dtype=np.float64)

    best, least = candidates[0], errors(candidates[0])
    for shape in candidates[1:]:
        found = errors(shape)
        gain = least - found
        if gain.mean() * len(gain) ** 0.5 > _LEAST_T * gain.std(ddof=1):
            best, least = shape, found
    run.progress.say(f"bayesian_mf: {best.factors} factors{', implicit' * best.implicit}")
    return best
