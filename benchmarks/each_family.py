"""What each family of auto reaches with settings that are known to be good: its defaults, those
that it begins with, and some drawn from anywhere in its search space."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from cofactor.base.errors import CofactorError
from cofactor.base.run import Run
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.metrics.table import parse_metric
from cofactor.models import registry
from cofactor.runs.automatic.families import (
    FAMILIES,
    Circumstances,
    Family,
    Settings,
    drawn_value,
)

_DRAWN = 3
# Networks take longer than what they are compared with may.
_BUDGET = 60.0


def best_of_each(
    parts: Split, metric: str, run: Run, seconds: float
) -> dict[str, tuple[float, Settings]]:
    """Each family's best validation value and its settings, from fits that take about so many
    seconds of the processor for each family; those that fail don't count.
    """
    assert parts.validation is not None
    sign, found = parse_metric(metric).sign, {}
    given = Circumstances.of(parts, parse_metric(metric), _BUDGET)
    draw = np.random.default_rng(3)
    for family in (one for one in FAMILIES if one.why_not(given) is None):
        tried, began = [], time.process_time()
        for settings in _settings(family, draw):
            if tried and time.process_time() - began > seconds:
                break
            try:
                model = family.kind(family.config(settings)).fit(parts.train, run=run)
                value = evaluate(model, parts.validation, [metric], run=run, resamples=0)[metric]
            except CofactorError:
                continue
            tried.append((float(value), settings))
        if tried:
            found[family.name] = max(tried, key=lambda one: sign * one[0])
    return found


def _settings(family: Family, draw: np.random.Generator) -> Iterator[Settings]:
    yield {}
    yield from family.starts
    space = family.space()
    for _ in range(_DRAWN if space else 0):
        yield {name: drawn_value(one, None, draw) for name, one in space.items()}


def on_test(name: str, settings: Settings, parts: Split, metric: str, run: Run) -> float:
    """What a model reaches on the test part, fitted on training and validation together."""
    kind, final = registry.get(name), parts.with_validation_merged()
    model = kind(kind.Config(**settings)).fit(final.train, run=run)
    return float(evaluate(model, final, [metric], run=run, resamples=0)[metric])
