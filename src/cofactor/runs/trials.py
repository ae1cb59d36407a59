"""One trial of a search: settings fitted on the training part, measured on the validation part."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError, TrainingError
from cofactor.base.progress import SILENT
from cofactor.base.run import Run
from cofactor.base.search import Choices, Range, Search
from cofactor.data.split import Part, Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.metrics.table import Metric
from cofactor.models.iterative import IterativeModel
from cofactor.models.recommender import Recommender
from cofactor.runs.samples import few_users
from cofactor.runs.source import Clock

# watch(seed, epoch, value) is called after each epoch, with the seed's number and the epoch, both
# from 0, and the metric, None where it wasn't measured. An exception in it ends the trial.
Watch = Callable[[int, int, float | None], None]

# Users of the validation part that an epoch is measured on; a finished trial is measured on all.
_USERS_OF_AN_EPOCH = 2000


@dataclass(frozen=True)
class Measured:
    """The result of a trial.

    Parameters
    ----------
    value
        The metric on the validation part, the mean over seeds.
    epochs
        The best number of epochs, median over seeds; None for models without epochs.
    chosen
        Settings that the fit itself chose, such as a blend's weights, with the first seed.
    seconds
        Seconds of the whole trial.
    """

    value: float
    epochs: int | None
    chosen: Mapping[str, Any]
    seconds: float

    def tell(self, study: Any, trial: Any) -> None:
        """Give an Optuna study the result of its trial."""
        for name in ("epochs", "chosen", "seconds"):
            trial.set_user_attr(name, getattr(self, name))
        study.tell(trial, self.value)


@dataclass(frozen=True)
class Bench:
    """Measures settings of one model, all in the same way.

    Parameters
    ----------
    kind
        The model's class.
    parts
        The split; its test part is never looked at here.
    metric
        The metric to optimise; it also chooses the best epoch.
    seeds
        Number of fits with different seeds whose values are averaged.
    run
        Threads, device, and the first seed.
    """

    kind: type[Recommender]
    parts: Split
    metric: Metric
    seeds: int
    run: Run

    def measure(self, config: Any, watch: Watch) -> Measured:
        """Fit a model with these settings from each seed, and measure it.

        Raises
        ------
        TrainingError
            If the metric is undefined; also whatever fitting, measuring and ``watch`` raise.
        """
        clock, values, epochs = Clock(), [], []
        chosen: dict[str, Any] = {}
        for n in range(self.seeds):
            run = replace(self.run, seed=self.run.seed + n, progress=SILENT)
            model = self.kind(config)
            if isinstance(model, IterativeModel):
                self._follow(model, run, n, watch)
            model.fit(self.parts.train, validation=self._validation, run=run)
            values.append(self._value(model, self._validation, run))
            if isinstance(model, IterativeModel):
                epochs.append(model.refit_config.epochs)
            elif n == 0:
                chosen = _changed(config, model.refit_config)
        value = float(np.mean(values))
        if not math.isfinite(value):
            raise TrainingError(f"{self.metric} is undefined on the validation part.")
        return Measured(value, round(median(epochs)) if epochs else None, chosen, clock.seconds)

    def _follow(self, model: IterativeModel, run: Run, n: int, watch: Watch) -> None:
        """Choose the best epoch by the metric, and show every epoch to ``watch``."""
        name = str(self.metric)
        model.monitor(
            name,
            lambda fitted, _: self._value(fitted, self._few, run),
            higher_is_better=not self.metric.lower_is_better,
        )
        model.on_epoch_end(lambda epoch, facts, _: watch(n, epoch, facts.get(name)))

    def _value(self, model: Recommender, part: Part, run: Run) -> float:
        return evaluate(model, part, str(self.metric), run=run, resamples=0)[str(self.metric)]

    @property
    def _validation(self) -> Part:
        assert self.parts.validation is not None
        return self.parts.validation

    @cached_property
    def _few(self) -> Part:
        """The validation part with at most 2,000 of its users, evenly spaced."""
        return few_users(self._validation, _USERS_OF_AN_EPOCH)


def _changed(config: Any, chosen: Any) -> dict[str, Any]:
    """The settings that a fit changed, as plain values for JSON."""
    before = config.to_dict()
    return {name: value for name, value in chosen.to_dict().items() if value != before[name]}


def search_space(
    kind: type[Recommender], fixed: Any, given: Collection[str], more: Mapping[str, Search]
) -> dict[str, Search]:
    """Return the search space: what the Config declares, extended or replaced by ``more``, without
    the settings in ``given``.

    Raises
    ------
    UnknownNameError
        For a name that isn't a setting.
    ArgumentError
        If the setting refuses a choice or an end of a range, if a setting is both given and
        searched, or if nothing is left to search.
    """
    for name in more:
        fixed.value_of(name)
        if name in given:
            raise ArgumentError(f"{name} is both set and searched; leave one of the two out.")
    space = {name: one for name, one in fixed.searched().items() if name not in given}
    space |= {name: _typed(fixed, name, one) for name, one in more.items()}
    if not space:
        raise ArgumentError(
            f"there is nothing to search in {kind.name}: its settings declare no search space, or"
            " all of it is set; name one, as factors=log:16..256."
        )
    return space


def _typed(fixed: Any, name: str, one: Search) -> Search:
    """The search space with values of the setting's type, checked as the setting is."""
    if isinstance(one, Choices):
        texts = [value for value in one.values if isinstance(value, str)]
        read = {text: fixed.read(name, text) for text in texts}
        values = [read.get(value, value) if value in texts else value for value in one.values]
        return Choices(tuple(fixed.with_values({name: v}).value_of(name) for v in values))
    checks.of_kind(one, f"search[{name!r}]", Range, "a Range or Choices (cofactor.base.search)")
    low, high = (fixed.with_values({name: end}).value_of(name) for end in one.ends)
    return Range(low, high, one.log)
