"""A service that retrains by a schedule: what it makes, keeps and reports; and that a training that
is killed touches nothing.
"""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cofactor.artifact.load import load
from cofactor.base.errors import ArgumentError
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender
from cofactor.service.http.app import build
from cofactor.service.retraining.retraining import Retraining, RetrainSettings
from cofactor.service.retraining.schedule import RetrainSchedule, parse_schedule
from cofactor.service.retraining.webhook import Webhook
from cofactor.service.settings import Settings
from cofactor.store import Event, open_store
from service.http.scenes import BASE, CALM, TestClient, ids_of, in_loop

SOAK = bool(os.environ.get("COFACTOR_SOAK"))
KILLS = 50 if SOAK else 3
# At most so long after its start a training is killed; it takes about as long.
LATEST = 3.0 if SOAK else 1.0


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("every 6h", RetrainSchedule(seconds=21_600)),
        ("Every  90 m", RetrainSchedule(seconds=5_400)),
        ("after 10000 events", RetrainSchedule(events=10_000)),
        ("after 10,000 events", RetrainSchedule(events=10_000)),
    ],
)
def test_schedules_are_read(text: str, schedule: RetrainSchedule) -> None:
    assert parse_schedule(text) == schedule
    assert parse_schedule(str(schedule)) == schedule


@pytest.mark.parametrize("text", ["every 0h", "hourly", "after events", "after 0 events", "6h", ""])
def test_other_schedules_are_refused(text: str) -> None:
    with pytest.raises(ArgumentError, match="every 6h"):
        parse_schedule(text)


def test_a_schedule_is_due_by_time_or_by_events() -> None:
    by_time, by_events = RetrainSchedule(seconds=60), RetrainSchedule(events=100)
    assert [by_time.is_due(s, 10**9) for s in (0.0, 59.0, 60.0, -5.0)] == [False, False, True, True]
    # Fewer events than at the last attempt: the store was restored, or is another one.
    found = [by_events.is_due(1e9, n) for n in (0, 99, 100, -5)]
    assert found == [False, False, True, True]


@pytest.fixture
def events_db(tmp_path: Path, shop_data: Interactions) -> str:
    """A store with events that the models don't know."""
    url = f"sqlite:///{tmp_path / 'new.db'}"
    ids = shop_data.items.ids()
    with open_store(url) as store:
        for user in range(40):
            events = [
                Event(user_id=f"new {user}", item_id=ids[(user * 7 + n) % 53], value=4.0)
                for n in range(6)
            ]
            store.append(events).result()
    return url


