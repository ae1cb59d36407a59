"""The process above several workers: whatever ends it and whenever, none of them stays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from forked import Forked, execute

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

# Workers write down who they are, and wait; `AT` is done in the parent after a fork.
SCRIPT = """
import os, signal, tempfile, time
os.setsid()
os.chdir({folder!r})
os.environ["TMPDIR"] = "temporary"
tempfile.tempdir = None
from pathlib import Path
from cofactor.service import workers
from cofactor.service.workers import supervise

fork = os.fork
def forked():
    process = fork()
    if process:
        {at}
    return process
workers.os.fork = forked

def work(role):
    Path(f"worker-{{os.getpid()}}").touch()
    try:
        time.sleep(600)
    finally:
        Path(f"tidied-{{os.getpid()}}").touch()
    return 0

raise SystemExit(supervise(3, work, print))
"""


@contextmanager
def started(folder: Path, at: str = "pass") -> Iterator[Forked]:
    (folder / "temporary").mkdir()
    process = Forked(execute, SCRIPT.format(at=at, folder=str(folder)))
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(folder: Path, pattern: str, count: int) -> None:
    until = time.monotonic() + 120
    while len(list(folder.glob(pattern))) < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def check_none_is_left(folder: Path) -> None:
    for made in folder.glob("worker-*"):
        until = time.monotonic() + 120
        while Path(f"/proc/{made.name.rpartition('-')[2]}").exists():
            assert time.monotonic() < until
            time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_in_order(tmp_path: Path, number: int) -> None:
    with started(tmp_path) as process:
        wait_for(tmp_path, "worker-*", 3)
        process.send_signal(number)
        assert process.wait(120) == 0
    assert len(list(tmp_path.glob("tidied-*"))) == 3
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_signal_between_two_starts_is_not_lost_on_any(tmp_path: Path) -> None:
    """The second worker was started though all was to end, and the first wasn't told: the parent
    waited for them without end.
    """
    with started(tmp_path, "signal.raise_signal(signal.SIGTERM)") as process:
        assert process.wait(120) == 0
    check_none_is_left(tmp_path)


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_workers_end_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        wait_for(tmp_path, "worker-*", 3)
        process.send_signal(signal.SIGKILL)
        process.wait(120)
    wait_for(tmp_path, "tidied-*", 3)
    check_none_is_left(tmp_path)


def test_a_worker_that_is_ended_from_outside_is_started_again(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        wait_for(tmp_path, "worker-*", 3)
        first = next(tmp_path.glob("worker-*"))
        os.kill(int(first.name.rpartition("-")[2]), signal.SIGTERM)
        wait_for(tmp_path, "worker-*", 4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
