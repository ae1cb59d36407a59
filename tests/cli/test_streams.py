"""Output and failures of the command line: any character, any stream, any exception."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import forked
from cli.conftest import Ran
from cofactor.cli import main as main_module
from cofactor.cli import streams as streams_module
from cofactor.cli.streams import printable, reread_arguments

SOURCE = Path(__file__).parents[2] / "src"
ODD = "Кино ★ 日本 \u2028é"


def ran(program: str) -> subprocess.CompletedProcess[bytes]:
    surroundings = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUTF8": "0"}
    surroundings |= {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"}
    call = [sys.executable, "-c", program]
    return subprocess.run(call, capture_output=True, env=surroundings, check=False, timeout=600)


@pytest.fixture(scope="module")
def odd_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model of items with titles in many scripts."""
    import cofactor

    folder = tmp_path_factory.mktemp("odd")
    table = pa.table({"user": ["a", "a", "b", "b", "c"], "item": ["1", ODD, "1", "3", ODD]})
    pq.write_table(table, folder / "events.parquet")
    data = cofactor.Interactions.build(cofactor.read(folder / "events.parquet"))
    return cofactor.save(cofactor.Popularity().fit(data), folder / "model")


ENCODINGS = ["cp1252", "ascii", "cp437", "utf-16"]


def test_no_character_fails_in_any_encoding_and_json_is_utf8(odd_model: Path) -> None:
    """All in one process, whose time goes on starting: first the stream that Python made under a
    locale without characters, then streams as Python makes them by PYTHONIOENCODING.
    """
    words = ["recommend", str(odd_model), "--user", "b"]
    program = f"""
import io, sys
from cofactor.cli.main import run
for encoding in [None, *{ENCODINGS}]:
    for end in [[], ["--json"]]:
        if encoding is not None:
            sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding)
        sys.argv = ["cofactor", *{words}, *end]
        try:
            run()
        except SystemExit as done:
            assert done.code == 0
        sys.stdout.flush()
        sys.stdout.buffer.write(b"|end|")
        sys.stdout.buffer.flush()
"""
    done = ran(program)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    parts = done.stdout.split(b"|end|")
    for encoding, plain, said in zip([None, *ENCODINGS], parts[::2], parts[1::2], strict=False):
        escaped = ["★", "\\u2605"] if encoding != "utf-16" else ["★"]
        assert any(text in plain.decode(encoding or "utf-8") for text in escaped), encoding
        assert ODD in json.dumps(json.loads(said.decode("utf-8")), ensure_ascii=False)
    assert len(parts) == 2 * (1 + len(ENCODINGS)) + 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_fail_nothing(odd_model: Path, closed: str) -> None:
    call = f"'{sys.executable}' -m cofactor inspect '{odd_model}' {closed}"
    done = subprocess.run(
        ["sh", "-c", call],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Put streams in the place of stdout and stderr, as Python makes them of files: a pipe that
    nobody reads, or a full disk.
    """
    handles: list[int] = []

    def put(**named: str) -> None:
        for name, what in named.items():
            if what == "pipe":
                read, write = os.pipe()
                os.close(read)
            else:
                write = os.open(what, os.O_WRONLY)
            handles.append(write)
            file = io.FileIO(write, "wb", closefd=False)
            made = io.TextIOWrapper(io.BufferedWriter(file), "utf-8")
            monkeypatch.setattr(sys, name, made)
        streams_module.prepare(json=False)

    yield put
    for handle in handles:
        os.close(handle)


FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.mark.parametrize("stderr", ["pipe", pytest.param("/dev/full", marks=FULL)])
def test_work_goes_on_when_nobody_reads_what_is_said_of_it(
    shop_files: Path, tmp_path: Path, streams: Callable[..., None], stderr: str
) -> None:
    """`cofactor train ... 2>&1 | head -1` ended with 0, and without a model."""
    streams(stdout="pipe", stderr=stderr)
    words = ["train", shop_files / "events.csv", "--model", "ease", "--out", tmp_path / "m"]
    assert main_module.main([str(word) for word in words]) == 0
    sys.stdout.flush()
    sys.stderr.flush()
    assert (tmp_path / "m" / "manifest.json").exists()


_FULL_FOR_A_WHILE = """
import resource, sys
from cofactor.cli.streams import prepare
prepare(json=False)
print("one", file=sys.stderr)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (6, hard))
print("lost", file=sys.stderr)
print("lost too", file=sys.stderr)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print("two", file=sys.stderr)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit of a file's size")
def test_a_log_goes_on_once_its_disk_has_room_again(tmp_path: Path) -> None:
    """A service whose log once met a full disk never logged again."""
    with (tmp_path / "log").open("wb") as log:
        call = [sys.executable, "-c", _FULL_FOR_A_WHILE]
        surroundings = {**os.environ, "PYTHONPATH": str(SOURCE)}
        done = subprocess.run(call, stderr=log, env=surroundings, check=False, timeout=600)
    assert done.returncode == 0
    assert (tmp_path / "log").read_text().splitlines() == ["one", "lo", "two"]


