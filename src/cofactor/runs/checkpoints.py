"""Checkpoints of a training run, beside the folder that its model is saved to."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.models import registry
from cofactor.models.checks.engine_check import check_engine
from cofactor.models.iterative import IterativeModel
from cofactor.models.recommender import Recommender
from cofactor.runs.auto import AUTO, check_no_engine


@dataclass(frozen=True)
class Checkpoints:
    """Where the checkpoints of a training run are.

    Parameters
    ----------
    target
        The folder that the model is saved to.
    folder
        The folder of the checkpoints; None if none are kept.
    """

    target: Path
    folder: Path | None = None

    def of(self, model: Recommender, name: str) -> Recommender:
        """Return the model, which writes its checkpoint there while it is fitted."""
        if self.folder is not None and isinstance(model, IterativeModel):
            model.checkpoint_to(self.folder / f"{name}.safetensors")
        return model

    def remove(self) -> None:
        """Remove them, once the model is saved."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def checkpoints(out: str | os.PathLike[str], model: str, resume: bool, run: Run) -> Checkpoints:
    """Return where checkpoints are; they are kept if ``resume`` is set or the run has an engine.

    Raises
    ------
    ArgumentError
        If ``resume`` is set and the model isn't trained in epochs.
    TraitError
        If the run has an engine and the model can't be trained on one.
    """
    none = Checkpoints(Path(out))
    if model == AUTO:
        check_no_engine(run)
        if resume:
            raise ArgumentError(
                f"{AUTO} keeps no checkpoints; leave resume=True out, or name a model."
            )
        return none
    kind = registry.get(model)
    check_engine(kind, run)
    together = run.engine is not None and kind.trained_together
    if together or not kind.iterative:
        if resume:
            why = "is trained by several processes" if together else "isn't trained in epochs"
            raise ArgumentError(
                f"{model} {why}, so it has no checkpoints to go on from; leave resume=True out."
            )
        return none
    target = Path(os.path.abspath(out))
    folder = target.with_name(f".{target.name}.checkpoints")
    if folder.is_dir() and not resume:
        shutil.rmtree(folder)
    if not resume and run.engine is None:
        return none
    if resume:
        found = folder.is_dir() and any(folder.iterdir())
        run.progress.say(f"{'going on from' if found else 'no checkpoints yet in'} {folder}")
    return replace(none, folder=folder)
