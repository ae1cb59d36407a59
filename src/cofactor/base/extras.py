"""Optional dependencies: imported when needed; errors name the extra that is missing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from cofactor.base.errors import MissingExtraError

# What each extra of pyproject.toml brings, by the module that is imported.
EXTRAS: dict[str, str] = {
    "torch": "torch",
    "starlette": "serve",
    "uvicorn": "serve",
    "h11": "serve",
    "prometheus_client": "serve",
    "sentence_transformers": "text",
    "psycopg": "postgres",
    "duckdb": "big",
    "openpyxl": "excel",
    "optuna": "tune",
    "mlflow": "mlflow",
    "tensorboardX": "tensorboard",
    "ray": "cluster",
    "ipywidgets": "notebook",
}


def require(module: str, *, purpose: str) -> ModuleType:
    """Import an optional module.

    Parameters
    ----------
    module
        The name to import; one of `EXTRAS`, or a package that is installed by its own name.
    purpose
        What it is needed for; the message begins with it.

    Raises
    ------
    MissingExtraError
        If it isn't installed; the message says what it is for and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise missing(module, purpose) from error


@contextmanager
def naming_extras(purpose: str) -> Iterator[None]:
    """While open, an error about a missing optional module names its extra.

    Raises
    ------
    MissingExtraError
        In place of the ModuleNotFoundError of a module of `EXTRAS`.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name not in EXTRAS:
            raise
        raise missing(name, purpose) from error


def missing(module: str, purpose: str) -> MissingExtraError:
    """Return the error that says what a missing module is needed for, and how to install it."""
    name = module.partition(".")[0]
    wanted = f"'cofactor[{EXTRAS[name]}]'" if name in EXTRAS else name
    return MissingExtraError(
        f"{purpose} needs the package {name!r}, which is not installed; run: pip install {wanted}"
    )