@pytest.mark.parametrize("words", [["models"], ["train", "--help"], ["help"], ["--version"]])
def test_a_reader_who_has_gone_is_no_failure(
    streams: Callable[..., None], words: list[str]
) -> None:
    streams(stdout="pipe")
    assert main_module.main(words) == 0
    sys.stdout.flush()


@FULL
def test_a_full_disk_behind_the_output_is_one_sentence(odd_model: Path) -> None:
    call = f"'{sys.executable}' -m cofactor inspect '{odd_model}' > /dev/full"
    done = subprocess.run(
        ["sh", "-c", call],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        check=False,
        timeout=600,
    )
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_any_other_exception_is_one_sentence_and_a_report(
    cofactor: Callable[..., Ran],
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    import cofactor.artifact.load as loading

    def broken(path: object) -> object:
        raise KeyError("what nobody\nforesaw \x1b[31m")

    monkeypatch.setattr(loading, "inspect", broken)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = cofactor("inspect", trained)
    assert done.code == 1
    assert "KeyError" in done.sentence
    assert "\x1b" not in done.err
    (report,) = tmp_path.glob("cofactor-report-*.txt")
    assert str(report) in done.sentence
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o077 == 0
    with pytest.raises(KeyError):
        main_module.main(["inspect", str(trained), "--debug"])


def test_a_module_that_cannot_be_imported_is_one_sentence(
    cofactor: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(name: str) -> object:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("cofactor.cli.app.importlib.import_module", broken)
    assert "no locator" in cofactor("models").sentence


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("libarrow.so: failed to map segment from shared object"), "out of memory"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "set TMPDIR to"),
    ],
)
def test_a_machine_without_room_is_no_fault_of_the_program(
    error: Exception,
    said: str,
    cofactor: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(name: str) -> object:
        raise error

    monkeypatch.setattr("cofactor.cli.app.importlib.import_module", broken)
    assert said in cofactor("models").sentence


def test_a_warning_is_a_remark_without_lines_of_source(
    streams: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    streams(stdout="pipe")
    with warnings.catch_warnings():
        warnings.showwarning = main_module._print_warning
        warnings.simplefilter("always")
        warnings.warn("kernels are kept in /tmp", RuntimeWarning, stacklevel=1)
    sys.stderr.flush()
    assert capfd.readouterr().err == "· kernels are kept in /tmp\n"


def test_a_manifest_moves_no_cursor(
    cofactor: Callable[..., Ran], trained: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(trained, tmp_path / "model")
    path = tmp_path / "model" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["data"]["source"] = "\x1b]0;gone\x07\x1b[2J\x9b31m"
    manifest["data"]["notes"] = ["\x1b[31mred"]
    manifest["run"]["notes"] = ["\x1b[31mred"]
    path.write_text(json.dumps(manifest))
    done = cofactor("inspect", tmp_path / "model")
    assert done.code == 0
    assert not {"\x1b", "\x07", "\x9b"} & set(done.out + done.err)
    assert "\\x1b" in done.out


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\tb\nc\x00\x1b[0m\x85é") == "a\tb\nc\\x00\\x1b[0m\\x85é"


def test_ctrl_c_ends_a_service_in_order(trained: Path, tmp_path: Path) -> None:
    import httpx

    words = ["serve", str(trained), "--port", "0", "--store", f"sqlite:///{tmp_path}/events.db"]
    process: Any = (
        forked.Forked(forked.command, *words)
        if forked.POSSIBLE
        else subprocess.Popen(
            [sys.executable, "-m", "cofactor", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
    )
    try:
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        end = time.monotonic() + 300
        body = {"events": [{"user_id": "u", "item_id": "i"}]}
        with httpx.Client(verify=False) as client:  # no certificates, which take 20 ms to read
            while time.monotonic() < end:
                try:
                    if client.get(f"{url}/ready").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            assert client.post(f"{url}/v1/events", json=body).json()["outcome"] == "stored"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert "stopped; all acknowledged events are kept" in out
    assert "nothing was saved" not in out + err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "utf8_mode", "again"),
    [
        (["recommend", "m", "--user", "\udcc3\udca9t\udcc3\udca9"], 0, True),
        (["recommend", "m", "--user", "été"], 0, False),
        # Bytes that are no UTF-8 stay so, and are told as an unknown id.
        (["recommend", "m", "--user", "\udcff"], 1, False),
    ],
)
def test_bytes_that_the_locale_cannot_read_are_read_as_utf8(
    words: list[str], utf8_mode: int, again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr(sys, "argv", ["cofactor", *words])
    monkeypatch.setattr(sys, "orig_argv", ["python", "/bin/cofactor", *words])
    monkeypatch.setattr(sys, "flags", SimpleNamespace(utf8_mode=utf8_mode))
    monkeypatch.setattr(os, "execv", lambda _, arguments: calls.append(arguments[1:]))
    reread_arguments()
    assert calls == ([["-X", "utf8", "/bin/cofactor", *words]] if again else [])
