"""Cross-validation: a model fitted and measured on each fold, beside its baselines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.engine import in_turn
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of
from cofactor.data.conversion import as_interactions
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import k_fold
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.result import Result
from cofactor.metrics.paired import two_sided
from cofactor.metrics.table import metric_names, parse_metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.baselines import measure_baselines
from cofactor.runs.shown import lines_html
from cofactor.runs.words import p_fact

_ALPHA = 0.05


@dataclass(frozen=True, eq=False)
class CrossValidated:
    """A model on several folds.

    Parameters
    ----------
    label
        The model's name.
    folds
        Its result on each fold.
    baselines
        Name -> the baseline's results on the same folds.
    shares
        For each fold the number of test interactions over that of training.
    """

    label: str
    folds: tuple[Result, ...]
    baselines: Mapping[str, tuple[Result, ...]]
    shares: tuple[float, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that all folds share."""
        return tuple(m for m in self.folds[0].metrics if all(m in r.summary for r in self.folds))

    def values(self, metric: str) -> np.ndarray:
        """Return the metric on each fold, float64 [n_folds]."""
        return np.array([result[metric] for result in self.folds])

    def __getitem__(self, metric: str) -> float:
        return float(self.values(metric).mean())

    def p_against(self, baseline: str, metric: str) -> float:
        """Return the two-sided p-value of the difference from a baseline over folds; NaN for one
        fold.

        Folds share training data, so their differences d aren't independent: the variance is
        corrected, ``t = mean(d) / sqrt((1/k + n_test / n_train) var(d))`` with k - 1 degrees of
        freedom (Nadeau and Bengio 2003, Machine Learning).
        """
        others = self.baselines[baseline]
        difference = self.values(metric) - np.array([result[metric] for result in others])
        k = len(difference)
        if k < 2:
            return math.nan
        spread = float(difference.var(ddof=1) * (1 / k + np.mean(self.shares)))
        if spread == 0:
            return 1.0 if not difference.any() else 0.0
        return two_sided(difference.mean(), math.sqrt(spread), k - 1)

    def rows(self) -> list[dict[str, Any]]:
        """Return a line for each metric: mean, deviation, each fold, and the baselines' means."""
        lines = []
        for metric in self.metrics:
            values = self.values(metric)
            deviation = float(values.std(ddof=1)) if len(values) > 1 else None
            line = {"metric": metric, "mean": float(values.mean()), "deviation": deviation}
            line |= {f"fold {n}": float(value) for n, value in enumerate(values, 1)}
            for name, results in self.baselines.items():
                known = all(metric in result.summary for result in results)
                line[name] = float(np.mean([r[metric] for r in results])) if known else None
            lines.append(line)
        return lines

    def sentences(self) -> list[str]:
        """Say whether the model is significantly better than each baseline, over the folds."""
        said = []
        for name, results in self.baselines.items():
            metric = next((m for m in self.metrics if m in results[0].summary), None)
            if metric is None or math.isnan(p := self.p_against(name, metric)):
                continue
            lead = self[metric] - float(np.mean([result[metric] for result in results]))
            better = (lead > 0) != parse_metric(metric).lower_is_better
            judged = "better" if better else "worse"
            verdict = f"is significantly {judged}" if p < _ALPHA else "isn't significantly better"
            said.append(f"{self.label} {verdict} than {name} ({metric} {lead:+.4f}, {p_fact(p)}).")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "model": self.label,
            "metrics": {
                metric: {"mean": self[metric], "folds": self.values(metric).tolist()}
                for metric in self.metrics
            },
            "baselines": {
                name: [result.to_dict()["metrics"] for result in results]
                for name, results in self.baselines.items()
            },
            "sentences": self.sentences(),
        }

    def _repr_html_(self) -> str:
        return lines_html(f"{self.label} on {len(self.folds)} folds", self.rows(), self.sentences())

    def __repr__(self) -> str:
        lines = [f"{self.label} on {len(self.folds)} folds"]
        for row in self.rows():
            spread = "" if row["deviation"] is None else f" ± {row['deviation']:.4f}"
            lines.append(f"  {row['metric']}  {row['mean']:.4f}{spread}")
        return "\n".join([*lines, *self.sentences()])


