"""The versions of the libraries that results depend on."""

from __future__ import annotations

import contextlib
from importlib import metadata

import cofactor

_LIBRARIES = ("numpy", "scipy", "numba", "pyarrow", "safetensors", "torch")


def library_versions() -> dict[str, str]:
    """Return the version of each library that is installed, Cofactor's first."""
    found = {"cofactor": cofactor.__version__}
    for library in _LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[library] = metadata.version(library)
    return found
