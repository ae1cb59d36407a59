"""The command itself, in a process of its own: ready soon, without torch, with an orderly end."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cofactor.cli.main import main
from cofactor.service.http.keys import Keys, hashed, new_key
from cofactor.service.settings import Settings
from service.http.processes import client, serving
from service.http.scenes import in_loop


def test_factorisation_is_served_without_torch_logs_no_ids_and_stops_in_order(
    folder: Path, tmp_path: Path
) -> None:
    events = f"sqlite:///{tmp_path / 'e.db'}"
    with serving(folder, events, "--access-log", fresh=True) as (process, url):
        with client(base_url=url) as asking:
            event = {"user_id": "u", "item_id": "book-03"}
            assert asking.post("/v1/events", json={"events": [event]}).status_code == 200
            assert asking.get("/v1/users/u/recommendations").json()["source"] == "personal"
            assert "cofactor_events_total 1.0" in asking.get("/metrics").text
            assert asking.get("/").headers["content-type"].startswith("text/html")
            for _ in range(20):
                assert asking.get("/v1/users/secret-name/recommendations").status_code == 200
        maps = Path(f"/proc/{process.pid}/maps")
        if maps.exists():
            assert "libtorch" not in maps.read_text()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=600)
    assert process.returncode in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"] == "loaded"] == ["loaded"]
    routes = [line["route"] for line in lines if line["event"] == "request"]
    assert routes.count("/v1/users/{user_id}/recommendations") == 21
    assert "reader-" not in err
    assert "secret-name" not in err


def test_new_key_is_printed_once_and_kept_as_a_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--new-key", "write", "--keys", str(tmp_path / "keys")]) == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("cof_")
    assert key not in (tmp_path / "keys").read_text()


def test_wrong_uses_are_one_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", f"sqlite:///{tmp_path / 'e.db'}", "--port", "0"]
    for words in (
        ["serve", str(tmp_path), *store],
        ["serve", str(folder), "--host", "0.0.0.0", *store],
        ["serve", str(folder), "--keys", "/none", *store],
    ):
        assert main(words) == 1
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert line.startswith("cofactor: ")
    assert main(["serve"]) == 2


def test_the_store_is_closed_whatever_else_fails_at_the_end(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores: list[Any] = []

    async def play(client: Any, context: Any) -> None:
        stores.append(context.store)
        close = context.traffic.close

        async def failing() -> None:
            await close()
            raise OSError("the disk is gone")

        monkeypatch.setattr(context.traffic, "close", failing)

    with pytest.raises(OSError, match="the disk is gone"):
        in_loop(folder, events, Settings(), play)
    assert stores[0].health().reason == "the store was closed"


DIGEST = "ab" * 32
NO_KEYS: list[tuple[bytes, str]] = [
    (b"user,item\nana,book\n", "line 1 of"),
    (f"# keys\nadmin {DIGEST} me\nDATABASE_URL=postgresql://x\n".encode(), "line 3 of"),
    (f"owner {DIGEST} me\n".encode(), "line 1 of"),
    (f"read {DIGEST[1:]} me\n".encode(), "line 1 of"),
    (b"SQLite format 3\0\xff\xfe", "isn't text"),
    (b"\n" * (1 << 20) + b"\n", "it has 1,048,577 bytes"),
    (f"admin {DIGEST} me\nread {DIGEST} me\n".encode(), "another scope than a line before"),
]


@pytest.mark.parametrize(("raw", "said"), NO_KEYS)
def test_a_key_is_added_to_no_file_that_holds_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes, said: str
) -> None:
    """A mistaken name got a line more, and was made its owner's alone."""
    file = tmp_path / "notes"
    file.write_bytes(raw)
    file.chmod(0o644)
    assert main(["serve", "--new-key", "read", "--keys", str(file)]) == 1
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True), err
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (raw, 0o644)


@pytest.mark.parametrize("make", [Path.mkdir, getattr(os, "mkfifo", Path.mkdir)])
def test_a_key_is_added_to_files_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None]
) -> None:
    make(tmp_path / "keys")
    assert main(["serve", "--new-key", "read", "--keys", str(tmp_path / "keys")]) == 1
    assert "must be a file of keys" in capsys.readouterr().err


def test_a_file_of_keys_may_be_one_that_an_editor_made(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(f"\ufeff# ours\r\n\r\nread {DIGEST} me\r\n".encode())
    made = new_key(file, "write")
    assert len(Keys.read(file)) == 2
    assert Keys.read(file).digest_of(made.encode()) == hashed(made)
