"""The mean error of some models over published folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.run import Run
from cofactor.data import datasets
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models.explicit import biased_mf, svdpp
from cofactor.runs.board import Board, BoardEntry, Row, closing, fitted

METRICS = ("rmse", "mae")
# The 97.5 % point of Student's t with 4 degrees of freedom: five folds.
_T = 2.776

PROTOCOL = (
    "The mean over the folds; intervals of 95 % by Student's t over the five folds, which share"
    " training data, so that they are rather too narrow. Predictions are clipped to the scale."
    " Settings were chosen on a tenth of the first fold's training part."
)


def entries_of(name: str, bayesian: Mapping[str, Any], bar: float) -> tuple[BoardEntry, ...]:
    """Return the models of a board.

    Parameters
    ----------
    name
        Of the dataset.
    bayesian
        Settings of ``bayesian_mf``.
    bar
        The RMSE that it has to reach.
    """
    return (
        BoardEntry("bias", {}),
        BoardEntry("biased_mf", biased_mf.PRESETS.get(name, {})),
        BoardEntry("svdpp", svdpp.PRESETS[name]),
        BoardEntry("bayesian_mf", bayesian, bars={"rmse": bar}),
    )


def rated(
    board: Board, name: str, folds: Iterable[str], entries: Iterable[BoardEntry], run: Run
) -> None:
    """Fit each model on the training part of each fold, and add a row of the mean errors.

    Parameters
    ----------
    board
        What rows are added to.
    name, folds
        Of the dataset.
    entries
        The models.
    run
        Seed, threads and progress.
    """
    splits = [datasets.load_split(name, fold=fold) for fold in folds]
    for entry in entries:
        errors, seconds = _errors(entry, splits, run)
        row = Row(entry.name, entry.reads, _means(errors), entry.bars, seconds)
        board.figures.append(row)
        run.progress.say(f"{entry.name}: {row.to_row()}")
    sentence = f"{len(splits)} folds, the first is {splits[0].sentence}"
    whole = replace(splits[0], sentence=sentence)
    closing(board, name, whole, run)


def _errors(
    entry: BoardEntry, splits: list[Split], run: Run
) -> tuple[dict[str, list[float]], tuple[float, float]]:
    """The errors of each fold by metric, and the mean seconds of a fit, by the clock and of CPU."""
    errors: dict[str, list[float]] = {metric: [] for metric in METRICS}
    spent = np.zeros(2)
    for split in splits:
        model, seconds = fitted(entry.create(run), split, run)
        spent += seconds
        result = evaluate(model, split, METRICS, run=run, resamples=0)
        for metric in METRICS:
            errors[metric].append(result[metric])
    clock, cpu = (spent / len(splits)).tolist()
    return errors, (clock, cpu)


def _means(errors: dict[str, list[float]]) -> dict[str, tuple[float, float, float]]:
    """The mean over folds of each metric, and its interval."""
    found = {}
    for metric, values in errors.items():
        mean = float(np.mean(values))
        half = _T * float(np.std(values, ddof=1)) / len(values) ** 0.5
        found[metric] = (mean, mean - half, mean + half)
    return found
