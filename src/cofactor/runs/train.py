"""Train: read, split, fit, measure, fit again on everything, save."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cofactor.artifact.save import check_target, save
from cofactor.base import memory
from cofactor.base.config import Config
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.result import Result
from cofactor.metrics.table import parse_metrics
from cofactor.models import registry
from cofactor.models.engine_check import check_engine
from cofactor.models.iterative import IterativeModel
from cofactor.models.recommender import Recommender
from cofactor.runs.against import measured_against
from cofactor.runs.origin import Origin, bounded, origin_facts
from cofactor.runs.source import Clock, Cutting, Reading, cut, interactions
from cofactor.training.curve import LearningCurve


@dataclass(frozen=True)
class Trained:
    """What training gave.

    Parameters
    ----------
    model
        The model that was saved.
    path
        Where.
    result
        How a model with the same settings, fitted on the training part alone, did on the test part;
        None if nothing was held out.
    split
        How the data was cut, or None.
    refitted
        Whether the saved model was fitted on all of the data after it was measured.
    seconds
        Of the fit that was saved.
    """

    model: Recommender
    path: Path
    result: Result | None
    split: Split | None
    refitted: bool
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a training may take.

    Parameters
    ----------
    max_time
        Seconds for the epochs of each fit, in models that are trained in epochs; None: no limit.
    max_memory
        Bytes; what is known to need more is refused before it begins. None: what is available.
    """

    max_time: float | None = None
    max_memory: int | None = None


def train(
    source: Any,
    model: str,
    out: str | os.PathLike[str],
    *,
    settings: Iterable[str] | Config = (),
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    metrics: Iterable[str] | None = None,
    refit: bool = True,
    overwrite: bool = False,
    plot: str | os.PathLike[str] | None = None,
    limits: Limits = Limits(),
    resume: bool = False,
    run: Run | None = None,
    old: Recommender | None = None,
) -> Trained:
    """Train a model on a source, measure it on a held-out part, and save it.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    model
        The model's name in the registry.
    out
        The folder to save to.
    settings
        Words like ``factors=64``, or a configuration of the model.
    reading, cutting
        How the source is read and cut; a test share of 0 holds nothing out.
    metrics
        What to measure; None for what suits the model.
    refit
        Whether the saved model is fitted on all of the data once it was measured, so that it knows
        every user's latest interactions. The saved metrics are those of the model that hadn't seen
        the test part. If a validation part stopped that one early, this one is trained for as many
        epochs as were best.
    overwrite
        Whether a model at ``out`` is replaced.
    plot
        A page for the learning curves, in models that are trained in epochs; None draws none.
    limits
        How long each fit may train, and how much memory the work may take.
    resume
        Whether the fits of a model that is trained in epochs go on from the checkpoints of the same
        training that was interrupted. Checkpoints are kept beside ``out`` until the model is saved
        where this is set, or the run has an engine.
    old
        The model that this one shall replace: it is measured on the same held-out events.

    Raises
    ------
    CofactorError
        Before any work, if the model, a setting or the place is wrong; and what reading, cutting
        and fitting raise.
    """
    run = run if run is not None else Run()
    cutting = cutting if cutting is not None else Cutting()
    kind = registry.get(model)
    config = settings if isinstance(settings, Config) else kind.Config.from_text(settings)
    check_target(out, overwrite=overwrite)
    check_engine(kind, run)
    _check_requests(model, plot, metrics)
    reading = reading if reading is not None else Reading()
    if kind.traits.uses_features:
        reading = replace(reading, keep_items=True)
    source, ends = bounded(source)
    reading = replace(reading, stores={**reading.stores, **ends})
    data = interactions(source, reading, run)
    parts = cut(data, cutting) if cutting.test > 0 else None
    kept_at = _checkpoints(out, kind, resume, run)
    with memory.limited(limits.max_memory):
        clock = Clock()
        train_part = data if parts is None else parts.train
        fitted = _fit(_kept_at(kind(config), kept_at, "first"), train_part, parts, limits, run)
        seconds = clock.seconds
        result = None if parts is None else evaluate(fitted, parts, metrics, run=run)
        comparison = _compared(fitted, parts, run)
        kept = _kept(result) | _against(fitted, old, parts, run)
        curves = {"measured" if result is not None else "saved": fitted.curve}
        refitted = parts is not None and refit
        if refitted:
            clock = Clock()
            fitted = _fit_again(fitted, data, limits, run, kept_at)
            seconds = clock.seconds
            curves["saved"] = fitted.curve
            fitted.comparison = comparison
    path = save(
        fitted,
        out,
        overwrite=overwrite,
        metrics=kept,
        run={
            "seed": run.seed,
            "threads": run.n_threads,
            "fit_seconds": round(seconds, 3),
            "fitted_on": _fitted_on(parts, refitted),
            "notes": list(fitted.notes),
            **origin_facts(Origin(reading, cutting, config)),
        },
        split=None if parts is None else parts.sentence,
    )
    if kept_at is not None:
        shutil.rmtree(kept_at, ignore_errors=True)
    if plot is not None:
        _draw(curves, plot, f"{model} on {data.source}")
    return Trained(fitted, path, result, parts, refitted, seconds)


