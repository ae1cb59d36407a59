"""Learning-rate schedules: constant, linear, cosine, step and exponential decay, with warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass

SCHEDULES = ("constant", "linear", "cosine", "step", "exponential")


@dataclass(frozen=True)
class Schedule:
    """The learning rate over time.

    With ``t`` the step of ``T``, and ``e`` the epoch of ``E``: constant ``η``; linear ``η (1 -
    t/T)``; cosine ``η (1 + cos(π t/T)) / 2``; step ``η drop_factor^⌊e / drop_every⌋`` (below 1,
    ``drop_every`` is a share of all epochs: ``⌊e/E / drop_every⌋``); exponential ``η decay^e``.
    Each is times ``min(1, (t + 1) / (warmup_ratio T))``. A learner that takes one rate an epoch has
    ``t = e``.

    Parameters
    ----------
    learning_rate
        η, above 0.
    kind
        One of `SCHEDULES`.
    warmup_ratio
        The share of all steps over which the rate rises linearly, in [0, 1).
    drop_every, drop_factor
        Period and factor of the step schedule.
    decay
        Factor of the exponential schedule.

    Notes
    -----
    Source: Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5 (without restarts); Goyal et al., 2017
    (warm-up).
    """

    learning_rate: float = 1.0
    kind: str = "constant"
    warmup_ratio: float = 0.0
    drop_every: float = 10
    drop_factor: float = 0.1
    decay: float = 0.95

    def factor(self, step: int, steps: int, epoch: int, epochs: int) -> float:
        """Return the factor of the learning rate at one step, without warm-up.

        Parameters
        ----------
        step, steps
            The step, from 0, and the number of all steps of the training.
        epoch, epochs
            The epoch, from 0, and the number of all epochs.
        """
        if self.kind == "linear":
            return 1.0 - step / steps
        if self.kind == "cosine":
            return 0.5 * (1 + math.cos(math.pi * step / steps))
        if self.kind == "step":
            passed = epoch if self.drop_every >= 1 else epoch / epochs
            return float(self.drop_factor ** (passed // self.drop_every))
        return self.decay**epoch if self.kind == "exponential" else 1.0

    def rate(self, step: int, steps: int, epoch: int, epochs: int) -> float:
        """Return the learning rate of one step; see `factor` for the parameters."""
        rate = self.learning_rate * self.factor(step, steps, epoch, epochs)
        rising = self.warmup_ratio * steps
        return rate * min(1.0, (step + 1) / rising) if rising > 0 else rate
