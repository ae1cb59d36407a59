"""The service's log is bounded: whoever is refused again and again fills no disk with lines."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cofactor.service import telemetry
from cofactor.service.telemetry import log_to_stderr

LOGS = ("cofactor.service", "uvicorn.error")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    logs = [logging.getLogger(name) for name in LOGS]
    before = [(log.handlers, log.propagate, log.level) for log in logs]
    yield
    for log, (handlers, propagate, level) in zip(logs, before, strict=True):
        log.handlers, log.propagate = handlers, propagate
        log.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    logging.getLogger("cofactor.service").handlers[0].flush()
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def request(status: int, route: str = "/v1/stats") -> None:
    facts = {"route": route, "status": status}
    logging.getLogger("cofactor.service").info("request", extra={"facts": facts})


def test_a_flood_of_refusals_leaves_a_few_lines_and_their_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(telemetry.time, "monotonic", lambda: now)
    drain = log_to_stderr()
    for place in range(1_000):
        request(401, f"/v1/{place}")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request: %s", place)
    request(403)
    found = lines(capsys)
    assert [one.get("status") for one in found].count(401) == 10
    assert len(found) == 21  # another kind has lines of its own
    now = 10.0
    request(401)
    left, malformed, last = lines(capsys)
    assert (left["event"], left["of"], left["status"]) == ("lines left out", "request", 401)
    assert (left["lines"], left["level"]) == (990, "info")
    assert (malformed["lines"], malformed["of"]) == (990, "Invalid HTTP request: %s")
    assert malformed["level"] == "warning"
    assert last["event"] == "request"
    for _ in range(12):
        request(401)
    drain()
    assert lines(capsys)[-1]["lines"] == 3


def test_what_was_changed_is_always_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_stderr()
    for _ in range(100):
        request(200)
    assert len(lines(capsys)) == 100


def test_a_log_of_all_requests_leaves_none_out(capsys: pytest.CaptureFixture[str]) -> None:
    drain = log_to_stderr(access_log=True)
    for place in range(100):
        request(401)
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request %s", place)
    drain()
    found = lines(capsys)
    assert [one.get("status") for one in found if one["event"] == "request"] == [401] * 100
    assert len(found) == 111


def test_workers_share_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    drain = log_to_stderr(workers=4)
    for _ in range(100):
        request(401)
    drain()
    assert [one.get("lines") for one in lines(capsys)] == [None, None, 98]


def test_a_pipe_that_nobody_reads_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service stood still as soon as whoever read its log did."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", buffering=1) as stderr, os.fdopen(reading) as unread:
        monkeypatch.setattr(sys, "stderr", stderr)
        drain = log_to_stderr()

        def flood() -> None:
            for place in range(telemetry._WAITING + 2_000):
                request(200, f"/v1/{'x' * 60}/{place}")

        logging_ = threading.Thread(target=flood, daemon=True)
        logging_.start()
        logging_.join(100)
        stuck = logging_.is_alive()
        found: list[str] = []
        reader = threading.Thread(target=lambda: found.extend(unread), daemon=True)
        reader.start()
        logging_.join(100)
        assert not stuck
        drain()
        stderr.close()
        reader.join(100)
    told = [json.loads(line) for line in found]
    left_out = sum(one["lines"] for one in told if one["event"] == "lines left out")
    assert left_out > 0
    assert sum(one["event"] == "request" for one in told) + left_out == telemetry._WAITING + 2_000
