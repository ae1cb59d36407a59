"""What all tests share: real datasets are used where they are at hand, and skipped with the
reason elsewhere.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from postgres import postgres_server  # noqa: F401  # a fixture

# OpenMP's threads (PyTorch's) wait asleep: two test processes of two threads each would spend most
# of two cores on spinning. Read when OpenMP is loaded, so set before any import of PyTorch; the
# processes that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The files that take longest, in seconds (`pytest --durations=0`): with `--no-loadscope-reorder`
# they are handed out first, so that both test processes end at the same time.
LONGEST = {
    "contract/test_contract.py": 18,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    root = Path(__file__).parent
    items.sort(key=lambda item: -LONGEST.get(item.path.relative_to(root).as_posix(), 0))
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
