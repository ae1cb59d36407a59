"""Settings that a fit settles for itself, such as the precision a network is trained in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cofactor.base.run import Run


@contextmanager
def configured(model: Any, config: Any) -> Iterator[None]:
    """While open, a model has other settings."""
    own, model.config = model.config, config
    try:
        yield
    finally:
        model.config = own


@contextmanager
def settled_precision(model: Any, run: Run) -> Iterator[None]:
    """While open, a model whose ``precision`` is "auto" has bfloat16 there if its device multiplies
    that, else float32. On an engine each process settles its own.
    """
    config = model.config
    if getattr(config, "precision", "") != "auto" or run.engine is not None:
        yield
        return
    from cofactor.training.torch.device import device_of, multiplies_bfloat16

    low = multiplies_bfloat16(device_of(run))
    with configured(model, config.replace(precision="bfloat16" if low else "float32")):
        yield
