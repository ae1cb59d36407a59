"""Train: read, split, fit, measure, fit again on all of the data, save."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from cofactor.artifact.save import check_target, save
from cofactor.base import memory
from cofactor.base.config import Settings
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run, run_of
from cofactor.data import datasets
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.evaluation.evaluate import evaluate
from cofactor.evaluation.protocol import check_rated
from cofactor.evaluation.result import Result
from cofactor.metrics.table import parse_metrics
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.runs import shown
from cofactor.runs.auto import AUTO, BUDGET, Chosen
from cofactor.runs.baselines import Baselined, measure_baselines
from cofactor.runs.checkpoints import Checkpoints, checkpoints
from cofactor.runs.data_origin import Origin, origin_facts
from cofactor.runs.plan import Plan, Sources, automatic, default_target, named
from cofactor.runs.replacement import Incumbent, measured_against
from cofactor.runs.source import Clock, Cutting, Reading, as_cutting, as_reading
from cofactor.training.curve import LearningCurve


@dataclass(frozen=True, repr=False)
class Trained:
    """The result of a training.

    Parameters
    ----------
    model
        The model that was saved.
    path
        The folder that it was saved to.
    result
        The result on the test part of a model with the same settings that was fitted on the
        training part alone; None if nothing was held out.
    split
        How the data was cut, or None.
    refitted
        Whether the saved model was fitted on all of the data after it was measured.
    seconds
        Seconds of the fit of the saved model.
    baselines
        The baselines on the same test part, and the paired tests against them; None if nothing was
        held out.
    chosen
        The choice of ``auto`` and its reasons; None if the model was named.
    against
        The comparison with the model that it is to replace, see
        `cofactor.runs.replacement.measured_against`; None if nothing could be compared.
    """

    model: Recommender
    path: Path
    result: Result | None
    split: Split | None
    refitted: bool
    seconds: float
    baselines: Baselined | None = None
    chosen: Chosen | None = None
    against: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return shown.trained_text(self)

    def _repr_html_(self) -> str:
        return shown.trained_html(self)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The time and memory that a training may use.

    Parameters
    ----------
    max_time
        Seconds for the epochs of each fit, in models that are trained in epochs; None: no limit.
    max_memory
        Bytes; a fit that is known to need more is refused before it begins. None: the available
        memory.
    budget
        Seconds of ``auto``: of its search and the fits that follow it; see `cofactor.auto`.
    """

    max_time: float | None = None
    max_memory: int | None = None
    budget: float = BUDGET


