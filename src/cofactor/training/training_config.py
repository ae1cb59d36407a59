"""Settings of training: Configs that the models inherit."""

from __future__ import annotations

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError
from cofactor.training.schedule import SCHEDULES, Schedule

# An epoch has so many steps at least, unless batches would be smaller than this.
_FEWEST_STEPS, _LEAST_BATCH = 16, 64

OPTIMIZERS = ("adam", "adamw", "sgd", "adagrad")


class IterativeConfig(Config):
    """Settings of models that are trained in epochs; a model's Config may change the defaults."""

    group = "training"

    epochs: int = setting(20, low=1, high=1_000_000, doc="Passes over the data.")
    validate_every: int = setting(
        1, low=1, doc="Epochs between two measurements on the validation part, if there is one."
    )
    patience: int = setting(
        0,
        low=0,
        doc=(
            "Early stopping: measurements without improvement before training"
            " stops; 0 runs all epochs."
        ),
    )

    def rates(self) -> Schedule:
        """Return the schedule for the training loop; models without a learning rate ignore it."""
        return Schedule()


class DescentConfig(IterativeConfig):
    """The settings of models with a learning rate."""

    group = "training"

    learning_rate: float = setting(
        0.01, above=0.0, high=1e3, doc="Peak learning rate of the schedule."
    )
    schedule: str = setting("constant", choices=SCHEDULES, doc="The learning rate over time.")
    warmup_ratio: float = setting(
        0.0,
        low=0.0,
        below=1.0,
        doc="Warm-up: share of all steps over which the learning rate rises linearly from 0.",
    )
    drop_every: float = setting(
        10,
        above=0.0,
        doc="Step schedule: epochs between two drops; below 1, a share of all epochs.",
    )
    drop_factor: float = setting(
        0.1, above=0.0, high=1.0, doc="Step schedule: factor of the learning rate at each drop."
    )
    decay: float = setting(
        0.95, above=0.0, high=1.0, doc="Exponential schedule: the factor from epoch to epoch."
    )

    def rates(self) -> Schedule:
        """Return the schedule for the training loop."""
        return Schedule(
            self.learning_rate,
            self.schedule,
            self.warmup_ratio,
            self.drop_every,
            self.drop_factor,
            self.decay,
        )


class TrainingConfig(DescentConfig):
    """The settings of a PyTorch module's training."""

    group = "training"

    renamed = {
        "warmup": "warmup_ratio",
        "clip": "max_grad_norm",
        "average": "ema_decay",
    }

    usual_epochs, usual_batch = 20, 4096

    epochs: int | None = setting(  # type: ignore[assignment]
        None,
        low=1,
        high=1_000_000,
        doc=(
            "Passes over the data; None: the number that predicts held-out training"
            " interactions best (at most 300,000 are used), or the model's usual number (mostly"
            " 20) if it can't be measured."
        ),
    )
    batch_size: int | None = setting(
        None,
        low=0,
        high=2**30,
        doc=(
            "Batch size in examples; 0 takes all at once (full batch); None: 4096 (1024 in"
            " simplex and two_tower), but no more than a sixteenth of the interactions and no"
            " less than 64."
        ),
    )
    optimizer: str = setting("adam", choices=OPTIMIZERS, doc="The optimiser.")
    momentum: float = setting(
        0.0, low=0.0, below=1.0, doc="Momentum of sgd; the others don't use it."
    )
    weight_decay: float = setting(
        0.0,
        low=0.0,
        doc="Weight decay: L2 on all weights at every step (decoupled in adamw); 0: none.",
    )
    max_grad_norm: float = setting(
        0.0, low=0.0, doc="Gradient clipping: largest norm of the whole gradient; 0 doesn't clip."
    )
    ema_decay: float = setting(
        0.0,
        low=0.0,
        below=1.0,
        doc="Decay of an exponential moving average of the weights, used in their place; 0 is off.",
    )
    precision: str = setting(
        "float32", choices=("float32", "bfloat16"), doc="Numeric precision of the forward pass."
    )
    compile: bool = setting(
        False, doc="Whether torch.compile compiles the step (needs a C++ compiler)."
    )

    def batch_of(self, n_examples: int) -> int:
        """Return the batch size for a number of examples; 0 takes all at once."""
        if self.batch_size is not None:
            return self.batch_size
        return min(self.usual_batch, max(_LEAST_BATCH, n_examples // _FEWEST_STEPS))

    def check(self) -> None:
        """Refuse settings that contradict one another."""
        super().check()
        if self.momentum and self.optimizer != "sgd":
            raise ArgumentError(
                f"momentum requires optimizer='sgd', not {self.optimizer!r}; set momentum=0."
            )
