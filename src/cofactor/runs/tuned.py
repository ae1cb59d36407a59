"""The result of a search over settings: the best ones, the course of the search, and the
measurement on the test part.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cofactor.base.names import word
from cofactor.data.split import Split
from cofactor.evaluation import significance
from cofactor.evaluation.protocol import RANKING_DEFAULTS, RATING_DEFAULTS
from cofactor.evaluation.significance import Comparison
from cofactor.models import registry
from cofactor.runs.baselines import has_new_items
from cofactor.runs.compare import Compared, compare
from cofactor.runs.shown import lines_html
from cofactor.runs.trials import Bench


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Parameters
    ----------
    model
        The model's name.
    metric
        The metric that was optimised on the validation part.
    settings
        The best settings that differ from the defaults, with the best number of epochs.
    searched
        The names of the settings that were searched.
    value, default_value
        The metric on the validation part with the best and with the default settings; None if the
        defaults failed.
    curve
        Trial number and value of each trial that was better than all before it.
    importances
        How much each setting explains of the difference between good and other trials, summing to
        1; empty with fewer than 8 finished trials.
    counts
        How many trials finished, were pruned, or failed.
    split
        The split of the search, which didn't look at the test part.
    compared
        Tuned settings, default settings and baselines, fitted on the training and validation parts
        together and measured on the test part.
    verdicts
        Paired tests of the tuned settings against the others on the metric.
    test_looks
        How often this study has looked at the test part: 1 is honest.
    seconds
        Seconds of the search.
    """

    model: str
    metric: str
    settings: Mapping[str, Any]
    searched: tuple[str, ...]
    value: float
    default_value: float | None
    curve: tuple[tuple[int, float], ...]
    importances: Mapping[str, float]
    counts: Mapping[str, int]
    split: Split
    compared: Compared
    verdicts: tuple[Comparison, ...]
    test_looks: int
    seconds: float

    def words(self) -> list[str]:
        """Return the command-line arguments that train the model with these settings."""
        given = [f"{name}={word(value)}" for name, value in self.settings.items()]
        return ["--model", self.model, *(word for one in given for word in ("--set", one))]

    def command(
        self, sources: Sequence[str] = ("SOURCE",), options: Sequence[str] = (), out: str = "DIR"
    ) -> str:
        """Return the command line that trains and saves a model with these settings."""
        words = ["cofactor", "train", *sources, *self.words(), *options, "--out", out]
        return shlex.join(words)

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per setting that was searched or set: default, best value, importance."""
        best = registry.get(self.model).Config(**self.settings)
        usual = best.reset()
        names = list(dict.fromkeys([*self.importances, *self.searched, *self.settings]))
        return [
            {
                "setting": name,
                "default": word(usual.value_of(name)),
                "best": word(best.value_of(name)),
                "importance": f"{self.importances[name]:.2f}" if name in self.importances else "",
            }
            for name in names
        ]

    def sentences(self) -> list[str]:
        """Return sentences: whether the tuned model is better than the others, by which tests."""
        said = [_verdict(test) for test in self.verdicts]
        if any("default" in (t.first, t.second) and t.better != "tuned" for t in self.verdicts):
            said.append("Nothing shows that tuning improved on the default settings.")
        if "tuned" not in self.compared.results and "tuned" not in self.compared.failures:
            said.append(f"No settings were better than the defaults on validation ({self.metric}).")
        looked = (
            "The test part was looked at once, after the search."
            if self.test_looks == 1
            else (
                f"The test part was looked at {self.test_looks} times in this study, after each"
                " search: don't choose by it."
            )
        )
        return [*said, looked]

    def __repr__(self) -> str:
        given = ", ".join(self.words()[3::2]) or "its default settings"
        return "\n".join([f"{self.model}: {given}", *self.sentences()])

    def _repr_html_(self) -> str:
        return lines_html(f"Tuned {self.model}", self.rows(), self.sentences()) + (
            self.compared._repr_html_()
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values for JSON."""
        return {
            "model": self.model,
            "metric": self.metric,
            "settings": dict(self.settings),
            "validation": {"tuned": self.value, "default": self.default_value},
            "curve": [list(point) for point in self.curve],
            "importances": dict(self.importances),
            "trials": dict(self.counts),
            "seconds": self.seconds,
            "test": self.compared.to_dict(),
            "test_looks": self.test_looks,
            "sentences": self.sentences(),
            "words": self.words(),
        }


def measure_test_part(
    bench: Bench, fixed: Any, tuned: Any
) -> tuple[Compared, tuple[Comparison, ...]]:
    """Fit on the training and validation parts together, and measure on the test part.

    Parameters
    ----------
    bench
        The model, the split and the metric.
    fixed
        The default settings, with the caller's own.
    tuned
        The best settings; not fitted again if they equal ``fixed``.

    Returns
    -------
    Compared
        Tuned settings, default settings, and the baseline: popularity (bias for ratings), and
        content_knn where items without interactions are held out.
    tuple of Comparison
        Tests of the tuned settings against each other model, on the metric.
    """
    name, metric = bench.kind.name, str(bench.metric)
    entries = [_entry("default", name, fixed)]
    if tuned != fixed:
        entries.insert(0, _entry("tuned", name, tuned))
    rated = bench.metric.family == "rating"
    entries += ["bias"] if rated else ["popularity"]
    if has_new_items(bench.parts.train, bench.parts.test) and name != "content_knn":
        entries.append("content_knn")
    compared = compare(
        bench.parts.train,
        entries,
        baselines=False,
        split=bench.parts.with_validation_merged(),
        metrics=list(dict.fromkeys([metric, *(RATING_DEFAULTS if rated else RANKING_DEFAULTS)])),
        run=bench.run,
    )
    results = list(compared.results.values())
    if "tuned" not in compared.results or len(results) < 2:
        return compared, ()
    return compared, tuple(significance.compare(results, [metric], baseline="tuned"))


def _entry(label: str, name: str, config: Any) -> str:
    words = config.words()
    return f"{label}={name}:{';'.join(words)}" if words else f"{label}={name}"


def _verdict(test: Comparison) -> str:
    """The result of a paired test of the tuned settings, as a sentence."""
    is_first = test.first == "tuned"
    other, lead = (test.second, test.difference) if is_first else (test.first, -test.difference)
    other = "the default settings" if other == "default" else other
    facts = f"{test.metric} {lead:+.4f} on the test part, p = {test.p_adjusted:.2g}"
    if test.better is None:
        return f"The tuned model isn't significantly better or worse than {other} ({facts})."
    judged = "better" if test.better == "tuned" else "worse"
    return f"The tuned model is significantly {judged} than {other} ({facts})."
