"""The history of a training run: losses and metrics, epoch by epoch, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass
class History:
    """What was measured while training, one number per epoch.

    Parameters
    ----------
    loss
        float64 [epochs]: the mean of the batches' losses (with regularisation), each weighted by
        its examples.
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
        """Return the history as named arrays, for a model's state; nothing if there are no
        epochs.
        """
        if not self.loss:
            return {}
        # NaN isn't let into an artifact; a metric that couldn't be taken is left out whole.
        metrics = {
            name: values for name, values in self.metrics.items() if np.isfinite(values).all()
        }
        return {
            "history_loss": np.array(self.loss, np.float64),
            "history_rate": np.array(self.learning_rate, np.float64),
            "history_seconds": np.array(self.seconds, np.float64),
            "history_metrics": (
                np.array(list(metrics.values()), np.float64).reshape(len(metrics), len(self))
            ),
            "history_metric_names": np.frombuffer("\n".join(metrics).encode(), np.uint8),
            "history_best_epoch": np.array([self.best_epoch], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> History:
        """Make it from what `to_arrays` gave; an empty history if there is none."""
        if "history_loss" not in arrays:
            return cls()
        names = bytes(arrays["history_metric_names"]).decode().split("\n")
        metrics = dict(zip(names, np.asarray(arrays["history_metrics"]).tolist(), strict=False))
        loss, rate, seconds = (
            np.asarray(arrays[f"history_{name}"]).tolist() for name in ("loss", "rate", "seconds")
        )
        return cls(loss, rate, seconds, metrics, int(arrays["history_best_epoch"][0]))
