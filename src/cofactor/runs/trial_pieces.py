"""Trials of a search as pieces of work on an engine, several at the same time.

The number drawn at once doesn't depend on the number of workers, so results don't either. Running
trials aren't pruned: they run elsewhere, and the median of the others isn't known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from cofactor.base.engine import Engine
from cofactor.base.errors import CofactorError
from cofactor.base.progress import Task
from cofactor.runs.trials import Bench, Measured

AT_ONCE = 8


class Search(Protocol):
    """A running search; see `tune`."""

    study: Any
    bench: Bench

    def begin(self, trial: Any) -> Any:
        """Return the configuration that the sampler draws for a trial."""

    def late(self) -> bool:
        """Return whether it is too late to start another trial."""


def trials_in_pieces(search: Search, engine: Engine, count: int, task: Task) -> int:
    """Measure up to ``count`` more trials while there is time; return how many."""
    shared = engine.share(replace(search.bench, run=search.bench.run.alone()))
    done = 0
    while done < count and not search.late():
        started = [_started(search, engine, shared) for _ in range(min(count - done, AT_ONCE))]
        for trial, result in started:
            _record(search.study, trial, engine.get(result))
            task.advance()
        done += len(started)
    return done


def _started(search: Search, engine: Engine, shared: Any) -> tuple[Any, Any]:
    """A new trial, and a reference to its result."""
    trial = search.study.ask()
    try:
        config = search.begin(trial)
    except CofactorError as error:
        return trial, engine.share(str(error))
    return trial, engine.call(measured, shared, config, spread=True)


def _record(study: Any, trial: Any, found: Measured | str) -> None:
    if isinstance(found, str):
        trial.set_user_attr("why", found)
        study.tell(trial.number, state=type(study.trials[0].state).FAIL)
        return
    found.tell(study, trial)


def measured(bench: Bench, config: Any) -> Measured | str:
    """Return the measurement of some settings, or why they failed."""
    try:
        return bench.measure(config, lambda *_: None)
    except (CofactorError, MemoryError) as error:
        return str(error) or "out of memory"
