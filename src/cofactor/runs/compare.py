"""Compare: several models on one split, one table with intervals, times and paired tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation import significance
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.ranking import parse_metric, parse_metrics
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import Comparison
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.source import Clock, Cutting, Reading, cut, interactions


@dataclass(frozen=True)
class Compared:
    """Several models, measured on one split.

    Parameters
    ----------
    data
        What was read.
    split
        How it was cut; all models saw the same.
    models
        The fitted models by name, in the order of the call.
    results
        What each reached on the test part.
    seconds
        Of each fit, without the compilation of kernels.
    tests
        Paired tests of each model against the best one on the first metric, corrected for their
        number.
    """

    data: Interactions
    split: Split
    models: Mapping[str, Recommender]
    results: Mapping[str, Result]
    seconds: Mapping[str, float]
    tests: Sequence[Comparison]

    @property
    def best(self) -> str:
        """The name of the model that is best on the first metric that all have."""
        return _best(self.results, self.metric)

    @property
    def metric(self) -> str:
        """The first metric that all models have; the table is sorted by it."""
        return _leading(list(self.results.values()))

    def rows(self) -> list[dict[str, Any]]:
        """Return the table, the best first: model, metrics with half-widths of their intervals,
        seconds, the test's p.
        """
        p_of = {test.first: test.p_adjusted for test in self.tests}
        metrics = list(dict.fromkeys(m for result in self.results.values() for m in result.metrics))
        order = sorted(
            self.results, key=lambda name: _goodness(self.results[name], self.metric), reverse=True
        )
        rows = []
        for name in order:
            row: dict[str, Any] = {"model": name}
            for metric in metrics:
                row[metric] = _with_interval(self.results[name], metric)
            row["fit s"] = round(self.seconds[name], 2)
            row["p vs best"] = "" if name == self.best else _p_shown(p_of.get(name, float("nan")))
            rows.append(row)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "source": self.data.source,
            "split": self.split.sentence,
            "fingerprint": self.split.fingerprint,
            "results": {name: result.to_dict() for name, result in self.results.items()},
            "fit_seconds": dict(self.seconds),
            "tests": [test.to_dict() for test in self.tests],
            "best": self.best,
        }


def compare(
    source: Any,
    models: Iterable[str],
    *,
    settings: Mapping[str, Iterable[str]] | None = None,
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    split: Split | None = None,
    metrics: Iterable[str] | None = None,
    run: Run | None = None,
) -> Compared:
    """Fit several models on one split and measure them on its test part.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    models
        Names of the registry, at least two.
    settings
        Model -> words like ``factors=64``; what isn't given is the default.
    reading, cutting
        How the source is read and cut.
    split
        A split that is there already, instead of cutting.
    metrics
        What to measure; None for what suits each model.

    Raises
    ------
    UnknownNameError
        For a model that doesn't exist, before any work.
    """
    run = run if run is not None else Run()
    wanted = {name: registry.get(name) for name in models}
    if len(wanted) < 2:
        raise ArgumentError(f"give at least two different models to compare, not {list(wanted)}.")
    strangers = sorted(set(settings or {}) - set(wanted))
    if strangers:
        raise ArgumentError(
            f"settings are given for {strangers}, which aren't among the models {list(wanted)}."
        )
    configs = {
        name: _alone(kind.Config.from_text((settings or {}).get(name, ())))
        for name, kind in wanted.items()
    }
    if metrics is not None:
        parse_metrics(metrics)
    data = interactions(source, reading, run) if split is None else split.train
    parts = cut(data, cutting if cutting is not None else Cutting()) if split is None else split
    fitted: dict[str, Recommender] = {}
    results: dict[str, Result] = {}
    seconds: dict[str, float] = {}
    for name, kind in wanted.items():
        run.progress.say(f"fitting {name}")
        fitted[name], seconds[name] = _fit(kind(configs[name]), parts, run)
        results[name] = evaluate(fitted[name], parts, metrics, run=run)
    leading = _leading(list(results.values()))
    best = _best(results, leading)
    tests = significance.compare(list(results.values()), [leading], baseline=best)
    return Compared(data, parts, fitted, results, seconds, tests)


def _alone(config: Any) -> Any:
    """The settings without a plain twin's fit: what is compared with what is said by name here,
    and fits are timed.
    """
    return config.replace(twin=False) if "twin" in config.defaults() else config


def _fit(model: Recommender, parts: Split, run: Run) -> tuple[Recommender, float]:
    """Fit a model and time it; a fit in which kernels had to be compiled is done again, so that
    only fitting is timed.
    """
    from cofactor.kernels.cpu.jit import compilation_shown

    compiled: list[str] = []
    clock = Clock()
    with compilation_shown(compiled.append):
        model.fit(parts.train, validation=parts.validation, run=run)
    if compiled:
        clock = Clock()
        model.fit(parts.train, validation=parts.validation, run=run)
    return model, clock.seconds


def _p_shown(p: float) -> str:
    """A p-value as people read it: what is below 1e-16 is below any use of the digits."""
    return "< 1e-16" if p < 1e-16 else f"{p:.2g}"


def _goodness(result: Result, metric: str) -> float:
    """The value of a metric, turned so that more is better."""
    return -result[metric] if parse_metric(metric).lower_is_better else result[metric]


def _best(results: Mapping[str, Result], metric: str) -> str:
    return max(results, key=lambda name: _goodness(results[name], metric))


def _leading(results: Sequence[Result]) -> str:
    shared = [m for m in results[0].metrics if all(m in r.values for r in results)]
    if not shared:
        raise ArgumentError("the models share no metric that users have; name one with metrics=.")
    return shared[0]


def _with_interval(result: Result, metric: str) -> str:
    one = result.summary.get(metric)
    if one is None:
        return ""
    if one.low is None or one.high is None:
        return f"{one.value:.4f}"
    return f"{one.value:.4f} ± {(one.high - one.low) / 2:.4f}"
