"""A Run: how to compute, apart from what to compute.

Device, seed, threads and progress belong here and never to a model's Config, so that a saved
configuration means the same on every machine."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from cofactor.base import checks, rng
from cofactor.base.engine import Engine
from cofactor.base.errors import ArgumentError
from cofactor.base.notebook import usual_progress
from cofactor.base.progress import SILENT, Progress, SilentProgress, check_progress


@dataclass(frozen=True, kw_only=True)
class Run:
    """How to run: device, number of threads, seed, and where progress is shown.

    Parameters
    ----------
    seed
        Any integer from 0; it determines every random draw, together with the place that draws.
    threads
        Native threads for kernels and BLAS; 0 means all cores this process may use.
    device
        ``"auto"`` (a GPU if PyTorch sees one, for the models that can use it), ``"cpu"``,
        ``"cuda"``, ``"cuda:1"``, ``"mps"`` or ``"xpu"``. Whether the machine has it is checked when
        it is first used.
    progress
        Where long work reports to; by default bars in a notebook, and nothing elsewhere.
    engine
        What runs work that is divided into pieces (see `cofactor.base.engine`); None: this process,
        undivided. With an engine, ``threads`` are those of each piece.

    Raises
    ------
    ArgumentError
        For a seed or a number of threads out of range, or a device of another name.
    """

    seed: int = 0
    threads: int = 0
    device: str = "auto"
    progress: Progress = field(default_factory=usual_progress, repr=False, compare=False)
    engine: Engine | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        # As Python has it: NumPy's integers don't go into manifests and other processes.
        object.__setattr__(self, "seed", checks.seed(self.seed))
        threads = checks.integer(self.threads, "threads", low=0, high=4096)
        object.__setattr__(self, "threads", threads)
        check_progress(self.progress)
        if self.engine is not None and not callable(getattr(self.engine, "call", None)):
            raise ArgumentError(f"engine must be an Engine, or None, not {self.engine!r}.")
        if not re.fullmatch(r"auto|cpu|mps|(cuda|xpu)(:[0-9]+)?", str(self.device)):
            raise ArgumentError(
                f"device must be auto, cpu, cuda, cuda:1, mps or xpu, not {self.device!r}."
            )

    @property
    def n_threads(self) -> int:
        """The number of native threads that ``threads`` stands for, at least 1."""
        return self.threads or available_cores()

    def alone(self) -> Self:
        """Return the same for one piece of work of an engine: silent, and without an engine."""
        return replace(self, progress=SILENT, engine=None)

    def quiet(self) -> Self:
        """Return the same for a fit that is only tried: nothing is said or logged."""
        return replace(self, progress=SilentProgress(), engine=None)

    def generator(self, *names: str | int) -> np.random.Generator:
        """Return a NumPy generator for one named purpose, e.g. ``run.generator("bpr", "init")``."""
        return rng.generator(self.seed, *names)


def run_of(run: Run | None) -> Run:
    """Return how to run, by default if it is None.

    Raises
    ------
    ArgumentError
        If it is something else than a `Run`.
    """
    if run is None:
        return Run()
    checks.of_kind(run, "run", Run, "a Run (cofactor.Run(seed=3)), or None")
    return run


def available_cores() -> int:
    """Return how many cores this process may use (its affinity, not the machine's count)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
