"""Several workers on one port: each knows what was acknowledged by any, one version an answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.cli.main import main
from cofactor.data.interactions import Interactions
from forked import Forked, command
from service.http.scenes import some_items
from store.places import new_place

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


class Lines:
    """Several connections to the service, one after the other, so that all workers answer."""

    def __init__(self, port: int, count: int = 12) -> None:
        self.port = port
        self.open = [
            http.client.HTTPConnection("127.0.0.1", port, timeout=600) for _ in range(count)
        ]
        self.turn = 0

    def ask(self, method: str, path: str, body: Any = None, line: int | None = None) -> tuple:
        if line is None:
            self.turn += 1
        one = self.open[(self.turn if line is None else line) % len(self.open)]
        raw = None if body is None else json.dumps(body)
        try:
            one.request(method, path, raw, {"content-type": "application/json"})
            answer = one.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            one.close()
            return 0, {"error": {"code": str(error)}}

    def items(self, path: str, line: int | None = None) -> list[Any]:
        status, found = self.ask("GET", path, line=line)
        assert status == 200, found
        return [item["item_id"] for item in found["items"]]


@contextlib.contextmanager
def served(folder: Path, store: str, workers: int = 2) -> Iterator[tuple[Any, Lines]]:
    words = ["serve", str(folder), "--workers", str(workers), "--port", "0", "--store", store]
    process = Forked(command, *words, "--json")
    try:
        port = int(json.loads(process.stdout.readline())["url"].rpartition(":")[2])
        until = time.monotonic() + 300
        while len(workers_of(process.pid)) < workers or not all_answer(port, process.pid, workers):
            assert time.monotonic() < until
            time.sleep(0.02)
        lines = Lines(port)
        yield process, lines
        for one in lines.open:
            one.close()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=600)


def workers_of(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(one) for one in found]


def all_answer(port: int, parent: int, workers: int) -> bool:
    """Whether every worker listens: each has an open socket on the port."""
    wanted = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return (
        sum(line.split()[1].endswith(wanted) and line.split()[3] == "0A" for line in lines)
        >= workers
    )


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared(
    request: pytest.FixtureRequest, saved: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Any, ...]]:
    """A service for several tests, since starting it costs more than they do; it ends in order."""
    room = tmp_path_factory.mktemp("workers")
    shutil.copytree(saved, room / "models")
    with served(room / "models", new_place(request, request.param, room)) as (process, lines):
        yield room / "models", process, lines
    assert process.returncode == 0


# Which database it is makes no difference to these.
ON_SQLITE = pytest.mark.parametrize("shared", ["sqlite"], indirect=True)


def test_what_one_worker_acknowledged_every_worker_knows(
    shared: tuple[Any, ...], shop_data: Interactions
) -> None:
    _, process, lines = shared
    items = some_items(shop_data, *range(10))
    for n, item in enumerate(items):
        user = f"u{n}"
        event = {"user_id": user, "item_id": item, "kind": "purchase"}
        status, ack = lines.ask("POST", "/v1/events", {"events": [event]})
        assert (status, ack["changed"]) == (200, 1)
        for line in range(12):
            status, found = lines.ask("GET", f"/v1/users/{user}/recommendations", line=line)
            assert (status, found["source"], found["history_used"]) == (200, "personal", 1)
            assert item not in [one["item_id"] for one in found["items"]]
    for item in items[:4]:
        assert lines.ask("POST", "/v1/items/hide", {"item_ids": [item]})[0] == 200
        for line in range(12):
            assert item not in lines.items("/v1/items?limit=100", line)
            assert item not in lines.items("/v1/users/nobody/recommendations?k=60", line)
    # A retry under the same id is stored once, whichever worker has it; another content is
    # refused, and so is the undoing of what never was.
    event = {"user_id": "r", "item_id": items[9], "event_id": "once"}
    for line in range(6):
        status, ack = lines.ask("POST", "/v1/events", {"events": [event]}, line=line)
        assert (status, ack["changed"]) == (200, int(line == 0))
    status, refused = lines.ask("POST", "/v1/events", {"events": [{**event, "kind": "x"}]})
    assert (status, refused["error"]["code"]) == (409, "conflict")
    for line in range(4):
        status, refused = lines.ask("POST", "/v1/events/undo", {"event_ids": ["never"]}, line=line)
        assert status in (404, 422)
    assert lines.ask("DELETE", "/v1/users/u3")[1]["changed"] == 1
    for line in range(12):
        found = lines.ask("GET", "/v1/users/u3/recommendations", line=line)[1]
        assert found["source"] == "popularity"
        assert lines.ask("GET", "/ready", line=line)[0] == 200
    # Both workers took part.
    answered = [cpu_seconds(one) for one in workers_of(process.pid)]
    assert len(answered) == 2


def cpu_seconds(process: int) -> float:
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@ON_SQLITE
def test_every_answer_is_of_one_version_while_versions_change(
    shared: tuple[Any, ...], shop_data: Interactions
) -> None:
    from cofactor.artifact.load import load

    folder, _, lines = shared
    user = shop_data.users.ids([3])[0]
    scores = {}
    for version in ("v1", "v2", "v3"):
        # All, since items may be hidden by now.
        table = load(folder / version).recommend(user, shop_data.n_items)
        scores[version] = dict(zip(table.ids, table.scores, strict=True))
    seen: set[str] = set()
    for turn in range(6):
        version = ("v2", "v3", "v1")[turn % 3]
        status, _ = lines.ask("POST", "/v1/model/promote", {"version": version, "force": True})
        assert status in (200, 202)
        until = time.monotonic() + 300
        waiting = True
        while waiting:
            assert time.monotonic() < until
            versions = set()
            for line in range(12):
                _, found = lines.ask("GET", f"/v1/users/{user}/recommendations?k=5", line=line)
                named = found["model"]["version"]
                versions.add(named)
                for item in found["items"]:
                    wanted = scores[named][item["item_id"]]
                    assert item["score"] == pytest.approx(wanted, abs=1e-5)
            seen |= versions
            waiting = versions != {version}
    assert seen == {"v1", "v2", "v3"}


@ON_SQLITE
def test_a_killed_worker_is_started_again_and_nothing_acknowledged_is_lost(
    shared: tuple[Any, ...], shop_data: Interactions
) -> None:
    _, process, lines = shared
    (item,) = some_items(shop_data, 4)
    kept: list[str] = []
    for turn in range(2):
        victims = workers_of(process.pid)
        os.kill(victims[turn % len(victims)], signal.SIGKILL)
        until, after = time.monotonic() + 300, 0
        while after < 10:
            assert time.monotonic() < until
            user = f"k{turn}-{len(kept)}"
            event = {"user_id": user, "item_id": item, "event_id": user}
            status, _ = lines.ask("POST", "/v1/events", {"events": [event]})
            if status == 200:
                kept.append(user)
                after += len(workers_of(process.pid)) == 2
            else:
                time.sleep(0.05)
    for user in kept:
        status, found = lines.ask("GET", f"/v1/users/{user}/history")
        while status != 200:
            status, found = lines.ask("GET", f"/v1/users/{user}/history")
        assert len(found["events"]) == 1
    assert len(kept) >= 20


def test_workers_are_refused_in_a_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(folder), "--workers", "0"]) == 1
    assert "workers must be an integer in 1..256" in capsys.readouterr().err
