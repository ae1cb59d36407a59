"""What the second acceptor of the service buys: turns of the loop until all who connect at once are
taken in, by the loop alone and with it.

    python -m benchmarks.accepting [--clients 300]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import Callable

from cofactor.service.http.server import Acceptor


class Counted(asyncio.Protocol):
    """A connection that is only counted."""

    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it."""
        type(self).taken += 1


async def turns(clients: int, beside: bool) -> int:
    """Return how many turns of the running loop it takes until all clients are taken in."""
    loop = asyncio.get_running_loop()
    Counted.taken = 0
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening:
        listening.setblocking(False)
        waiting = [socket.create_connection(listening.getsockname()) for _ in range(clients)]
        server = await loop.create_server(Counted, sock=listening.dup())
        acceptor = Acceptor(loop, listening, Counted) if beside else None
        count = 0
        while Counted.taken < clients:
            await asyncio.sleep(0)
            count += 1
        if acceptor is not None:
            acceptor.close()
        server.close()
        for one in waiting:
            one.close()
    return count


def main() -> None:
    """Count with both loops, with and without the acceptor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=300)
    clients = parser.parse_args().clients
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if sys.platform != "win32":
        import uvloop

        loops["uvloop"] = uvloop.new_event_loop
    for name, factory in loops.items():
        for beside in (False, True):
            with asyncio.Runner(loop_factory=factory) as runner:
                found = runner.run(turns(clients, beside))
            print(
                json.dumps({"loop": name, "acceptor": beside, "clients": clients, "turns": found})
            )


if __name__ == "__main__":
    main()
