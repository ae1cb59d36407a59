"""A load generator that costs little: requests leave by the clock, whether or not the earlier ones
came back.

It may lie on the cores of what it measures, so it is one thread with raw sockets and requests that
were made beforehand: about twenty-five microseconds a request. How late it was itself is measured
too (``late``): what it can't send in time counts in the latencies, for these begin at the moment at
which a request was due."""

from __future__ import annotations

import gc
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAX_CONNECTIONS = 2_000
_GRACE = 10.0  # seconds that answers may come after the last request


@dataclass
class Stream:
    """Requests of one kind.

    Parameters
    ----------
    rate
        Requests a second.
    requests
        The bytes of the requests, taken in turn.
    poisson
        A seed for moments that come by chance, as people do; None for even gaps.
    notes
        Of each answer: when its request was due, its status (0: none came), and the seconds from
        then to its last byte.
    late
        Seconds from the moment a request was due to that at which it was handed to the system.
    """

    rate: float
    requests: Sequence[bytes]
    poisson: int | None = None
    notes: list[tuple[float, int, float]] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def schedule(self, span: float) -> np.ndarray:
        """Return the moments from the start at which requests leave."""
        if self.poisson is None:
            return (np.arange(int(self.rate * span)) + 0.5) / self.rate
        gaps = np.random.default_rng(self.poisson).exponential(
            1 / self.rate, int(self.rate * span * 1.2) + 20
        )
        moments = np.cumsum(gaps)
        return moments[moments < span]

    def told(self) -> dict[str, Any]:
        """Return counts and percentiles in milliseconds: of answers with 200, of refusals, and
        of the generator's own lateness.
        """
        status, seconds = (
            np.array([n[1] for n in self.notes]),
            np.array([n[2] for n in self.notes]) * 1000,
        )
        told: dict[str, Any] = {
            "sent": len(status),
            "statuses": {str(s): n for s, n in sorted(Counter(status.tolist()).items())},
        }
        late = np.array(self.late) * 1000
        for name, chosen in (
            ("ms", seconds[status == 200]),
            ("refused_ms", seconds[status == 503]),
            ("late_ms", late),
        ):
            if len(chosen):
                told[name] = {
                    f"p{q}": round(float(np.percentile(chosen, q)), 2) for q in (50, 90, 99, 99.9)
                }
                told[name]["max"] = round(float(chosen.max()), 2)
        return told


class _Line:
    """One connection, kept alive."""

    __slots__ = ("buffer", "due", "sock", "stream")

    def __init__(self, port: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.buffer = b""
        self.due = 0.0
        self.stream: Stream | None = None

    def whole(self) -> int:
        """The status of a whole answer in the buffer, 0 while it isn't whole."""
        raw = self.buffer
        end = raw.find(b"\r\n\r\n")
        if end < 0:
            return 0
        at = raw.find(b"content-length: ", 0, end)
        length = int(raw[at + 16 : raw.find(b"\r\n", at)])
        return int(raw[9:12]) if len(raw) >= end + 4 + length else 0


class OpenLoop:
    """Sends streams of requests to a port of this machine.

    Parameters
    ----------
    port
        Of the service.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._free: list[_Line] = []

    def run(self, streams: Sequence[Stream], seconds: float) -> None:
        """Send for some seconds, and wait for what is still to come; status 0 stands for a
        connection that broke or never answered.
        """
        plan = [
            (float(moment), stream, stream.requests[n % len(stream.requests)])
            for stream in streams
            for n, moment in enumerate(stream.schedule(seconds))
        ]
        plan.sort(key=lambda one: one[0])
        gc.collect()
        gc.disable()
        try:
            self._play(plan)
        finally:
            gc.enable()

    def _play(self, plan: list[tuple[float, Stream, bytes]]) -> None:
        clock, started = time.perf_counter, time.perf_counter() + 0.01
        place, count, poll = 0, len(plan), self._poll
        while place < count:
            now = clock()
            while place < count and started + plan[place][0] <= now:
                moment, stream, raw = plan[place]
                place += 1
                self._send(started + moment, stream, raw)
                now = clock()
            wait = started + plan[place][0] - now if place < count else 0.0
            # epoll waits for whole milliseconds; select on the epoll itself waits for microseconds.
            if select.select([poll], [], [], max(0.0, wait))[0]:
                self._receive()
        deadline = clock() + _GRACE
        while len(self._free) < len(self._lines) and clock() < deadline:
            if select.select([poll], [], [], 0.1)[0]:
                self._receive()
        for line in [one for one in self._lines.values() if one.stream is not None]:
            self._drop(line)

    def _send(self, due: float, stream: Stream, raw: bytes) -> None:
        try:
            line = self._free.pop() if self._free else self._new()
        except OSError:
            line = None
        if line is None:
            self._note(stream, due, 0)
            stream.late.append(time.perf_counter() - due)
            return
        line.due, line.stream = due, stream
        try:
            line.sock.send(raw)
        except OSError:
            self._drop(line)
        stream.late.append(time.perf_counter() - due)

    def _new(self) -> _Line | None:
        if len(self._lines) >= MAX_CONNECTIONS:
            return None
        line = _Line(self.port)
        self._lines[line.sock.fileno()] = line
        self._poll.register(line.sock.fileno(), select.EPOLLIN)
        return line

    def _receive(self) -> None:
        for handle, _ in self._poll.poll(0):
            line = self._lines[handle]
            try:
                got = line.sock.recv(262_144)
            except BlockingIOError:
                continue
            except OSError:
                got = b""
            if not got:
                self._drop(line)
                continue
            line.buffer = line.buffer + got if line.buffer else got
            status = line.whole()
            if status and line.stream is not None:
                self._note(line.stream, line.due, status)
                line.buffer, line.stream = b"", None
                self._free.append(line)

    def _note(self, stream: Stream, due: float, status: int) -> None:
        stream.notes.append((due, status, time.perf_counter() - due))

    def _drop(self, line: _Line) -> None:
        if line.stream is not None:
            self._note(line.stream, line.due, 0)
        self._poll.unregister(line.sock.fileno())
        del self._lines[line.sock.fileno()]
        if line in self._free:
            self._free.remove(line)
        line.sock.close()
