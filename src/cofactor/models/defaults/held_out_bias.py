"""The share that the biases alone have in a rating model's predictions, by held-out ratings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.data.splits import split
from cofactor.models import validation
from cofactor.models.defaults.bias_term import (
    BiasTerm,
    BiasTermConfig,
    BiasTermHooks,
    best_weight,
    proves_personal,
)
from cofactor.models.defaults.held_out_epochs import pilot_of, some_users
from cofactor.models.defaults.settled import configured

_SAMPLE = 300_000  # ratings of random users that are looked at first if there are more
_FEWEST = 10  # held-out ratings below which even their error can't be known
# Shares of the ratings that are held out, and how many are wanted: vectors learned of much fewer
# are worth less than they will be.
_HELD_OUT, _WANTED = (0.05, 0.2), 4000


@contextmanager
def settled_bias_weight(
    model: Any, data: Interactions, part: Part | None, run: Run
) -> Iterator[None]:
    """While open, a rating model whose ``bias_weight`` is None has a number there; when it closes,
    the fitted model has the `BiasTerm` of that weight.

    Of a validation part the weight is taken after the fit; what early stopping follows is the
    model's own predictions. Without one, 4,000 ratings are held out at random (at most a fifth of
    all, at least a twentieth), and a model is fitted on the others beforehand. Ratings with times
    are no exception: by the latest ones the share is too large for ratings in between. Beyond
    300,000 ratings that is done with those of random users first: if the model predicts them
    significantly better than biases alone (paired t of squared errors), the weight is 0, since more
    ratings show more of what is personal; otherwise all of the data is looked at. Networks whose
    number of epochs is found by held-out ratings have the weight from these (`held_out_epochs`). An
    update keeps the weight. It is 0 with a time budget, with fewer than 10 held-out ratings, where
    early stopping follows a metric of the caller's, and in models that shall have no biases.

    Parameters
    ----------
    model
        About to be fitted; of one without the setting nothing changes.
    data, part
        What it will be fitted on, and what it will be measured on.
    run
        Seed and threads.
    """
    config = model.config
    if hasattr(model, "bias_term"):
        model.bias_term = model.bias_term_items = None
    if not _may_have_one(model) or data.values is None:
        yield
        return
    weight = config.bias_weight
    own_metric = part is not None and model._metrics
    if weight is None and (own_metric or not getattr(config, "biases", True)):
        weight = 0.0
    later, settled = weight is None and model._before is None and part is not None, config
    if weight is None and not later:
        weight = _settled(model, data, run)
        settled = config.replace(bias_weight=weight)
    with configured(model, settled):
        yield
        if model.bias_term is None:  # other processes may have set it
            _take(model, data, part if later else None, weight or 0.0)
        if config.bias_weight is None and model.bias_term is not None:
            share = float(model.bias_term[0])
            run.progress.say(f"{model.name}: biases alone have a share of {share:.2f}")


def _may_have_one(model: Any) -> bool:
    """Whether it predicts ratings, and biases may have a share in that."""
    has: bool = isinstance(model, BiasTermHooks) and isinstance(model.config, BiasTermConfig)
    return has and model.traits.predicts_ratings


def weight_in(model: Any) -> dict[str, float]:
    """Return ``bias_weight`` as it is in a fitted model whose settings leave it open."""
    if not _may_have_one(model) or model.config.bias_weight is not None:
        return {}
    return {"bias_weight": 0.0 if model.bias_term is None else float(model.bias_term[0])}


def _take(model: Any, data: Interactions, part: Part | None, weight: float) -> None:
    """Give a model that was just fitted its term; of a part, with the weight that it asks for."""
    if part is not None and len(part.truth) >= _FEWEST and part.truth.values is not None:
        with model._measuring(data, lambda: None):
            weight = best_weight(*_predicted(model, BiasTerm.of(data), part))
    if weight:
        model._take_term(BiasTerm.of(data, weight), data)


def _settled(model: Any, data: Interactions, run: Run) -> float:
    """The weight before, or by held-out training ratings."""
    before = model._before
    if before is not None:
        return 0.0 if before.bias_term is None else float(before.bias_term[0])
    if model._max_time is not None:
        return 0.0
    some = some_users(data, _SAMPLE, run, "bias weight")
    for looked_at in (data,) if some is data else (some, data):
        # Training that fails here does so on all of the data too, and is explained there.
        try:
            share = float(np.clip(_WANTED / len(looked_at), *_HELD_OUT))
            parts = split(looked_at, "random", test=share, seed=run.seed)
            if len(parts.test.truth) < _FEWEST:
                return 0.0
            pilot, alone = pilot_of(model, model.config.replace(bias_weight=0.0), run)
            pilot.fit(parts.train, run=alone)
        except CofactorError:
            return 0.0
        found = _predicted(pilot, BiasTerm.of(parts.train), parts.test)
        if looked_at is not data and proves_personal(*found):
            return 0.0
    return best_weight(*found)


def _predicted(model: Any, term: BiasTerm, part: Part) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a model and the biases alone predict of a part, and the truth, float64 [n]."""
    (batch, which, own), truth = validation.predictions(model, part), part.truth
    biases = term.pairs(model, batch, which, truth.item_rows)
    if getattr(model.config, "clip_predictions", True):
        rated = model.data.weights
        biases = np.clip(biases, rated.min(), rated.max())
    return own.astype(np.float64), biases, truth.weights.astype(np.float64)
