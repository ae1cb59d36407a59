"""The command itself, in a process of its own: ready soon, without torch, with an orderly end."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from cofactor.cli.main import main
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
