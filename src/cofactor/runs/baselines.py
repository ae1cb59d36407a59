"""The simple models that a model has to beat, measured beside it with the paired test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cofactor.base.errors import CofactorError
from cofactor.base.progress import SilentProgress
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.evaluation import significance
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.result import Result
from cofactor.evaluation.significance import Comparison
from cofactor.metrics.table import parse_metric
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.words import verdict


@dataclass(frozen=True)
class Baselined:
    """The baselines of a model, and the tests against them.

    Parameters
    ----------
    label
        The model's name.
    results
        The results of the baselines on the same part.
    tests
        The model against each of them, paired by user: popularity on the first ranking metric, bias
        on the first error, content_knn on recall; corrected for their number (Holm).
    failures
        Baselines that couldn't be measured, and why.
    """

    label: str
    results: Mapping[str, Result] = field(default_factory=dict)
    tests: tuple[Comparison, ...] = ()
    failures: Mapping[str, str] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return what the tests say, in sentences."""
        return [verdict(test, self.label) for test in self.tests] + [
            f"{name} couldn't be measured: {why}" for name, why in self.failures.items()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "results": {name: result.to_dict() for name, result in self.results.items()},
            "tests": [test.to_dict() for test in self.tests],
            "sentences": self.sentences(),
            "failures": dict(self.failures),
        }

    def summary(self) -> dict[str, Any]:
        """Return each baseline's metrics and what the tests say, for a manifest."""
        values = {
            name: {metric: one.value for metric, one in result.summary.items()}
            for name, result in self.results.items()
        }
        return {"metrics": values, "sentences": self.sentences()}

    def rows(self, result: Result) -> list[dict[str, Any]]:
        """Return a line for each metric: the model's value and interval, and the baselines'."""
        lines = []
        for name in result.metrics:
            one = result.summary[name]
            ends = one.interval
            line: dict[str, Any] = {
                "metric": name,
                self.label: one.value,
                f"{result.how.confidence:.0%} interval": (
                    f"{ends[0]:.4f} to {ends[1]:.4f}" if ends else ""
                ),
            }
            for label, other in self.results.items():
                line[label] = other.summary[name].value if name in other.summary else None
            lines.append({**line, "users": one.n_users})
        return lines


def baseline_names(models: Iterable[Recommender], train: Interactions, part: Part) -> list[str]:
    """Return the baselines of some models on a part: popularity; bias where ratings are predicted;
    content_knn where items without interactions are held out.
    """
    models = list(models)
    rated = part.truth.values is not None
    names = ["popularity"]
    if rated and any(model.traits.predicts_ratings for model in models):
        names.append("bias")
    if has_new_items(train, part):
        names.append("content_knn")
    own = {model.name for model in models}
    return [name for name in names if name not in own]


def has_new_items(train: Interactions, part: Part) -> bool:
    """Whether a part ranks items without interactions of their own, by a catalogue."""
    new = part.candidates is not None and (train.item_counts[part.candidates] == 0).any()
    return bool(new) and bool(train.catalogue.column_names)


def measure_baselines(
    model: Recommender, result: Result, split: Split | Part, train: Interactions, run: Run
) -> Baselined:
    """Fit the baselines of a model on its training data, and measure them in the same way.

    Parameters
    ----------
    model
        A fitted model.
    result
        Its result on the part.
    split
        What it was measured on.
    train
        The model's own training data, which the baselines are fitted on.
    run
        Seed and threads.
    """
    part = split.test if isinstance(split, Split) else split
    results: dict[str, Result] = {}
    failures: dict[str, str] = {}
    quiet = replace(run, progress=SilentProgress())
    for name in baseline_names([model], train, part):
        metrics = _metrics_of(name, result)
        if not metrics:
            continue
        try:
            # Which take moments: here, whether an engine could train them or not.
            other = registry.create(name, **_columns(name, model)).fit(train, run=run.alone())
            found = evaluate(other, split, metrics, run=quiet)
        except (CofactorError, MemoryError) as error:
            failures[name] = str(error) or "out of memory"
            continue
        # A part without a split was described by whoever measured the model.
        results[name] = replace(found, how=replace(found.how, split=result.how.split))
    return Baselined(result.model, results, _tests(result, results), failures)


def _columns(name: str, model: Recommender) -> dict[str, Any]:
    """The columns that the content baseline reads: those of the model, if it has any."""
    if name != "content_knn" or not model.traits.uses_features:
        return {}
    given = model.config.to_params()
    return {key: given[key] for key in ("text", "features") if key in given}


def _metrics_of(name: str, result: Result) -> list[str]:
    family = "rating" if name == "bias" else "ranking"
    return [m for m in result.metrics if parse_metric(m).family == family]


def _tests(result: Result, baselines: Mapping[str, Result]) -> tuple[Comparison, ...]:
    found: list[Comparison] = []
    for name, other in baselines.items():
        shared = [m for m in other.metrics if m in other.values and m in result.values]
        recalls = [m for m in shared if m.startswith("recall")]
        leading = (recalls if name == "content_knn" and recalls else shared)[:1]
        # Rating and ranking metrics are measured separately, so that each has the model's protocol.
        same = replace(other, how=result.how)
        found += significance.compare([result, same], leading, correction="none") if leading else []
    return significance.corrected(found)
