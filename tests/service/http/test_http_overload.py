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
from service.http.scenes import CALM, in_loop, some_items


def slow_model(context: Any, waited: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that can score four people in 20 ms, 200 a second; how many of its calls are made
    from the moment at which a request is queued until it is answered.
    """
    model, queue, calls = context.models.current.model, context.scorer.recommend, 0
    plain = model.topk

    def slowly(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        time.sleep(0.02)
        return plain(*given, **more)

    def queued(*given: Any) -> Any:
        before, future = calls, queue(*given)
        future.add_done_callback(lambda _: waited.append(calls - before))
        return future

    monkeypatch.setattr(model, "topk", slowly)
    monkeypatch.setattr(context.scorer, "recommend", queued)


def test_flood_is_shed_while_accepted_requests_keep_their_latency(
    folder: Path, tmp_path: Path, shop_data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latency is counted in the model's calls, of 20 ms each: those a machine doesn't stretch."""
    history = some_items(shop_data, 1, 2)
    waited: list[int] = []

    async def play(client: Any, context: Any) -> tuple[list[int], list[int]]:
        slow_model(context, waited, monkeypatch)

        async def ask() -> int:
            answer = await client.post("/v1/recommend", json={"history": history, "reasons": 0})
            if answer.status_code == 503:
                assert int(answer.headers["retry-after"]) >= 1
                assert answer.json()["error"]["code"] == "overloaded"
            return int(answer.status_code)

        flood = []
        for _ in range(20):  # at once more than the queue holds, and five times what it can do
            flood += [asyncio.create_task(ask()) for _ in range(30)]
            await asyncio.sleep(0.03)
        return await asyncio.gather(*flood), [await ask() for _ in range(5)]

    settings = Settings(batch=4, max_queue=16, max_waiting=0.05, timeout=600.0)
    answers, after = in_loop(folder, f"sqlite:///{tmp_path / 'e.db'}", settings, play)
    assert set(answers) == {200, 503}
    assert answers.count(200) >= 40
    # The queue holds at most 16, four a call; as many again may be done before it is noticed.
    assert max(waited) <= 10
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
        folder, f"sqlite:///{tmp_path / 'e.db'}", Settings(**CALM, max_ingest=8), play
    )
    assert set(statuses) == {200, 503}
    assert answered == 200
