"""What the training loop drives: a learner, epoch by epoch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from cofactor.training.schedule import Schedule

Facts = Mapping[str, float]


class StopTraining(Exception):
    """Raised by a callback: training ends after this epoch, without an error."""


@dataclass(frozen=True)
class Epoch:
    """One epoch as its learner sees it.

    Parameters
    ----------
    number, epochs
        Which epoch it is, from 0, and of how many.
    schedule
        The learning rates.
    step_done
        To be called after each step by learners that take several in an epoch: shows progress, and
        saves the checkpoint where it is due.
    """

    number: int
    epochs: int
    schedule: Schedule
    step_done: Callable[[], None]

    def rate(self, step: int = 0, steps: int = 1) -> float:
        """Return the learning rate of the epoch, or of one of its ``steps`` steps."""
        return self.schedule.rate(
            self.number * steps + step, self.epochs * steps, self.number, self.epochs
        )

    def factor(self) -> float:
        """Return what the schedule multiplies a learning rate by in this epoch."""
        return self.schedule.factor(self.number, self.epochs, self.number, self.epochs)


class Learner(ABC):
    """Something that learns in epochs, whatever computes inside.

    A learner with one step an epoch needs `run_epoch` and `arrays`, and `memory` if it keeps
    anything else from one epoch to the next.
    """

    steps: int = 1  # steps of an epoch, each with a learning rate of its own
    step: int = 0  # how many of them are done; above 0 only after resuming within an epoch
    cure: str = "lower learning_rate"  # what to do when training diverges

    @abstractmethod
    def run_epoch(self, epoch: Epoch) -> Facts:
        """Learn for one epoch (its rest, if `step` is above 0), and return what to show and record:
        the mean ``"loss"`` at least.
        """

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the arrays that are learned, as they are now; they may be live."""

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the arrays to what `arrays` gave some time ago."""
        for name, live in self.arrays().items():
            live[...] = arrays[name]

    def memory(self) -> Mapping[str, np.ndarray]:
        """Return what else an exact resume needs; it may be live."""
        return {}

    def remember(self, memory: Mapping[str, np.ndarray]) -> None:
        """Take over what `memory` gave some time ago."""
        for name, live in self.memory().items():
            live[...] = memory[name]

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """While open, the arrays are those that are to be measured and kept (averages, perhaps)."""
        yield

    def finish(self) -> None:  # noqa: B027
        """Leave the arrays as they are after the last epoch, when no epoch was chosen as best."""
