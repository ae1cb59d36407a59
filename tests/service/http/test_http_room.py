"""Connections for which there is hardly room, or none: answered or refused, never cut off."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.settings import Settings
from service.http.processes import serving
from service.http.served import Line, raw_request, serve_and_play

HEALTH = raw_request("GET", "/health")
HOT = raw_request("GET", "/v1/users/reader-02/recommendations?k=2")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="the limit on open files is Unix's")
def test_many_at_once_under_a_low_limit_of_open_files(folder: Path, tmp_path: Path) -> None:
    def status(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as made:
            made.sendall(HOT)
            return made.recv(12)

    with serving(folder, f"sqlite:///{tmp_path / 'e.db'}", files=256) as (_, url):
        port = int(url.rsplit(":", 1)[1])
        for _ in range(3):
            silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(400)]
            assert {status(port) for _ in range(4)} == {b"HTTP/1.1 200"}
            for one in silent:
                one.close()


def test_who_comes_while_all_others_are_being_answered_is_refused_in_a_sentence(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(port: int, context: Any) -> list[tuple[int, str]]:
        real, going = context.scorer.recommend, asyncio.Event()

        async def slowly(*arguments: Any) -> Any:
            await going.wait()
            return await real(*arguments)

        monkeypatch.setattr(context.scorer, "recommend", slowly)
        lines = [await Line.to(port) for _ in range(3)]
        under_way = [asyncio.ensure_future(line.ask(HOT)) for line in lines]
        await asyncio.sleep(0.1)
        found = []
        for raw in (HEALTH, HOT, b""):
            line = await Line.to(port)
            await asyncio.sleep(0.05)
            line.send(raw)
            status, headers, body = await line.answer()
            assert headers["connection"] == "close"
            assert headers["retry-after"] == "1"
            assert await line.reader.read() == b""
            found.append((status, json.loads(body)["error"]["code"]))
        going.set()
        assert [(await one)[0] for one in under_way] == [200] * 3
        assert (await (await Line.to(port)).ask(HEALTH))[0] == 200
        return found

    settings = Settings(max_waiting=60.0, max_connections=4)
    assert serve_and_play(folder, events, play, settings) == [(503, "overloaded")] * 3


@pytest.mark.parametrize(
    ("version", "right"),
    [("1.1", 200), ("1.0", 200), ("1.9", 200), ("0.9", 505), ("2.0", 505), ("9.9", 505)],
)
@pytest.mark.parametrize("asked", [HEALTH, HOT], ids=["plain", "hot"])
def test_versions_of_http(
    folder: Path, events: str, version: str, right: int, asked: bytes
) -> None:
    async def play(port: int, _: Any) -> tuple[int, str, str]:
        line = await Line.to(port)
        status, headers, body = await line.ask(
            asked.replace(b"HTTP/1.1", f"HTTP/{version}".encode())
        )
        code = json.loads(body)["error"]["code"] if status >= 400 else ""
        return status, headers.get("connection", ""), code

    found = serve_and_play(folder, events, play)
    assert found[0] == right
    assert right == 200 or found[1:] == ("close", "version")


def test_lengths_given_twice_are_one_if_they_are_equal(folder: Path, events: str) -> None:
    body = b'{"events":[{"user_id":"u","item_id":"book-03"}]}'
    once = raw_request("POST", "/v1/events", body)

    async def play(port: int, _: Any) -> list[int]:
        found = []
        for more in (len(body), len(body) - 1):
            again = f"\r\nContent-Length: {more}\r\n\r\n".encode()
            line = await Line.to(port)
            found.append((await line.ask(once.replace(b"\r\n\r\n", again, 1)))[0])
        return found

    assert serve_and_play(folder, events, play) == [200, 400]
