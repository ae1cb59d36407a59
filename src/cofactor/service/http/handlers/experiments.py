"""Experiments: which there are, and how one came out."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from cofactor.base.errors import ArgumentError
from cofactor.service.errors import not_found
from cofactor.service.experiments.experiment import Experiment
from cofactor.service.experiments.results import Results, results
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route
from cofactor.service.replies import ExperimentsOut
from cofactor.service.wire import ExperimentQuery

# Seconds that results are shown again before they are computed again, and how many times what they
# took: so the thread that computes them is free for most of the time.
_KEPT, _TIMES = 30.0, 10.0


@dataclass(eq=False)
class KeptResults:
    """Results of an experiment that are being computed, or were.

    Parameters
    ----------
    of
        The experiment as it stood.
    making
        The one computation, for whoever asks meanwhile; it goes on when they have gone.
    """

    of: Experiment
    making: asyncio.Task[tuple[float, Results]]

    def holds(self, one: Experiment) -> bool:
        """Whether they are of an experiment as it stands, and not too old."""
        if self.of != one or not self.making.done():
            return self.of == one
        failed = self.making.cancelled() or self.making.exception() is not None
        return not failed and time.monotonic() < self.making.result()[0]


async def show(context: Context, path: dict[str, str], request: ExperimentQuery) -> ExperimentsOut:
    """Return the experiments and one's results."""
    await context.traffic.flush()
    known, one = await context.slowly(_found, context, request.name)
    if one is None:
        return ExperimentsOut(experiments=[])
    kept = context.results.get(one.name)
    if kept is None or not kept.holds(one):
        making = asyncio.create_task(_computed(context, one))
        making.add_done_callback(lambda done: done.cancelled() or done.exception())
        kept = KeptResults(one, making)
        context.results[one.name] = kept
    _, made = await asyncio.shield(kept.making)
    return ExperimentsOut(experiments=[_fields(one) for one in known], results=made)


async def _computed(context: Context, one: Experiment) -> tuple[float, Results]:
    """Until when results are shown, and they: of one experiment at a time, so that searches and
    exports have a thread left.
    """
    async with context.computing:
        now, started = context.store.settings.moment(), time.monotonic()
        made = await context.slowly(results, one, context.store, now)
    ended = time.monotonic()
    return ended + max(_KEPT, _TIMES * (ended - started)), made


def _found(context: Context, name: str | None) -> tuple[list[Experiment], Experiment | None]:
    """All experiments, and one; none if there are none and none is named."""
    experiments = context.traffic.experiments
    known = [] if context.models.folder.single else experiments.all()
    if not known and name is None:
        return [], None
    try:
        return known, experiments.get(name)
    except ArgumentError as error:
        raise not_found(str(error), "name") from None


def _fields(experiment: Experiment) -> dict[str, Any]:
    """An experiment without its salt: with it one could choose one's arm."""
    shown: dict[str, Any] = msgspec.to_builtins(experiment)
    del shown["salt"]
    return shown


ROUTES = [
    Route("GET", "/v1/experiments", "read", show, "The experiments, and the results of one."),
]
