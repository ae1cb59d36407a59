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
    """An epoch, as its learner gets it.

    Parameters
    ----------
    number, epochs
        The epoch's number, from 0, and how many there are.
    schedule
        The learning rates.
    step_done
        Called after each step by learners that take several in an epoch; it shows progress and
        saves the checkpoint when it is due.
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
        """Return the schedule's factor of a learning rate in this epoch."""
        return self.schedule.factor(self.number, self.epochs, self.number, self.epochs)


class Learner(ABC):
    """Anything that is trained in epochs; how it computes is its own business.

    A learner with one step an epoch needs `run_epoch` and `arrays`, and `memory` if it keeps
    anything else from one epoch to the next.
    """

    steps: int = 1  # steps of an epoch, each with its own learning rate
    step: int = 0  # how many of them are done; above 0 only after resuming within an epoch
    cure: str = "lower learning_rate"  # advice in the error if training diverges
    # How epochs are divided, where that is a part of the result: no other way continues them.
    way: str = ""

    @abstractmethod
    def run_epoch(self, epoch: Epoch) -> Facts:
        """Train for one epoch (the rest of it, if `step` is above 0), and return the values to show
        and record, at least the mean ``"loss"``.
        """

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the learned arrays; they may be live, not copies."""

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the arrays to earlier ones that `arrays` returned."""
        for name, live in self.arrays().items():
            live[...] = arrays[name]

    def memory(self) -> Mapping[str, np.ndarray]:
        """Return what else an exact resume needs; it may be live, not a copy."""
        return {}

    def remember(self, memory: Mapping[str, np.ndarray]) -> None:
        """Set it to an earlier state that `memory` returned."""
        for name, live in self.memory().items():
            live[...] = memory[name]

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """While open, the arrays are the ones to measure and keep (an average, perhaps)."""
        yield

    def finish(self) -> None:  # noqa: B027
        """Set the final arrays after the last epoch, if no epoch was chosen as the best."""
