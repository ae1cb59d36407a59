"""What one side of a comparison is: it runs in a process of its own, with NumPy and SciPy and the
library it is about.

This module and those of `peers` are imported in the peers' environments, so they import nothing of
Cofactor."""

from __future__ import annotations

import contextlib
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Side(ABC):
    """One library on one task; made once in its process, and then run again and again.

    Parameters
    ----------
    data
        The arrays of the data set (see `datasets`); empty for a task that reads files of its own.
    settings
        Those of the case.
    threads
        How many it may use.
    """

    def __init__(self, data: dict[str, np.ndarray], settings: dict[str, Any], threads: int) -> None:
        self.data, self.settings, self.threads = data, settings, threads
        self.prepare()

    def prepare(self) -> None:  # noqa: B027  # a side that reads files has nothing to prepare
        """Bring the data into the library's own shape; not timed."""

    @abstractmethod
    def run(self, step: int | None = None) -> dict[str, float]:
        """Do the task once and return at least ``{"seconds": ...}``; ``step`` is how many
        epochs, where that is asked for.
        """

    def result(self) -> dict[str, np.ndarray]:
        """What the common evaluator judges: factors, lists, predictions, or a figure of the
        side's own.
        """
        return {}


def matrix(data: dict[str, np.ndarray], part: str = "train", kind: Any = np.float32) -> Any:
    """A part as SciPy CSR, users × items."""
    from scipy.sparse import csr_matrix

    values = data.get(f"{part}_values")
    indptr, items = data[f"{part}_indptr"], data[f"{part}_items"]
    ones = np.ones(len(items), kind) if values is None else values.astype(kind)
    found = csr_matrix((ones, items, indptr), shape=(len(indptr) - 1, int(data["n_items"])))
    found.has_sorted_indices = True
    return found


def triples(
    data: dict[str, np.ndarray], part: str = "train"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A part as user rows, item rows and values."""
    indptr, items = data[f"{part}_indptr"], data[f"{part}_items"]
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    values = data.get(f"{part}_values")
    return users, items, np.ones(len(items), np.float32) if values is None else values


def clocked(work: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the clock and of the CPU (all threads)."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def per_epoch(fit: Callable[[int], Any], few: int, many: int) -> dict[str, float]:
    """One epoch of a library that keeps its epochs inside: a long fit less a short one."""
    short, long = clocked(lambda: fit(few)), clocked(lambda: fit(many))
    return {name: (long[name] - short[name]) / (many - few) for name in long}


class PrintedEpochs:
    """Stands for ``sys.stdout`` while a library prints a line at the start of each epoch, and
    notes when.
    """

    def __init__(self) -> None:
        self.stamps: list[tuple[float, float]] = []

    def write(self, text: str) -> int:
        """Note the time of a line."""
        if text.strip():
            self.stamps.append((time.perf_counter(), time.process_time()))
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def watch(self, work: Callable[[], Any]) -> dict[str, float]:
        """The median epoch of a piece of work; its end counts as the last line."""
        held, sys.stdout = sys.stdout, self  # type: ignore[assignment]
        try:
            work()
        finally:
            sys.stdout = held
        self.write("end")
        return between(self.stamps)


def between(stamps: list[tuple[float, float]]) -> dict[str, float]:
    """The median time between stamps."""
    steps = np.diff(np.array(stamps), axis=0)
    return {"seconds": float(np.median(steps[:, 0])), "cpu": float(np.median(steps[:, 1]))}


def memory(field: str) -> int:
    """Bytes that this process holds (``VmRSS``) or held at most (``VmHWM``); 0 where the system
    doesn't say.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def forget_peak() -> None:
    """Let the high-water mark begin anew at what is held now."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
