"""The state of a training run, which the loop advances and a checkpoint stores."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.training import checkpoint as files
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.curve import LearningCurve
from cofactor.training.learner import Facts, Learner
from cofactor.training.monitor import EarlyStopping, Monitor

# A mean loss this many times the first epoch's counts as divergence.
_RUNAWAY = 100.0


class TrainingState:
    """The learner, its curve, the epoch, and the arrays of the best epoch.

    Parameters
    ----------
    learner
        The learner.
    monitors
        Metrics; the first one decides which epoch is the best and when to stop.
    patience
        Measurements without an improvement before training stops; 0 never stops.
    name
        Name of the run in errors.
    """

    def __init__(
        self, learner: Learner, monitors: tuple[Monitor, ...], patience: int, name: str
    ) -> None:
        self.learner, self.monitors, self.name = learner, monitors, name
        self.curve = LearningCurve(metrics={monitor.name: [] for monitor in monitors})
        self.stopping = EarlyStopping(patience, bool(monitors) and monitors[0].higher_is_better)
        self.best: dict[str, np.ndarray] = {}
        self.epoch = 0

    def record(self, facts: Facts, rate: float, seconds: float) -> None:
        """Add an epoch to the curve.

        Raises
        ------
        TrainingError
            If its loss is NaN or infinite, or has grown a hundredfold.
        """
        loss = float(facts["loss"])
        first = self.curve.loss[0] if self.curve.loss else loss
        if not math.isfinite(loss) or abs(loss) > _RUNAWAY * max(abs(first), 1e-3):
            became = (
                f"grew to {loss:.3g} from {first:.3g}" if math.isfinite(loss) else f"became {loss}"
            )
            raise diverged(self.name, became, self.epoch, self.learner.cure)
        self.curve.loss.append(loss)
        self.curve.learning_rate.append(rate)
        self.curve.seconds.append(seconds)
        for values in self.curve.metrics.values():
            values.append(math.nan)
        self.epoch += 1

    def measure(self) -> dict[str, float]:
        """Measure the epoch that was recorded last, and keep its arrays if it is the best."""
        found = {monitor.name: monitor.value() for monitor in self.monitors}
        for name, value in found.items():
            self.curve.metrics[name][-1] = value
        if self.stopping.update(self.epoch - 1, found[self.monitors[0].name]):
            self.best = {name: array.copy() for name, array in self.learner.arrays().items()}
            self.curve.best_epoch = self.epoch - 1
        return found

    def finish(self) -> None:
        """Set the learner's arrays to the best epoch's, or the last one's."""
        if self.best:
            self.learner.put(self.best)
        else:
            self.learner.finish()
        if not all(np.isfinite(a).all() for a in self.learner.arrays().values()):
            raise diverged(self.name, "left weights that aren't finite", -1, self.learner.cure)

    def save(self, checkpoint: Checkpoint) -> None:
        """Write the state to the checkpoint's file."""
        arrays: dict[str, np.ndarray] = {}
        for prefix, held in (
            ("weight.", self.learner.arrays()),
            ("memory.", self.learner.memory()),
            ("best.", self.best),
        ):
            arrays |= {prefix + name: array for name, array in held.items()}
        facts = {
            "fingerprint": checkpoint.fingerprint,
            "epoch": self.epoch,
            "step": self.learner.step,
            "stopping": self.stopping.to_dict(),
            "curve": self.curve.to_dict(),
        }
        files.write(checkpoint.path, arrays, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Read the state from the checkpoint's file.

        Raises
        ------
        TrainingError
            If the file belongs to a run with other data, settings or seed.
        """
        arrays, facts = files.read(checkpoint.path)
        if facts["fingerprint"] != checkpoint.fingerprint:
            raise TrainingError(
                f"{checkpoint.path}: this checkpoint belongs to a run with other data, settings or"
                " seed, or whose epochs were divided otherwise (engine, exchange); train as then,"
                " give another path, or delete it to start again."
            )
        self.learner.put(of_prefix("weight.", arrays))
        self.learner.remember(of_prefix("memory.", arrays))
        self.best = of_prefix("best.", arrays)
        self.epoch, self.learner.step = int(facts["epoch"]), int(facts["step"])
        self.stopping.restore(facts["stopping"])
        self.curve = LearningCurve.from_dict(facts["curve"])


def of_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays whose names have a prefix, under what follows it."""
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def diverged(name: str, became: str, epoch: int, cure: str) -> TrainingError:
    """Return the error for a run that diverged; ``epoch`` from 0, -1 at the end."""
    when = f"in epoch {epoch + 1}" if epoch >= 0 else "at the end"
    return TrainingError(f"{name} diverged {when}: the loss {became}; {cure}.")
