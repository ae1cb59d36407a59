"""Bodies in chunks, requests that break off and clients that have said all: each is answered,
refused or let go as it asks for, and holds nobody up.
"""

from __future__ import annotations

import asyncio
import json
import time
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.settings import Settings
from log_records import LogRecords
from service.http.clocked import LIMITED, Clock, ended, gone
from service.http.scenes import CALM
from service.http.served import Line, raw_request, serve_and_play

HEALTH = raw_request("GET", "/health")
HOT = raw_request("GET", "/v1/users/reader-02/recommendations?k=2")
pytestmark = pytest.mark.usefixtures("clock")


def test_what_follows_a_body_that_is_framed_twice_is_not_answered(
    folder: Path, events: str
) -> None:
    body = b"0\r\n\r\n"
    twice = raw_request("POST", "/v1/recommend", b"x" * len(body)).replace(
        b"\r\n\r\n", b"\r\ntransfer-encoding: chunked\r\n\r\n", 1
    )[: -len(body)]

    async def play(port: int, _: Any) -> bytes:
        line = await Line.to(port)
        line.send(twice + body + HOT)
        return await line.reader.read()

    answers = serve_and_play(folder, events, play, LIMITED)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert answers.startswith(b"HTTP/1.1 400 ")
    assert b"not both" in answers


EVENTS = raw_request("POST", "/v1/events", b'{"events":[{"user_id":"half","item_id":1}]}')
LONG_WAY = raw_request("GET", "/v1/users/reader%2D02/recommendations?k=2")


@pytest.mark.parametrize(
    ("asked", "count"),
    [(HOT, 1), (HEALTH, 1), (EVENTS, 1), (HOT + HEALTH + HOT, 3), (LONG_WAY + HOT, 2)],
    ids=["hot", "health", "events", "pipelined", "long way first"],
)
def test_who_has_said_all_is_still_answered(
    folder: Path, events: str, asked: bytes, count: int
) -> None:
    async def play(port: int, _: Any) -> bytes:
        line = await Line.to(port)
        line.send(asked)
        line.writer.write_eof()
        return await line.reader.read()

    answers = serve_and_play(folder, events, play, LIMITED)
    assert answers.count(b"HTTP/1.1 2") == count


@pytest.mark.parametrize("asked", [b"", HOT[:-4], EVENTS[:-4], HEALTH + HOT[:-4]])
def test_half_a_request_that_ends_is_let_go_at_once(
    folder: Path, events: str, asked: bytes, clock: Clock
) -> None:
    async def play(port: int, _: Any) -> float:
        line = await Line.to(port)
        began = clock.seconds
        line.send(asked)
        line.writer.write_eof()
        async with asyncio.timeout(300):
            await gone(line)
        return clock.seconds - began

    # Nobody moves the clock, so that no deadline can have ended it.
    assert serve_and_play(folder, events, play, LIMITED) < min(
        LIMITED.head_seconds, LIMITED.body_seconds, LIMITED.idle_seconds
    )


CHUNKED = (
    b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
# What comes first and then again and again, while the request never ends.
ENDLESS = {
    "digits of a chunk's size": (b"", b"0"),
    "an extension of a chunk": (b"5;a=", b"b"),
    "the line end behind a chunk": (b"1\r\n{", b"\r"),
    "chunks of one byte": (b"", b"1\r\n \r\n"),
    "trailers": (b"2\r\n{}\r\n0\r\n", b"X-A: b\r\n"),
    "one trailer": (b"2\r\n{}\r\n0\r\nX-A: ", b"b"),
}


def test_chunks_that_drip_have_no_more_time(folder: Path, events: str, clock: Clock) -> None:
    async def dripped(port: int, first: bytes, again: bytes) -> float:
        line = await Line.to(port)
        line.send(HOT + CHUNKED + first)
        return await ended(line, clock, repeat(again), 1 / len(ENDLESS))

    async def play(port: int, _: Any) -> tuple[list[float], int]:
        seconds = await asyncio.gather(*(dripped(port, *parts) for parts in ENDLESS.values()))
        return seconds, (await (await Line.to(port)).ask(HOT))[0]

    seconds, status = serve_and_play(folder, events, play, LIMITED)
    assert {what: n for what, n in zip(ENDLESS, seconds, strict=True) if n > 28} == {}
    assert status == 200


def test_chunks_without_end_are_refused_early_and_let_others_be_answered(
    folder: Path, events: str
) -> None:
    async def flooded(port: int, first: bytes, again: bytes) -> tuple[int, float]:
        line, other = await Line.to(port), await Line.to(port)
        sent, worst, piece = 0, 0.0, again * (65_536 // len(again))
        line.send(CHUNKED + first)
        try:
            while sent < 32 << 20:
                line.send(piece)
                await line.writer.drain()
                sent += len(piece)
                began = time.process_time()
                await other.ask(HOT)
                worst = max(worst, time.process_time() - began)
        except ConnectionError:
            pass
        return sent, worst

    async def play(port: int, _: Any) -> dict[str, tuple[int, float]]:
        return {what: await flooded(port, *parts) for what, parts in ENDLESS.items()}

    done = serve_and_play(folder, events, play, Settings(**CALM))
    assert {what: sent for what, (sent, _) in done.items() if sent >= 16 << 20} == {}
    assert {what: worst for what, (_, worst) in done.items() if worst > 2} == {}


CHUNKED = b"Host: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "broken", "statuses"),
    [
        (b"POST /v1/events HTTP/1.1\r\n" + CHUNKED, b"zz\r\n", [400]),
        # Refused before the body is there: the answer has gone already.
        (b"POST /v1/nothing HTTP/1.1\r\n" + CHUNKED, b"zz\r\n", [404]),
        (b"POST /v1/nothing HTTP/1.1\r\n" + CHUNKED + b"2\r\n{}\r\n", b"\x00\r\n", [404]),
        (HEALTH, b"\x16\x03\x01\r\n\r\n", [200, 400]),
        (b"", b"GET\r\n\r\n", [400]),
    ],
)
def test_what_breaks_off_in_the_middle_is_refused_once_and_logged_as_no_fault(
    folder: Path,
    events: str,
    begin: bytes,
    broken: bytes,
    statuses: list[int],
    caplog: LogRecords,
) -> None:
    async def play(port: int, _: Any) -> list[int]:
        line = await Line.to(port)
        line.send(begin)
        await asyncio.sleep(0.05)
        line.send(broken)
        found = []
        while len(found) < 4:
            try:
                status, headers, body = await line.answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            assert headers["content-type"] == "application/json"
            assert status == 200 or set(json.loads(body)["error"]) <= {"code", "message", "outcome"}
            found.append(status)
        return found

    assert serve_and_play(folder, events, play) == statuses
    assert not [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
def test_what_asks_for_another_protocol_is_answered_in_this_one(
    folder: Path, events: str, protocol: str, caplog: LogRecords
) -> None:
    async def play(port: int, _: Any) -> int:
        line = await Line.to(port)
        more = ("Connection: Upgrade", f"Upgrade: {protocol}", "Sec-WebSocket-Version: 13")
        return (await line.ask(raw_request("GET", "/health", b"", *more)))[0]

    assert serve_and_play(folder, events, play) == 200
    assert not [one.getMessage() for one in caplog.records if one.name.startswith("uvicorn")]