def settings_for(url: str, **given: Any) -> RetrainSettings:
    # Not nice: beside other tests it would hardly come to its turn.
    given = {"schedule": RetrainSchedule(events=10), "look_seconds": 0.05, "nice": 0, **given}
    return RetrainSettings(source=url, **given)


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what is posted to it."""
    got: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    server.server_close()


def wait_for(ready: Any, seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def test_new_events_are_learned_promoted_and_reported(
    folder: Path, events_db: str, hook: tuple[str, list[dict[str, Any]]]
) -> None:
    settings = settings_for(events_db, webhook=hook[0])
    app = build(folder, open_store(events_db), Settings(**CALM), None, settings)
    with TestClient(app, base_url=BASE) as client:
        wait_for(lambda: hook[1])
        made = hook[1][0]
        assert made["outcome"] == "promoted", made["why"]
        assert (made["event"], made["outcome"], made["events"]) == ("retrained", "promoted", 240)
        assert client.get("/ready").json()["model"]["version"] == made["version"]
        shown = client.get("/v1/retraining").json()
        assert shown["schedule"] == "after 10 events"
        assert shown["last"]["version"] == made["version"]
        metrics = client.get("/metrics").text
        assert 'cofactor_retrainings_total{outcome="promoted"} 1.0' in metrics
        # Nothing came since, so nothing is due, also after a restart.
        assert not app.state.context.retraining.is_due()
    assert load(folder / made["version"]).data.users.find(["new 3"])[0] >= 0
    again = build(folder, open_store(events_db), Settings(), None, settings)
    assert not again.state.context.retraining.is_due()
    again.state.context.close()


def test_the_oldest_versions_of_the_schedule_go(
    folder: Path, events_db: str, tmp_path: Path
) -> None:
    import shutil

    for n in (1, 2, 3, 4):
        shutil.copytree(folder / "v1", folder / f"auto-2026010{n}T000000Z")

    async def play(_: Any, context: Any) -> list[str]:
        settings = settings_for(events_db, keep_versions=2)
        planned = Retraining(settings, context.models, context.store, context.telemetry.registry)
        planned.in_use = lambda: ["auto-20260102T000000Z"]
        return planned._remove_old()

    url = f"sqlite:///{tmp_path / 'other.db'}"
    assert in_loop(folder, url, Settings(), play) == ["auto-20260101T000000Z"]
    left = sorted(p.name for p in folder.iterdir() if p.is_dir())
    assert left == [f"auto-2026010{n}T000000Z" for n in (2, 3, 4)] + ["v1", "v2", "v3"]


def test_an_attempt_that_cannot_begin_is_not_under_way(
    folder: Path, events_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Any) -> None:
        raise OSError("the disk is full")

    async def play(_: Any, context: Any) -> bool:
        settings = settings_for(events_db)
        planned = Retraining(settings, context.models, context.store, context.telemetry.registry)
        monkeypatch.setattr(planned, "_write_state", full)
        with pytest.raises(OSError, match="full"):
            await planned.retrain()
        return planned.running

    assert in_loop(folder, events_db, Settings(), play) is False


@pytest.mark.parametrize("step", ["_train", "is_due"])
def test_a_schedule_outlives_whatever_goes_wrong(
    step: str, folder: Path, events_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def broken(*_: Any) -> Any:
        calls.append(step)
        raise AttributeError("nobody foresaw this")

    async def play(_: Any, context: Any) -> Retraining:
        settings = settings_for(events_db, look_seconds=0.001)
        planned = Retraining(settings, context.models, context.store, context.telemetry.registry)
        monkeypatch.setattr(planned, step, broken)
        planned.start()
        while len(calls) < 2 and planned.last is None:
            await asyncio.sleep(0.001)
        assert planned._task is not None
        assert not planned._task.done()
        await planned.close()
        return planned

    planned = in_loop(folder, events_db, Settings(), play)
    if step == "_train":  # a failed attempt; the next one is due when the schedule says
        assert planned.last is not None
        assert (planned.last.outcome, planned.last.version) == ("failed", None)
        assert planned.last.why == "AttributeError: nobody foresaw this"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no kill -9")
def test_a_killed_training_touches_nothing(
    folder: Path, events_db: str, fitted: dict[str, Recommender]
) -> None:
    draw = random.Random(3)
    settings = settings_for(events_db, schedule=RetrainSchedule(seconds=1), keep_versions=2)
    app = build(folder, open_store(events_db), Settings(**CALM), None, settings)
    planned = app.state.context.retraining
    ids = fitted["v1"].data.users.ids()
    answers = 0
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:

        def answer() -> bool:
            nonlocal answers
            answers += 1
            user = ids[answers % len(ids)]
            return len(ids_of(client.get(f"/v1/users/{user}/recommendations?k=5"))) == 5

        for _ in range(KILLS):
            wait_for(lambda: answer() and planned.pid is not None)
            until = time.monotonic() + draw.uniform(0.0, LATEST)
            wait_for(lambda end=until: answer() and time.monotonic() > end)  # type: ignore[misc]
            pid = planned.pid
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
            wait_for(lambda: answer() and planned.pid is None)
            for version in planned.folder.versions():
                load(planned.folder.folder(version))  # whole, by its checksums
    assert answers > KILLS
    assert not list(folder.glob(".auto-*"))
    outcome = planned.last.outcome
    assert outcome in ("failed", "promoted", "nothing_new", "refused")


def test_a_training_beyond_its_memory_fails_alone(folder: Path, events_db: str) -> None:
    settings = settings_for(events_db, memory=40 << 20)
    app = build(folder, open_store(events_db), Settings(**CALM), None, settings)
    with TestClient(app, base_url=BASE) as client:
        wait_for(lambda: app.state.context.retraining.last is not None)
        last = client.get("/v1/retraining").json()["last"]
        assert (last["outcome"], client.get("/ready").status_code) == ("failed", 200)
    assert not [p for p in folder.iterdir() if "auto-" in p.name]


def test_a_single_model_has_no_versions_to_retrain(folder: Path, events_db: str) -> None:
    store = open_store(events_db)
    with pytest.raises(ArgumentError, match="a folder that holds one saved model per subfolder"):
        build(folder / "v1", store, Settings(), None, settings_for(events_db))
    store.close()


def test_a_webhook_must_be_http_and_its_failure_is_no_ones() -> None:
    with pytest.raises(ArgumentError, match="http"):
        Webhook("file:///etc/passwd")
    assert Webhook("http://127.0.0.1:9/x").send({"event": "retrained"}) is False
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                taken, _address = server.accept()
                with taken:
                    taken.recv(65_536)
                    taken.sendall(b"SSH-2.0-x\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        port = server.getsockname()[1]
        assert Webhook(f"http://127.0.0.1:{port}/x").send({"event": "retrained"}) is False
