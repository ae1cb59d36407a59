"""Who keeps a request under way, by a body that doesn't come or answers that aren't read, takes no
place from others.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.http import dispatch
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from service.http.scenes import CALM, some_turns
from service.http.served import Line, raw_request, serve_and_play

HEALTH = raw_request("GET", "/health")
HOT = raw_request("GET", "/v1/users/reader-02/recommendations?k=2")


@pytest.mark.parametrize("kind", ["answers that are not read", "bodies that do not come"])
def test_who_keeps_a_request_under_way_leaves_room_for_others(
    folder: Path, events: str, kind: str
) -> None:
    """Nobody reads the answers, or sends the rest of the body: both wait for the client alone."""
    unread = raw_request("GET", "/openapi.json") * 40
    half = raw_request("POST", "/v1/recommend", b'{"user_id": "u"}')[:-1]

    async def play(port: int, _: Any) -> list[int]:
        held = []
        for _ in range(60):
            one = socket.socket()
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            one.connect(("127.0.0.1", port))
            one.sendall(unread if kind.startswith("answers") else half)
            held.append(one)
            await asyncio.sleep(0)
        await some_turns()
        found = []
        for _ in range(12):
            line = await Line.to(port)
            found.append((await line.ask(HEALTH))[0])
            found.append((await line.ask(HOT))[0])
        for one in held:
            one.close()
        return found

    settings = Settings(**CALM, max_connections=40)
    assert serve_and_play(folder, events, play, settings) == [200] * 24


@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/events"])
def test_a_body_that_does_not_come_takes_no_place(folder: Path, events: str, path: str) -> None:
    event = b'{"events": [{"user_id": "u", "item_id": "book-03"}]}'
    body = event if path == "/v1/events" else b'{"user_id": "u"}'

    async def play(port: int, context: Any) -> list[int]:
        half = raw_request("POST", path, body, "X-Odd: \xe9")[:-1]
        lines = [await Line.to(port) for _ in range(300)]
        for line in lines:
            line.send(half)
        await some_turns()
        found = [(await (await Line.to(port)).ask(raw_request("POST", path, body)))[0]]
        lines[0].send(body[-1:])
        found.append((await lines[0].answer())[0])
        assert context.admission.scored == context.admission.ingested == 0
        return found

    assert serve_and_play(folder, events, play, Settings(**CALM)) == [200, 200]


def test_bodies_that_do_not_come_have_memory_of_their_key_alone(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_MOST_HELD", 2_000)
    keys = Keys({hashed(one): Key("read", hashed(one)) for one in ("one", "two")})
    body = b'{"user_id": "u"' + b" " * 885 + b"}"

    def asked(key: str) -> bytes:
        return raw_request("POST", "/v1/recommend", body, f"Authorization: Bearer {key}", "X: \xe9")

    async def play(port: int, _: Any) -> list[int]:
        lines = [await Line.to(port) for _ in range(3)]
        for line in lines[:2]:
            line.send(asked("one")[:-1])
        await some_turns()
        lines[2].send(asked("one")[:-1])
        found = [(await lines[2].answer())[0]]
        found.append((await (await Line.to(port)).ask(asked("two")))[0])
        for line in lines[:2]:
            line.send(b"}")
            found.append((await line.answer())[0])
        return found

    settings = Settings(**CALM)
    assert serve_and_play(folder, events, play, settings, keys) == [503, 200, 200, 200]
