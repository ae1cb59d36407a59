"""What a store keeps to itself: erased people are gone from every file, its files are its owner's
alone, and nobody else writes to it by another name.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import random
import shutil
import sqlite3
import stat
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import forked
from cofactor.base.errors import ArgumentError
from cofactor.store import (
    Event,
    Store,
    StoreBusyError,
    StoreError,
    StoreFormatError,
    StoreSettings,
    StoreUnavailableError,
    backup,
    export_events,
    open_store,
    restore,
    verify,
)

QUICK = StoreSettings(probe_seconds=0.02)


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def filled(store: Store, users: int, each: int) -> None:
    """Long histories of many users, mixed, so that pages are split again and again."""
    chance = random.Random(3)
    events = [
        Event(
            user_id=f"person-{user:04d}-end",
            item_id=f"item-{n}",
            time=10**9 + chance.randrange(5 * 10**8),
        )
        for user in range(users)
        for n in range(each)
    ]
    chance.shuffle(events)
    for low in range(0, len(events), 1000):
        store.append(events[low : low + 1000]).result()


def traces(folder: Path, user: str) -> dict[str, int]:
    """How often a user's id stands in each file of a folder."""
    found = {
        path.name: path.read_bytes().count(user.encode())
        for path in folder.iterdir()
        if path.is_file()
    }
    return {name: count for name, count in found.items() if count}


def settled(store: Store, seconds: float = 300.0) -> bool:
    end = time.monotonic() + seconds
    while store.health().owed and time.monotonic() < end:
        time.sleep(0.02)
    return not store.health().owed


def test_erased_people_are_in_no_gap_of_a_page_and_in_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "store" / "events.db"
    with open_store(url_of(path), settings=QUICK) as store:
        filled(store, 60, 200)
        erased = [f"person-{user:04d}-end" for user in range(0, 60, 2)]
        for user in erased:
            store.erase_user(user).result()
        backup(store, tmp_path / "copy" / "backup.db")
        assert [user for user in erased if traces(tmp_path / "copy", user)] == []
        assert settled(store)
        assert [user for user in erased if traces(path.parent, user)] == []
        assert store.counts().events == 30 * 200
        assert len(store.history("person-0001-end")) == 200
    assert [user for user in erased if traces(path.parent, user)] == []


