"""Train a module: the training loop with a `TorchLearner`."""

from __future__ import annotations

import torch
from torch import nn

from cofactor.base.errors import CofactorError, TrainingError
from cofactor.base.run import Run
from cofactor.base.threads import native_threads
from cofactor.training.curve import LearningCurve
from cofactor.training.loop import Control, fit
from cofactor.training.torch.batches import Batch, BatchSource
from cofactor.training.torch.learner import Step, TorchLearner
from cofactor.training.training_config import TrainingConfig


def train(
    module: nn.Module,
    step: Step,
    source: BatchSource,
    config: TrainingConfig,
    run: Run,
    *,
    control: Control = Control(),  # noqa: B008 (frozen)
    name: str = "training",
) -> LearningCurve:
    """Train a module; afterwards it holds the best weights if a metric was monitored, else the
    last.

    Parameters
    ----------
    module
        What is trained, on the device of the batches.
    step
        The loss of one batch, a scalar with a gradient; see `TorchLearner`.
    source
        The batches.
    config
        How to train.
    run
        Seed, threads and progress. (The device is where the tensors are.)
    control
        Monitors, checkpoint, callbacks and the time budget.
    name
        What the progress bar calls it, and what seeds follow from.
    """
    forward = _compiled(step) if config.compile else step
    learner = TorchLearner(module, forward, source, config, run, name)
    device = learner.device
    # Dropout draws from torch's global generator: it is put back as it was found.
    devices = [device] if device.type == "cuda" else []
    with native_threads(run.n_threads), torch.random.fork_rng(devices, device_type="cuda"):
        curve = fit(
            learner,
            epochs=config.epochs or config.usual_epochs,
            schedule=config.rates(),
            run=run,
            control=control,
            name=name,
        )
    module.eval()
    return curve


def _compiled(step: Step) -> Step:
    """The step compiled by torch.compile; an error in its first call (no compiler, mostly) is said
    with a cure.
    """
    compiled: Step = torch.compile(step)
    begun = False

    def call(batch: Batch, generator: torch.Generator) -> torch.Tensor:
        nonlocal begun
        try:
            loss = compiled(batch, generator)
        except CofactorError:
            raise
        except Exception as error:
            if begun:
                raise
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise TrainingError(
                f"torch.compile failed here ({said}); set compile=False, or install a C++ compiler."
            ) from error
        begun = True
        return loss

    return call
