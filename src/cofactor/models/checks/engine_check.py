"""Fits on an engine: which models can, and those whose module several processes train together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.engine import Seat
from cofactor.base.errors import ArgumentError, TraitError
from cofactor.base.progress import say_or_log
from cofactor.base.run import Run
from cofactor.data.held_out import refuse_fitted
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.hooks import Hooks


def check_request(kind: type[Hooks[Any]], data: Interactions, validation: Any, run: Any) -> None:
    """Refuse a fit whose run or validation part is none, whose validation part is among the data,
    or whose engine can't fit the model.

    Raises
    ------
    ArgumentError
        Which, and what came.
    """
    checks.of_kind(run, "run", Run, "a Run")
    if validation is not None:
        checks.of_kind(validation, "validation", Part, "a Part (a split's validation)")
        if data.items == validation.truth.items:
            refuse_fitted(data, validation, "the validation part")
    check_engine(kind, run)


def say_if_unused(name: str, uses_device: bool, run: Run) -> None:
    """Report that a model computes on the CPU although another device was requested by name."""
    if run.device in ("auto", "cpu") or (uses_device and run.engine is None):
        return
    where = "" if run.engine is None else "on an engine "
    say_or_log(
        run.progress,
        f"{name} is computed on the CPU: {where}it can't use the device {run.device!r}.",
    )


def check_engine(kind: type[Hooks], run: Run) -> None:
    """Refuse a run with an engine if the model's training can't be cut into pieces, or has nothing
    to exchange as the engine says.

    Raises
    ------
    TraitError
        With the cure.
    """
    if run.engine is None:
        return
    if not kind.fits_on_engine:
        raise TraitError(
            f"the training of {kind.name} isn't cut into pieces for an engine; train it without"
            " --engine. Those that are: ials, bpr, warp, ease, item_knn, graph_filter,"
            " latent_factor, simplex, mlp, dense_net, collab_fnet, neumf, transformer, gru4rec."
        )
    if run.engine.exchange != "auto" and not kind.chooses_exchange:
        raise TraitError(
            f"exchange is an option of ials, and the model is {kind.name}; leave it out."
        )


def fit_where(model: Any, data: Interactions, validation: Part | None, run: Run) -> None:
    """Fit a model: here, or by processes of an engine that train its module together.

    Raises
    ------
    ArgumentError
        If the other processes can't have what the fit needs.
    """
    with model._settled(data, validation, run):
        _fit_where(model, data, validation, run)


def _fit_where(model: Any, data: Interactions, validation: Part | None, run: Run) -> None:
    if run.engine is None or not model.trained_together:
        model._fit(data, validation, run)
        return
    for is_set, what in (
        (model._callbacks or model._metrics, "callbacks and metrics of your own"),
        (model._checkpoint, "checkpoints"),
        (model._before, "updates"),
        (model._max_time, "max_time"),
    ):
        if is_set:
            raise ArgumentError(
                f"{model.name} is trained by several processes on an engine, which can't use"
                f" {what}; leave them out, or train without --engine."
            )
    how = replace(run.alone(), device="cpu")
    shared = run.engine.share((type(model), model.config, data, validation, how))
    arrays = run.engine.together(trained_member, shared)
    from cofactor.training.curve import LearningCurve

    model._data = data
    model.curve = LearningCurve.from_arrays(arrays)
    arrays.pop("history_seconds")  # which are of this curve alone
    model._restore(arrays)


def trained_member(seat: Seat, shared: tuple[Any, ...]) -> dict[str, np.ndarray] | None:
    """Fit a model together with the processes of the other seats; return its arrays in the first
    one.
    """
    from cofactor.training.torch.group import joined

    kind, config, data, validation, run = shared
    with joined(seat):
        model = kind(config).fit(data, validation=validation, run=run)
    seconds = np.array(model.curve.seconds)
    return {**model.state(), "history_seconds": seconds} if seat.rank == 0 else None
