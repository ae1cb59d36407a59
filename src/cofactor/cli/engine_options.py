"""Options of commands whose work an engine can do in pieces."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from cofactor.base.run import Run
from cofactor.cli import options as opt
from cofactor.cli.groups import option


@dataclass(frozen=True)
class EngineOptions:
    """Cluster."""

    engine: str | None = option(
        None,
        "Divide the work into pieces, for ray (a cluster; --threads are those of a piece) or"
        " local (this process). By default it isn't divided.",
        metavar="ray",
    )
    address: str | None = option(
        None,
        "The cluster's first host; by default Ray is started on this machine.",
        metavar="HOST:6379",
    )

    def on(self, run: Run, *sources: str) -> AbstractContextManager[Run]:
        """Return a context that yields the run with its engine."""
        from cofactor.runs.engines import on_engine

        exchange = vars(self).get("exchange", "auto")
        return on_engine(run, self.engine, self.address, exchange=exchange, sources=list(sources))


@dataclass(frozen=True)
class TrainingEngineOptions(EngineOptions):
    """Cluster."""

    exchange: str = option(
        "auto",
        "What ials sends between hosts: gather (all vectors of a side), reduce (sums over"
        " users, which stay where they are), or auto: reduce from 7 users an item on.",
        metavar="HOW",
    )


@dataclass(frozen=True)
class WorkOptions:
    """How a command computes, what it keeps of it, and where."""

    compute: opt.ComputeOptions
    keeping: opt.KeepingOptions
    cluster: EngineOptions


@dataclass(frozen=True)
class TrainingWorkOptions(WorkOptions):
    """The same for a training."""

    cluster: TrainingEngineOptions
