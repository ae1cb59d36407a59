"""A machine's clock that is set forward or back makes no wrong figures, and keeps nothing old."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cofactor.service import telemetry as telemetry_module
from cofactor.service.answering import rerankers
from cofactor.service.telemetry import Telemetry
from service.http.scenes import Start


@pytest.mark.parametrize("jump", [-(10**7), 10**7], ids=["back", "forward"])
def test_rates_and_uptime_are_of_the_time_that_passed(
    jump: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry, passed = Telemetry(), 0.0
    real, now = time.monotonic(), time.time()
    monkeypatch.setattr(telemetry_module.time, "monotonic", lambda: real + passed)
    monkeypatch.setattr(telemetry_module.time, "time", lambda: now + jump + passed)
    for second in range(30):
        passed = float(second)
        telemetry.answered("/v1/recommend", 200, 0.001, timed=True)
    passed = 30.0
    assert telemetry.uptime == pytest.approx(30, abs=5)
    assert telemetry.recent()["rate"] == pytest.approx(1, abs=0.3)


def test_rules_count_ages_again_once_a_clock_was_set_right(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    real, now = rerankers._prepared, time.time()

    def prepared(loaded: Any, rules: Any, own: bool, moment: float) -> Any:
        made.append(moment)
        return real(loaded, rules, own, moment)

    monkeypatch.setattr(rerankers, "_prepared", prepared)
    client = start()
    for moment in (now + 10**7, now + 10**7 + 9, now, now + 9):
        monkeypatch.setattr(rerankers.time, "time", lambda moment=moment: moment)
        assert client.post("/v1/recommend", json={"user_id": "u", "rerank": ["mmr=0.3"]}).is_success
    assert made == [now + 10**7, now]
