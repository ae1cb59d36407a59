"""Early stopping on any metric: when to stop, and which epoch was the best."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cofactor.base.errors import ArgumentError


@dataclass(frozen=True)
class Monitor:
    """A metric that is measured after each epoch.

    Parameters
    ----------
    name
        Its name in the learning curve.
    measure
        A function without arguments that returns the present model's metric.
    higher_is_better
        True for nDCG or AUC, False for RMSE or a loss.
    """

    name: str
    measure: Callable[[], float] = field(repr=False)
    higher_is_better: bool

    def value(self) -> float:
        """Return what is measured now, which may be NaN; raise ArgumentError if it is no number."""
        found = self.measure()
        try:
            return float(found)
        except (TypeError, ValueError):
            raise ArgumentError(
                f"the metric {self.name!r} must be a number, not {found!r}."
            ) from None


@dataclass
class EarlyStopping:
    """Remembers the best epoch, and stops after ``patience`` measurements without improvement.

    Parameters
    ----------
    patience
        Measurements without an improvement before training stops; 0 never stops (the best epoch is
        still remembered).
    higher_is_better
        The metric's direction.
    """

    patience: int
    higher_is_better: bool
    best: float = math.nan
    best_epoch: int = -1
    waited: int = 0

    def update(self, epoch: int, value: float) -> bool:
        """Take an epoch's value; return whether it is the best so far. A NaN is never an
        improvement.
        """
        gain = value - self.best if self.higher_is_better else self.best - value
        improved = not math.isnan(value) and (self.best_epoch < 0 or gain > 0)
        if improved:
            self.best, self.best_epoch, self.waited = value, epoch, 0
        else:
            self.waited += 1
        return improved

    @property
    def stop(self) -> bool:
        """Whether to stop now."""
        return 0 < self.patience <= self.waited

    def to_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint (NaN as None, since JSON has no NaN)."""
        best = None if math.isnan(self.best) else self.best
        return {"best": best, "best_epoch": self.best_epoch, "waited": self.waited}

    def restore(self, kept: dict[str, Any]) -> None:
        """Restore the state that `to_dict` returned."""
        self.best = math.nan if kept["best"] is None else float(kept["best"])
        self.best_epoch, self.waited = int(kept["best_epoch"]), int(kept["waited"])
