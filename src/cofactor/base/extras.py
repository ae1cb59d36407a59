"""Optional dependencies: imported when needed, and asked for by name when missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from cofactor.base.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> ModuleType:
    """Import an optional module.

    Raises
    ------
    MissingExtraError
        If it isn't installed; the message says what it is for and which extra brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{purpose} needs the package {module!r}, which is not installed; run: pip install"
            f" 'cofactor[{extra}]'."
        ) from error
