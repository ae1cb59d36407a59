"""Where a test's store may be made."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cofactor.store import Event


def new_place(request: pytest.FixtureRequest, kind: str, folder: Path) -> str:
    """The URL of a place where no store is yet."""
    name = uuid.uuid4().hex[:12]
    if kind == "sqlite":
        return f"sqlite:///{folder}/events-{name}.db"
    import psycopg

    server = request.getfixturevalue("postgres_server")
    name = f"store_{name}"
    url = f"postgresql:///postgres?host={server}&user=cofactor"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{url}&options=-csearch_path%3D{name}"


def event(user: object = "u", item: object = "i", **more: object) -> Event:
    return Event(user_id=user, item_id=item, **{"time": 100, **more})  # type: ignore[arg-type]
