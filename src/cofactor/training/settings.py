"""What every trained model can be told about its training: one Config that models inherit."""

from __future__ import annotations

import math

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError

OPTIMIZERS = ("adam", "adamw", "sgd", "adagrad")
SCHEDULES = ("constant", "cosine", "step")


class TrainingConfig(Config):
    """The settings of the training loop; a model's own Config inherits them and may change the
    defaults.
    """

    epochs: int = setting(20, low=1, high=1_000_000, doc="Passes over the data.")
    batch_size: int = setting(
        4096,
        low=0,
        high=2**30,
        doc="Examples of a step; 0 takes all of them at once (full-batch descent).",
    )
    learning_rate: float = setting(
        0.01, above=0.0, high=1e3, doc="The optimiser's step size, at the schedule's top."
    )
    optimizer: str = setting("adam", choices=OPTIMIZERS, doc="The optimiser.")
    momentum: float = setting(
        0.0, low=0.0, below=1.0, doc="Momentum of sgd; the others don't use it."
    )
    weight_decay: float = setting(
        0.0,
        low=0.0,
        doc="L2 that shrinks every weight at every step (decoupled in adamw); 0 is none.",
    )
    schedule: str = setting(
        "constant",
        choices=SCHEDULES,
        doc="How the rate falls: not, by half a cosine to 0, or in drops.",
    )
    warmup: float = setting(
        0.0,
        low=0.0,
        below=1.0,
        doc="The share of all steps over which the rate rises linearly from 0.",
    )
    drop_every: int = setting(10, low=1, doc="Epochs between two drops of the step schedule.")
    drop_factor: float = setting(
        0.1, above=0.0, high=1.0, doc="What the step schedule multiplies the rate by at each drop."
    )
    clip: float = setting(0.0, low=0.0, doc="Largest length of the whole gradient; 0 doesn't clip.")
    patience: int = setting(
        0,
        low=0,
        doc="Epochs without a better validation metric before training stops; 0 runs all epochs.",
    )
    average: float = setting(
        0.0,
        low=0.0,
        below=1.0,
        doc="Decay of a running mean of the weights, used in their place; 0 is off.",
    )
    precision: str = setting(
        "float32", choices=("float32", "bfloat16"), doc="Number format of the forward pass."
    )
    compile: bool = setting(
        False, doc="Whether torch.compile makes the step (needs a C++ compiler on the machine)."
    )

    def rate(self, step: int, steps: int, steps_per_epoch: int) -> float:
        """Return the learning rate of one step.

        With ``t`` the step and ``T`` all steps: constant ``η``; cosine ``η (1 + cos(π t/T)) / 2``;
        step ``η factor^⌊epoch / every⌋``; each times ``min(1, (t + 1) / (warmup T))``.

        Parameters
        ----------
        step
            From 0.
        steps
            All steps of the training.
        steps_per_epoch
            Steps of one epoch.

        Notes
        -----
        Source: Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5 (without restarts); Goyal et al.,
        2017 (warm-up).
        """
        rate = self.learning_rate
        if self.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
        elif self.schedule == "step":
            rate *= self.drop_factor ** (step // steps_per_epoch // self.drop_every)
        rising = self.warmup * steps
        return rate * min(1.0, (step + 1) / rising) if rising > 0 else rate

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        if self.momentum and self.optimizer != "sgd":
            raise ArgumentError(
                f"momentum is of the optimizer sgd alone, not of {self.optimizer}; set momentum=0."
            )
