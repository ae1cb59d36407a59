"""Staging folders: what is half written is gone afterwards, also what a killed process left, and
nothing that somebody still works on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import forked
from cofactor.base.staging import staging_folder, temporary_folder

SOURCE = Path(__file__).parents[2] / "src"
HOLDER = """
import sys
from pathlib import Path
from cofactor.base.staging import staging_folder
with staging_folder(Path(sys.argv[1])) as staging:
    (staging / "half").write_text("of it")
    print("made", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held(target: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process in a staging folder for a target."""
    words = [sys.executable, "-c", HOLDER, str(target)]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    pipe = subprocess.PIPE
    with subprocess.Popen(words, env=environment, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        try:
            yield process
        finally:
            process.kill()


def inside(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_room_stands_beside_its_target_hidden_and_is_gone_after_a_failure(tmp_path: Path) -> None:
    def fail() -> None:
        with staging_folder(tmp_path / "model") as staging:
            assert staging.parent.parent == tmp_path
            assert staging.parent.name.startswith(".model-")
            (staging / "half").write_text("of it")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_can_hold_no_room_is_named_as_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as caught, staging_folder(tmp_path / "file" / "m"):
        pass
    assert caught.value.filename == str(tmp_path / "file" / "m")


def test_a_room_may_be_renamed_to_its_target(tmp_path: Path) -> None:
    with staging_folder(tmp_path / "model") as staging:
        (staging / "whole").touch()
        staging.rename(tmp_path / "model")
    assert inside(tmp_path) == ["model", "model/whole"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_room_is_as_open_as_other_folders_or_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        for private, mode in ((False, 0o755), (True, 0o700)):
            with staging_folder(tmp_path / "m", private=private) as staging:
                assert staging.parent.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def test_the_next_room_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    with held(tmp_path / "model") as process:
        process.kill()
    left = [path for path in inside(tmp_path) if path.endswith("half")]
    assert len(left) == 1
    with staging_folder(tmp_path / "other"):  # another target's business
        assert left[0] in inside(tmp_path)
    with staging_folder(tmp_path / "model") as staging:
        assert [path.name for path in tmp_path.iterdir()] == [staging.parent.name]


def test_a_room_in_which_somebody_works_stays(tmp_path: Path) -> None:
    with held(tmp_path / "model") as process:
        with staging_folder(tmp_path / "model"), staging_folder(tmp_path / "model"):
            assert len(list(tmp_path.iterdir())) == 3
        assert [path.rpartition("/")[2] for path in inside(tmp_path)].count("half") == 1
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_is_no_room_is_removed(tmp_path: Path) -> None:
    kept = ["m", ".m-0123456789ab", ".m-0123456789ab.partial.old", ".m-0123456789a.partial"]
    for name in kept:
        (tmp_path / name).mkdir()
        (tmp_path / name / "lock").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "lock").touch()
    (tmp_path / ".m-aaaaaaaaaaaa.partial").symlink_to(tmp_path / "elsewhere")
    (tmp_path / ".m-bbbbbbbbbbbb.partial").touch()
    (tmp_path / ".m-cccccccccccc.partial").mkdir()
    (tmp_path / ".m-cccccccccccc.partial" / "somebody's").touch()
    (tmp_path / ".m-dddddddddddd.partial").mkdir()  # killed before the lock was made
    before = set(inside(tmp_path))
    with staging_folder(tmp_path / "m"):
        pass
    assert before - set(inside(tmp_path)) == {".m-dddddddddddd.partial"}


def test_a_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    with staging_folder(target) as staging:
        (staging / target.name).touch()
        os.replace(staging / target.name, target)
    assert inside(tmp_path) == [target.name]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system doesn't fork processes")
def test_the_end_of_a_fork_is_not_the_end_of_a_room(tmp_path: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from cofactor.base.staging import staging_folder, folder_of_process
place = folder_of_process()
with staging_folder(Path("target")) as staging:
    if os.fork() == 0:
        sys.exit(0)
    os.wait()
    assert staging.is_dir() and place.is_dir()
"""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path)
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_temporary_room_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder() as staging:
        assert staging.parent.parent == tmp_path
        if os.name != "nt":
            assert staging.parent.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def described(fifo: Path, folder: Path) -> None:
    """``cofactor describe - < FIFO``, with its temporary files in a folder."""
    tempfile.tempdir = str(folder)
    # Whatever runs the tests may ignore Ctrl-C, as a shell does for what it runs behind it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(os.open(fifo, os.O_RDONLY), 0)
    sys.stdin = open(0)  # noqa: SIM115
    forked.command("describe", "-")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_copy_of_what_is_piped_in_goes_with_the_command(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    """Ended by a signal, a command goes without Python's own way out."""
    fifo = tmp_path_factory.mktemp("fifo") / "stdin"
    os.mkfifo(fifo)
    process = forked.Forked(described, fifo, tmp_path)
    with fifo.open("wb", buffering=0) as stdin:
        stdin.write(b"user,item\n1,2\n")
        deadline = time.monotonic() + 120
        while not any(one.endswith("/copy") for one in inside(tmp_path)):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(number)
    process.wait(60)
    process.communicate()
    left = any(one.endswith("/copy") for one in inside(tmp_path))
    assert left == (number == signal.SIGKILL)  # which the next command's copy finds
    done = subprocess.run(
        [sys.executable, "-m", "cofactor", "describe", "-"],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(tmp_path)},
        input=b"user,item\n1,2\n3,4\n",
        timeout=300,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
