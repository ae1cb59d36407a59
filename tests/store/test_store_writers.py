"""Writing to the store from many threads and by several writers."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest

from cofactor.store import (
    Ack,
    OverloadError,
    ReadOnlyError,
    Store,
    StoreBusyError,
    StoreClosedError,
    StoreSettings,
    StoreUnavailableError,
    messages,
    open_store,
)
from cofactor.store.shared import SharedStore, WriteServer
from store.places import event


def test_an_acknowledged_event_is_in_the_next_answer(store: Store) -> None:
    for number in range(50):
        store.append([event(item=number, time=number)]).result()
        assert store.history("u", limit=1).item_ids == (str(number),)


def test_many_threads_write_and_read_and_nothing_is_lost_or_doubled(store: Store) -> None:
    def client(name: int) -> None:
        for number in range(20):
            batch = [
                event(
                    name, f"{name}-{number}-{part}", event_id=f"{name}-{number}-{part}", time=number
                )
                for part in range(3)
            ]
            for _ in range(2):  # each one twice, as a nervous client would
                store.append(batch).result()
            assert len(store.history(name)) == 3 * (number + 1)

    threads = [threading.Thread(target=client, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [one.event_id for one in store.events()]
    assert len(ids) == len(set(ids)) == 8 * 20 * 3
    assert store.health().mean_group > 1


def test_what_waits_is_committed_together(store: Store) -> None:
    held, before = threading.Event(), store.health().commits
    futures = [store._submit(lambda work: held.wait(300), 1)]
    futures += [store.append([event(n)]) for n in range(300)]
    held.set()
    for future in futures:
        future.result()
    assert store.health().commits - before < 100


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(
    store_url: str, opened: Callable[..., Store]
) -> None:
    store = opened(store_url, settings=StoreSettings(max_queue=10))
    held = threading.Event()
    blocker: Future[Ack] = store._submit(lambda work: held.wait(300), 1)
    taken = [store.append([event(n)]) for n in range(9)]
    with pytest.raises(OverloadError, match=r"queue is full \(10 wait\); try again in") as caught:
        store.append([event()])
    assert caught.value.retry_after > 0
    assert store.health().queued == 10
    held.set()
    blocker.result()
    assert all(one.result().changed == 1 for one in taken)
    assert (
        store.append([event(n) for n in range(50)]).result().changed == 50
    )  # alone, a request may be larger than the queue
    assert store.health().queued == 0


def test_a_closed_store_has_written_what_waited_and_refuses_more(store_url: str) -> None:
    store = open_store(store_url)
    futures = [store.append([event(n)]) for n in range(100)]
    store.close()
    assert all(future.result().changed == 1 for future in futures)
    with pytest.raises(StoreClosedError, match="was closed"):
        store.append([event()])
    with pytest.raises(StoreClosedError, match="was closed"):
        store.history("u")
    store.close()
    with open_store(store_url, read_only=True) as again:
        assert again.counts().events == 100


def test_a_cancelled_request_is_not_stored(store: Store) -> None:
    held = threading.Event()
    blocker = store._submit(lambda work: held.wait(300), 1)
    while not blocker.running():
        time.sleep(0.001)
    future = store.append([event(event_id="a")])
    assert future.cancel()
    held.set()
    store.append([event(event_id="b")]).result()
    assert store.event("a") is None


def test_reading_beside_the_writer_sees_what_is_acknowledged_and_writes_nothing(
    store: Store, store_url: str
) -> None:
    with open_store(store_url, read_only=True) as reader:
        store.append([event(event_id="a")]).result()
        assert reader.event("a") is not None
        assert not reader.health().writable
        with pytest.raises(ReadOnlyError, match="was opened for reading"):
            reader.append([event()])


def test_a_second_writer_of_a_file_is_refused_with_who_holds_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/e.db"
    with (
        open_store(url),
        pytest.raises(StoreBusyError, match=r"e.db is open for writing elsewhere \(process \d+\)"),
    ):
        open_store(url)
    open_store(url).close()


def test_two_writers_of_a_server_take_turns(
    request: pytest.FixtureRequest, tmp_path: Path, opened: Callable[..., Store]
) -> None:
    from store.places import new_place

    url = new_place(request, "postgres", tmp_path)
    pair = [opened(url), opened(url)]
    futures = [
        pair[n % 2].append([event((n // 2) % 7, n // 2, event_id=f"e{n // 2}")]) for n in range(200)
    ]
    assert sum(future.result().changed for future in futures) == 100
    assert (pair[0].counts().events, pair[1].counts().users) == (100, 7)


def moved(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def removed(file: Path) -> None:
    file.unlink()


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def replaced(file: Path) -> None:
    shutil.copy(file, file.with_name("copy.db"))
    os.replace(file.with_name("copy.db"), file)


def overwritten(file: Path) -> None:
    """As by `cp -p older.db e.db`: the file stays, its content doesn't."""
    file.write_bytes(file.read_bytes())
    os.utime(file, (1_700_000_000, 1_700_000_000))


