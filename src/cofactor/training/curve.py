"""The learning curve: losses and metrics, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cofactor.base.errors import ArtifactError


@dataclass
class LearningCurve:
    """Measurements during training, one number per epoch.

    Parameters
    ----------
    loss
        float64 [epochs]: the mean training loss of the epoch (with regularization).
    learning_rate
        float64 [epochs]: the rate of the epoch's last step; a factor where a model has several.
    seconds
        float64 [epochs]: wall time of the epoch's steps, without the metrics; NaN in a loaded
        model.
    metrics
        By name, float64 [epochs]; NaN where an epoch wasn't measured.
    best_epoch
        The epoch whose arrays were kept, from 0; -1 if it is the last one.
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
            return "LearningCurve(no epochs)"
        at = self.best_epoch if self.best_epoch >= 0 else len(self) - 1
        shown = "".join(f", {name} {values[at]:.4f}" for name, values in self.metrics.items())
        # Epochs are counted from 1 in progress and in figures.
        which = f"{'best' if self.best_epoch >= 0 else 'last'} {at + 1}"
        return f"LearningCurve({len(self)} epochs, {which}: loss {self.loss[at]:.4f}{shown})"

    def _repr_html_(self) -> str:
        from cofactor.base.markup import framed, heading
        from cofactor.training.curves import figures

        return framed(
            heading("Learning curve", repr(self).partition("(")[2][:-1]), *figures({"": self})
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the curve as named arrays for a model's state; empty if there are no epochs.

        The seconds are left out, so that equal trainings have equal states.
        """
        if not self.loss:
            return {}
        metrics = np.array(list(self.metrics.values()), np.float64).reshape(-1, len(self))
        measured = np.isfinite(metrics)
        return {
            "history_loss": np.array(self.loss, np.float64),
            "history_rate": np.array(self.learning_rate, np.float64),
            # Artifacts must not contain NaN.
            "history_metrics": np.where(measured, metrics, 0.0),
            "history_measured": measured.astype(np.uint8),
            "history_metric_names": np.frombuffer("\n".join(self.metrics).encode(), np.uint8),
            "history_best_epoch": np.array([self.best_epoch], np.int64),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> LearningCurve:
        """Build it from the result of `to_arrays`, of this version or an older one; an empty curve
        if there is none.
        """
        if "history_loss" not in arrays:
            return cls()
        values = np.asarray(arrays["history_metrics"])
        if "history_measured" in arrays:
            values = np.where(arrays["history_measured"], values, np.nan)
        names = bytes(arrays["history_metric_names"]).decode().split("\n")
        loss, rate = (np.asarray(arrays[f"history_{name}"]).tolist() for name in ("loss", "rate"))
        seconds = np.asarray(arrays.get("history_seconds", np.full(len(loss), np.nan))).tolist()
        metrics = dict(zip(names, values.tolist(), strict=False))
        best = int(arrays["history_best_epoch"][0])
        if not -1 <= best < len(loss):
            raise ArtifactError(
                f"history_best_epoch must be one of {len(loss)} epochs, or -1 for none, not {best}."
            )
        return cls(loss, rate, seconds, metrics, best)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON; NaN becomes None."""
        metrics = {
            name: [None if math.isnan(v) else v for v in values]
            for name, values in self.metrics.items()
        }
        return {**asdict(self), "metrics": metrics}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> LearningCurve:
        """Build it from the result of `to_dict`."""
        metrics = {
            name: [math.nan if v is None else v for v in values]
            for name, values in kept["metrics"].items()
        }
        return cls(**{**kept, "metrics": metrics})
