"""More than can be done: some are refused at once with 503 and Retry-After, the others are
answered in time; then all is well again.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from cofactor.data.interactions import Interactions
from cofactor.service.settings import Settings
from service.http.scenes import in_loop, some_items


def test_flood_is_shed_while_accepted_requests_keep_their_latency(
    folder: Path, tmp_path: Path, shop_data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = some_items(shop_data, 1, 2)

    async def play(client: Any, context: Any) -> tuple[list[tuple[int, float]], list[int]]:
        model = context.models.current.model
        plain = model.topk
        # A model that can score four people in 20 ms: 200 a second.
        monkeypatch.setattr(model, "topk", lambda *a, **k: (time.sleep(0.02), plain(*a, **k))[1])

        async def ask() -> tuple[int, float, bool]:
            started = time.monotonic()
            answer = await client.post("/v1/recommend", json={"history": history, "reasons": 0})
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["error"]["code"] == "overloaded"
            return answer.status_code, time.monotonic() - started, True

        flood = []
        for _ in range(60):  # ten times what it can do, for 0.6 s
            flood += [asyncio.create_task(ask()) for _ in range(20)]
            await asyncio.sleep(0.01)
        answers = [(status, seconds) for status, seconds, _ in await asyncio.gather(*flood)]
        await asyncio.sleep(0.2)
        after = [(await ask())[0] for _ in range(5)]
        return answers, after

    settings = Settings(batch=4, max_queue=16, max_waiting=0.05)
    answers, after = in_loop(folder, f"sqlite:///{tmp_path / 'e.db'}", settings, play)
    statuses = {status for status, _ in answers}
    assert statuses == {200, 503}
    taken = sorted(seconds for status, seconds in answers if status == 200)
    assert len(taken) >= 40
    # The queue holds at most 16, four at a time of 20 ms; the rest is what the test itself costs.
    assert taken[int(0.9 * len(taken))] < 0.5
    assert after == [200] * 5


def test_a_flood_of_events_is_refused_and_answers_go_on(
    folder: Path, tmp_path: Path, shop_data: Interactions
) -> None:
    async def play(client: Any, context: Any) -> tuple[list[int], int]:
        async def send(n: int) -> int:
            return (
                await client.post(
                    "/v1/events", json={"events": [{"user_id": f"u{n}", "item_id": "i"}]}
                )
            ).status_code

        flood = [asyncio.create_task(send(n)) for n in range(200)]
        await asyncio.sleep(0)
        answer = await client.get("/v1/users/nobody/recommendations")
        return await asyncio.gather(*flood), answer.status_code

    statuses, answered = in_loop(
        folder, f"sqlite:///{tmp_path / 'e.db'}", Settings(max_ingest=8), play
    )
    assert set(statuses) == {200, 503}
    assert answered == 200