def lengthened(file: Path) -> None:
    with file.open("ab") as stream:
        stream.write(bytes(4096))


def folder_moved(file: Path) -> None:
    file.parent.rename(file.parent.with_name("moved"))


@pytest.mark.skipif(os.name == "nt", reason="Windows removes and renames no open file")
@pytest.mark.parametrize(
    "lose", [moved, removed, emptied, replaced, overwritten, lengthened, folder_moved]
)
def test_nothing_is_acknowledged_into_a_file_that_nobody_will_find(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    file = tmp_path / "here" / "e.db"
    with open_store(f"sqlite:///{file}", settings=StoreSettings(probe_seconds=0.01)) as store:
        store.append([event(event_id="a")]).result()
        lose(file)
        for name in ("b", "c"):  # also when it has tried again by itself
            with pytest.raises(
                StoreUnavailableError, match="moved, replaced, emptied or written to"
            ):
                store.append([event(event_id=name)]).result()
            assert not store.health().writable


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
def test_a_forked_process_is_asked_to_open_the_store_itself(store: Store) -> None:
    """Its writes waited for ever, for a thread that a fork doesn't copy."""
    child = os.fork()
    if not child:
        try:
            store.append([event(event_id="a")])
        except StoreClosedError as refused:
            os._exit(int("open it after the fork" in str(refused)))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert store.append([event(event_id="a")]).result().changed == 1


def test_a_write_whose_sending_breaks_off_has_an_unknown_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused with an exception, so that no answer named the ids for a retry."""

    def broken(*_: object) -> None:
        raise BrokenPipeError

    with open_store(f"sqlite:///{tmp_path}/e.db") as one:
        server = WriteServer(one, tmp_path / "writes")
        with SharedStore(one.database, tmp_path / "writes") as other:
            assert other.append([event(event_id="a")]).result(300).changed == 1
            with monkeypatch.context() as patch:
                patch.setattr(messages, "send", broken)
                failed = other.append([event(event_id="b")])
                with pytest.raises(StoreUnavailableError) as caught:
                    failed.result(300)
                assert caught.value.unknown
            assert other.append([event(event_id="b")]).result(300).changed == 1
        server.close()


def test_a_write_that_the_other_process_does_not_know_is_answered(tmp_path: Path) -> None:
    """Of another version, say; its thread ended with a traceback, and with it the connection."""
    with open_store(f"sqlite:///{tmp_path}/e.db") as one:
        server = WriteServer(one, tmp_path / "writes")
        with SharedStore(one.database, tmp_path / "writes") as other:
            waiting = other.append([event(event_id="a")])
            with pytest.raises(StoreUnavailableError, match="newer") as caught:
                other._write("newer", (), 1).result(300)
            assert caught.value.unknown
            assert waiting.result(300).changed == 1
        server.close()
