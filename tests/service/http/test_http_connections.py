"""Connections that nobody would miss: silent ones, endless heads, dripping bodies, answers that are
never read. They end, and others are answered meanwhile.
"""

from __future__ import annotations

import asyncio
import socket
import time
from itertools import count, repeat
from pathlib import Path
from typing import Any

import pytest

from cofactor.service.settings import Settings
from service.http.clocked import LIMITED, SOME_LOOKS, Clock, ended
from service.http.scenes import CALM
from service.http.served import Line, raw_request, serve_and_play

HEALTH = raw_request("GET", "/health")
HOT = raw_request("GET", "/v1/users/reader-02/recommendations?k=2")
pytestmark = pytest.mark.usefixtures("clock")


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
        line.send(HEALTH * 1_000)
        most = 0
        for n in range(1_000):
            status, *_ = await line.answer()
            assert status == 200
            if n % 200 == 0:
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
