"""Compare several models on one split: a table with intervals, times and paired tests."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.config import Settings
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.extras import require
from cofactor.base.latex import latex_table
from cofactor.base.run import Run, run_of
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation import charts, significance
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import Comparison
from cofactor.metrics.table import metric_names, parse_metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.retrieval.rerank.rules import Rerank, as_rules
from cofactor.runs import shown
from cofactor.runs.baselines import baseline_names
from cofactor.runs.compared_models import Models, unfitted
from cofactor.runs.comparison_pieces import Fit, measured
from cofactor.runs.rerank_costs import costs_of
from cofactor.runs.source import Cutting, Reading, as_cutting, cut, interactions
from cofactor.runs.words import p_words


@dataclass(frozen=True, repr=False)
class Compared:
    """Several models, measured on one split.

    Parameters
    ----------
    data
        The data that was read.
    split
        The split, the same for all models.
    models
        The fitted models by name, in the order of the call.
    results
        The result of each on the test part.
    seconds
        Seconds of each fit, without the compilation of kernels.
    tests
        For every metric that all models have, paired tests of each model against the best one,
        corrected for their number.
    failures
        Models that couldn't be fitted or measured, with the reason.
    costs
        For every model and every set of rules, the reranked lists against the model's own.
    origin
        Data, date, versions, seed and threads, by their names.
    """

    data: Interactions
    split: Split
    models: Mapping[str, Recommender]
    results: Mapping[str, Result]
    seconds: Mapping[str, float]
    tests: Sequence[Comparison]
    failures: Mapping[str, str] = field(default_factory=dict)
    costs: Sequence[Comparison] = ()
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def order(self) -> list[str]:
        """The names of the models, the best on `metric` first."""
        return sorted(
            self.results, key=lambda name: _goodness(self.results[name], self.metric), reverse=True
        )

    @property
    def best(self) -> str:
        """The name of the model that is best on the first metric that all have; of equal ones the
        first.
        """
        return _best(self.results, self.metric)

    @property
    def metric(self) -> str:
        """The first metric that all models have; the table is sorted by it."""
        return _shared(list(self.results.values()))[0]

    @property
    def _metrics(self) -> list[str]:
        """All metrics that any of the models has."""
        return list(dict.fromkeys(m for result in self.results.values() for m in result.metrics))

    @property
    def _p_values(self) -> dict[str, float]:
        """Each model's p-value against the best on `metric`, by its name."""
        return {t.first: t.p_adjusted for t in self.tests if t.metric == self.metric}

    @property
    def _equal(self) -> set[str]:
        """The models that are as good as `best` on `metric`, with it."""
        tests = [test for test in self.tests if test.metric == self.metric]
        return {self.best, *(test.first for test in tests if test.equal)}

    def rows(self) -> list[dict[str, Any]]:
        """Return the table, the best first: model, metrics with half-widths of their intervals,
        seconds, the test's p.
        """
        p_of, equal, rows = self._p_values, self._equal, []
        for name in self.order:
            row: dict[str, Any] = {"model": name}
            for metric in self._metrics:
                row[metric] = with_interval(self.results[name], metric)
            row["fit s"] = round(self.seconds[name], 2)
            row["p vs best"] = p_words(p_of.get(name, math.nan))
            if name in equal:
                row["p vs best"] = "equal" if len(equal) > 1 else ""
            rows.append(row)
        return rows

    def sentences(self) -> list[str]:
        """Say for every metric which model is best and which aren't significantly worse, and which
        models aren't significantly better than the baseline.
        """
        metrics: dict[str, list[str]] = {}  # of which the tests say the same
        for metric in dict.fromkeys(test.metric for test in self.tests):
            tests = [test for test in self.tests if test.metric == metric]
            best = [tests[0].second, *(test.first for test in tests if test.equal)]
            others = [test for test in tests if not test.equal]
            near = [test.first for test in others if test.better is None]
            rest = f"not significantly worse: {', '.join(near)}" if near else "the others are worse"
            first = f"{best[0]} is best" if len(best) == 1 else f"{', '.join(best)} are equal"
            first += " and best" if others and len(best) > 1 else ""
            metrics.setdefault(f"{first}{f'; {rest}' if others else ''}.", []).append(metric)
        said = [f"{', '.join(names)}: {verdict}" for verdict, names in metrics.items()]
        return said + list(filter(None, [self._beside_the_baseline()]))

    def _beside_the_baseline(self) -> str:
        """Which models aren't significantly better than the baseline on the first metric."""
        by_name = {model.name: label for label, model in reversed(list(self.models.items()))}
        rated = parse_metric(self.metric).family == "rating"
        ranked = ("content_knn", "bias") if rated else ("content_knn", "popularity")
        base = next((by_name[name] for name in ranked if name in by_name), None)
        if base is None or len(self.results) < 2:
            return ""
        tests = significance.compare(list(self.results.values()), [self.metric], baseline=base)
        simple = ("content_knn", "bias", "popularity")
        lost = [
            test.first
            for test in tests
            if test.better != test.first
            and (test.first not in self.models or self.models[test.first].name not in simple)
        ]
        return f"Not significantly better than {base}: {', '.join(lost)}." if lost else ""

    def to_frame(self) -> Any:
        """Return the table as a pandas DataFrame of numbers, with intervals; missing values are NaN
        (pandas must be installed).
        """
        p_of, lines = self._p_values, []
        for name in self.order:
            line: dict[str, Any] = {"model": name}
            for metric in self._metrics:
                one = self.results[name].summary.get(metric, charts.NOTHING)
                low, high = charts.span(one)
                line |= {metric: float(one.value), f"{metric} low": low, f"{metric} high": high}
            line["fit_seconds"] = float(self.seconds[name])
            line["p_vs_best"] = float(p_of.get(name, math.nan))
            lines.append(line)
        return require("pandas", purpose="to_frame()").DataFrame(lines)

    def to_latex(self, caption: str | None = None) -> str:
        """Return the table for LaTeX, the best model in bold (the document loads ``booktabs``)."""
        return latex_table(self.rows(), best=self.order.index(self.best), caption=caption)

    def write_report(self, path: str | os.PathLike[str], command: str | None = None) -> Path:
        """Write everything as one self-contained page, and return its path."""
        from cofactor.evaluation.report import write_report

        origin = {**self.origin, **({} if command is None else {"Command": command})}
        origin["Tests"] = " ".join(self.sentences())
        return write_report(
            list(self.results.values()),
            checks.path(path, "path"),
            comparisons=self.tests,
            seconds=self.seconds,
            title=f"Models on {self.data.source}",
            origin=origin,
        )

    def __repr__(self) -> str:
        return shown.compared_text(self)

    def _repr_html_(self) -> str:
        return shown.compared_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "sentences": self.sentences(),
            "source": self.data.source,
            "split": self.split.sentence,
            "fingerprint": self.split.fingerprint,
            "results": {name: result.to_dict() for name, result in self.results.items()},
            "fit_seconds": dict(self.seconds),
            "tests": [test.to_dict() for test in self.tests],
            "best": self.best,
            "failures": dict(self.failures),
            "costs": [cost.to_dict() for cost in self.costs],
            "origin": dict(self.origin),
        }