def train(
    source: Any,
    model: str = AUTO,
    out: str | os.PathLike[str] | None = None,
    *,
    settings: Settings = (),
    metrics: str | Iterable[str] | None = None,
    refit: bool = True,
    overwrite: bool = False,
    plot: str | os.PathLike[str] | None = None,
    limits: Limits = Limits(),
    resume: bool = False,
    old: Incumbent | None = None,
    reading: Reading | None = None,
    cutting: Cutting | None = None,
    run: Run | None = None,
) -> Trained:
    """Train a model on a source, measure it on a held-out part, and save it.

    Parameters
    ----------
    source
        A file, a dataset's name, a database URL, a data frame, or Interactions.
    model
        The model's name in the registry, or ``"auto"``: model and settings are chosen on a
        validation part (see `cofactor.auto`).
    out
        The folder to save to; None: the source's name and ``-model``, in the working directory.
    settings
        Values by name, words like ``factors=64``, or a configuration of the model. For ``auto``,
        only which columns are read: ``text=title``, ``features=genre``.
    metrics
        What to measure; None for the usual metrics of the model. ``auto`` optimises the first one.
    refit
        Whether the saved model is fitted again on all of the data after the measurement, so that it
        knows every user's latest interactions. The saved metrics are those of the model that hadn't
        seen the test part. If early stopping chose a number of epochs, the saved model is trained
        for that number.
    overwrite
        Whether a model at ``out`` is replaced.
    plot
        A page for the learning curves, in models that are trained in epochs; None draws none.
    limits
        How long each fit may train, and how much memory the training may use.
    resume
        Whether to continue from the checkpoints of the same training, if it was interrupted (models
        trained in epochs). Checkpoints are kept beside ``out`` until the model is saved, if this is
        set or the run has an engine.
    old
        The model that this one is to replace: both are measured on events that neither was fitted
        on, which needs one more fit.
    reading, cutting
        How the source is read and split; a test share of 0 holds nothing out.
    run
        Seed, threads, device, progress.

    Raises
    ------
    CofactorError
        Before any work, if the model, a setting or the folder is wrong; also whatever reading,
        splitting and fitting raise.
    """
    run = run_of(run)
    out = out if out is not None else default_target(source)
    check_target(out, overwrite=overwrite)
    _check_requests(model, plot, metrics, limits.max_time)
    reading = as_reading(reading)
    reading = replace(reading, licence=reading.licence or _terms(source))
    given = Sources(source, reading, as_cutting(cutting, Cutting()))
    kept = checkpoints(out, model, resume, run)
    if model == AUTO:
        plan = automatic(settings, given, metrics, limits.budget, run)
    else:
        plan = named(model, settings, given, run)
    if plan.parts is not None:
        check_rated(plan.create(), plan.parts.test, metrics)
    with memory.limited(limits.max_memory):
        done = _carry_out(plan, metrics, refit, limits=limits, run=run, old=old, kept_at=kept)
    path = _save(plan, done, out, run, overwrite=overwrite)
    kept.remove()
    if plot is not None:
        _draw(done.curves, plot, f"{plan.name} on {plan.data.source}")
    return replace(done.trained, path=path)


class _Done(NamedTuple):
    """The result of carrying out a plan."""

    trained: Trained
    kept: dict[str, Any]
    curves: dict[str, LearningCurve | None]


def _carry_out(
    plan: Plan,
    metrics: Iterable[str] | None,
    refit: bool,
    limits: Limits,
    run: Run,
    old: Incumbent | None,
    kept_at: Checkpoints,
) -> _Done:
    """Fit, measure, and fit again on all of the data."""
    if plan.chosen is not None and plan.parts is not None:
        run.progress.say(f"fitting {plan.name}, the choice, to measure it on the test part")
    parts, clock = plan.parts, Clock()
    fitted = _fit(kept_at.of(plan.create(), "first"), plan.train, parts, limits, run)
    seconds, result, baselines = clock.seconds, None, None
    if parts is not None:
        result = evaluate(fitted, parts, metrics, run=run)
        baselines = measure_baselines(fitted, result, parts, plan.train, run)
    comparison = _compare(fitted, parts, run)
    against = None if old is None else _against(fitted, old, plan.data, limits, run)
    kept = _kept(result, baselines) | ({} if against is None else {"against": against})
    curves = {"measured" if result is not None else "saved": fitted.curve}
    refitted = parts is not None and refit
    if refitted:
        clock = Clock()
        fitted = _fit_again(fitted, plan.whole(), limits, run, kept_at)
        seconds = clock.seconds
        curves["saved"] = fitted.curve
        fitted.comparison = comparison
    trained = Trained(
        model=fitted,
        path=kept_at.target,
        result=result,
        split=parts,
        refitted=refitted,
        seconds=seconds,
        baselines=baselines,
        chosen=plan.chosen,
        against=against,
    )
    return _Done(trained, kept, curves)


def _save(
    plan: Plan, done: _Done, out: str | os.PathLike[str], run: Run, *, overwrite: bool
) -> Path:
    return save(
        done.trained.model,
        out,
        overwrite=overwrite,
        metrics=done.kept,
        run=_run_facts(plan, done.trained, run),
        split=None if plan.parts is None else plan.parts.sentence,
        licence=plan.reading.licence,
    )


