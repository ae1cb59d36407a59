"""What the boards share: our rows beside published ones, with intervals, seconds and memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.next_item import evaluate_next
from cofactor.evaluation.result import Result
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs.reproduced import Reproduction

ERRORS = ("rmse", "mae")  # metrics of which less is better


@dataclass(frozen=True)
class Row:
    """One model of a board.

    Parameters
    ----------
    label
        Its name on the board.
    reads
        ``"ids"``, or ``"text"`` where titles are read too.
    values
        By metric: the value and its 95 % interval (None for published figures).
    bars
        By metric: the value that ours has to reach, a maximum for errors, a minimum for others.
    seconds
        Seconds of the fit: wall time and CPU time; None if unknown.
    """

    label: str
    reads: str
    values: Mapping[str, tuple[float, float | None, float | None]]
    bars: Mapping[str, float] = field(default_factory=dict)
    seconds: tuple[float, float] | None = None

    @property
    def reached(self) -> bool | None:
        """Whether every bar was reached; None where there is none."""
        if not self.bars:
            return None
        return all(
            self.values[name][0] <= bar if name in ERRORS else self.values[name][0] >= bar
            for name, bar in self.bars.items()
        )

    def to_row(self) -> dict[str, Any]:
        """Return it as a line of a table."""
        shown: dict[str, Any] = {"model": self.label, "reads": self.reads}
        for name, (value, low, high) in self.values.items():
            between = "" if low is None or high is None else f" [{low:.4g}, {high:.4g}]"
            shown[name] = f"{value:.4g}{between}"
        bars = (f"{'≤ ' if name in ERRORS else ''}{bar:g}" for name, bar in self.bars.items())
        shown["at least"] = ", ".join(bars)
        shown["reached"] = {True: "yes", False: "no", None: ""}[self.reached]
        clock, cpu = self.seconds if self.seconds is not None else (None, None)
        shown["fit s"] = "" if clock is None else f"{clock:.1f}"
        shown["fit CPU s"] = "" if cpu is None else f"{cpu:.1f}"
        return shown


class Board(Reproduction[Row]):
    """The result of a recipe: our figures beside published ones."""

    def published(self, metrics: Iterable[str], rows: Iterable[tuple[str, str, Any]]) -> None:
        """Add published rows: label with its source, what the model reads, one value per metric."""
        names = list(metrics)
        for label, reads, values in rows:
            known = {n: (v, None, None) for n, v in zip(names, values, strict=True)}
            self.figures.append(Row(label, reads, known))


@dataclass(frozen=True)
class BoardEntry:
    """One of our models on a board.

    Parameters
    ----------
    model
        Its name in the registry.
    settings
        As in the presets of its file.
    label, reads
        Of the row; the label is the model's name if there is none.
    bars
        By metric.
    cost
        Time or memory of a fit, if it is large; reported before the fit begins.
    """

    model: str
    settings: Mapping[str, Any]
    label: str = ""
    reads: str = "ids"
    bars: Mapping[str, float] = field(default_factory=dict)
    cost: str = ""

    @property
    def name(self) -> str:
        """What the row is called."""
        return self.label or self.model

    def create(self, run: Run) -> Recommender:
        """Return the unfitted model, and say what a fit costs."""
        if self.cost:
            run.progress.say(f"{self.name}: a fit takes {self.cost}")
        return registry.create(self.model, **self.settings)


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How models of a board are measured.

    Parameters
    ----------
    metrics
        Names that `evaluate_next` or `evaluate` takes.
    repeats
        The repeat policy of next-item evaluation; None for a split into sets of items.
    scale
        Factor of all values: 100 for per cent.
    """

    metrics: tuple[str, ...]
    repeats: str | None = "exclude"
    scale: float = 1.0

    def result(self, model: Recommender, split: Split, run: Run, label: str) -> Result:
        """Measure a fitted model on the test part of a split."""
        if self.repeats is None:
            return evaluate(model, split, self.metrics, run=run, label=label)
        return evaluate_next(model, split, self.metrics, repeats=self.repeats, run=run, label=label)


def measured(
    board: Board, split: Split, entries: Iterable[BoardEntry], measure: Measure, run: Run
) -> list[Result]:
    """Fit and measure our models, add their rows to the board, and return the results."""
    results = []
    for entry in entries:
        model, seconds = fitted(entry.create(run), split, run)
        result = measure.result(model, split, run, entry.name)
        values = values_of(result, measure.scale)
        board.figures.append(Row(entry.name, entry.reads, values, entry.bars, seconds))
        results.append(result)
        run.progress.say(f"{entry.name}: {board.figures[-1].to_row()}")
    return results


def values_of(
    result: Result, scale: float = 1.0
) -> dict[str, tuple[float, float | None, float | None]]:
    """Return a result's values with their intervals, times a factor, for a `Row`."""
    found = {}
    for name in result.metrics:
        one = result.summary[name]
        low, high = (None if v is None else v * scale for v in (one.low, one.high))
        found[name] = (one.value * scale, low, high)
    return found


def fitted(model: Recommender, split: Split, run: Run) -> tuple[Recommender, tuple[float, float]]:
    """Fit a model on the training part; return it with the wall and CPU seconds of the fit."""
    clock, cpu = time.perf_counter(), time.process_time()
    model.fit(split.train, run=run)
    return model, (time.perf_counter() - clock, time.process_time() - cpu)


def closing(board: Board, name: str, split: Split, run: Run) -> Board:
    """Add the checksums of the files, the split's fingerprint, the seed and the memory."""
    n_files, unknown = datasets.verified(name)
    board.protocol = f"{split.sentence}. {board.protocol}".replace("..", ".")
    unchecked = f", {len(unknown)} unknown" if unknown else ""
    board.shown.append(
        f"{name}: {n_files} files as published by their SHA-256{unchecked}; split"
        f" {split.fingerprint[:16]}; seed {run.seed}; {run.n_threads} threads"
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    board.shown.append(f"peak memory of this process so far: {peak * unit / 2**30:.2f} GiB")
    return board
