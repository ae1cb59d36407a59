"""Users who are erased while a copy of the store is made aren't in it once it is there."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.store import (
    Event,
    Impression,
    Store,
    StoreBusyError,
    StoreSettings,
    backup,
    backups,
    export_events,
    export_impressions,
    exports,
    open_store,
    verify,
)
from cofactor.store.sqlite import SqliteDatabase

Erase = Callable[[], None]


def filled(store: Store) -> Store:
    events = [Event(user_id=f"user-{n}", item_id="i", event_id=f"e{n}", time=n) for n in range(9)]
    store.append(events).result()
    lists = [
        Impression(
            request_id=f"r{n}",
            user_id=f"user-{n}",
            version="v",
            source="personal",
            items=("i",),
            probabilities=(1.0,),
        )
        for n in range(9)
    ]
    store.log_impressions(lists).result()
    return store


@pytest.fixture
def at_the_end(monkeypatch: pytest.MonkeyPatch) -> Callable[[Erase], None]:
    """Have something done when all rows were read for a copy, and before it is put in place."""

    def put(erase: Erase) -> None:
        checked, lines = backups._checked, exports.json_lines

        def then_checked(path: Path) -> None:
            erase()
            checked(path)

        def then_ended(records: Any) -> Iterator[bytes]:
            yield from lines(records)
            erase()

        monkeypatch.setattr(backups, "_checked", then_checked)
        monkeypatch.setattr(exports, "json_lines", then_ended)

    return put


COPIES: dict[str, Callable[[Store, Path], object]] = {
    "backup": backup,
    "events": export_events,
    "lists": export_impressions,
}


@pytest.mark.parametrize("kind", COPIES)
def test_who_is_erased_while_a_copy_is_made_is_not_in_it(
    store: Store, tmp_path: Path, kind: str, at_the_end: Callable[[Erase], None]
) -> None:
    """The erasure was acknowledged before the copy was there, and yet they stood in it."""
    filled(store)
    erased = iter(["user-3"])
    at_the_end(lambda: [store.erase_user(one).result() for one in erased] and None)
    made = tmp_path / ("copy.db" if kind == "backup" else "copy.jsonl")
    COPIES[kind](store, made)
    content = made.read_bytes()
    assert b"user-4" in content
    assert b"user-3" not in content
    if kind == "backup":
        assert verify(made).rows["events"] == 8


def test_a_copy_that_is_never_right_is_not_made(
    store: Store, tmp_path: Path, at_the_end: Callable[[Erase], None]
) -> None:
    filled(store)
    at_the_end(lambda: store.erase_user("nobody").result() and None)
    for make, name in ((backup, "copy.db"), (export_events, "copy.jsonl")):
        with pytest.raises(StoreBusyError, match="users were erased .* try again"):
            make(store, tmp_path / name)
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("always", [False, True])
def test_who_is_erased_right_before_a_copy_is_in_its_place_is_not_in_it(
    store: Store, tmp_path: Path, kind: str, always: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(store)
    made = tmp_path / ("copy.db" if kind == "backup" else "copy.jsonl")
    replace, erased = os.replace, iter(["nobody"] * 99 if always else ["user-3"])

    def then_replaced(old: Any, new: Any) -> None:
        if Path(new) == made:
            for one in erased:
                store.erase_user(one).result()
                break
        replace(old, new)

    monkeypatch.setattr(os, "replace", then_replaced)
    if always:
        with pytest.raises(StoreBusyError, match="users were erased"):
            COPIES[kind](store, made)
        assert list(tmp_path.glob("copy*")) == []
        return
    COPIES[kind](store, made)
    assert b"user-4" in made.read_bytes()
    assert b"user-3" not in made.read_bytes()
    if kind == "backup":
        assert verify(made).rows["events"] == 8


def test_what_is_owed_is_tried_again_without_a_write_and_ever_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk without room for it the file was written again each second, as long as events came;
    and never, when none came any more.
    """
    tries: list[float] = []
    room = False
    real = SqliteDatabase.compact

    def compact(database: SqliteDatabase, session: Any) -> bool:
        tries.append(time.monotonic())
        if not room:
            raise sqlite3.OperationalError("database or disk is full")
        return real(database, session)

    monkeypatch.setattr(SqliteDatabase, "compact", compact)
    settings = StoreSettings(probe_seconds=0.01)
    with open_store(f"sqlite:///{tmp_path}/events.db", settings=settings) as store:
        filled(store)
        store.erase_user("user-3").result()
        until(lambda: len(tries) > 5)
        assert tries[5] - tries[4] > 0.1  # ten times the first pause, at the least
        assert store.health().owed
        room = True
        until(lambda: not store.health().owed)


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 300
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    assert condition()
