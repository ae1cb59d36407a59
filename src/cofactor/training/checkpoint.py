"""Checkpoints: all that a training run is at one moment, in one safetensors file, written
atomically.

The file holds the arrays (what is learned, what the learner remembers, the best epoch's) and, in
its header, one JSON text (position, learning curve, what run it belongs to). Nothing is pickled, so
reading one runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.disk import sync
from cofactor.base.errors import ArtifactError

_VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is saved.

    Parameters
    ----------
    path
        The file, e.g. ``"run.safetensors"``. If it is there already, training goes on from it.
    every_epochs
        Epochs between two savings, at least 1.
    every_steps
        Also within an epoch, each so many steps; 0 saves at the ends of epochs only.
    fingerprint
        What the file must belong to (a fingerprint of data and settings).
    """

    path: str | os.PathLike[str]
    every_epochs: int = 1
    every_steps: int = 0
    fingerprint: str = ""

    def __post_init__(self) -> None:
        checks.integer(self.every_epochs, "every_epochs", low=1)
        checks.integer(self.every_steps, "every_steps", low=0)

    @property
    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return Path(self.path).is_file()


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Any) -> None:
    """Write arrays and facts (what JSON can hold) to one file; a reader sees the old file or the
    new one, never half.

    Parameters
    ----------
    path
        The file; its folder is made if it is missing.
    arrays
        By name; any dtype that safetensors knows.
    facts
        Numbers, strings, lists and dictionaries of them.
    """
    from safetensors.numpy import save_file

    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    head = {"version": str(_VERSION), "facts": json.dumps(facts, allow_nan=False)}
    try:
        save_file({name: np.array(a, order="C") for name, a in arrays.items()}, partial, head)
        sync(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `write` wrote.

    Raises
    ------
    ArtifactError
        If the file is damaged, or isn't a checkpoint of this version.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            head = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if head.get("version") != str(_VERSION):
            raise ArtifactError(
                f"{path}: this is not a checkpoint of version {_VERSION}; delete it to start again."
            )
        return arrays, json.loads(head["facts"])
    except (SafetensorError, OSError, KeyError, json.JSONDecodeError) as error:
        raise ArtifactError(
            f"{path}: this checkpoint can't be read ({error}); delete it to start again."
        ) from None
