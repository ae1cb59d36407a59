"""What only a server can do to a store: lose the connection, be somebody else's, not sync."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cofactor.base.errors import DataError, MissingExtraError
from cofactor.data.readers import read
from cofactor.store import (
    Event,
    Store,
    StoreError,
    StoreFormatError,
    StoreUnavailableError,
    open_store,
)
from cofactor.store.postgres import PostgresDatabase
from store.places import new_place


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return new_place(request, "postgres", tmp_path)


def event(name: str) -> Event:
    return Event(user_id="u", item_id=name, time=5, event_id=name)


def test_a_connection_lost_while_nothing_happens_costs_no_request(
    url: str, opened: Callable[..., Store]
) -> None:
    store = opened(url)
    store.append([event("a")]).result()
    _cut(url)
    assert store.append([event("b")]).result().changed == 1
    assert store.health().writable


def test_a_connection_lost_within_a_commit_is_no_acknowledgement_and_the_store_goes_on(
    url: str, opened: Callable[..., Store]
) -> None:
    store = opened(url)

    def cut_and_go_on(work: object) -> None:
        _cut(url)
        work.last("events")  # type: ignore[attr-defined]

    neighbour = store.append([event("a")])
    lost = store._submit(cut_and_go_on, 1)
    assert isinstance(lost.exception(), StoreUnavailableError)
    if neighbour.exception() is not None:
        assert isinstance(neighbour.exception(), StoreUnavailableError)
        assert not store.health().writable or store.health().reason is None
    again = store.append([event("a")]).result()
    assert again.changed == (1 if neighbour.exception() is not None else 0)
    assert store.counts().events == 1


def test_another_programs_tables_are_left_alone(url: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE customers (id int)")
    with pytest.raises(
        StoreFormatError, match="isn't an event store: it holds the tables customers"
    ):
        open_store(url)
    with pytest.raises(DataError, match="it holds no event store"):
        read(url)


def test_a_server_that_does_not_answer_is_said_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://shop:secret-word@/none?host={tmp_path}&connect_timeout=2"
    for attempt in (lambda: open_store(url), lambda: read(url)):
        with pytest.raises((StoreError, DataError)) as caught:
            attempt()
        assert "secret-word" not in str(caught.value)
        assert "postgresql:///none" in str(caught.value)


def test_a_server_that_does_not_sync_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = PostgresDatabase._connect

    def lying(self: PostgresDatabase, options: str) -> object:
        session = connect(self, options)
        rows = session.rows
        monkeypatch.setattr(
            session,
            "rows",
            lambda sql, params=(): [("off",)] if sql == "SHOW fsync" else rows(sql, params),
        )
        return session

    monkeypatch.setattr(PostgresDatabase, "_connect", lying)
    with pytest.raises(StoreFormatError, match="fsync=off, so nothing that it confirms is safe"):
        open_store(url)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_standby_that_may_lag_is_refused(
    monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    """Reads that a pool or a list of hosts leads there lacked what was acknowledged."""
    psycopg = pytest.importorskip("psycopg")
    asked: list[dict[str, Any]] = []

    def connect(**info: Any) -> None:
        asked.append(info)
        raise psycopg.OperationalError("connection failed: server is in hot standby mode")

    monkeypatch.setattr(psycopg, "connect", connect)
    with pytest.raises(StoreUnavailableError, match="is a standby, .*; name the primary"):
        open_store("postgresql://one,two/shop?target_session_attrs=any", read_only=read_only)
    assert asked[0]["target_session_attrs"] == "primary"


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    for attempt in (open_store, read):
        with pytest.raises(MissingExtraError, match=r"pip install 'cofactor\[postgres\]'"):
            attempt("postgresql://host/name")


def _cut(url: str) -> None:
    """End all other connections to the server that are named as ours."""
    import psycopg

    with psycopg.connect(url, autocommit=True, application_name="scissors") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ="
            " 'cofactor'"
        )
