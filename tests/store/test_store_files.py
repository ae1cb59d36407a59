"""Files of the store: import with rejects by line, export, backup of a store that is written,
restore into either database.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cofactor
from cofactor.base.errors import ArgumentError, DataError
from cofactor.store import (
    Event,
    Item,
    Store,
    StoreBusyError,
    StoreError,
    StoreFormatError,
    backup,
    export_events,
    export_items,
    import_events,
    import_items,
    open_store,
    restore,
    verify,
)
from store.places import new_place


def filled(store: Store) -> Store:
    events = [
        Event(
            user_id=n % 5,
            item_id=f"ï{n}",
            kind="rating",
            value=n / 3,
            time=1000 - n,
            event_id=f"e{n}",
        )
        for n in range(30)
    ]
    store.append([*events, Event(user_id=1, item_id="plain", time=7, event_id="plain")]).result()
    store.undo(["e3"]).result()
    store.put_items(
        [
            Item(item_id="a", title="Ä", features={"g": ["x"], "n": 2}),
            Item(item_id="b", text="t"),
            Item(item_id="c"),
        ]
    ).result()
    store.hide_items(["b"]).result()
    store.delete_items(["c"]).result()
    return store


def content(store: Store) -> tuple[list, list]:
    """All that matters of a store."""
    events = [
        (e.event_id, e.user_id, e.item_id, e.kind, e.value, e.time, e.undone is not None)
        for e in store.events()
    ]
    return events, [(i.item_id, i.title, i.text, i.features, i.state) for i in store.all_items()]


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "parquet"])
def test_what_is_exported_can_be_imported_and_is_the_same(
    store: Store,
    ending: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    opened: Callable[..., Store],
) -> None:
    filled(store)
    assert export_events(store, tmp_path / f"events.{ending}") == 31
    assert export_items(store, tmp_path / f"items.{ending}") == 3
    with pytest.raises(DataError, match="it already exists"):
        export_events(store, tmp_path / f"events.{ending}")
    other = opened(new_place(request, "sqlite", tmp_path))
    done = import_events(other, tmp_path / f"events.{ending}")
    assert (done.lines, done.changed, done.unchanged, done.rejected) == (31, 31, 0, 0)
    import_items(other, tmp_path / f"items.{ending}")
    assert content(other) == content(store)
    assert other.counts() == store.counts() or other.counts().events == store.counts().events
    again = import_events(other, tmp_path / f"events.{ending}")
    assert (again.changed, again.unchanged) == (0, 31)


def test_a_users_export_is_theirs_alone(store: Store, tmp_path: Path) -> None:
    filled(store)
    assert export_events(store, tmp_path / "one.jsonl", user_id=3) == 6
    lines = [json.loads(line) for line in (tmp_path / "one.jsonl").read_text().splitlines()]
    assert {line["user_id"] for line in lines} == {"3"}
    assert [line["event_id"] for line in lines if line["undone"] is not None] == ["e3"]


LINES = """{"user_id": 1, "item_id": "a", "time": 5}

