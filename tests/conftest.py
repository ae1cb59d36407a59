"""What all tests share: real datasets are used where they are at hand, and skipped with the
reason elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postgres import postgres_server  # noqa: F401  # a fixture


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("data"):
            reason = _missing(mark.args[0])
            if reason is not None:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def data_home() -> Path:
    """The folder with the real datasets; tests that use it are marked ``data(name)``."""
    home = os.environ.get("COFACTOR_DATA")
    if not home:
        pytest.skip("COFACTOR_DATA is not set")
    return Path(home)


def _missing(name: str) -> str | None:
    home = os.environ.get("COFACTOR_DATA")
    if not home:
        return f"needs the dataset {name}: COFACTOR_DATA is not set"
    return (
        None
        if (Path(home) / name).is_dir()
        else f"needs the dataset {name}, which is not in COFACTOR_DATA"
    )