def test_a_crash_right_after_an_erasure_does_not_make_it_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from cofactor.store import StoreSettings, open_store
from store.test_store_private import filled
store = open_store({url_of(path)!r}, settings=StoreSettings(probe_seconds=60.0))
filled(store, 40, 60)
reader = store.snapshot()
reader.__enter__().rows("SELECT count(*) FROM events")
store.erase_user("person-0007-end").result()
os._exit(9)
"""
    forked.run(script)
    assert traces(tmp_path, "person-0007-end")
    with open_store(url_of(path), settings=QUICK) as store:
        assert store.health().owed
        assert settled(store)
        assert traces(tmp_path, "person-0007-end") == {}
        assert store.counts().events == 39 * 60
    with open_store(url_of(path), settings=QUICK) as store:
        assert not store.health().owed


def test_erasures_are_made_good_under_a_load_that_never_stops(tmp_path: Path) -> None:
    settings = StoreSettings(probe_seconds=0.02, erase_seconds=0.3)
    stop = threading.Event()
    with open_store(url_of(tmp_path / "events.db"), settings=settings) as store:
        filled(store, 20, 50)

        def load() -> None:
            while not stop.is_set():
                waiting = [store.append([Event(user_id="u", item_id="i")]) for _ in range(20)]
                waiting[0].result()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            store.erase_user("person-0003-end").result()
            assert settled(store)
        finally:
            stop.set()
            thread.join()
        assert traces(tmp_path, "person-0003-end") == {}


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_files_are_their_owners_alone(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "events.db"
    before = os.umask(mask)
    try:
        with open_store(url_of(path)) as store:
            store.append([Event(user_id="u", item_id="i")]).result()
            backup(store, tmp_path / "backup.db")
            export_events(store, tmp_path / "events.jsonl")
            restore(tmp_path / "backup.db", url_of(tmp_path / "restored.db"))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert {"events.db", "events.db-wal", "events.db-shm", "backup.db"} <= set(modes)
    assert {"events.db.lock", "backup.db.json", "events.jsonl", "restored.db"} <= set(modes)


@pytest.mark.parametrize("end", ["", "-wal", "-shm", ".lock"])
@pytest.mark.parametrize("by_link", [False, True])
def test_a_backup_never_takes_the_place_of_the_store(
    tmp_path: Path, end: str, by_link: bool
) -> None:
    path = tmp_path / "events.db"
    with open_store(url_of(path)) as store:
        store.append([Event(user_id="u", item_id="i")]).result()
        target = path.with_name(path.name + end)
        if by_link:
            (tmp_path / "link").symlink_to(target)
            target = tmp_path / "link"
        with pytest.raises(StoreError, match="belongs to the store"):
            backup(store, target, overwrite=True)
        assert store.append([Event(user_id="u", item_id="j")]).result().changed == 1
        assert store.counts().events == 2


def test_a_backup_is_not_restored_onto_itself_and_its_manifest_replaces_no_other(
    tmp_path: Path,
) -> None:
    with open_store(url_of(tmp_path / "events.db")) as store:
        store.append([Event(user_id="u", item_id="i")]).result()
        backup(store, tmp_path / "b.db")
        (tmp_path / "notes.json").write_text("mine")
        with pytest.raises(StoreError, match=r"notes\.json already exists"):
            backup(store, tmp_path / "notes")
    (tmp_path / "link").symlink_to(tmp_path / "b.db")
    (tmp_path / "link.json").symlink_to(tmp_path / "b.db.json")
    for name in ("b.db", "link"):
        with pytest.raises(StoreError, match="is the backup itself"):
            restore(tmp_path / name, url_of(tmp_path / "b.db"), overwrite=True)
    assert verify(tmp_path / "b.db").rows["events"] == 1


@pytest.mark.parametrize(
    "odd", [5, None, b"sqlite:///e.db", "sqlite:///:memory:", "sqlite:///a%00"]
)
def test_what_is_no_store_s_address_is_refused_and_makes_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ArgumentError, match="a store's URL must be"):
        open_store(odd)
    with pytest.raises(StoreUnavailableError, match="isn't a file"):
        open_store(url_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_files_that_others_could_read_are_tightened(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with open_store(url_of(path)) as store:
        store.append([Event(user_id="u", item_id="i")]).result()
    path.chmod(0o644)
    with open_store(url_of(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["symlink", "hard link"])
def test_a_second_name_opens_no_second_writer(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "events.db", tmp_path / "elsewhere" / "other.db"
    other.parent.mkdir()
    with open_store(url_of(path)) as store:
        store.append([Event(user_id="u", item_id="i")]).result()
        if kind == "symlink":
            other.symlink_to(path)
        else:
            os.link(path, other)
        with pytest.raises(StoreBusyError):
            open_store(url_of(other))
        store.append([Event(user_id="u", item_id="j")]).result()


def test_who_lost_the_lock_to_another_writes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with open_store(url_of(path)) as first:
        (tmp_path / "events.db.lock").unlink()
        # Nobody has taken it: the first one takes it again.
        first.append([Event(user_id="u", item_id="i")]).result()
        with pytest.raises(StoreBusyError):
            open_store(url_of(path))
        (tmp_path / "events.db.lock").unlink()
        with open_store(url_of(path)) as second:
            with pytest.raises(StoreUnavailableError, match=r"events\.db\.lock was removed"):
                first.append([Event(user_id="u", item_id="j")]).result()
            second.append([Event(user_id="u", item_id="j")]).result()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE store_meta SET value = 'x' WHERE name = 'schema'",
        "UPDATE store_meta SET value = '' WHERE name = 'opened'",
        "UPDATE items SET features = '{'",
        "UPDATE items SET state = 7",
        "UPDATE items SET state = 'x'",
        "DELETE FROM counters",
        "UPDATE counters SET name = name || 'x'",
        "UPDATE item_changes SET state = 9, features = '['",
    ],
)
def test_a_store_that_was_tampered_with_is_refused_in_a_sentence(
    tmp_path: Path, change: str
) -> None:
    from cofactor.store import Item

    path = tmp_path / "events.db"
    with open_store(url_of(path)) as store:
        store.put_items([Item(item_id="a", title="A", features={"x": 1})]).result()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(change)
        connection.commit()
    try:
        with open_store(url_of(path)) as store:
            list(store.all_items())
            store.counts()
            store.unseen_items()
            store.item_history("a")
    except StoreFormatError:
        return
    assert "opened" in change


def test_a_disk_that_does_not_answer_is_not_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.store import writer

    monkeypatch.setattr(writer, "_STALLED", 0.05)
    with open_store(url_of(tmp_path / "events.db")) as store:
        held = threading.Event()
        real = store._writer._commit  # type: ignore[union-attr]

        def stalled(jobs: object) -> object:
            held.wait(300)
            return real(jobs)  # type: ignore[arg-type]

        monkeypatch.setattr(store._writer, "_commit", stalled)
        waiting = store.append([Event(user_id="u", item_id="i")])
        end = time.monotonic() + 300
        while store.health().writable and time.monotonic() < end:
            time.sleep(0.01)
        assert not store.health().writable
        assert "hasn't answered" in str(store.health().reason)
        held.set()
        waiting.result()
        assert store.health().writable


def test_a_packed_file_with_an_endless_line_costs_no_memory(tmp_path: Path) -> None:
    import tracemalloc

    from cofactor.store import import_events

    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(b'{"user_id": "u", "item_id": "i"}\n{"user_id": "')
        for _ in range(80):
            stream.write(b"x" * (1 << 20))
        stream.write(b'"}\n{"user_id": "v", "item_id": "i"}\n' + b"[" * 100_000 + b"\n")
    with open_store(url_of(tmp_path / "events.db")) as store:
        tracemalloc.start()
        done = import_events(store, path, on_bad="skip")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (done.changed, done.rejected) == (2, 2)
    assert [line for line, _ in done.rejects] == [2, 4]
    assert peak < 32 << 20


def test_a_packed_file_that_ends_early_is_refused_in_a_sentence(tmp_path: Path) -> None:
    from cofactor.base.errors import DataError
    from cofactor.store import import_events

    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"user_id": "u", "item_id": "i"}\n' * 1000)[:-20])
    with open_store(url_of(tmp_path / "events.db")) as store:
        with pytest.raises(DataError, match=r"cut\.jsonl\.gz"):
            import_events(store, path)
        assert store.counts().events == 0


def test_what_is_restored_is_what_was_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody changes the backup after it was verified."""
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        store.append([Event(user_id="u", item_id="i")]).result()
        backup(store, tmp_path / "b.db")
    copy = shutil.copyfile

    def changed_before(source: Any, target: Any) -> Any:
        with closing(sqlite3.connect(tmp_path / "b.db")) as other:
            other.execute("UPDATE events SET item_id = 'j'")
            other.commit()
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", changed_before)
    with pytest.raises(StoreUnavailableError, match=r"b\.db"):
        restore(tmp_path / "b.db", f"sqlite:///{tmp_path}/again.db")
    assert not (tmp_path / "again.db").exists()


def test_a_backup_that_finds_no_room_names_itself_and_not_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def execute(self, *_: object) -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

    monkeypatch.setattr(
        "cofactor.store.backups.sqlite_file.opened", lambda _: contextlib.nullcontext(Full())
    )
    said = r"b\.db can't be written: No space left"
    with (
        open_store(f"sqlite:///{tmp_path}/e.db") as store,
        pytest.raises(StoreUnavailableError, match=said),
    ):
        backup(store, tmp_path / "b.db")
    assert not (tmp_path / "b.db").exists()
