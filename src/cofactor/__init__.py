"""Cofactor: a recommender toolkit. Raw interactions in, honest numbers and served recommendations out.

The public names are loaded when they are first used, so that importing this package is cheap.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Public name -> the module that holds it (and, after a colon, its name there).
_PUBLIC: dict[str, str] = {
    "Run": "cofactor.base.run",
    "CofactorError": "cofactor.base.errors",
    "Events": "cofactor.data.events",
    "Interactions": "cofactor.data.interactions",
    "Catalogue": "cofactor.data.catalogue",
    "Histories": "cofactor.data.histories",
    "IdMap": "cofactor.data.ids",
    "Split": "cofactor.data.split",
    "Part": "cofactor.data.split",
    "Recommender": "cofactor.models.base",
    "save": "cofactor.artifact.save",
    "load": "cofactor.artifact.load",
    "inspect": "cofactor.artifact.load",
    "Popularity": "cofactor.models.baselines.popularity",
    "IALS": "cofactor.models.implicit.ials",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'cofactor' has no attribute {name!r}")
    module, _, inner = _PUBLIC[name].partition(":")
    value = getattr(importlib.import_module(module), inner or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from cofactor.base.errors import CofactorError as CofactorError
    from cofactor.base.run import Run as Run
