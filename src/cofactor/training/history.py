"""The history of a training run: losses and metrics, epoch by epoch, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

_PREFIX = "history."


@dataclass
class History:
    """What was measured while training, one number per epoch.

    Parameters
    ----------
    loss
        float64 [epochs]: the mean of the batches' losses (with regularisation), each weighted by its examples.
    learning_rate
        float64 [epochs]: the rate of the epoch's last step.
    seconds
        float64 [epochs]: wall time of the epoch's steps, without the metrics.
    metrics
        By name, float64 [epochs].
    best_epoch
        The epoch whose weights were kept, from 0; −1 if the last one's were.
    """

    loss: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    best_epoch: int = -1

    def __len__(self) -> int:
        return len(self.loss)

    def __repr__(self) -> str:
        if not self.loss:
            return "History(no epochs)"
        at = self.best_epoch if self.best_epoch >= 0 else len(self) - 1
        shown = "".join(f", {name} {values[at]:.4f}" for name, values in self.metrics.items())
        which = "best" if self.best_epoch >= 0 else "last"
        return f"History({len(self)} epochs, {which} {at}: loss {self.loss[at]:.4f}{shown})"

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the history as named arrays, for a model's state."""
        arrays = {
            f"{_PREFIX}loss": np.array(self.loss, np.float64),
            f"{_PREFIX}learning_rate": np.array(self.learning_rate, np.float64),
            f"{_PREFIX}seconds": np.array(self.seconds, np.float64),
            f"{_PREFIX}best_epoch": np.array([self.best_epoch], np.int64),
        }
        arrays |= {f"{_PREFIX}metric.{name}": np.array(v, np.float64) for name, v in self.metrics.items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> History:
        """Make it from what `to_arrays` gave; an empty history if there is none."""
        if f"{_PREFIX}loss" not in arrays:
            return cls()

        def get(name: str) -> list[float]:
            return [float(value) for value in arrays[_PREFIX + name]]

        metrics = {
            name.removeprefix(f"{_PREFIX}metric."): np.asarray(values).tolist()
            for name, values in arrays.items()
            if name.startswith(f"{_PREFIX}metric.")
        }
        return cls(get("loss"), get("learning_rate"), get("seconds"), metrics, int(arrays[f"{_PREFIX}best_epoch"][0]))
