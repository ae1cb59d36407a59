"""Lists are answered at once and written together: none is lost while the system runs."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from cofactor.service.experiments import batched_log
from cofactor.service.experiments.batched_log import BatchedLog
from cofactor.store import (
    Ack,
    Impression,
    Store,
    StoreUnavailableError,
    impression_line,
    journal,
    open_store,
)

DONE = Ack(changed=1, unchanged=0, seq=0)
WHOLE = Impression(
    request_id="r 1",
    user_id='ü"\\',
    version="v1",
    source="personal",
    items=('a"b', "ä", "0", "\\n"),
    probabilities=(1.0, 0.25, 1e-7, 1 / 3),
    experiment="e",
    arm="v1~slots=0.1",
    item_arms=("x", "y", "x", "y"),
    shown=False,
    ms=1.25,
    time=77,
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'e.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batched_log, "INTERVAL", 0.01)
    monkeypatch.setattr(batched_log, "_AGAIN", 0.01)


def shown(request_id: str, user: str = "u", **given: Any) -> Impression:
    one = msgspec.structs.replace(WHOLE, request_id=request_id, user_id=user)
    return msgspec.structs.replace(one, **given)


def left(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("e.db-lists-*"))


def count(registry: CollectorRegistry, name: str) -> float:
    lines = generate_latest(registry).decode().splitlines()
    return float(next(line for line in lines if line.startswith(name)).rpartition(" ")[2])


def test_lists_are_written_together_and_the_journals_are_cleared(
    store: Store, tmp_path: Path
) -> None:
    async def play() -> None:
        log = BatchedLog(store, CollectorRegistry())
        log.start()
        for n in range(5):
            assert await log.log(shown(f"r{n}"))
        assert list(store.impressions()) == []
        assert sum(b"r3" in path.read_bytes() for path in left(tmp_path)) == 1
        assert await log.flush()
        assert {path.read_bytes().strip(b"\0") for path in left(tmp_path)} == {b""}
        await log.log(shown("later"))
        await log.close()

    commits = store.health().commits
    asyncio.run(play())
    assert [one.request_id for one in store.impressions()] == [
        *(f"r{n}" for n in range(5)),
        "later",
    ]
    assert store.health().commits == commits + 2
    assert left(tmp_path) == []


class Failing:
    """A store whose first writes fail."""

    def __init__(self, store: Store, failures: int) -> None:
        self.database, self._store, self.failures = store.database, store, failures

    def log_lines(self, lines: list[bytes]) -> Future[Ack]:
        if not self.failures:
            return self._store.log_lines(lines)
        self.failures -= 1
        failed: Future[Ack] = Future()
        failed.set_exception(StoreUnavailableError("the disk is full."))
        return failed


def test_what_the_store_does_not_take_is_tried_again(store: Store) -> None:
    registry = CollectorRegistry()

    async def play() -> None:
        log = BatchedLog(Failing(store, 2), registry)  # type: ignore[arg-type]
        assert await log.log(shown("first"))
        assert not await log.flush()  # says so, and goes on by itself
        assert await log.log(shown("second"))
        while count(registry, "cofactor_impressions_waiting"):
            await asyncio.sleep(0.005)
        await log.close()

    asyncio.run(play())
    assert [one.request_id for one in store.impressions()] == ["first", "second"]
    assert count(registry, 'cofactor_impressions_total{outcome="stored"}') == 2


def test_beyond_its_bound_and_what_cannot_be_logged_is_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = CollectorRegistry()
    monkeypatch.setattr(batched_log, "_MOST", 3 * len(impression_line(WHOLE)))

    async def play() -> list[bool]:
        log = BatchedLog(Failing(store, 10**9), registry)  # type: ignore[arg-type]
        taken = [await log.log(shown(f"r-{n}")) for n in range(5)]
        taken.append(await log.log(shown("x" * 201)))
        await log.close()
        return taken

    assert asyncio.run(play()) == [True] * 3 + [False] * 3
    assert count(registry, 'cofactor_impressions_total{outcome="unlogged"}') == 3


def test_what_the_store_never_took_is_there_at_the_next_start(
    store: Store, url: str, tmp_path: Path
) -> None:
    async def play() -> None:
        log = BatchedLog(Failing(store, 10**9), CollectorRegistry())  # type: ignore[arg-type]
        await log.log(shown("kept"))
        await log.close()

    asyncio.run(play())
    assert len(left(tmp_path)) == 1
    store.close()
    with open_store(url) as again:
        assert [one.request_id for one in again.impressions()] == ["kept"]
    assert left(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_a_killed_process_leaves_its_lists_to_the_next_and_a_living_one_keeps_them(
    store: Store, tmp_path: Path
) -> None:
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        mine = journal.Journal.beside(store.database)
        assert mine is not None
        mine.add(impression_line(shown("left")))
        mine.add(impression_line(shown("also left")))
        os.pwrite(mine._handle, impression_line(shown("half"))[:40], mine._end)
        os.write(tell, b"x")
        signal.pause()
    os.read(ready, 1)
    assert journal.take_in(store) == 0
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert journal.take_in(store) == 2
    assert [one.request_id for one in store.impressions()] == ["left", "also left"]
    assert left(tmp_path) == []


def test_what_an_earlier_start_of_the_system_left_is_removed_unread(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("1111-aaaa\n")
    monkeypatch.setattr(journal, "_STARTED", boot)
    made = journal.Journal.beside(store.database)
    assert made is not None
    made.add(impression_line(WHOLE))
    made.close()
    boot.write_text("2222-bbbb\n")
    assert journal.take_in(store) == 0
    assert left(tmp_path) == []
    boot.unlink()
    assert journal.Journal.beside(store.database) is None


def test_a_journal_is_its_owners_alone_and_overwrites_what_is_written(
    store: Store, tmp_path: Path
) -> None:
    made = journal.Journal.beside(store.database)
    assert made is not None
    made.add(impression_line(WHOLE))
    assert made.path.stat().st_mode & 0o777 == 0o600
    size = made.path.stat().st_size
    made.clear()
    assert made.path.read_bytes() == bytes(size)
    made.close()
    assert left(tmp_path) == []


def test_an_empty_journal_that_cannot_be_removed_stops_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that had turned read-only, a service ended before its store was closed."""
    made = journal.Journal.beside(store.database)
    assert made is not None

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "unlink", refused)
        made.close()
    assert made.path.exists()
    journal.take_in(store)  # the next one to open the store
    assert not made.path.exists()


def test_lines_are_gone_though_the_disk_has_no_room_to_overwrite_them(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system that never writes in place left them there, of users who were erased too."""
    made = journal.Journal.beside(store.database)
    assert made is not None
    made.add(b"[1]")

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        made.clear()
    assert made.path.read_bytes() == b""
    made.close()
