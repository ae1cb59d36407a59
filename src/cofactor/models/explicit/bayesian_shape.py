"""How much `BayesianMF` learns beside biases: its factors, and whether who rated what is a feature.

Priors whose precision is drawn should shrink what isn't there to nothing, and do where the ratings
come from the model. Real noise differs between users, and vectors explain a part of that, so that
on sparse data fewer of them predict better: held-out training ratings say how many."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.defaults.held_out_ratings import HeldOutRatings
from cofactor.models.recommender import Recommender
from cofactor.models.validation import paired_t

USUAL_FACTORS, FEW_FACTORS = 16, 0
# Paired t from which a larger shape is worth it. With 500 held-out ratings, vectors only have to be
# better: on the panel and on fresh data (validation parts), where they were of no use they cost
# .3 % in the mean, and where they were of use but not proved so, leaving them out cost 1 %. With
# 30 held-out ratings, vectors that are of no use cost 10 %.
_LEAST_T, _MANY = 2.0, 500


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
    """Return the largest shape that predicts held-out ratings better than the ones before it: with
    the feature, or by fewer than 500 ratings, significantly so (paired t of squared errors).

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
    held = HeldOutRatings.draw(data, run.generator("bayesian_mf", "shape"))
    if held is None:
        return candidates[0]
    alone = run.quiet()
    best, least = candidates[0], held.squared_errors(fit(held.training, candidates[0], alone))
    for shape in candidates[1:]:
        found = held.squared_errors(fit(held.training, shape, alone))
        free = shape.implicit == best.implicit and len(found) >= _MANY
        if paired_t(least - found) > (0.0 if free else _LEAST_T):
            best, least = shape, found
    run.progress.say(f"bayesian_mf: {best.factors} factors{', implicit' * best.implicit}")
    return best
