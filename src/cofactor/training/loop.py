"""The training loop: the only one, which drives any learner epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from cofactor.base.progress import Task
from cofactor.base.run import Run
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.curve import LearningCurve
from cofactor.training.learner import Epoch, Facts, Learner, StopTraining
from cofactor.training.monitor import Monitor
from cofactor.training.schedule import Schedule
from cofactor.training.state import TrainingState

# callback(epoch, facts, learner); False, or StopTraining, ends training after this epoch.
Callback = Callable[[int, Facts, Learner], bool | None]


@dataclass(frozen=True, kw_only=True)
class Control:
    """Monitors, checkpoint, callbacks and limits of a training run.

    Parameters
    ----------
    monitors
        Metrics; the first one decides which epoch is the best and when to stop.
    every, patience
        Epochs between two measurements (the last epoch is always measured), and measurements
        without an improvement before training stops; 0 never stops.
    checkpoint
        Where to save the run; if the file exists, training continues from it.
    callbacks
        Called after each epoch with its number from 0, its values, and the learner.
    measuring
        A context that metrics and callbacks run in.
    begin
        Takes the learner's initial arrays and returns those to start from: a warm start.
    max_time
        Seconds: an epoch is started only if it would end in time, taking as long as the last one.
        The first epoch always runs.
    """

    monitors: tuple[Monitor, ...] = ()
    every: int = 1
    patience: int = 0
    checkpoint: Checkpoint | None = None
    callbacks: tuple[Callback, ...] = ()
    max_time: float | None = None
    measuring: Callable[[], AbstractContextManager[None]] = nullcontext
    begin: Callable[[Mapping[str, np.ndarray]], Mapping[str, np.ndarray]] | None = None


def fit(
    learner: Learner,
    *,
    epochs: int,
    schedule: Schedule,
    run: Run,
    control: Control = Control(),
    name: str = "training",
) -> LearningCurve:
    """Train; afterwards the learner has the best epoch's arrays if a metric was monitored, else
    the last one's.

    Parameters
    ----------
    learner
        What learns.
    epochs
        The largest number of epochs.
    schedule
        The learning rates.
    run
        Progress. (Seed, threads and device are the learner's.)
    control
        Monitors, checkpoint, callbacks and the time budget.
    name
        Name of the run for the progress bar and errors.

    Returns
    -------
    LearningCurve
        Losses and metrics, epoch by epoch.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite, grows without end, or the checkpoint belongs to another
        run.
    """
    began = time.perf_counter()
    if control.begin is not None:
        learner.put(control.begin(learner.arrays()))
    state = TrainingState(learner, control.monitors, control.patience, name)
    saved = _checkpoint(control, learner)
    with run.progress.task(name, epochs * learner.steps) as task:
        if saved is not None and saved.exists:
            state.restore(saved)
            task.advance(state.epoch * learner.steps + learner.step)
        step_done = partial(_step_done, task, state, learner, saved)
        stop, late = state.stopping.stop, False
        while state.epoch < epochs and not stop:
            epoch = Epoch(state.epoch, epochs, schedule, step_done)
            at = time.perf_counter()
            facts = dict(learner.run_epoch(epoch))
            rate = epoch.rate(learner.steps - 1, learner.steps)
            state.record(facts, rate, time.perf_counter() - at)
            stop = _measure(state, learner, control, epoch, facts)
            task.advance(int(learner.steps == 1), epoch=state.epoch, **facts)
            now = time.perf_counter()
            late = control.max_time is not None and 2 * now - at - began > control.max_time
            stop = stop or late
            if saved is not None and (state.epoch % saved.every_epochs == 0 or stop):
                state.save(saved)
        state.finish()
    if stop and state.epoch < epochs:
        why = "its time is over" if late else "no better on validation, or a callback's end"
        run.progress.say(f"{name} stopped after epoch {state.epoch}: {why}")
    return state.curve


def _checkpoint(control: Control, learner: Learner) -> Checkpoint | None:
    """Where the state is saved; what another way to learn has saved is another run's."""
    saved = control.checkpoint
    if saved is None:
        return None
    return replace(saved, fingerprint=f"{saved.fingerprint} {learner.way}".rstrip())


def _step_done(
    task: Task, state: TrainingState, learner: Learner, saved: Checkpoint | None
) -> None:
    # An epoch of one step is counted when it ends.
    if learner.steps > 1:
        task.advance()
    if saved is not None and saved.every_steps and learner.step % saved.every_steps == 0:
        state.save(saved)


def _measure(
    state: TrainingState,
    learner: Learner,
    control: Control,
    epoch: Epoch,
    facts: dict[str, Any],
) -> bool:
    """Add the metrics to the epoch's values, if they are due, and run the callbacks; return whether
    training is to stop.
    """
    last = state.epoch == epoch.epochs
    due = bool(control.monitors) and (last or state.epoch % control.every == 0)
    if not (due or control.callbacks):
        return False
    with learner.evaluated(), control.measuring():
        facts |= state.measure() if due else {}
        return state.stopping.stop or _stopped(control.callbacks, epoch, facts, learner)


def _stopped(callbacks: tuple[Callback, ...], epoch: Epoch, facts: Facts, learner: Learner) -> bool:
    """Run all callbacks; return whether one of them ends training."""
    try:
        answers = [callback(epoch.number, facts, learner) for callback in callbacks]
        # Not 0, which equals False: what a callback's last call happens to return ends nothing.
        return any(isinstance(one, (bool, np.bool_)) and not one for one in answers)
    except StopTraining:
        return True
