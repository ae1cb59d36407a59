"""Auto: which model, and with which settings, is best on a validation part, within a time budget.

Families are tried with their defaults, the losers are dropped by successive halving while the
settings of the others are searched (Jamieson and Talwalkar 2016, AISTATS), and the best are
blended if that is significantly better. The test part is looked at once, at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.progress import SILENT, say_or_log
from cofactor.base.run import Run, run_of
from cofactor.base.signals import heard
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.result import Result
from cofactor.metrics.table import Metric, metric_names, parse_metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.automatic import wording
from cofactor.runs.automatic.blending import Blended, best_blend
from cofactor.runs.automatic.data import cut_for_choice, read_once
from cofactor.runs.automatic.race import Race
from cofactor.runs.automatic.trials import Allowance
from cofactor.runs.baselines import Baselined, measure_baselines
from cofactor.runs.shown import lines_html
from cofactor.runs.source import Cutting, Reading, as_reading
from cofactor.runs.words import counted

AUTO = "auto"
BUDGET = 60.0
# The share of the budget that is kept for blends.
_BLEND_SHARE = 0.14


@dataclass(frozen=True)
class Chosen:
    """What auto chose, and why.

    Parameters
    ----------
    model
        The model's name in the registry.
    config
        Its configuration.
    metric
        What decided, on the validation part.
    value
        The metric of the chosen model there; None where nothing could be measured.
    sentence
        Why it was chosen, in one paragraph.
    rows
        A line for each family: best value, settings, how many were tried, seconds, and what became
        of it.
    seconds
        Of the search.
    interrupted
        Whether Ctrl-C ended it.
    warning
        Where the budget was too short for a choice that is worth much, a sentence that says so (the
        paragraph has it, too), else "".
    """

    model: str
    config: Any
    metric: str
    value: float | None
    sentence: str
    rows: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    interrupted: bool = False
    warning: str = ""

    def create(self) -> Recommender:
        """Return the model with its settings, not fitted."""
        return registry.get(self.model)(self.config)

    def noted(self, note: str) -> Chosen:
        """Return the same with a sentence on the data behind it."""
        return replace(self, sentence=f"{self.sentence} {note}") if note else self

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        return lines_html("Chosen model", self.rows, [self.sentence], best=0)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "model": self.model,
            "config": self.config.to_dict(),
            "metric": self.metric,
            "validation": self.value,
            "sentence": self.sentence,
            "families": list(self.rows),
            "seconds": round(self.seconds, 3),
            "interrupted": self.interrupted,
            "warning": self.warning,
        }


@dataclass(frozen=True)
class Automatic:
    """A model that was chosen automatically, and how good it is.

    Parameters
    ----------
    model
        Fitted on all of the data.
    chosen
        What was chosen, and why.
    result
        What it reached on the test part, fitted without it; None where nothing could be held out.
    baselines
        What the simple models reached there, and the paired tests against them.
    """

    model: Recommender
    chosen: Chosen
    result: Result | None
    baselines: Baselined | None

    def __repr__(self) -> str:
        lines = [self.chosen.sentence]
        if self.result is not None:
            lines.append(repr(self.result))
        return "\n".join([*lines, *(self.baselines.sentences() if self.baselines else [])])

    def _repr_html_(self) -> str:
        result = "" if self.result is None else self.result._repr_html_()
        against = self.baselines.sentences() if self.baselines else ()
        return self.chosen._repr_html_() + result + lines_html("", (), against)


def auto(
    source: Any,
    *,
    budget: float = BUDGET,
    metrics: str | Iterable[str] | None = None,
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    run: Run | None = None,
) -> Automatic:
    """Choose a model and its settings, measure it once, and fit it on all of the data.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    budget
        Seconds, above 0, of the search and the fits that follow it, for the test part and on all of
        the data: up to three tenths are kept for those. Compiling kernels, once on a machine,
        may double it at most.
    metrics
        What to measure on the test part; the first one decides on the validation part. None:
        nDCG@10 first. With an error such as ``rmse``, models that predict ratings are tried.
    reading, cutting
        How the source is read and cut; there must be a validation part.
    run
        Seed, threads, device, progress.

    Returns
    -------
    Automatic
        The fitted model, why it was chosen, and how good it is.

    Raises
    ------
    ArgumentError
        For a budget that isn't above 0, a run with an engine, or a split without a test part.
    CofactorError
        If no model could be fitted and measured; the message says why.
    """
    run = run_of(run)
    check_no_engine(run)
    names = metric_names(metrics)
    _, data, whole, note = read_once(source, as_reading(reading), names, run)
    parts, _ = cut_for_choice(data, cutting)
    chosen = choose(data, parts, metric=names[0] if names else None, budget=budget, run=run).noted(
        note
    )
    result, baselines = None, None
    if parts is not None:
        final = parts.with_validation_merged()
        measured = chosen.create().fit(final.train, run=run)
        result = evaluate(measured, final, names, run=run)
        baselines = measure_baselines(measured, result, final, final.train, run)
    model = chosen.create()
    return Automatic(model.fit(whole(model), run=run), chosen, result, baselines)


def check_no_engine(run: Run) -> None:
    """Refuse a run with an engine, of which only some families could be chosen."""
    if run.engine is not None:
        raise ArgumentError(
            f"{AUTO} searches in this process; leave the engine out, or name a model (`cofactor"
            " tune` searches its settings on an engine)."
        )


def choose(
    data: Interactions,
    parts: Split | None,
    *,
    metric: str | None = None,
    budget: float = BUDGET,
    content: Mapping[str, Any] = {},
    run: Run | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Chosen:
    """Choose a model and its settings on the validation part of a split.

    Parameters
    ----------
    data
        All of the interactions.
    parts
        The split; its test part is never looked at here. None where there is too little data for
        one: popularity (of ratings: bias) is chosen then, as where all ratings are equal.
    metric
        What decides; None for nDCG@10.
    budget
        Seconds, above 0.
    content
        Settings of all models with content: which columns are read.
    run
        Seed, threads and progress.
    now
        The clock, in seconds.

    Returns
    -------
    Chosen
        The best found, also if Ctrl-C ended the search.

    Raises
    ------
    ArgumentError
        For an error of ratings on data without any, or a metric that doesn't say what is right.
    CofactorError
        If no family could be fitted and measured; it says why.
    """
    checks.real(budget, "budget", above=0)
    run = run_of(run)
    wanted = _decisive("ndcg@10" if metric is None else metric, data)
    if parts is None or parts.validation is None or _all_equal(wanted, data):
        return _without_choice(wanted, data)
    allowance = Allowance(budget, now)
    race = Race(parts, wanted, allowance, run, dict(content))
    run.progress.say(f"trying {len(race.lanes)} families of models for {budget:g} s")
    allowance.seconds = budget * (1 - _BLEND_SHARE)
    with run.progress.task("trying models, seconds", round(budget)) as task:
        race.go(task)
    allowance.seconds = budget
    if race.best is None:
        reasons = "; ".join(f"{one.family.name} {one.dropped}" for one in race.lanes)
        raise CofactorError(f"no model could be fitted and measured. {reasons}")
    late = race.interrupted or allowance.left <= 0
    blend = None if late else _blend(race, wanted, run)
    chosen = _chosen(race, blend, wanted)
    if chosen.warning and run.progress is SILENT:  # elsewhere the paragraph is shown
        say_or_log(SILENT, chosen.warning)
    return chosen


def _decisive(name: str, data: Interactions) -> Metric:
    """Return the metric of that name, which must say what is right of this data."""
    metric = parse_metric(name)
    if metric.family == "lists":
        raise ArgumentError(
            f"{metric} doesn't measure whether lists are right; name another metric first."
        )
    if metric.family == "rating" and data.values is None:
        raise ArgumentError(
            f"{metric} is an error of predicted ratings, and this data has none; name the column"
            " that holds them, or let a metric of lists such as ndcg@10 decide."
        )
    return metric


def _blend(race: Race, metric: Metric, run: Run) -> Blended | None:
    fitted = [lane.best(True) or lane.best() for lane in race.leaders]
    fitted.sort(key=lambda attempt: attempt is not race.choice)  # it comes first
    part = (race.parts if race.best and race.best.whole else race.small).validation
    assert part is not None
    try:
        return best_blend([a for a in fitted if a], part, metric, race.allowance, run)
    except KeyboardInterrupt:
        heard()
        return None


def _chosen(race: Race, blend: Blended | None, metric: Metric) -> Chosen:
    best = race.choice
    assert best is not None
    rows = wording.rows(race, blend)
    name, config, value = best.family.name, best.config, abs(best.score)
    if blend is not None and blend.better:
        name, config, value = "blend", blend.config, blend.value
    return Chosen(
        model=name,
        config=config,
        metric=str(metric),
        value=value,
        sentence=wording.paragraph(race, blend, metric),
        rows=tuple(rows),
        seconds=race.allowance.passed,
        interrupted=race.interrupted,
        warning=wording.warning(race),
    )


def _all_equal(metric: Metric, data: Interactions) -> bool:
    """Whether ratings are to be predicted, and all are the same."""
    return metric.family == "rating" and data.values is not None and bool(np.ptp(data.values) == 0)


def _without_choice(metric: Metric, data: Interactions) -> Chosen:
    """The baseline, where nothing can be held out or learned."""
    name = "bias" if metric.family == "rating" else "popularity"
    n, users = len(data), data.n_users
    why = f"{counted(n, 'interaction')} of {counted(users, 'user')} are too few to hold any out"
    if _all_equal(metric, data):
        assert data.values is not None
        why = f"all {n:,} ratings are {data.values[0]:g}, so there is nothing to learn"
    elif users == 1 < n:
        why = "one user doesn't show which items go together"
    elif users > 1 and data.user_counts.max() < 2:
        why = f"none of the {users:,} users has two interactions, so none can be held out"
    measured = "" if _all_equal(metric, data) else ", and nothing could be measured"
    sentence = f"{name} was chosen: {why}{measured}."
    config = registry.get(name).Config()
    return Chosen(name, config, str(metric), None, sentence)
