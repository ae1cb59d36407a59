"""Processes that share a store and are stopped, or wait for a disk: nobody waits for them."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cofactor.store import (
    StoreError,
    StoreUnavailableError,
    import_events,
    messages,
    open_store,
    shared,
)
from cofactor.store.shared import SharedStore, SharedWrite, WriteServer, wait_for_writer
from store.places import event

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs Unix sockets")
MANY = 4_000  # events of a batch: half a megabyte


@contextlib.contextmanager
def stopped_writer(path: Path, *, reads: bool) -> Iterator[None]:
    """What stands in for a process that takes connections and says nothing."""
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(1)

        def take() -> None:
            while not ended.is_set():
                with contextlib.suppress(OSError):
                    taken, _ = listening.accept()
                    kept.append(taken)
                    while reads and taken.recv(1 << 20):
                        pass

        kept: list[socket.socket] = []
        threading.Thread(target=take, daemon=True).start()
        yield
        ended.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        for one in kept:
            one.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    assert condition()


def batch(name: str) -> list[dict[str, object]]:
    return [event(event_id=f"{name}-{n:0100}") for n in range(MANY)]


def test_a_worker_that_takes_no_answers_keeps_nobody_from_writing(tmp_path: Path) -> None:
    """The thread that commits sent its answers itself, and waited for ever."""
    with open_store(f"sqlite:///{tmp_path}/e.db") as one:
        server = WriteServer(one, tmp_path / "writes")
        with socket.socket(socket.AF_UNIX) as stopped:
            stopped.connect(str(tmp_path / "writes"))
            for number in range(4):
                rows = shared_rows(f"w{number}")
                raw = msgspec.msgpack.encode(SharedWrite(number, "append", (rows,), len(rows)))
                messages.send(stopped, raw)
            with SharedStore(one.database, tmp_path / "writes") as other:
                for store in (one, other, one):
                    assert store.append([event()]).result(120).changed == 1
                until(lambda: other.health().writable)  # it asks every quarter of a second
        server.close()


def shared_rows(name: str) -> list[tuple[object, ...]]:
    from cofactor.store.limits import checked_events

    return checked_events(batch(name))


def test_a_writer_that_takes_nothing_holds_up_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sending waited for ever in the thread that answers, and held a lock meanwhile. What wasn't
    sent is refused, what was has an unknown outcome, and what was taken back is gone.
    """
    monkeypatch.setattr(messages, "_PATIENCE", 2)
    database = open_store(f"sqlite:///{tmp_path}/e.db").database
    with (
        stopped_writer(tmp_path / "writes", reads=False),
        SharedStore(database, tmp_path / "writes") as store,
    ):
        sent = store.append(batch("a"))  # more than a socket takes
        rest = [store.append(batch(name)) for name in ("b", "c")]
        assert rest[0].cancel()
        assert not sent.cancel()
        with pytest.raises(StoreUnavailableError) as unknown:
            sent.result(120)
        assert unknown.value.unknown
        with pytest.raises(StoreError) as refused:
            rest[1].result(120)
        assert not getattr(refused.value, "unknown", False)
        assert not store.health().writable


def test_a_writer_that_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that imports waited for ever for a service that was stopped."""
    monkeypatch.setattr(shared, "_HEALTHY", 0.2)
    monkeypatch.setattr(shared, "_SILENT", 1.0)
    database = open_store(f"sqlite:///{tmp_path}/e.db").database
    with (
        stopped_writer(tmp_path / "writes", reads=True),
        SharedStore(database, tmp_path / "writes") as store,
    ):
        with pytest.raises(StoreUnavailableError, match="doesn't answer") as unknown:
            store.append([event()]).result(120)
        assert unknown.value.unknown


def test_an_import_that_is_given_up_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "_HEALTHY", 0.2)
    monkeypatch.setattr(shared, "_SILENT", 1.0)
    lines = tmp_path / "events.jsonl"
    lines.write_text('{"user_id": "u", "item_id": "i"}\n')
    database = open_store(f"sqlite:///{tmp_path}/e.db").database
    with (
        stopped_writer(tmp_path / "writes", reads=True),
        SharedStore(database, tmp_path / "writes") as store,
        pytest.raises(StoreUnavailableError, match="import the same again") as unknown,
    ):
        import_events(store, lines)
    assert unknown.value.unknown


def test_too_many_that_wait_to_be_let_in_are_refused_at_once(tmp_path: Path) -> None:
    """Nobody takes connections, and there is no room for one more."""
    with open_store(f"sqlite:///{tmp_path}/e.db") as one, contextlib.ExitStack() as waiting:
        full = waiting.enter_context(socket.socket(socket.AF_UNIX))
        full.bind(str(tmp_path / "writes"))
        full.listen(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(10):
                line = waiting.enter_context(socket.socket(socket.AF_UNIX))
                line.setblocking(False)
                line.connect(str(tmp_path / "writes"))
        assert not wait_for_writer(tmp_path / "writes", 0.2)
        with SharedStore(one.database, tmp_path / "writes") as store:
            with pytest.raises(StoreUnavailableError, match="isn't there") as refused:
                store.append([event()])
            assert not refused.value.unknown


def test_the_last_answers_are_sent_before_the_end(tmp_path: Path) -> None:
    one = open_store(f"sqlite:///{tmp_path}/e.db")
    server = WriteServer(one, tmp_path / "writes")
    with SharedStore(one.database, tmp_path / "writes") as other:
        futures = [other.append(batch(f"e{n}")) for n in range(3)]
        other.append([event()]).result(120)
        server.close()
        assert [future.result(120).changed for future in futures] == [MANY] * 3
    one.close()
