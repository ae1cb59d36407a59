"""A requested device that a model can't use is reported, never ignored silently."""

from __future__ import annotations

from cofactor.base.progress import say_or_log
from cofactor.base.run import Run


def say_if_unused(name: str, uses_device: bool, run: Run) -> None:
    """Report that a model computes on the CPU although another device was requested by name."""
    if run.device in ("auto", "cpu") or (uses_device and run.engine is None):
        return
    where = "" if run.engine is None else "on an engine "
    say_or_log(
        run.progress,
        f"{name} is computed on the CPU: {where}it can't use the device {run.device!r}.",
    )