def _check_requests(
    model: str, plot: str | os.PathLike[str] | None, metrics: Iterable[str] | None
) -> None:
    """Refuse curves of a model without epochs, and unknown metrics, before any work."""
    if plot is not None and not registry.get(model).iterative:
        raise ArgumentError(f"{model} isn't trained in epochs, so there are no curves to plot.")
    if metrics is not None:
        parse_metrics(metrics)


def _draw(
    curves: Mapping[str, LearningCurve | None], plot: str | os.PathLike[str], title: str
) -> None:
    from cofactor.training.curves import draw

    draw({name: curve for name, curve in curves.items() if curve is not None}, plot, title)


def _fit(
    model: Recommender, data: Interactions, parts: Split | None, limits: Limits, run: Run
) -> Recommender:
    validation = None if parts is None else parts.validation
    return model.fit(data, validation=validation, run=run, max_time=limits.max_time)


def _fit_again(
    measured: Recommender, data: Interactions, limits: Limits, run: Run, kept_at: Path | None
) -> Recommender:
    """The same on all of the data, with what early stopping chose."""
    config = measured.refit_config
    chosen = (
        ""
        if config == measured.config
        else f", with the {config.epochs} epochs that were best on validation"
    )
    run.progress.say(f"fitting once more on all of the data, for the model that is saved{chosen}")
    return _fit(_kept_at(type(measured)(config), kept_at, "second"), data, None, limits, run)


def _checkpoints(
    out: str | os.PathLike[str], kind: type[Recommender], resume: bool, run: Run
) -> Path | None:
    """The folder of the checkpoints, which stays until the model is saved; None keeps none."""
    if not kind.iterative:
        if resume:
            raise ArgumentError(
                f"{kind.name} isn't trained in epochs, so it has no checkpoints to go on from;"
                " leave resume out."
            )
        return None
    target = Path(os.path.abspath(out))
    folder = target.with_name(f".{target.name}.checkpoints")
    if folder.is_dir() and not resume:
        shutil.rmtree(folder)
    if not resume and run.engine is None:
        return None
    if resume:
        found = folder.is_dir() and any(folder.iterdir())
        run.progress.say(f"{'going on from' if found else 'no checkpoints yet in'} {folder}")
    return folder


def _kept_at(model: Recommender, folder: Path | None, name: str) -> Recommender:
    if folder is not None and isinstance(model, IterativeModel):
        model.checkpoint_to(folder / f"{name}.safetensors")
    return model


def _compared(model: Recommender, parts: Split | None, run: Run) -> Any:
    """What features cost, in models with content: taken on validation data when fitted, else on
    the test part, which decides nothing.
    """
    if parts is None:
        return None
    if model.comparison is None and parts.test.truth.item_rows.size:
        model.compare_if_wanted(parts.test, run)
    return model.comparison


def _against(
    model: Recommender, old: Recommender | None, parts: Split | None, run: Run
) -> dict[str, Any]:
    found = None
    if old is not None and parts is not None:
        found = measured_against(model, old, parts.test, run)
    return {} if found is None else {"against": found}


def _fitted_on(parts: Split | None, refitted: bool) -> str:
    return "all of the data" if parts is None or refitted else "the training part"


def _kept(result: Result | None) -> dict[str, Any]:
    """What the manifest keeps of an evaluation."""
    if result is None:
        return {}
    record = result.to_dict()
    return {
        "n_users": record["n_users"],
        "metrics": record["metrics"],
        "protocol": record["how"]["protocol"],
        "fingerprint": record["how"]["fingerprint"],
    }
