"""Backups and restores replace backups and stores, and no file that was named by mistake."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cofactor.base.errors import CofactorError
from cofactor.store import backup, open_store, restore
from store.places import event


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/e.db"
    with open_store(url) as store:
        store.append([event(event_id="a")]).result()
    return url


@pytest.mark.parametrize(
    ("name", "raw", "target"),
    [
        ("current", b'{"version": "v1"}\n', "current"),
        ("manifest.json", b'{"model": "ials", "format": 3}', "manifest"),
        ("events.csv", b"user,item\nana,book\n", "events.csv"),
        ("b.db.json", b"{}", "b.db"),
    ],
)
def test_a_backup_replaces_nothing_but_a_backup(
    tmp_path: Path, url: str, name: str, raw: bytes, target: str
) -> None:
    """`overwrite=True` replaced a model's manifest, or the file that names the current version."""
    (tmp_path / name).write_bytes(raw)
    with (
        open_store(url, read_only=True) as store,
        pytest.raises(CofactorError, match="holds something other than"),
    ):
        backup(store, tmp_path / target, overwrite=True)
    assert (tmp_path / name).read_bytes() == raw
    assert not {"manifest", "b.db"} & {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("keep", [0, 1_000])
def test_a_backup_replaces_one_that_is_cut_off(tmp_path: Path, url: str, keep: int) -> None:
    with open_store(url, read_only=True) as store:
        backup(store, tmp_path / "b.db")
        (tmp_path / "b.db").write_bytes((tmp_path / "b.db").read_bytes()[:keep])
        assert backup(store, tmp_path / "b.db", overwrite=True).rows["events"] == 1


def of_another_program(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE runs (name TEXT)")
        other.commit()


def with_another_head(file: Path) -> None:
    raw = file.read_bytes() if file.exists() else bytes(100)
    file.write_bytes(b"garbage, garbage" + raw[16:])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (of_another_program, r"something other than a store \(runs\), and isn't replaced"),
        (with_another_head, "no store that can be read, and isn't replaced; move it away"),
    ],
)
def test_a_restore_replaces_nothing_but_a_store(
    tmp_path: Path, url: str, make: Callable[[Path], None], said: str
) -> None:
    """Another program's database was gone; and of a damaged one it said "restore a backup"."""
    with open_store(url, read_only=True) as store:
        backup(store, tmp_path / "b.db")
    there = tmp_path / "there.db"
    make(there)
    before = there.read_bytes()
    with pytest.raises(CofactorError, match=said):
        restore(tmp_path / "b.db", f"sqlite:///{there}", overwrite=True)
    assert there.read_bytes() == before


def test_a_store_that_is_damaged_inside_is_replaced(tmp_path: Path, url: str) -> None:
    with open_store(url, read_only=True) as store:
        backup(store, tmp_path / "b.db")
    file = tmp_path / "e.db"
    raw = bytearray(file.read_bytes())
    for start in (5_000, 20_000):
        raw[start : start + 500] = b"\xa5" * 500
    file.write_bytes(raw)
    restore(tmp_path / "b.db", url, overwrite=True)
    with open_store(url, read_only=True) as store:
        assert store.event("a") is not None
