"""Experiments: which there are, and how one came out."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from cofactor.base.errors import ArgumentError
from cofactor.service.errors import not_found
from cofactor.service.experiments.experiment import Experiment
from cofactor.service.experiments.results import results
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route
from cofactor.service.replies import ExperimentsOut
from cofactor.service.wire import ExperimentQuery

_KEPT = 30.0  # seconds that results are shown again before they are computed again


async def show(context: Context, path: dict[str, str], request: ExperimentQuery) -> ExperimentsOut:
    """Return the experiments and one's results."""
    await context.traffic.flush()
    return await context.slowly(_show, context, request.name)


def _show(context: Context, name: str | None) -> ExperimentsOut:
    experiments = context.traffic.experiments
    known = [] if context.models.folder.single else experiments.all()
    if not known and name is None:
        return ExperimentsOut(experiments=[])
    try:
        one = experiments.get(name)
    except ArgumentError as error:
        raise not_found(str(error), "name") from None
    kept = context.results.get(one.name)
    if kept is None or time.monotonic() > kept[0]:
        now = context.store.settings.moment()
        kept = (time.monotonic() + _KEPT, results(one, context.store, now))
        context.results[one.name] = kept
    return ExperimentsOut(experiments=[_fields(one) for one in known], results=kept[1])


def _fields(experiment: Experiment) -> dict[str, Any]:
    """An experiment without its salt: with it one could choose one's arm."""
    shown: dict[str, Any] = msgspec.to_builtins(experiment)
    del shown["salt"]
    return shown


ROUTES = [
    Route("GET", "/v1/experiments", "read", show, "The experiments, and the results of one."),
]