def cross_validate(
    model: str | Recommender,
    data: Any,
    folds: int | Iterable[Split] = 5,
    *,
    metrics: str | Iterable[str] | None = None,
    validation: float = 0.0,
    baselines: bool = True,
    run: Run | None = None,
) -> CrossValidated:
    """Fit and measure a model on each fold.

    Parameters
    ----------
    model
        A model, which isn't changed (each fold fits a `clone`), or a name in the registry.
    data
        `Interactions`, or what `cofactor.read` takes.
    folds
        Number of folds (every interaction is in the test part of one), or existing splits, such as
        published ones; ``data`` isn't looked at then.
    metrics
        What to measure; None for the usual metrics of the model.
    validation
        The share of all interactions that is held out of each training part for early stopping.
    baselines
        Whether popularity (bias for ratings) is measured beside it.
    run
        Seed, threads, progress; on an engine each fold is a piece of work.

    Returns
    -------
    CrossValidated
        Each fold's result, means and deviations, and the tests against the baselines.

    Raises
    ------
    ArgumentError
        If there are no folds.
    """
    run = run_of(run)
    names = metric_names(metrics)
    first = registry.create(model) if isinstance(model, str) else model
    checks.of_kind(first, "model", Recommender, "a model, such as EASE(), or the name of one")
    results: list[Result] = []
    beside: dict[str, list[Result]] = {}
    shares: list[float] = []
    splits = _splits(as_interactions(data), folds, validation, run)
    for fold in _folds(Fold(first, names, baselines, run), splits):
        results.append(fold.result)
        shares.append(fold.share)
        for name, result in fold.baselines.items():
            beside.setdefault(name, []).append(result)
    if not results:
        raise ArgumentError("folds must hold at least one split.")
    whole = {name: tuple(some) for name, some in beside.items() if len(some) == len(results)}
    return CrossValidated(first.name, tuple(results), whole, tuple(shares))


@dataclass(frozen=True)
class Fold:
    """What every fold needs.

    Parameters
    ----------
    model
        The model whose clone is fitted.
    metrics
        What is measured.
    baselines
        Whether baselines are measured beside it.
    run
        How.
    """

    model: Recommender
    metrics: list[str] | None
    baselines: bool
    run: Run


class MeasuredFold(NamedTuple):
    """The results of a fold."""

    result: Result
    baselines: Mapping[str, Result]
    share: float  # test interactions over those of training


def _folds(fold: Fold, splits: Iterable[Split]) -> Iterator[MeasuredFold]:
    """Yield what each fold gives; on an engine several at a time."""
    engine, progress = fold.run.engine, fold.run.progress
    if engine is not None:
        shared = engine.share(replace(fold, run=fold.run.alone()))
        # A split is sent when its turn comes, so that not all are held in memory.
        yield from in_turn(engine, measured, ((shared, engine.share(parts)) for parts in splits))
        return
    for number, parts in enumerate(splits, 1):
        progress.say(f"fold {number}")
        yield measured(fold, parts)


def measured(fold: Fold, parts: Split) -> MeasuredFold:
    """Fit and measure a model on one fold."""
    checks.of_kind(parts, "folds", Split, "a number of folds, or splits (cofactor.split)")
    fitted = fold.model.clone().fit(parts.train, validation=parts.validation, run=fold.run)
    result = evaluate(fitted, parts, fold.metrics, run=fold.run)
    beside: Mapping[str, Result] = {}
    if fold.baselines:
        beside = measure_baselines(fitted, result, parts, parts.train, fold.run).results
    return MeasuredFold(result, beside, len(parts.test.truth) / max(1, len(parts.train)))


def _splits(
    data: Interactions, folds: int | Iterable[Split], validation: float, run: Run
) -> Iterable[Split]:
    if isinstance(folds, int):
        return k_fold(data, folds, validation=validation, seed=run.seed)
    if validation:
        raise ArgumentError(
            "validation is for folds that are drawn here; the given splits have their own parts."
        )
    checks.of_kind(folds, "folds", Iterable, "a number of folds, or splits")
    return folds
