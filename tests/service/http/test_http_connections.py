"""Connections that nobody would miss: silent ones, endless heads, dripping bodies, answers that are
never read. They end, and others are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import Iterable
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.http import connection
from cofactor.service.settings import Settings
from service.http.scenes import CALM
from service.http.served import Line, raw_request, serve_and_play

HEALTH = raw_request("GET", "/health")
HOT = raw_request("GET", "/v1/users/reader-02/recommendations?k=2")
# Each deadline another, so that none ends a connection in another's place.
LIMITED = Settings(
    **CALM,
    head_seconds=10.0,
    body_seconds=20.0,
    send_seconds=50.0,
    idle_seconds=30.0,
    max_connections=40,
)
SOME_LOOKS = 0.1  # seconds


class Clock:
    """The clock of the deadlines: it goes on as a test says, and nothing is late by chance."""

    seconds = 0.0

    def now(self) -> float:
        self.seconds += 1e-6  # so that what comes later is later
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(connection, "_LOOK", SOME_LOOKS / 5)
    monkeypatch.setattr(connection.ConnectionLimits, "now", lambda _: made.now())
    return made


async def gone(line: Line) -> None:
    """Wait until the other side ends a connection; what it says before is read away."""
    with contextlib.suppress(ConnectionError):
        while await line.reader.read(65_536):
            pass


async def ended(
    line: Line, clock: Clock, pieces: Iterable[bytes] = repeat(b""), step: float = 1.0
) -> float:
    """Seconds of the clock, which goes on in steps, until the other side ends a connection on which
    pieces arrive all the time.
    """
    began, going = clock.seconds, asyncio.ensure_future(gone(line))
    for piece in pieces:
        if going.done() or clock.seconds > began + 100:
            break
        line.send(piece)
        clock.seconds += step
        await asyncio.sleep(0.01)
    assert going.done(), "it isn't ended"
    await going
    return clock.seconds - began


@pytest.mark.parametrize(
    "begin", [b"", b"GET /hea", b"GET /v1/users/", b"POST /v1/events HTTP/1.1"]
)
def test_a_head_that_never_ends_is_cut_off(
    folder: Path, events: str, begin: bytes, clock: Clock
) -> None:
    async def play(port: int, _: Any) -> float:
        line = await Line.to(port)
        line.send(begin)
        return await ended(line, clock)

    assert 10 <= serve_and_play(folder, events, play, LIMITED) < 18


def test_a_head_that_drips_has_no_more_time(folder: Path, events: str, clock: Clock) -> None:
    async def play(port: int, _: Any) -> float:
        line = await Line.to(port)
        line.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        return await ended(line, clock, (b"X-%d: y\r\n" % n for n in count(1)))

    assert 10 <= serve_and_play(folder, events, play, LIMITED) < 18


def test_a_body_that_drips_has_no_more_time(folder: Path, events: str, clock: Clock) -> None:
    async def play(port: int, _: Any) -> float:
        line = await Line.to(port)
        line.send(
            b"POST /v1/recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{"
        )
        return await ended(line, clock, repeat(b" "))

    assert 20 <= serve_and_play(folder, events, play, LIMITED) < 28


def test_a_connection_that_was_answered_may_wait_longer(
    folder: Path, events: str, clock: Clock
) -> None:
    async def play(port: int, _: Any) -> tuple[int, int, float]:
        line = await Line.to(port)
        one, *_ = await line.ask(HOT)
        clock.seconds += 25
        await asyncio.sleep(SOME_LOOKS)
        two, *_ = await line.ask(HEALTH)
        return one, two, await ended(line, clock)

    one, two, seconds = serve_and_play(folder, events, play, LIMITED)
    assert (one, two) == (200, 200)
    assert 30 <= seconds < 38


def test_a_head_of_megabytes_is_refused_early(folder: Path, events: str) -> None:
    async def play(port: int, _: Any) -> tuple[int, float]:
        line = await Line.to(port)
        sent = 0
        began = time.process_time()
        line.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        try:
            while sent < 64 << 20:
                line.send(b"a" * 65_536)
                await line.writer.drain()
                await asyncio.sleep(0)
                sent += 65_536
        except ConnectionError:
            pass
        return sent, time.process_time() - began

    sent, seconds = serve_and_play(folder, events, play, Settings(**CALM))
    assert sent < 16 << 20
    assert seconds < 5


@pytest.mark.parametrize(
    "request_", [raw_request("GET", "/openapi.json"), HOT], ids=["long", "hot"]
)
def test_answers_that_nobody_reads_hold_little_and_end(
    folder: Path, events: str, request_: bytes, clock: Clock
) -> None:
    async def play(port: int, context: Any) -> tuple[int, int, bool]:
        made = socket.create_connection(("127.0.0.1", port))
        made.setblocking(False)
        sent, cut, raw = 0, False, request_ * 2_000
        # In each step of the loop the service has its turn: it is slow where the machine is.
        for _ in range(2_000):
            try:
                sent += made.send(raw[:65_536])
            except BlockingIOError:
                clock.seconds += 1
                await asyncio.sleep(0.01)
            except ConnectionError:
                cut = True
                break
            else:
                await asyncio.sleep(0)
        made.close()
        # Others are answered all the while.
        status, *_ = await (await Line.to(port)).ask(HEALTH)
        return sent, status, cut

    sent, status, cut = serve_and_play(folder, events, play, LIMITED)
    assert status == 200
    assert cut
    # What the system's own buffers hold, and no more than that.
    assert sent < 24 << 20


def test_pipelined_requests_are_taken_in_one_at_a_time(folder: Path, events: str) -> None:
    import gc

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

    async def play(port: int, _: Any) -> tuple[int, int]:
        line = await Line.to(port)
        line.send(HEALTH * 3_000)
        most = 0
        for n in range(3_000):
            status, *_ = await line.answer()
            assert status == 200
            if n % 500 == 0:
                # By type: asking every object for its class wakes deprecated ones of PyTorch's.
                found = sum(type(one) is RequestResponseCycle for one in gc.get_objects())
                most = max(most, found)
        return most, status

    most, status = serve_and_play(folder, events, play, Settings(**CALM))
    assert status == 200
    assert most < 60


def test_silent_connections_leave_room_for_others(folder: Path, events: str) -> None:
    async def play(port: int, _: Any) -> list[int]:
        silent = [await Line.to(port) for _ in range(60)]
        for line in silent[::2]:
            line.send(b"GET /v1/us")
        found = []
        for _ in range(20):
            line = await Line.to(port)
            for request_ in (HEALTH, HOT):
                found.append((await line.ask(request_))[0])
            silent += [await Line.to(port) for _ in range(3)]
        return found

    settings = Settings(**CALM, max_connections=40)
    assert serve_and_play(folder, events, play, settings) == [200] * 40


def test_one_address_leaves_room_for_another(folder: Path, events: str) -> None:
    async def play(port: int, _: Any) -> list[int]:
        here = [await Line.to(port) for _ in range(60)]
        assert (await here[-1].ask(HEALTH))[0] == 200
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=("127.0.0.2", 0)
        )
        other = Line(reader, writer)
        found = [(await other.ask(HEALTH))[0]]
        here += [await Line.to(port) for _ in range(60)]
        found.append((await other.ask(HOT))[0])
        return found

    settings = Settings(**CALM, max_connections=40)
    assert serve_and_play(folder, events, play, settings) == [200, 200]


def test_a_request_that_takes_long_is_not_cut_off(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """Deadlines are for clients; what the service itself needs has its own limit."""

    async def play(port: int, context: Any) -> list[int]:
        real = context.scorer.recommend

        async def slowly(*arguments: Any) -> Any:
            clock.seconds += 100
            await asyncio.sleep(SOME_LOOKS)
            return await real(*arguments)

        monkeypatch.setattr(context.scorer, "recommend", slowly)
        lines = [await Line.to(port) for _ in range(2)]
        plain = raw_request("GET", "/v1/users/reader%2D02/recommendations?k=2")
        answers = await asyncio.gather(lines[0].ask(HOT), lines[1].ask(plain))
        # And the look at all connections goes on.
        await ended(await Line.to(port), clock)
        return [status for status, *_ in answers]

    assert serve_and_play(folder, events, play, LIMITED) == [200, 200]


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
    folder: Path, events: str, asked: bytes
) -> None:
    async def play(port: int, _: Any) -> None:
        line = await Line.to(port)
        line.send(asked)
        line.writer.write_eof()
        await gone(line)  # though the clock of the deadlines stands still

    serve_and_play(folder, events, play, LIMITED)


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
    caplog: pytest.LogCaptureFixture,
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
