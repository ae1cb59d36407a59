"""All that changes while training, in one object: what a checkpoint holds and the loop moves on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cofactor.base.errors import TrainingError
from cofactor.training import checkpoint as files
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.history import History
from cofactor.training.optimizers import optimizers
from cofactor.training.settings import TrainingConfig
from cofactor.training.stopping import EarlyStopping, Watch

# A mean loss this many times the first epoch's is no bad luck any more.
_RUNAWAY = 100.0
# A loss is looked at each so many steps: on a GPU a look waits for the device.
_LOOK_EVERY = 64


class TrainingState:
    """Weights, averaged and best weights, optimisers, generators, position, history.

    Parameters
    ----------
    module
        What is trained.
    config
        How.
    watches
        The metrics; the first one decides.
    generator
        What the batches' draws come from.
    belongs_to
        What a checkpoint must belong to.
    """

    def __init__(
        self,
        module: nn.Module,
        config: TrainingConfig,
        watches: Sequence[Watch],
        generator: torch.Generator,
        belongs_to: str,
    ) -> None:
        self.module, self.config, self.watches, self.generator, self.belongs_to = (
            module,
            config,
            watches,
            generator,
            belongs_to,
        )
        self.optimizers = optimizers(module, config)
        self.history = History(metrics={watch.name: [] for watch in watches})
        self.stopping = EarlyStopping(
            config.patience, bool(watches) and watches[0].higher_is_better
        )
        self.weights = dict(module.state_dict(keep_vars=True))
        self.best: dict[str, Tensor] = {}
        self.mean = (
            {name: w.detach().clone() for name, w in self.weights.items()} if config.average else {}
        )
        self.epoch = self.step = self.steps_done = self.n_counted = 0
        self.summed = torch.zeros((), dtype=torch.float64)

    @property
    def finished(self) -> bool:
        """Whether early stopping says that it is enough."""
        return self.stopping.stop

    def descend(self, rate: float) -> None:
        """Take one step of the optimisers at a learning rate, and follow it with the mean of the
        weights.
        """
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.steps_done += 1
        if self.mean:
            # Early on the mean forgets faster, so that the first weights don't linger in it.
            decay = min(self.config.average, self.steps_done / (10 + self.steps_done))
            with torch.no_grad():
                for name, mean in self.mean.items():
                    if mean.is_floating_point():
                        mean.lerp_(self.weights[name].detach(), 1 - decay)

    def count(self, loss: Tensor, n_examples: int) -> None:
        """Add one batch's mean loss to the epoch's, and look at it from time to time."""
        self.step += 1
        self.summed = self.summed + loss.double() * n_examples
        self.n_counted += n_examples
        if self.step % _LOOK_EVERY == 1 and not math.isfinite(float(loss)):
            raise self._degenerate(float(loss), f"step {self.step}")

    def end_of_epoch(self, rate: float, seconds: float) -> dict[str, float]:
        """Close an epoch: its loss, the metrics, the best weights; return what is shown."""
        loss = float(self.summed) / self.n_counted
        first = self.history.loss[0] if self.history.loss else loss
        if not math.isfinite(loss) or abs(loss) > _RUNAWAY * max(abs(first), 1e-3):
            raise self._degenerate(loss, "its end")
        self.history.loss.append(loss)
        self.history.learning_rate.append(rate)
        self.history.seconds.append(seconds)
        self.module.eval()
        with self._averaged(), torch.no_grad():
            for watch in self.watches:
                self.history.metrics[watch.name].append(float(watch.measure()))
            if self.watches and self.stopping.update(
                self.epoch, self.history.metrics[self.watches[0].name][-1]
            ):
                self.best = {name: w.detach().clone() for name, w in self.weights.items()}
        self.history.best_epoch = self.stopping.best_epoch
        self.epoch, self.step, self.n_counted = self.epoch + 1, 0, 0
        self.summed = torch.zeros((), dtype=torch.float64)
        return {"loss": loss, **{name: values[-1] for name, values in self.history.metrics.items()}}

    def keep_best(self) -> None:
        """Leave the best weights in the module (the averaged ones if that was asked, else the
        last).
        """
        with torch.no_grad():
            for name, kept in (self.best or self.mean).items():
                self.weights[name].copy_(kept)
        if not all(
            bool(torch.isfinite(w).all()) for w in self.weights.values() if w.is_floating_point()
        ):
            raise self._degenerate(math.nan, "its end")

    def save(self, checkpoint: Checkpoint) -> None:
        """Write all of it to the checkpoint's file."""
        tensors, numbers = files.of_optimizers(self.optimizers)
        for prefix, held in (("weight.", self.weights), ("best.", self.best), ("mean.", self.mean)):
            tensors |= {prefix + name: tensor for name, tensor in held.items()}
        tensors["summed"] = self.summed
        tensors["generator.draws"] = self.generator.get_state()
        tensors["generator.dropout"] = torch.get_rng_state()
        if torch.cuda.is_available():
            tensors["generator.cuda"] = torch.cuda.get_rng_state()
        history = {
            name: getattr(self.history, name)
            for name in ("loss", "learning_rate", "seconds", "best_epoch")
        }
        # NaN is no JSON: a metric that couldn't be taken is kept as null.
        metrics = {
            n: [None if math.isnan(v) else v for v in values]
            for n, values in self.history.metrics.items()
        }
        facts = {
            "belongs_to": self.belongs_to,
            "epoch": self.epoch,
            "step": self.step,
            "steps_done": self.steps_done,
            "n_counted": self.n_counted,
            "stopping": self.stopping.to_dict(),
            "history": history,
            "metrics": metrics,
            "optimizers": numbers,
        }
        files.write(checkpoint.path, tensors, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take all of it from the checkpoint's file.

        Raises
        ------
        TrainingError
            If the file belongs to a run with other data, settings or seed.
        """
        tensors, facts = files.read(checkpoint.path)
        if facts["belongs_to"] != self.belongs_to:
            raise TrainingError(
                f"{checkpoint.path}: this checkpoint is of a run with other data, settings or seed;"
                " give another path, or delete it to begin anew."
            )
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(tensors[f"weight.{name}"])
        device = next(iter(self.weights.values())).device
        self.best, self.mean = (
            {n.removeprefix(p): t.to(device) for n, t in tensors.items() if n.startswith(p)}
            for p in ("best.", "mean.")
        )
        files.into_optimizers(self.optimizers, tensors, facts["optimizers"])
        self.summed = tensors["summed"].to(device)
        self.generator.set_state(tensors["generator.draws"])
        torch.set_rng_state(tensors["generator.dropout"])
        if "generator.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["generator.cuda"])
        self._restore_numbers(facts)

    def _restore_numbers(self, facts: dict[str, Any]) -> None:
        self.epoch, self.step = facts["epoch"], facts["step"]
        self.steps_done, self.n_counted = facts["steps_done"], facts["n_counted"]
        self.stopping.restore(facts["stopping"])
        metrics = {
            n: [math.nan if v is None else v for v in values]
            for n, values in facts["metrics"].items()
        }
        self.history = History(**facts["history"], metrics=metrics)

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """While open, the module holds the mean of its weights, if one is kept."""
        if not self.mean:
            yield
            return
        with torch.no_grad():
            own = {name: w.detach().clone() for name, w in self.weights.items()}
            for name, weight in self.weights.items():
                weight.copy_(self.mean[name])
            try:
                yield
            finally:
                for name, weight in self.weights.items():
                    weight.copy_(own[name])

    def _degenerate(self, loss: float, where: str) -> TrainingError:
        what = (
            f"became {loss}"
            if not math.isfinite(loss)
            else f"grew to {loss:.3g} from {self.history.loss[0]:.3g}"
        )
        return TrainingError(
            f"training diverged: the loss {what} in epoch {self.epoch + 1}, at {where}; lower"
            f" learning_rate (it is {self.config.learning_rate:g}), clip the gradient (clip=1), or"
            " rescale the values."
        )
