"""Scenes that several tests play: a client, many requests in one event loop, short readings of
answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from cofactor.service.http import dispatch
from cofactor.service.http.app import build
from cofactor.service.http.keys import Keys
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.loop_client import TestClient

__all__ = ["BASE", "CALM", "Start", "TestClient", "ids_of", "in_loop", "some_items"]
BASE = "http://127.0.0.1"
Start = Callable[..., TestClient]
# Of a service that refuses nothing and gives nothing up, however busy the machine is.
CALM: dict[str, Any] = {"max_waiting": 300.0, "timeout": 300.0}


def in_loop(
    folder: Path,
    url: str,
    settings: Settings,
    play: Callable[[httpx.AsyncClient, Any], Awaitable[Any]],
    keys: Keys | None = None,
) -> Any:
    """Run a scene with many requests at once against a service in one event loop."""

    async def scene() -> Any:
        app = build(folder, open_store(url), settings, keys)
        async with (
            _running(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url=BASE, timeout=600
            ) as client,
        ):
            return await play(client, app.state.context)

    return asyncio.run(scene())


@contextlib.asynccontextmanager
async def _running(app: Any) -> AsyncIterator[None]:
    async with app.router.lifespan_context(app):
        yield


def ids_of(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["item_id"] for item in answer.json()["items"]]


def some_items(data: Interactions, *rows: int) -> list[str]:
    return list(data.items.ids(np.array(rows)))


class TimeLimit:
    """The time limit of a service's requests: over when a test says so, and not before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._timeout, self._begun = asyncio.timeout, list[asyncio.Timeout]()
        monkeypatch.setattr(dispatch.asyncio, "timeout", self._begin)

    def _begin(self, _: float) -> asyncio.Timeout:
        self._begun.append(self._timeout(None))
        return self._begun[-1]

    def is_over(self) -> None:
        """Give up the latest request."""
        self._begun[-1].reschedule(0.0)


async def some_turns() -> None:
    """Let the event loop make some turns, in which it takes what has arrived."""
    for _ in range(50):
        await asyncio.sleep(0.001)


async def until(condition: Any, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.005)
    assert condition()
