"""A learner for PyTorch modules: steps, optimisers, generators and averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.base.memory import give_back
from cofactor.base.run import Run
from cofactor.training.learner import Epoch, Facts, Learner
from cofactor.training.state import diverged
from cofactor.training.torch.batches import Batch, BatchSource
from cofactor.training.torch.group import current_group
from cofactor.training.torch.optimizers import clip_gradient, optimizers, put_state, state_of
from cofactor.training.torch.seeding import set_seed
from cofactor.training.training_config import TrainingConfig

Step = Callable[[Batch, torch.Generator], Tensor]

# A loss is looked at each so many steps: on a GPU a look waits for the device.
_LOOK_EVERY = 64


class TorchLearner(Learner):
    """A module that descends a loss batch by batch.

    Parameters
    ----------
    module
        What is trained.
    step
        The loss of one batch, a scalar with a gradient: ``step(batch, generator)``. Whatever it
        draws must come from the generator (or from torch's own for dropout, which is seeded here),
        so that a run can be repeated and resumed.
    source
        The batches, on the module's device.
    config
        How to train.
    run
        The seed.
    name
        The name that seeds follow from, and that errors say.
    """

    def __init__(
        self,
        module: nn.Module,
        step: Step,
        source: BatchSource,
        config: TrainingConfig,
        run: Run,
        name: str,
    ) -> None:
        self.module, self.forward, self.source, self.config = module, step, source, config
        self.cure = (
            f"lower learning_rate (now {config.learning_rate:g}), clip the gradient"
            " (max_grad_norm=1), or rescale the values"
        )
        self.seed, self.name, self.steps = run.seed, name, len(source)
        self.weights = dict(module.state_dict(keep_vars=True))
        self.device = next(iter(self.weights.values())).device
        self.generator = torch.Generator(self.device)
        self.optimizers = optimizers(module, config)
        self.mean = self._copied() if config.ema_decay else {}
        self.steps_done = self.n_counted = 0
        self.summed = torch.zeros((), dtype=torch.float64)

    def run_epoch(self, epoch: Epoch) -> Facts:
        """Take the steps of one epoch."""
        group = current_group()
        if self.step == 0:
            # In the middle of an epoch the generators go on from where they were.
            whose = (epoch.number, *([group.rank] if group is not None and group.rank else []))
            self.generator.manual_seed(rng.state64(self.seed, self.name, "draws", *whose))
            set_seed(rng.state64(self.seed, self.name, "dropout", *whose))
            self.summed, self.n_counted = torch.zeros((), dtype=torch.float64), 0
        low = self.config.precision == "bfloat16"
        self.module.train()
        for batch in self.source.epoch(epoch.number, self.step):
            own, share = (batch, 1.0) if group is None else group.part(batch, self.source.examples)
            with torch.autocast(self.device.type, torch.bfloat16) if low else nullcontext():
                loss = self.forward(own, self.generator)
            loss.backward()
            loss = loss.detach()
            if group is not None:
                loss = group.average(self.module, loss, share)
            if self.config.max_grad_norm:
                clip_gradient(self.module.parameters(), self.config.max_grad_norm)
            self._descend(epoch.rate(self.step, self.steps))
            self.step += 1
            self.summed = self.summed + loss.double() * len(batch[0])
            self.n_counted += len(batch[0])
            if self.step % _LOOK_EVERY == 1 and not math.isfinite(float(loss)):
                raise diverged(self.name, f"became {float(loss)}", epoch.number, self.cure)
            epoch.step_done()
        self.step = 0
        self.module.eval()
        give_back()
        return {"loss": float(self.summed) / self.n_counted}

    def _descend(self, rate: float) -> None:
        """Take one step of the optimisers, and follow it with the average of the weights."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.steps_done += 1
        # Early on the average forgets faster, so that the first weights don't linger in it.
        decay = min(self.config.ema_decay, self.steps_done / (10 + self.steps_done))
        with torch.no_grad():
            for name, mean in self.mean.items():
                if mean.is_floating_point():
                    mean.lerp_(self.weights[name].detach(), 1 - decay)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights and buffers; on a CPU they are live."""
        return {name: _array(weight) for name, weight in self.weights.items()}

    def put(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the weights and buffers."""
        self._put({name: torch.from_numpy(array) for name, array in arrays.items()})

    def memory(self) -> dict[str, np.ndarray]:
        """Return the optimisers' moments, the generators, the averages, the epoch's sums."""
        held = {
            **state_of(self.optimizers),
            **{f"mean.{name}": tensor for name, tensor in self.mean.items()},
            "summed": self.summed,
            "counts": torch.tensor([self.steps_done, self.n_counted]),
            "generator.draws": self.generator.get_state(),
            "generator.dropout": torch.get_rng_state(),
        }
        if self.device.type == "cuda":
            held["generator.cuda"] = torch.cuda.get_rng_state(self.device)
        return {name: _array(tensor) for name, tensor in held.items()}

    def remember(self, memory: Mapping[str, np.ndarray]) -> None:
        """Take over what `memory` gave."""
        held = {name: torch.from_numpy(np.array(array)) for name, array in memory.items()}
        put_state(self.optimizers, held)
        for name, mean in self.mean.items():
            mean.copy_(held[f"mean.{name}"])
        self.summed = held["summed"].to(self.device)
        self.steps_done, self.n_counted = held["counts"].tolist()
        self.generator.set_state(held["generator.draws"])
        torch.set_rng_state(held["generator.dropout"])
        if self.device.type == "cuda" and "generator.cuda" in held:
            torch.cuda.set_rng_state(held["generator.cuda"], self.device)

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """While open, the module holds the average of its weights, if one is kept."""
        with torch.no_grad():
            own = self._copied() if self.mean else {}
            self._put(self.mean)
            try:
                yield
            finally:
                self._put(own)

    def finish(self) -> None:
        """Leave the average of the weights in the module, if one is kept."""
        self._put(self.mean)

    def _copied(self) -> dict[str, Tensor]:
        return {name: weight.detach().clone() for name, weight in self.weights.items()}

    def _put(self, held: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in held.items():
                self.weights[name].copy_(tensor)


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy()
    return array
