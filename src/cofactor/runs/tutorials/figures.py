"""What the recipes share: a figure of ours beside theirs, the splits, and the two fits of an
honest number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.data.splits import split
from cofactor.models.baselines.bias import Bias
from cofactor.models.recommender import Recommender
from cofactor.runs.reproduced import Reproduction
from cofactor.runs.source import Clock


@dataclass(frozen=True)
class Figure:
    """One number of ours beside the tutorial's.

    Parameters
    ----------
    model, data, measure
        What was measured, on what, and how.
    ours
        The number.
    theirs
        The tutorial's figure as it was published, or "".
    bar
        What ours has to reach, or None for a figure that is only shown.
    higher_is_better
        The direction.
    seconds
        What the last fit took, or None.
    """

    model: str
    data: str
    measure: str
    ours: float
    theirs: str = ""
    bar: float | None = None
    higher_is_better: bool = False
    seconds: float | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the bar was reached; None where there is none."""
        if self.bar is None:
            return None
        return self.ours >= self.bar if self.higher_is_better else self.ours <= self.bar

    def to_row(self) -> dict[str, Any]:
        """Return it as a line of a table."""
        sign = "≥" if self.higher_is_better else "≤"
        return {
            "model": self.model,
            "data": self.data,
            "measure": self.measure,
            "tutorial": self.theirs,
            "ours": self.ours,
            "at least": "" if self.bar is None else f"{sign} {self.bar:g}",
            "reached": {True: "yes", False: "no", None: ""}[self.reached],
            "seconds": None if self.seconds is None else round(self.seconds, 1),
        }


class Reproduced(Reproduction[Figure]):
    """What a recipe of the tutorials gives."""


def ratings(name: str, *, scaled: bool = False) -> Interactions:
    """Return a dataset's ratings; ``scaled`` maps 1..5 to 0..1 by (r − 1) / 4."""
    from dataclasses import replace

    data = Interactions.build(datasets.load(name))
    if not scaled:
        return data
    assert data.values is not None
    return replace(data, values=((data.values - 1) / 4).astype(np.float32))


def random_split(data: Interactions, seed: int) -> Split:
    """Cut at random into 72 % training, 8 % validation and 20 % test; ids unknown to training
    stay in the test.
    """
    return split(data, "random", test=0.2, validation=0.08, seed=seed)


def fitted(
    model: Recommender, cut: Split, run: Run, into: Reproduced, name: str
) -> tuple[Recommender, float]:
    """Fit once with validation held out, for the curves, and once more on all of training; return
    that and its seconds.

    The number of epochs and every setting stand in the recipe; they were chosen on the validation
    part, never on the test."""
    model.fit(cut.train, validation=cut.validation, run=run)
    assert model.curve is not None
    into.curves[name] = model.curve
    clock = Clock()
    model.fit(cut.with_validation_merged().train, run=run)
    return model, clock.seconds


def beside_bias(
    name: str, title: str, model: Recommender, theirs: str, bar: float, run: Run
) -> Reproduced:
    """Fit a model of ml-100k's ratings, scaled to 0..1, and report its held-out RMSE beside the
    bias-only model's.

    Parameters
    ----------
    name, title
        The recipe's.
    model
        Unfitted.
    theirs, bar
        See `Figure`.
    run
        Seed, threads, progress.
    """
    cut, label = random_split(ratings("ml-100k", scaled=True), run.seed), type(model).__name__
    report = Reproduced(name, title, cut.sentence)
    model, seconds = fitted(model, cut, run, report, label)
    whole = cut.with_validation_merged()
    bias = Bias().fit(whole.train, run=run)
    data, measure = "ml-100k", "test RMSE of (r − 1) / 4"
    report.figures = [
        Figure("bias only", data, measure, rmse(bias, whole.test)),
        Figure(label, data, measure, rmse(model, whole.test), theirs, bar, seconds=seconds),
    ]
    return report


def mse(model: Recommender, part: Part, *, rounded: bool = False) -> float:
    """Return the mean squared error over all of a part's ratings."""
    truth = part.truth
    assert truth.values is not None
    predicted = model.predict_rows(truth.user_rows, truth.item_rows).astype(np.float64)
    predicted = np.rint(predicted) if rounded else predicted
    return float(np.mean((predicted - truth.values) ** 2))


def rmse(model: Recommender, part: Part) -> float:
    """Return the root of `mse`."""
    return float(np.sqrt(mse(model, part)))


def mean_mse(train: Interactions, part: Part) -> float:
    """Return the mean squared error of predicting training's mean for everything."""
    assert train.values is not None
    assert part.truth.values is not None
    return float(np.mean((part.truth.values - train.values.mean(dtype=np.float64)) ** 2))
