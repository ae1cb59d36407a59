"""Faults at every n-th storage call: a full disk, an I/O error, a lock held by another never give a
false acknowledgement.

Set COFACTOR_SOAK for the long form (`make soak`): every call, not one in some.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("apsw", reason="apsw, the shim below SQLite, is not installed (extra dev)")
import apsw

from cofactor.store import (
    ConflictError,
    Store,
    StoreBusyError,
    StoreError,
    StoreFormatError,
    StoreSettings,
    StoreUnavailableError,
    open_store,
)
from cofactor.store.sqlite import SqliteSession
from store.disk import Disk, ShimDatabase
from store.promises import Promises, request

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
KINDS: dict[str, tuple[type[Exception], set[str]]] = {
    "full": (apsw.FullError, {"write", "open"}),
    "io": (apsw.IOError, {"read", "write", "sync", "truncate", "size", "open", "delete"}),
    "busy": (apsw.BusyError, {"lock", "read", "write", "sync", "open"}),
}
SETTINGS = StoreSettings(now=lambda: 2000, probe_seconds=0.01)


def failing(kind: str, first: int, last: int) -> Callable[[int, str], None]:
    """A fault of a kind at the calls that can have it, from the first to the last of them."""
    error, calls = KINDS[kind]
    met = 0

    def fault(_: int, what: str) -> None:
        nonlocal met
        if what in calls:
            met += 1
            if first <= met <= last:
                raise error(f"injected at {what}")

    return fault


def work(folder: Path, disk: Disk) -> Promises:
    """Open a store, send it requests, one of them twice; note what it promised, whatever it
    raises.
    """
    made = Promises()
    try:
        store = Store(ShimDatabase(folder / "events.db", disk, checkpoint=6), settings=SETTINGS)
    except StoreError:
        return made
    try:
        for number in range(8):
            name = f"r{number}"
            made.sent[name] = request(name, 1 + number % 3)
            send(store, made, name)
        for name in ("r3", "r7"):
            send(store, made, name)
    finally:
        store.close()
    return made


def send(store: Store, made: Promises, name: str) -> None:
    try:
        store.append(made.sent[name]).result(300)
    except (StoreUnavailableError, StoreBusyError) as error:
        if getattr(error, "unknown", False):
            made.open.add(name)
            made.refused.discard(name)
        # An earlier try whose outcome is open may have stored it, however the later ones ended.
        if name not in made.confirmed | made.open:
            made.refused.add(name)
    else:
        made.confirmed.add(name)
        made.refused.discard(name)


def calls(folder: Path, kind: str) -> int:
    """How many calls the work makes that can have the fault."""
    met = []
    disk = Disk(fault=lambda _, what: met.append(what) if what in KINDS[kind][1] else None)
    folder.mkdir()
    made = work(folder, disk)
    assert made.broken(folder / "events.db") is None
    assert len(made.confirmed) == 8
    return len(met)


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_fault_makes_a_false_acknowledgement(memory: Path, kind: str, lasting: bool) -> None:
    total = calls(memory / "count", kind)
    assert total > 20
    step = 1 if SOAK else max(1, total // 20)
    broken = []
    for first in range(1, total + 1, step):
        folder = memory / "try"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        made = work(folder, Disk(fault=failing(kind, first, 10**9 if lasting else first)))
        found = made.broken(folder / "events.db")
        if found is None:
            # With the fault gone, the store comes up and takes all that was sent.
            with open_store(f"sqlite:///{folder}/events.db", settings=SETTINGS) as store:
                for events in made.sent.values():
                    store.append(events).result()
            made.confirmed, made.refused = set(made.sent), set()
            found = made.broken(folder / "events.db")
        if found is not None:
            broken.append(f"{kind} at call {first} of {total}: {found}")
    assert not broken, "\n".join(broken)
    if SOAK:
        print(
            f"\n{kind} {'from' if lasting else 'at'} each of {total} calls: no false"
            " acknowledgement"
        )


@pytest.mark.parametrize("kind", ["full", "io"])
def test_a_failing_disk_is_said_and_the_store_comes_back_by_itself(memory: Path, kind: str) -> None:
    bad = False

    def fault(_: int, what: str) -> None:
        if bad and what in KINDS[kind][1] - {"read", "size", "open"}:
            raise KINDS[kind][0]("injected")

    with Store(ShimDatabase(memory / "events.db", Disk(fault=fault)), settings=SETTINGS) as store:
        store.append(request("a", 2)).result()
        bad = True
        with pytest.raises(
            StoreUnavailableError,
            match="full; free some space" if kind == "full" else "can't be written",
        ):
            store.append(request("b", 2)).result()
        health = store.health()
        assert not health.writable
        assert health.reason
        assert store.counts().events == 2  # reading goes on
        bad = False
        deadline = time.monotonic() + 300
        while not store.health().writable and time.monotonic() < deadline:
            time.sleep(0.01)
        assert store.health().writable
        assert store.append(request("b", 2)).result().changed == 2


def test_a_fault_during_the_commit_is_said_to_be_of_unknown_outcome(memory: Path) -> None:
    bad = False

    def fault(_: int, what: str) -> None:
        if bad and what == "sync":
            raise apsw.IOError("injected")

    with Store(ShimDatabase(memory / "events.db", Disk(fault=fault)), settings=SETTINGS) as store:
        bad = True
        with pytest.raises(StoreUnavailableError) as caught:
            store.append(request("a", 2)).result()
        assert caught.value.unknown


def coded(error: sqlite3.Error, code: int) -> sqlite3.Error:
    """An error as SQLite's driver raises it."""
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        coded(sqlite3.DatabaseError("database disk image is malformed"), 11),
        coded(sqlite3.OperationalError("unable to open database file"), 14),
        MemoryError(),
    ],
    ids=["damaged", "no file", "no memory"],
)
def test_whatever_fails_from_the_commit_on_leaves_the_outcome_unknown(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was on disk, and those who sent it were told that it isn't."""
    real, failing = SqliteSession.commit, [error]

    def commit(session: SqliteSession) -> None:
        real(session)
        if failing:
            raise failing.pop()

    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        monkeypatch.setattr(SqliteSession, "commit", commit)
        with pytest.raises(StoreUnavailableError) as caught:
            store.append(request("a", 2)).result()
        assert caught.value.unknown
        assert store.append(request("a", 2)).result().unchanged == 2


def test_another_process_that_holds_the_file_makes_the_store_busy_and_nothing_is_stored(
    tmp_path: Path,
) -> None:
    import sqlite3
    from contextlib import closing

    settings = StoreSettings(busy_seconds=0.05)
    with (
        open_store(f"sqlite:///{tmp_path}/e.db", settings=settings) as store,
        closing(sqlite3.connect(tmp_path / "e.db", isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError, match="held by another process; nothing was stored"):
            store.append(request("a", 1)).result()
        assert store.health().writable
        other.execute("ROLLBACK")
        assert store.append(request("a", 1)).result().changed == 1


def test_an_error_of_our_own_is_no_acknowledgement_either(memory: Path) -> None:
    def breaks(_: object) -> None:
        raise RuntimeError("a bug")

    with open_store(f"sqlite:///{memory}/e.db", settings=SETTINGS) as store:
        go_on = threading.Event()
        held = store._submit(lambda work: go_on.wait(300), 1)
        while not held.running():
            time.sleep(0.001)
        neighbour, bad = (
            store.append(request("a", 1)),
            store._submit(breaks, 1),
        )  # both wait, and go into one commit
        go_on.set()
        held.result()
        for future in (neighbour, bad):
            assert "RuntimeError: a bug" in str(future.exception())
        assert store.counts().events == 0
        assert store.append(request("a", 1)).result().event_ids == ("a/0",)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "full"), (errno.EIO, "error")],
    ids=["read-only", "full", "failing"],
)
def test_the_writer_outlives_a_disk_that_fails_below_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """A disk that turned read-only ended the writer's thread: every later write waited for ever,
    also after the disk was writable again.
    """
    from cofactor.store import sqlite

    url = f"sqlite:///{tmp_path}/events.db"

    def refused(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    def broken(_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with open_store(url, settings=SETTINGS) as store:
        store.append(request("r1", 1)).result(300)
        with monkeypatch.context() as failing:
            failing.setattr(sqlite.os, "open", refused)
            failing.setattr(sqlite.SqliteSession, "begin", broken)
            for _ in range(3):
                with pytest.raises(StoreUnavailableError, match=said):
                    store.append(request("r2", 1)).result(300)
                until = time.monotonic() + 0.1  # it has tried again by itself meanwhile
                while time.monotonic() < until:
                    time.sleep(0.01)
            assert not store.health().writable
        end = time.monotonic() + 300
        while not store.health().writable and time.monotonic() < end:
            time.sleep(0.01)
        assert store.append(request("r2", 1)).result(300).changed == 1


def test_a_place_without_room_for_another_file_is_said_to_be_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free inodes can end before the bytes do."""
    from cofactor.store import sqlite

    def no_room(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    real = os.open
    monkeypatch.setattr(
        sqlite.os,
        "open",
        lambda path, *more: no_room() if path.suffix == ".db" else real(path, *more),
    )
    with pytest.raises(StoreUnavailableError, match=r"events\.db, or a quota, is full"):
        open_store(f"sqlite:///{tmp_path}/events.db")


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "e.db"
    with open_store(f"sqlite:///{path}") as store:
        for number in range(40):
            store.append(request(f"r{number}", 9)).result()
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises((StoreFormatError, ConflictError), match="damaged"):
        open_store(f"sqlite:///{path}")