def compare(
    source: Any,
    models: Models | None = None,
    *,
    settings: Mapping[str, Settings] | None = None,
    baselines: bool = True,
    metrics: str | Iterable[str] | None = None,
    rerank: Iterable[Rerank | str] = (),
    split: Split | None = None,
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    run: Run | None = None,
) -> Compared:
    """Fit several models on one split and measure them on its test part.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    models
        What to fit, each ``NAME``, ``NAME:SETTING=VALUE,SETTING=VALUE``, the file of a study of
        `tune` (its best settings), or one of these after ``LABEL=``, so that a model can be listed
        with several settings; or a model such as ``IALS(factors=64)``, of which only the settings
        are taken: a fitted one is fitted again, on the train part. One text of several with commas,
        a list, or a mapping from label to any of these. None takes the models that suit the data,
        see `suitable`.
    settings
        Label -> values by name, or words like ``factors=64``; other settings have their defaults.
    baselines
        Whether baselines are added if they aren't named: popularity, bias if a model predicts
        ratings, content_knn if items without interactions are held out.
    metrics
        What to measure; None for the usual metrics of each model.
    rerank
        Sets of reranking rules: each model is also measured under each of them, as ``LABEL +
        RULES``.
    split
        An existing split; ``source``, ``reading`` and ``cutting`` are then ignored.
    reading, cutting
        How the source is read and cut.
    run
        Seed, threads, device, progress.

    Returns
    -------
    Compared
        The models that could be fitted; `Compared.failures` says which couldn't, and why.

    Raises
    ------
    UnknownNameError
        For a model or setting that doesn't exist, before any work.
    CofactorError
        If no model could be fitted.
    """
    run = run_of(run)
    if split is not None:
        checks.of_kind(split, "split", Split, "a Split (cofactor.split), or None")
    baselines = checks.boolean(baselines, "baselines")
    entries = None if models is None else unfitted(models, settings or {})
    rules = [one for one in map(as_rules, rerank) if one is not None]
    metrics = metric_names(metrics)
    data = interactions(source, reading, run) if split is None else split.train
    parts = cut(data, as_cutting(cutting, Cutting())) if split is None else split
    if entries is None:
        entries = unfitted(suitable(data), settings or {})
    if baselines:
        entries = _with_baselines(entries, parts, metrics)
    if len(entries) < 2:
        named = ", ".join(entries) or "none"
        raise ArgumentError(f"give at least two different models to compare, not {named}.")
    fits: dict[str, Fit] = {}
    failures: dict[str, str] = {}
    for label, one in zip(entries, measured(entries, parts, metrics, rules, run), strict=True):
        if isinstance(one, str):
            failures[label] = one
            run.progress.say(f"{label} failed: {one}")
        else:
            fits[label] = one
    return _compare(data, parts, fits, failures, run)


