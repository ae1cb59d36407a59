"""`cofactor serve` says where it listens only once connections are taken in."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import cofactor
from cofactor.cli.main import main
from cofactor.data.synthetic import shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = cofactor.Popularity().fit(shop(n_users=20, n_items=20, seed=0))
    return cofactor.save(model, tmp_path / "model")


def test_who_reads_the_address_can_connect_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cofactor.service.http import server

    connected = []

    def run(app: Any, settings: Any, listening: Any, drain_log: Any) -> None:
        place = urlsplit(json.loads(capsys.readouterr().out)["url"])
        with socket.create_connection((place.hostname, place.port), timeout=600):
            connected.append(place.port)
        listening.close()
        app.state.context.close() if hasattr(app.state.context, "close") else None

    monkeypatch.setattr(server, "run", run)
    assert main(["serve", str(folder), "--port", "0", "--json"]) == 0
    assert len(connected) == 1
