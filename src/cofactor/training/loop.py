"""The training loop, one page from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from cofactor.base import rng
from cofactor.base.errors import CofactorError, TrainingError
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.training.batches import Batches
from cofactor.training.checkpoint import Checkpoint
from cofactor.training.history import History
from cofactor.training.optimizers import clip
from cofactor.training.settings import TrainingConfig
from cofactor.training.state import TrainingState
from cofactor.training.stopping import Watch

Step = Callable[[tuple[Tensor, ...], torch.Generator], Tensor]


# Over 40 lines on purpose: the loop is to be read from top to bottom; what its steps do is in
# `state`, `batches` and `stopping`.
def train(
    module: nn.Module,
    step: Step,
    batches: Batches,
    config: TrainingConfig,
    run: Run,
    *,
    watches: Sequence[Watch] = (),
    checkpoint: Checkpoint | None = None,
    belongs_to: str = "",
    name: str = "training",
) -> History:
    """Train a module; afterwards it holds the best weights if a metric was watched, else the last.

    Parameters
    ----------
    module
        What is trained, on the device of the batches.
    step
        The loss of one batch, a scalar with a gradient: ``step(batch, generator)``. Whatever it
        draws must come from the generator (or from torch's own for dropout, which is seeded here),
        so that a run can be repeated and resumed.
    batches
        The examples.
    config
        How to train.
    run
        Seed, threads and progress. (The device is where the tensors are.)
    watches
        Metrics to take after each epoch; the first decides which epoch is the best and when to
        stop.
    checkpoint
        Where to keep the run; if the file is there, training goes on from it.
    belongs_to
        What the checkpoint must belong to (a fingerprint of data and settings).
    name
        What the progress bar calls it.

    Returns
    -------
    History
        Losses and metrics, epoch by epoch.

    Raises
    ------
    TrainingError
        If the loss becomes NaN or infinite, grows without end, or the checkpoint belongs to another
        run.
    """
    device = batches.columns[0].device
    steps, total = len(batches), config.epochs * len(batches)
    generator = torch.Generator(device)
    state = TrainingState(module, config, watches, generator, belongs_to)
    forward = _compiled(step) if config.compile else step
    low = config.precision == "bfloat16"
    with (
        native_threads(run.n_threads),
        # Dropout draws from torch's global generator: it is put back as it was found.
        torch.random.fork_rng(
            devices=[device] if device.type == "cuda" else [], device_type="cuda"
        ),
        run.progress.task(name, total) as task,
    ):
        if checkpoint is not None and checkpoint.exists:
            state.restore(checkpoint)
            task.advance(state.epoch * steps + state.step)
        while state.epoch < config.epochs and not state.finished:
            if (
                state.step == 0
            ):  # in the middle of an epoch the generators go on from where they were
                generator.manual_seed(rng.state64(run.seed, name, "draws", state.epoch))
                torch.manual_seed(rng.state64(run.seed, name, "dropout", state.epoch))
            module.train()
            began = time.perf_counter()
            for batch in batches.epoch(state.epoch, state.step):
                rate = config.rate(state.epoch * steps + state.step, total, steps)
                with torch.autocast(device.type, torch.bfloat16) if low else nullcontext():
                    loss = forward(batch, generator)
                loss.backward()
                if config.clip:
                    clip(module.parameters(), config.clip)
                state.descend(rate)
                state.count(loss.detach(), len(batch[0]))
                task.advance()
                if (
                    checkpoint is not None
                    and checkpoint.every_steps
                    and state.step % checkpoint.every_steps == 0
                ):
                    state.save(checkpoint)
            facts = state.end_of_epoch(rate, time.perf_counter() - began)
            task.advance(0, epoch=state.epoch, **facts)
            if checkpoint is not None and (
                state.epoch % checkpoint.every_epochs == 0 or state.finished
            ):
                state.save(checkpoint)
        state.keep_best()
    module.eval()
    return state.history


def _compiled(step: Step) -> Step:
    """The step made by torch.compile; what goes wrong while it is made (no compiler, mostly) is
    said with a cure.
    """
    made: Step = torch.compile(step)
    begun = False

    def call(batch: tuple[Tensor, ...], generator: torch.Generator) -> Tensor:
        nonlocal begun
        try:
            loss = made(batch, generator)
        except CofactorError:
            raise
        except Exception as error:
            if begun:
                raise
            said = (
                str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            )
            raise TrainingError(
                f"torch.compile failed here ({said}); set compile=False, or install a C++ compiler."
            ) from error
        begun = True
        return loss

    return call
