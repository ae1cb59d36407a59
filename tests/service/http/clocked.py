"""A clock for the deadlines of connections: it goes on as a test says, and nothing is late by
chance.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from itertools import repeat

from cofactor.service.settings import Settings
from service.http.scenes import CALM
from service.http.served import Line

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
