"""The device that was asked for, where a model can't use it: said, never ignored silently."""

from __future__ import annotations

from cofactor.base.progress import say_or_log
from cofactor.base.run import Run


def say_if_unused(name: str, uses_device: bool, run: Run) -> None:
    """Say that a model computes on the CPU although another device was asked for by name."""
    if not uses_device and run.device not in ("auto", "cpu"):
        say_or_log(
            run.progress,
            f"{name} is computed on the CPU: it can't use the device {run.device!r}.",
        )