{"user_id": 1, "item_id": "a", "time": 5}
{"user_id": 1}
not json
{"user_id": 1, "item_id": "b", "time": 5, "value": "much"}
{"user_id": 1, "item_id": "b", "time": 1700000000000}
{"user_id": 1, "item_id": "b", "tine": 5}
{"user_id": 2, "item_id": "b", "kind": "click", "value": 2, "time": 6, "event_id": "own"}
"""


def test_bad_lines_are_named_and_nothing_is_stored(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(LINES)
    with pytest.raises(
        DataError,
        match=(
            r"events.jsonl: 5 lines are refused; .* line 4: .*item_id.*; line 5: .*line 6:"
            r" .*\$.value"
        ),
    ):
        import_events(store, path)
    assert store.counts().events == 0


def test_bad_lines_can_be_left_out_and_are_listed(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(LINES.encode()))
    done = import_events(store, path, on_bad="skip")
    assert (done.lines, done.changed, done.unchanged, done.rejected) == (8, 3, 0, 5)
    reasons = dict(done.rejects)
    assert sorted(reasons) == [4, 5, 6, 7, 8]
    assert "check the unit" in reasons[7]
    assert "tine" in reasons[8]
    again = import_events(store, path, on_bad="skip")
    assert (again.changed, again.unchanged) == (
        0,
        3,
    ), "lines without ids get the same ids again, equal lines different ones"


def test_conflicts_of_an_import_are_rejected_by_line_and_the_rest_is_stored(
    store: Store, tmp_path: Path
) -> None:
    store.append([Event(user_id=1, item_id="other", time=5, event_id="e7")]).result()
    path = tmp_path / "events.jsonl"
    path.write_text(
        "".join(
            f'{{"user_id": 1, "item_id": "i", "time": 5, "event_id": "e{n}"}}\n' for n in range(20)
        )
    )
    done = import_events(store, path, on_bad="skip")
    assert (done.changed, done.rejects) == (
        19,
        [(8, "its event id is stored already with another content")],
    )
    with pytest.raises(DataError, match="1 line is refused.*line 8: 'its event id is stored"):
        import_events(store, path)


def test_rows_of_parquet_are_named_too(store: Store, tmp_path: Path) -> None:
    table = pa.table(
        {
            "user_id": [1, 2, 3],
            "item_id": ["a", None, "c"],
            "value": [1.5, 2.5, float("nan")],
            "time": [5, 6, 7],
        }
    )
    pq.write_table(table, tmp_path / "e.parquet")
    done = import_events(store, tmp_path / "e.parquet", on_bad="skip")
    assert (done.changed, [line for line, _ in done.rejects]) == (1, [2, 3])
    (tmp_path / "bad.parquet").write_text("no")
    with pytest.raises(DataError, match="can't be read as Parquet"):
        import_events(store, tmp_path / "bad.parquet")
    with pytest.raises(ArgumentError, match="events.csv must end in .jsonl, .jsonl.gz or .parquet"):
        export_events(store, tmp_path / "events.csv")
    with pytest.raises(DataError, match="there is no such file"):
        import_events(store, tmp_path / "none.jsonl")


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
def test_a_backup_restores_into_either_database(
    store: Store,
    target: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    opened: Callable[..., Store],
) -> None:
    filled(store)
    store.erase_user(4).result()
    store.append([Event(user_id=9, item_id="last", time=1, event_id="last")]).result()
    store.erase_user(9).result()
    manifest = backup(store, tmp_path / "backup.db")
    assert manifest.rows["events"] == 25
    assert verify(tmp_path / "backup.db") == manifest
    url = new_place(request, target, tmp_path)
    assert restore(tmp_path / "backup.db", url) == manifest
    copy = opened(url)
    assert content(copy) == content(store)
    assert copy.counts() == store.counts()
    assert [c.action for c in copy.item_changes()] == [c.action for c in store.item_changes()]
    # Places go on where they were, even where the last events were erased.
    ack = copy.append([Event(user_id=1, item_id="new", time=5)]).result()
    assert ack.seq == store.counts().last_seq + 1
    copy.close()
    with pytest.raises(StoreError, match="already; .*give overwrite=True|already exists"):
        restore(tmp_path / "backup.db", url)
    restore(tmp_path / "backup.db", url, overwrite=True)
    assert content(opened(url)) == content(store)


def test_a_backup_of_a_store_that_is_written_is_of_one_moment(store: Store, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            # Requests of three: a backup that saw a part of one would have a count that isn't
            # divisible.
            store.append(
                [Event(user_id=number % 11, item_id=part, time=5) for part in range(3)]
            ).result()
            number += 1

    store.append([Event(user_id="x", item_id=part, time=5) for part in range(3)]).result()
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            manifest = backup(store, tmp_path / f"b{number}.db")
            assert manifest.rows["events"] % 3 == 0
            assert manifest.rows["events"] > 0
    finally:
        stop.set()
        writer.join()


def test_a_damaged_backup_is_refused(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        filled(store)
        backup(store, tmp_path / "b.db")
        with pytest.raises(StoreError, match="b.db already exists"):
            backup(store, tmp_path / "b.db")
        backup(store, tmp_path / "b.db", overwrite=True)
    content = bytearray((tmp_path / "b.db").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(StoreFormatError, match="size or checksum differ"):
        restore(tmp_path / "b.db", f"sqlite:///{tmp_path}/new.db")
    assert not (tmp_path / "new.db").exists()
    (tmp_path / "b.db.json").unlink()
    with pytest.raises(
        StoreFormatError, match=r"there is no .*b.db.json; a backup is a file and its manifest"
    ):
        verify(tmp_path / "b.db")


@pytest.mark.parametrize("step", range(3))
@pytest.mark.parametrize("first", [True, False])
def test_a_backup_cut_off_at_any_step_is_the_old_one_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, first: bool
) -> None:
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        old = None if first else backup(store, tmp_path / "b.db")
        store.append([Event(user_id="new", item_id="i")]).result()
        done, real = iter(range(9)), os.replace

        def cut_off(*places: Any) -> None:
            if next(done) == step:
                raise KeyboardInterrupt
            real(*places)

        monkeypatch.setattr(os, "replace", cut_off)
        with pytest.raises(KeyboardInterrupt):
            backup(store, tmp_path / "b.db", overwrite=True)
        monkeypatch.setattr(os, "replace", real)
        if first and step < 2:
            assert not (tmp_path / "b.db").exists()
        else:
            found = verify(tmp_path / "b.db")
            assert (found == old) == (step < 2)
            assert found == verify(tmp_path / "b.db")
        made = backup(store, tmp_path / "b.db", overwrite=True)
        assert verify(tmp_path / "b.db") == made
        assert not (tmp_path / "b.db.json.new").exists()


def test_a_disk_that_fills_during_a_backup_leaves_the_old_one(tmp_path: Path) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        filled(store)
        old = backup(store, tmp_path / "b.db")
        names = sorted(path.name for path in tmp_path.iterdir())
        for size in (0, 100, 10_000):
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            try:
                with pytest.raises(StoreError):
                    backup(store, tmp_path / "b.db", overwrite=True)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert verify(tmp_path / "b.db") == old
            assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_a_manifest_that_contradicts_its_file_is_refused(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        filled(store)
        backup(store, tmp_path / "b.db")
    facts = json.loads((tmp_path / "b.db.json").read_text())
    facts["rows"]["events"] += 1
    (tmp_path / "b.db.json").write_text(json.dumps(facts))
    with pytest.raises(StoreFormatError, match="events has 31 rows, not 32"):
        verify(tmp_path / "b.db")
    (tmp_path / "b.db.json").write_text("{}")
    with pytest.raises(StoreFormatError, match="isn't a manifest of a backup"):
        verify(tmp_path / "b.db")


def test_a_restore_over_a_store_leaves_nothing_of_its_log(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/e.db"
    with open_store(url) as store:
        filled(store)
        backup(store, tmp_path / "b.db")
        with pytest.raises(StoreBusyError, match="is open for writing elsewhere"):
            restore(tmp_path / "b.db", url, overwrite=True)
    with open_store(url, read_only=True) as reader:
        assert reader.counts().events == 30
        with pytest.raises(StoreBusyError, match="held by another process"):
            restore(tmp_path / "b.db", url, overwrite=True)
    # A log as a killed process leaves it.
    with closing(sqlite3.connect(tmp_path / "e.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("DELETE FROM events")
        saved = (tmp_path / "e.db-wal").read_bytes()
    (tmp_path / "e.db-wal").write_bytes(saved)
    restore(tmp_path / "b.db", url, overwrite=True)
    assert not (tmp_path / "e.db-wal").exists()
    with open_store(url) as store:
        assert store.counts().events == 30
        assert len(list(store.events())) == 31
    assert not list(tmp_path.glob(".*"))


def test_a_backup_is_read_and_never_written(tmp_path: Path) -> None:
    file = tmp_path / "backup.db"
    with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        filled(store)
        backup(store, file)
    with pytest.raises(StoreFormatError, match="is a backup.*`cofactor events restore`"):
        open_store(f"sqlite:///{file}")
    with open_store(f"sqlite:///{file}", read_only=True) as store:
        assert store.counts().events == 30
    assert verify(file).rows["events"] == 31
    for name in ("backup.db", "backup.db.json"):
        shutil.copy(tmp_path / name, tmp_path / f"older-{name}")
    with pytest.raises(StoreFormatError, match="older-backup.db is a backup"):
        restore(file, f"sqlite:///{tmp_path}/older-backup.db", overwrite=True)
    assert len(list(tmp_path.iterdir())) == 6  # no lock was left beside them
    (tmp_path / "backup.db.json").unlink()
    with open_store(f"sqlite:///{file}") as store:
        assert store.counts().events == 30


def test_a_store_on_a_read_only_disk_is_read_without_files_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "events.db"
    with open_store(f"sqlite:///{place}") as store:
        filled(store)
    facts = os.statvfs(place)
    mounted = type("Facts", (), {"f_flag": facts.f_flag | os.ST_RDONLY})
    monkeypatch.setattr(os, "statvfs", lambda _: mounted)

    def made_beside() -> set[str]:
        with open_store(f"sqlite:///{place}", read_only=True) as store:
            assert store.counts().events == 30
            assert len(cofactor.read(f"sqlite:///{place}?kinds=rating")) > 20
            return {one.name for one in tmp_path.iterdir()} - {"events.db", "events.db.lock"}

    assert not made_beside()
    # A log that is there already holds what the file doesn't: it is never left out.
    with closing(sqlite3.connect(place)) as writer:
        writer.execute("CREATE TABLE more (a)")
        assert "events.db-wal" in made_beside()
