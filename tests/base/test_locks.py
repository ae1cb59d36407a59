"""Locks between processes: held by another isn't the same as not to be had at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from cofactor.base import locks
from cofactor.base.errors import ArgumentError
from cofactor.base.progress import SilentProgress
from cofactor.base.unfinished import unfinished
from cofactor.store import StoreUnavailableError, open_store

if os.name == "nt":
    pytest.skip("file systems without locks are Unix'", allow_module_level=True)


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has no locks, as NFS without its lock service."""

    def refused(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refused)


def test_a_lock_that_another_holds_is_an_error_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    try:
        locks.lock(first)
        with pytest.raises(BlockingIOError):
            locks.lock(second)
        monkeypatch.setattr(locks.fcntl, "flock", _not_permitted)
        with pytest.raises(BlockingIOError):  # how some file systems say it
            locks.lock(second)
    finally:
        os.close(first)
        os.close(second)


def _not_permitted(*_: object) -> None:
    raise OSError(errno.EACCES, "Permission denied")


@pytest.mark.usefixtures("without_locks")
def test_a_store_without_locks_is_held_by_nobody(tmp_path: Path) -> None:
    """It was said to be open in the process "unknown", and to be stopped there."""
    with pytest.raises(StoreUnavailableError, match=r"No locks available; choose another place"):
        open_store(f"sqlite:///{tmp_path}/events.db")


@pytest.mark.usefixtures("without_locks")
def test_work_that_cannot_be_locked_is_made_by_nobody_else(tmp_path: Path) -> None:
    """Whoever waited for "another process" waited for ever."""
    with (
        pytest.raises(ArgumentError, match=r"can't write .*lists: No locks available; choose"),
        unfinished(tmp_path / "lists", None, SilentProgress()),
    ):
        pass