def _run_facts(plan: Plan, trained: Trained, run: Run) -> dict[str, Any]:
    """The facts of a training that the manifest keeps."""
    whole = plan.parts is None or trained.refitted
    return {
        "seed": run.seed,
        "threads": run.n_threads,
        "fit_seconds": round(trained.seconds, 3),
        "fitted_on": "all of the data" if whole else "the training part",
        "notes": list(trained.model.notes),
        **({} if plan.chosen is None else {"chosen": plan.chosen.to_dict()}),
        **origin_facts(Origin(plan.reading, plan.cutting, plan.config)),
    }


def _terms(source: Any) -> str | None:
    """The licence terms of a dataset given by name."""
    if not isinstance(source, str) or not datasets.known(source):
        return None
    return datasets.get(source).terms


def _check_requests(
    model: str,
    plot: str | os.PathLike[str] | None,
    metrics: Iterable[str] | None,
    max_time: float | None,
) -> None:
    """Refuse curves of a model without epochs, and unknown metrics, before any work."""
    if max_time is not None and model == AUTO:
        raise ArgumentError(
            f"max_time limits the epochs of one model; the search of {AUTO} is limited by budget=."
        )
    if plot is not None and model == AUTO:
        raise ArgumentError(f"{AUTO} may choose a model without learning curves; name the model.")
    if plot is not None and not registry.get(model).iterative:
        raise ArgumentError(f"{model} isn't trained in epochs, so there are no curves to plot.")
    if metrics is not None:
        parse_metrics(metrics)


def _draw(
    curves: Mapping[str, LearningCurve | None], plot: str | os.PathLike[str], title: str
) -> None:
    from cofactor.training.curves import draw

    names = {"measured": "measured: training part", "saved": "saved: all data"}
    shown = {names[name]: curve for name, curve in curves.items() if curve is not None}
    draw(shown, plot, title)


def _fit(
    model: Recommender, data: Interactions, parts: Split | None, limits: Limits, run: Run
) -> Recommender:
    validation = None if parts is None else parts.validation
    return model.fit(data, validation=validation, run=run, max_time=limits.max_time)


def _fit_again(
    measured: Recommender,
    data: Interactions,
    limits: Limits,
    run: Run,
    kept_at: Checkpoints,
) -> Recommender:
    """Fit the same model on all of the data, with what was chosen on the validation part: the
    number of epochs, the weights of a blend.
    """
    config, chosen = measured.refit_config, ""
    if config != measured.config:
        epochs = getattr(config, "epochs", None)
        what = "settings that were chosen" if epochs is None else f"{epochs} epochs that were best"
        chosen = f", with the {what} on validation"
    run.progress.say(f"fitting once more on all of the data, for the model that is saved{chosen}")
    return _fit(kept_at.of(type(measured)(config), "second"), data, None, limits, run)


def _compare(model: Recommender, parts: Split | None, run: Run) -> Any:
    """The comparison with the same model without features: made on validation data when fitted,
    else on the test part, which decides nothing.
    """
    if parts is None:
        return None
    if model.comparison is None and parts.test.truth.item_rows.size:
        model.compare_if_wanted(parts.test, run)
    return model.comparison


def _against(
    measured: Recommender, old: Incumbent, data: Interactions, limits: Limits, run: Run
) -> dict[str, Any] | None:
    """The comparison of the model with the old one, on events that neither was fitted on."""

    def fit(part: Interactions) -> Recommender:
        run.progress.say(
            "fitting once without the latest new events, to compare with the old model on them"
        )
        return _fit(type(measured)(measured.refit_config), part, None, limits, run)

    return measured_against(fit, old, data, run)


def _kept(result: Result | None, baselines: Baselined | None) -> dict[str, Any]:
    """The facts of an evaluation that the manifest keeps."""
    if result is None:
        return {}
    return result.kept() | ({} if baselines is None else {"baselines": baselines.summary()})
