"""Checkpoints: the whole state of a training run in one safetensors file, written atomically.

The file holds the arrays (the learned ones, the learner's memory, the best epoch's) and, in its
header, a JSON text (position, learning curve, fingerprint of the run). Nothing is pickled, so
reading a file runs no code."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.arrays_file import write_arrays
from cofactor.base.disk import check_regular, naming_full, sync
from cofactor.base.errors import ArtifactError

_VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run is saved.

    Parameters
    ----------
    path
        The file, e.g. ``"run.safetensors"``. If it exists, training continues from it.
    every_epochs
        Epochs between two saves, at least 1.
    every_steps
        Steps between two saves within an epoch; 0 saves at the ends of epochs only.
    fingerprint
        The fingerprint of data and settings, which the file's must equal.
    """

    path: str | os.PathLike[str]
    every_epochs: int = 1
    every_steps: int = 0
    fingerprint: str = ""

    def __post_init__(self) -> None:
        # Found out now, not at the end of the first epoch.
        object.__setattr__(self, "path", checks.path(self.path, "path"))
        check_regular(Path(self.path))
        checks.integer(self.every_epochs, "every_epochs", low=1)
        checks.integer(self.every_steps, "every_steps", low=0)

    @property
    def exists(self) -> bool:
        """Whether there is a file to continue from."""
        return Path(self.path).is_file()


def write(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], facts: Any) -> None:
    """Write arrays and plain values to one file; a reader sees the old file or the new one, never
    half of one.

    Parameters
    ----------
    path
        The file; its folder is created if needed.
    arrays
        Arrays by name, of any dtype that safetensors supports.
    facts
        Numbers, strings, lists and dictionaries of them.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    head = {"version": str(_VERSION), "facts": json.dumps(facts, allow_nan=False)}
    try:
        with naming_full(target, "the checkpoint before it stays"):
            write_arrays(partial, arrays, head)
            sync(partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read a file that `write` wrote.

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
            f"{path} is no checkpoint, or a damaged one ({error}); give another path, or delete it"
            " to start again."
        ) from None
