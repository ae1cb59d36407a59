"""What the fast path of the service buys: processor time of a request through it and through the
framework, the client included, side by side in one process.

    python -m benchmarks.fast_path [--rounds 14] [--requests 240]

Serves a small iALS model on the loopback and asks for a user's recommendations, one request at a
time on one connection. Of the rounds the least counts: what else the machine does only adds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

REQUEST = b"GET /v1/users/7/recommendations HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def asked(port: int, requests: int) -> float:
    """Return the processor time of a request, in microseconds, on a connection that is warm."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(requests + 1):
        if n == 1:
            began = time.process_time()
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split()[0]))
    spent = time.process_time() - began
    writer.close()
    return 1e6 * spent / requests


async def measured(app: Any, rounds: int, requests: int) -> dict[str, float]:
    """Return the least of some rounds by the way that requests go."""
    import uvicorn
    from uvicorn.server import ServerState

    from cofactor.service.http.connection import MAX_HEAD, Connection, ConnectionLimits
    from cofactor.service.http.fast.protocol import guarded_protocol
    from cofactor.service.settings import Settings

    limits = ConnectionLimits(Settings())
    ways: dict[str, Any] = {
        "fast path": guarded_protocol(app.state.fast_path, limits),
        "framework": type("Guarded", (Connection,), {"limits": limits}),
    }
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        ws="none",
        h11_max_incomplete_event_size=MAX_HEAD,
    )
    loop, least = asyncio.get_running_loop(), dict.fromkeys(ways, float("inf"))
    async with app.router.lifespan_context(app):
        for name, kind in [*ways.items()] * rounds:
            state = ServerState()
            server = await loop.create_server(
                lambda kind=kind, state=state: kind(config, state, {}), "127.0.0.1", 0
            )
            spent = await asked(server.sockets[0].getsockname()[1], requests)
            least[name] = min(least[name], spent)
            server.close()
    return least


def main() -> None:
    """Serve a small model, and measure both ways."""
    from cofactor.artifact.save import save
    from cofactor.data.synthetic import shop
    from cofactor.models import registry
    from cofactor.service.http.app import build
    from cofactor.store import open_store

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=14)
    parser.add_argument("--requests", type=int, default=240)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, data = Path(folder), shop(400, 200)
        save(registry.create("ials", factors=16).fit(data), place / "model")
        app = build(place / "model", open_store(f"sqlite:///{place / 'events.db'}"))
        found = asyncio.run(measured(app, given.rounds, given.requests))
    print(json.dumps({f"{name}, µs": round(spent, 1) for name, spent in found.items()}))


if __name__ == "__main__":
    main()
