"""Running the service: uvicorn, its own loop and parser if installed, orderly shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from cofactor.base.errors import CofactorError
from cofactor.service.settings import Settings

_FILES = 16_384  # open files that are enough
_OWN_FILES = 256  # open files for other things than connections
_AT_A_TIME = 128  # connections taken in in one turn of the loop, at most
_TURNS = 4  # turns within which the handles of those let go are surely free again


def bind(settings: Settings) -> socket.socket:
    """Take the port, before the work of loading; port 0 takes a free one.

    Raises
    ------
    CofactorError
        If it is taken, or isn't ours.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.workers > 1 and hasattr(socket, "SO_REUSEPORT"):
        # Each worker has a socket of its own, among which the system shares the connections out.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        taken.bind((settings.host, settings.port))
    except OSError as error:
        taken.close()
        raise CofactorError(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another"
            " with --port."
        ) from None
    return taken


def run(
    app: Any,
    settings: Settings,
    listening: socket.socket,
    drain_log: Callable[[], None] = lambda: None,
) -> None:
    """Serve until a signal; then take nothing new, finish what is under way, write what waits,
    and return.
    """
    import uvicorn

    from cofactor.service.http.connection import ConnectionLimits
    from cofactor.service.http.fast.protocol import guarded_protocol

    # The loop and the scorer share one interpreter: a thread that wants its turn should not wait
    # five milliseconds for it.
    sys.setswitchinterval(0.0005)
    handles, at_a_time = _handles()
    protocol = guarded_protocol(app.state.fast_path, ConnectionLimits(settings, handles))
    # What was loaded stays: looking through it for garbage, tenths of a second at a time, would
    # stand before every request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
    config = uvicorn.Config(
        app,
        http=protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="on",
        ws="none",
        timeout_graceful_shutdown=round(settings.drain_seconds),
        timeout_keep_alive=math.ceil(settings.idle_seconds),
        backlog=2048,
        proxy_headers=False,
    )
    _server_class(drain_log, at_a_time)(config).run(sockets=[listening])


def _handles() -> tuple[int | None, int]:
    """How many connections the system's limit of open files leaves room for, after it was raised
    as far as it may be (None where it has none), and how many may be taken in at a time: without a
    handle left, uvloop takes in all that wait and closes them.
    """
    try:
        import resource
    except ImportError:
        return None, _AT_A_TIME
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return None, _AT_A_TIME
    handles = max(soft - _OWN_FILES, soft // 2)
    return handles, max(1, min(_AT_A_TIME, (soft - handles) // _TURNS))


def _server_class(drain_log: Callable[[], None], at_a_time: int) -> Any:
    """uvicorn's server, which takes in many new connections at a time.

    uvloop takes one a turn: 300 who connect at once are taken in after 301 turns, with the second
    acceptor after 5, as by asyncio's own loop (uvloop 0.23; `benchmarks/accepting.py`). When turns
    are long, because much is to be done, they would wait for seconds before their request is even
    read; with this they are refused at once, or answered."""
    import uvicorn

    class Server(uvicorn.Server):
        """A server with a second acceptor beside the loop's own."""

        _acceptors: list[Acceptor] = []

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets=sockets)
            loop = asyncio.get_running_loop()

            def connection() -> asyncio.Protocol:
                kind: Any = self.config.http_protocol_class
                made: asyncio.Protocol = kind(
                    config=self.config,
                    server_state=self.server_state,
                    app_state=self.lifespan.state,
                )
                return made

            if hasattr(os, "dup") and sys.platform != "win32":
                waiting = sockets or []
                self._acceptors = [Acceptor(loop, one, connection, at_a_time) for one in waiting]

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for acceptor in self._acceptors:
                acceptor.close()
            await super().shutdown(sockets=sockets)
            # Here and not later: the signal that ended us is sent again, and ends the process at
            # once.
            drain_log()

    return Server


class Acceptor:
    """Takes in many of the connections that wait, whenever some do."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        connection: Callable[[], asyncio.Protocol],
        at_a_time: int = _AT_A_TIME,
    ) -> None:
        self._loop, self._connection, self._at_a_time = loop, connection, at_a_time
        # A handle of its own for the same socket: the loop watches the other one.
        self._socket = listening.dup()
        self._socket.setblocking(False)
        self._under_way: set[asyncio.Task[Any]] = set()
        loop.add_reader(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(self._at_a_time):
            try:
                taken, _address = self._socket.accept()
            except OSError:  # nobody is left, or there are no handles left; the loop tells of those
                return
            taken.setblocking(False)
            task = self._loop.create_task(
                self._loop.connect_accepted_socket(self._connection, taken)
            )
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def close(self) -> None:
        """Accept no further connections."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
