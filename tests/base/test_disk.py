"""Files that appear whole or not at all, and what is synced where."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

import cofactor
from cofactor.base import disk
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.page import write_page
from cofactor.data.synthetic import shop
from cofactor.runs.recommend import write_tables
from cofactor.store import backup, export_events, open_store


@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_no_file_takes_the_place_of_what_is_none(tmp_path: Path, kind: str) -> None:
    """As root, `--plot /dev/full` put a page there."""
    place = tmp_path / "lists.csv"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(place))
        listening.close()
    before = place.lstat()
    model = cofactor.Popularity().fit(shop(n_users=12, n_items=20))
    lists = model.recommend(model.data.users.ids([0])).to_arrow()
    with open_store(f"sqlite:///{tmp_path}/events.db") as store:
        jsonl = place.rename(tmp_path / "events.jsonl")
        for write in (
            lambda: disk.replace_file(jsonl, b"x"),
            lambda: write_page(jsonl, "x"),
            lambda: write_tables(iter([lists]), jsonl),
            lambda: export_events(store, jsonl, overwrite=True),
            lambda: backup(store, jsonl, overwrite=True),
        ):
            with pytest.raises(ArgumentError, match=r"events\.jsonl is a .*name a file"):
                write()
    assert os.path.samestat(jsonl.lstat(), before)


def test_files_and_folders_are_synced_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("words")
    synced: list[os.stat_result] = []
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle)))
    disk.sync(tmp_path / "file")
    disk.sync(tmp_path)
    assert [
        os.path.samestat(found, path.stat())
        for found, path in zip(synced, (tmp_path / "file", tmp_path), strict=True)
    ] == [True, True]
    assert before == (len(os.listdir("/proc/self/fd")) if before else 0)


def test_where_folders_cant_be_opened_they_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_DIRECTORY", raising=False)
    opened: list[object] = []
    monkeypatch.setattr(os, "open", lambda *arguments: opened.append(arguments))
    disk.sync(tmp_path)
    assert opened == []


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the quota of disk space is used up"),
        (errno.EFBIG, "it would be larger than files may be here"),
    ],
)
def test_what_is_full_is_named(tmp_path: Path, number: int, said: str) -> None:
    """Not the disk, where it is the file or a quota: freeing space wouldn't help."""
    with (
        pytest.raises(CofactorError, match=f"page can't be written: {said}.*; it stays"),
        disk.naming_full(tmp_path / "page", "it stays"),
    ):
        raise OSError(number, os.strerror(number))
    with pytest.raises(PermissionError), disk.naming_full(tmp_path / "page"):
        raise PermissionError(errno.EACCES, "denied")
