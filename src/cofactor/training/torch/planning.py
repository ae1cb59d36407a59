"""Modules without memory, from which their sizes are known before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWING = ("normal_", "uniform_")  # as the names of PyTorch's initialisers end


class _NothingDrawn(TorchFunctionMode):
    """Leaves initial values undrawn, as there is no place for them.

    PyTorch would import what it compiles with for that, which takes a second.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "").endswith(_DRAWING):
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def without_memory() -> Iterator[None]:
    """Build modules on PyTorch's ``meta`` device inside the body: shapes without values."""
    with torch.device("meta"), _NothingDrawn():
        yield
