"""Experiment trackers: a run's settings, metrics and learning curves in MLflow or TensorBoard.

Both are optional, and imported only where one is named: ``mlflow:EXPERIMENT`` (the server is
MLflow's own setting, MLFLOW_TRACKING_URI), ``tensorboard:FOLDER``."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cofactor.base.errors import ArgumentError
from cofactor.base.extras import require
from cofactor.runs.kept_runs import KeptRun
from cofactor.training.curve import LearningCurve

Curves = Mapping[str, LearningCurve | None]
Tracker = Callable[[KeptRun, Curves], None]


def tracker(text: str) -> Tracker:
    """Return the function that logs a run to ``mlflow:EXPERIMENT`` or ``tensorboard:FOLDER``.

    Raises
    ------
    ArgumentError
        For another tracker, or if nothing follows the colon.
    MissingExtraError
        If the tracker isn't installed.
    """
    kind, _, name = text.partition(":")
    if kind not in _TRACKERS or not name:
        raise ArgumentError(
            f"track must be written mlflow:EXPERIMENT or tensorboard:FOLDER, not {text!r}."
        )
    return _TRACKERS[kind](name)


def trackers(texts: Iterable[str] | None) -> list[Tracker]:
    """Return several trackers; called before the work, so that errors come early."""
    return [tracker(text) for text in texts or ()]


def _mlflow(experiment: str) -> Tracker:
    mlflow = require("mlflow", purpose="logging to MLflow")

    def log(run: KeptRun, curves: Curves) -> None:
        mlflow.set_experiment(experiment)
        for label, one in run.models.items():
            with mlflow.start_run(run_name=f"{run.id} {label}"):
                mlflow.log_params({"model": one["model"], **one["config"]})
                mlflow.log_metrics({_plain_name(n): v for n, v in _values(one)})
                mlflow.set_tags(
                    {"source": run.source, "split": run.split, "fingerprint": run.fingerprint}
                )
                for name, step, value in _points(curves.get(label)):
                    mlflow.log_metric(f"epoch {_plain_name(name)}", value, step=step)

    return log


def _tensorboard(folder: str) -> Tracker:
    board = require("tensorboardX", purpose="logging to TensorBoard")

    def log(run: KeptRun, curves: Curves) -> None:
        for label, one in run.models.items():
            writer = board.SummaryWriter(logdir=f"{folder}/{run.id}/{_plain_name(label)}")
            for name, value in _values(one):
                writer.add_scalar(f"test/{name}", value, 0)
            for name, step, value in _points(curves.get(label)):
                writer.add_scalar(f"training/{name}", value, step)
            settings = "\n".join(f"    {name} = {value}" for name, value in one["config"].items())
            writer.add_text("settings", f"    model = {one['model']}\n{settings}")
            writer.add_text("split", run.split)
            writer.close()

    return log


_TRACKERS: dict[str, Callable[[str], Tracker]] = {"mlflow": _mlflow, "tensorboard": _tensorboard}


def _values(model: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, one in model["metrics"].items():
        if one["value"] is not None and math.isfinite(one["value"]):
            yield name, float(one["value"])
    if model.get("fit_seconds") is not None:
        yield "fit_seconds", float(model["fit_seconds"])


def _points(curve: LearningCurve | None) -> Iterator[tuple[str, int, float]]:
    """Name, epoch from 1, value."""
    if curve is None:
        return
    for name, values in {"loss": curve.loss, **curve.metrics}.items():
        for epoch, value in enumerate(values, 1):
            if math.isfinite(value):
                yield name, epoch, value


def _plain_name(name: str) -> str:
    """The name in characters that every tracker accepts: ``ndcg@10`` becomes ``ndcg_at_10``."""
    return re.sub(r"[^\w./ -]", "_", name.replace("@", "_at_"))
