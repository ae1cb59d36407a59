"""Places for stores: SQLite always; PostgreSQL where its server is installed (`make postgres`)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.store import Store, open_store
from store.places import new_place


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one: for disks that are simulated, syncing a real one
    would only cost time.
    """
    home = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="cofactor-", dir=home if os.access(home, os.W_OK) else None
    ) as folder:
        yield Path(folder)


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, memory: Path) -> str:
    """Where a new store may be made, once per database."""
    return new_place(request, request.param, memory)


@pytest.fixture
def opened() -> Iterator[Callable[..., Store]]:
    """Opens stores and closes them in the end."""
    stores: list[Store] = []

    def opener(url: str, **options: Any) -> Store:
        stores.append(open_store(url, **options))
        return stores[-1]

    yield opener
    for store in reversed(stores):
        store.close()


@pytest.fixture
def store(store_url: str, opened: Callable[..., Store]) -> Store:
    """An empty store, once per database."""
    return opened(store_url)
