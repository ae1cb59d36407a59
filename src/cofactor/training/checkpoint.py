"""Checkpoints: all that a training run is at one moment, in one safetensors file, written
atomically.

The file holds the tensors (weights, the optimisers' moments, averaged and best weights, the
generators' states, the history) and, in its header, one JSON text (position, numbers, what run it
belongs to). Nothing is pickled, so reading one runs no code."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from cofactor.base import checks
from cofactor.base.errors import ArtifactError

_VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is kept.

    Parameters
    ----------
    path
        The file, e.g. ``"run.safetensors"``. If it is there already, training goes on from it.
    every_epochs
        Epochs between two savings, at least 1.
    every_steps
        Also within an epoch, each so many steps; 0 saves at the ends of epochs only.
    """

    path: str | os.PathLike[str]
    every_epochs: int = 1
    every_steps: int = 0

    def __post_init__(self) -> None:
        checks.integer(self.every_epochs, "every_epochs", low=1)
        checks.integer(self.every_steps, "every_steps", low=0)

    @property
    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return Path(self.path).is_file()


def write(path: str | os.PathLike[str], tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and facts (what JSON can hold) to one file; a reader sees the old file or the
    new one, never half.

    Parameters
    ----------
    path
        The file; its folder is made if it is missing.
    tensors
        By name; any device, any dtype that safetensors knows.
    facts
        Numbers, strings, lists and dictionaries of them.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    # clone: safetensors refuses two names that share memory, and the run goes on changing its own.
    plain = {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
    try:
        save_file(
            plain,
            partial,
            metadata={"version": str(_VERSION), "facts": json.dumps(facts, allow_nan=False)},
        )
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write` wrote.

    Raises
    ------
    ArtifactError
        If the file is damaged, or none of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            head = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ArtifactError(
            f"{path}: this checkpoint can't be read ({error}); delete it to begin anew."
        ) from None
    if head.get("version") != str(_VERSION) or "facts" not in head:
        raise ArtifactError(
            f"{path}: this is no checkpoint of version {_VERSION}; delete it to begin anew."
        )
    try:
        return tensors, json.loads(head["facts"])
    except json.JSONDecodeError as error:
        raise ArtifactError(
            f"{path}: the checkpoint's facts can't be read ({error}); delete it to begin anew."
        ) from None


def of_optimizers(
    optimizers: list[torch.optim.Optimizer],
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the optimisers' state as named tensors, and as plain numbers what is no tensor."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, Any] = {}
    for which, optimizer in enumerate(optimizers):
        for place, state in optimizer.state_dict()["state"].items():
            for name, value in state.items():
                key = f"optimizer.{which}.{place}.{name}"
                if isinstance(value, Tensor):
                    tensors[key] = value
                elif value is not None:
                    numbers[key] = value
    return tensors, numbers


def into_optimizers(
    optimizers: list[torch.optim.Optimizer], tensors: dict[str, Tensor], numbers: dict[str, Any]
) -> None:
    """Put back what `of_optimizers` gave."""
    for which, optimizer in enumerate(optimizers):
        kept = optimizer.state_dict()
        state: dict[int, dict[str, Any]] = {}
        for key, value in (*tensors.items(), *numbers.items()):
            kind, _, rest = key.partition(".")
            if kind == "optimizer" and rest.startswith(f"{which}."):
                _, place, name = rest.split(".", 2)
                state.setdefault(int(place), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": kept["param_groups"]})
