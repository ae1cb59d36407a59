"""The log beside a SQLite store is its writer's: what is acknowledged stands in a log that others
find too, whoever else looks into the file meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import cofactor
from cofactor.base.errors import DataError
from cofactor.store import (
    Event,
    Store,
    StoreBusyError,
    StoreError,
    StoreSettings,
    StoreUnavailableError,
    backup,
    open_store,
)
from cofactor.store.beside import serve_beside

SOURCE = Path(__file__).parents[2] / "src"
_LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
print(connection.execute("SELECT count(*) FROM events").fetchone()[0])
connection.close()
"""


def seen_by_another_program(path: Path) -> int:
    """How many events another program finds; it opens the file as SQLite's own shell does."""
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def view(event_id: str) -> list[Event]:
    return [Event(user_id="u", item_id="i", event_id=event_id)]


def made_to_connect_again(store: Store, path: Path) -> None:
    """Let a write fail, after which the writer's connection is a new one."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusyError):
            store.append(view("refused")).result()
        other.execute("ROLLBACK")


def test_who_looks_in_after_a_failed_write_takes_no_log_away(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    with open_store(f"sqlite:///{path}", settings=StoreSettings(busy_seconds=0.05)) as store:
        store.append(view("one")).result()
        assert len(store.history("u")) == 1  # a reader has the file open too
        made_to_connect_again(store, path)
        store.append(view("two")).result()
        assert seen_by_another_program(path) == 2
        store.append(view("three")).result()
        assert seen_by_another_program(path) == 3


@pytest.mark.parametrize("end", ["-wal", "-shm"])
@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_nothing_is_acknowledged_whose_log_is_gone(tmp_path: Path, change: str, end: str) -> None:
    """Without the log's index (-shm) whoever opens the file next makes one of their own, and never
    hears of later commits.
    """
    path, log = tmp_path / "events.db", tmp_path / f"events.db{end}"
    settings = StoreSettings(probe_seconds=0.02)
    with open_store(f"sqlite:///{path}", settings=settings) as store:
        store.append(view("one")).result()
        log.unlink()
        if change == "replaced":
            log.touch()
        for _ in range(2):
            with pytest.raises(StoreUnavailableError, match=rf"events\.db{end} .* start it again"):
                store.append(view("two")).result()
        assert not store.health().writable
    with open_store(f"sqlite:///{path}") as again:
        assert again.append(view("two")).result().changed == 1
        assert seen_by_another_program(path) == 2


def test_a_log_that_goes_during_a_commit_leaves_its_outcome_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.store.sqlite import SqliteSession

    path = tmp_path / "events.db"
    with open_store(f"sqlite:///{path}") as store:
        store.append(view("one")).result()
        commit = SqliteSession.commit

        def removed_before(session: SqliteSession) -> None:
            (tmp_path / "events.db-wal").unlink(missing_ok=True)
            commit(session)

        monkeypatch.setattr(SqliteSession, "commit", removed_before)
        with pytest.raises(StoreUnavailableError) as caught:
            store.append(view("two")).result()
        assert caught.value.unknown


def test_what_stands_in_a_log_is_missing_under_no_other_name(tmp_path: Path) -> None:
    """An export or a training under a second name of the file lacked, without a word, what wasn't
    moved from the log into the file yet.
    """
    path, other = tmp_path / "events.db", tmp_path / "other.db"
    with open_store(f"sqlite:///{path}") as store:
        store.append(view("one")).result()
        backup(store, tmp_path / "backup.db")
        os.link(path, other)
        os.link(tmp_path / "backup.db", tmp_path / "again.db")
        for _ in range(2):  # also when a first try may have made an empty log there
            with pytest.raises(
                StoreUnavailableError, match="hard link.* log .*by the name under which"
            ):
                open_store(f"sqlite:///{other}", read_only=True)
            with pytest.raises(DataError, match="hard link.* log .*by the name under which"):
                cofactor.read(f"sqlite:///{other}")
        for name in ("events.db", "again.db"):  # a backup has no log
            with open_store(f"sqlite:///{tmp_path / name}", read_only=True) as found:
                assert found.counts().events == 1
            assert len(cofactor.read(f"sqlite:///{tmp_path / name}")) == 1
        store.append(view("two")).result()
        assert len(store.history("u")) == 2


_MOUNT = """
mount --bind events.db "in side/events.db"
exec "$0" -c '
from cofactor.store import open_store
for read_only in (False, True):
    try:
        open_store("sqlite:///in side/events.db", read_only=read_only)
    except Exception as error:
        print(type(error).__name__, error)
'
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="there is no unshare here")
def test_a_file_that_is_mounted_by_itself_is_no_store(tmp_path: Path) -> None:
    """As `docker run -v events.db:/data/events.db` does: its log would stay in the container, and
    whoever has the file under its own name would write beside it.
    """
    (tmp_path / "in side").mkdir()
    with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        store.append(view("one")).result()
    (tmp_path / "in side" / "events.db").touch()
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", _MOUNT, sys.executable],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"files can't be mounted here: {done.stderr.strip()[-200:]}")
    assert done.stdout.startswith("StoreBusyError")
    assert done.stdout.count("mount its folder instead") == 2


def test_a_lock_that_is_a_link_empties_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("kept")
    (tmp_path / "events.db.lock").symlink_to(tmp_path / "precious.txt")
    with pytest.raises(StoreUnavailableError, match=r"events\.db\.lock is a link"):
        open_store(f"sqlite:///{tmp_path}/events.db")
    assert (tmp_path / "precious.txt").read_text() == "kept"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_beside_a_store_keeps_nobody_waiting(tmp_path: Path) -> None:
    started = Path("/proc/sys/kernel/random/boot_id")
    if not started.exists():
        pytest.skip("the system doesn't tell when it was started")
    name = f"events.db-lists-{started.read_text().strip().replace('-', '')}-0123"
    os.mkfifo(tmp_path / name)
    opening = "from cofactor.store import open_store; import sys; open_store(sys.argv[1]).close()"
    done = subprocess.run(
        [sys.executable, "-c", opening, f"sqlite:///{tmp_path}/events.db"],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        timeout=600,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "events.db").stat().st_size > 0


@pytest.mark.parametrize("end", [".writes", "-lists-0", ".lock", "-wal", ""])
def test_no_backup_takes_the_place_of_what_belongs_to_the_store(tmp_path: Path, end: str) -> None:
    place = tmp_path / f"e.db{end}"
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        before = place.read_bytes() if place.exists() else None
        with pytest.raises(StoreError, match="belongs to the store itself"):
            backup(store, place, overwrite=True)
        assert (place.read_bytes() if place.exists() else None) == before


def test_a_file_where_writes_would_be_taken_stays(tmp_path: Path) -> None:
    """A service that was started removed it."""
    place = tmp_path / "e.db.writes"
    place.write_text("mine")
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        assert serve_beside(store) is None
    assert place.read_text() == "mine"