def _compare(
    data: Interactions, parts: Split, fits: Mapping[str, Fit], failures: dict[str, str], run: Run
) -> Compared:
    """The comparison, with tests of all models and of reranked lists."""
    if not fits:
        reasons = "; ".join(f"{label}: {why}" for label, why in failures.items())
        raise CofactorError(f"none of the models could be fitted and measured. {reasons}")
    results = {result.model: result for fit in fits.values() for result in fit.results}
    tests = _tests(list(results.values()))
    return Compared(
        data=data,
        split=parts,
        models={label: fit.model for label, fit in fits.items()},
        results=results,
        seconds={result.model: fit.seconds for fit in fits.values() for result in fit.results},
        tests=tests,
        failures=failures,
        costs=costs_of(results, tests[0].metric) if tests else [],
        origin=shown.origin_of_comparison(data, run),
    )


# With more items, models that invert a dense items-by-items matrix aren't selected by default.
_DENSE_ITEMS = 20_000


def suitable(data: Interactions) -> list[str]:
    """Return the models that `compare` takes when none are named: fast ones that suit the data.

    Ranking models always; rating models if values look like ratings; models with content if there
    is a catalogue.
    """
    names = ["popularity", "item_knn", "ials", "bpr"]
    if data.n_items <= _DENSE_ITEMS:
        names.insert(2, "ease")
    if data.values is not None and _look_like_ratings(data.values[:10_000]):
        names += ["bias", "biased_mf", "svdpp"]
    if data.catalogue.column_names:
        names += ["content_knn", "content_blend"]
    return names


def _look_like_ratings(values: np.ndarray) -> bool:
    """Whether there are more than two distinct values and the lowest isn't the most frequent one,
    as it is in counts (quantities, plays).
    """
    _, counts = np.unique(values, return_counts=True)
    return len(counts) > 2 and int(counts.argmax()) > 0


def _with_baselines(
    entries: dict[str, Recommender], parts: Split, metrics: Iterable[str] | None
) -> dict[str, Recommender]:
    """The models, preceded by the baselines that aren't named and have any of the metrics."""
    names = baseline_names(entries.values(), parts.train, parts.test)
    if metrics and all(parse_metric(metric).family == "rating" for metric in metrics):
        names = [name for name in names if name == "bias"]
    return {**{name: registry.create(name) for name in names}, **entries}


def _tests(results: Sequence[Result]) -> list[Comparison]:
    """Paired tests of each model against the best, for every metric that all models have."""
    if len(results) < 2:
        return []
    tests: list[Comparison] = []
    for metric in _shared(results):
        best = _best({result.model: result for result in results}, metric)
        tests += significance.compare(list(results), [metric], baseline=best)
    return tests


def _goodness(result: Result, metric: str) -> float:
    """The value of a metric, negated if lower is better."""
    return parse_metric(metric).sign * result[metric]


def _best(results: Mapping[str, Result], metric: str) -> str:
    return max(results, key=lambda name: _goodness(results[name], metric))


def _shared(results: Sequence[Result]) -> list[str]:
    """The metrics that all results share."""
    shared = [m for m in results[0].metrics if all(m in r.values for r in results)]
    if not shared:
        raise ArgumentError(
            "the models have no metric in common that has a value for each user; name one with"
            " metrics=."
        )
    return shared


def with_interval(result: Result, metric: str) -> str:
    """Return a metric's value with half of its interval, as ``0.4227 ± 0.0064``."""
    one = result.summary.get(metric)
    if one is None:
        return ""
    ends = one.interval
    return f"{one.value:.4f}" + (f" ± {(ends[1] - ends[0]) / 2:.4f}" if ends else "")
