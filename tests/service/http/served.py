"""A service behind its real protocol, on a socket of the loopback, in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, ClassVar

import uvicorn
from uvicorn.server import ServerState

from cofactor.service.http.app import build
from cofactor.service.http.connection import ConnectionLimits
from cofactor.service.http.fast.protocol import guarded_protocol
from cofactor.service.http.keys import Keys
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import CALM


def serve_and_play(
    folder: Path,
    url: str,
    play: Callable[[int, Any], Awaitable[Any]],
    settings: Settings | None = None,
    keys: Keys | None = None,
) -> Any:
    """Play a scene with the port of a service and its context."""

    async def scene() -> Any:
        app = build(folder, open_store(url), settings or Settings(**CALM), keys)
        limits = ConnectionLimits(settings or Settings())
        protocol = guarded_protocol(app.state.fast_path, limits)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="off",
            ws="none",
        )
        state = ServerState()
        async with app.router.lifespan_context(app):
            server = await asyncio.get_running_loop().create_server(
                lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
            )
            try:
                port = server.sockets[0].getsockname()[1]
                return await asyncio.wait_for(play(port, app.state.context), 300)
            finally:
                await _close(server, state)

    return asyncio.run(scene())


async def _close(server: asyncio.Server, state: ServerState) -> None:
    for line in Line.opened:
        line.writer.close()
        await asyncio.gather(line.writer.wait_closed(), return_exceptions=True)
    Line.opened.clear()
    server.close()
    for connection in list(state.connections):
        connection.transport.abort()


class Line:
    """A connection on which bytes are sent as a test wants them."""

    opened: ClassVar[list[Line]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        Line.opened.append(self)

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, raw: bytes) -> None:
        self.writer.write(raw)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the next answer."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
        return (
            int(head[0].split()[1]),
            headers,
            await self.reader.readexactly(int(headers["content-length"])),
        )

    async def ask(self, raw: bytes) -> tuple[int, dict[str, str], bytes]:
        self.send(raw)
        return await self.answer()


def raw_request(
    method: str, path: str, body: bytes = b"", *more: str, host: str = "127.0.0.1"
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *more]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
