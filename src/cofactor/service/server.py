"""Running the service: uvicorn, with its own loop and parser where they are installed, and an orderly end."""

from __future__ import annotations

import gc
import socket
import sys
from typing import Any

from cofactor.base.errors import CofactorError
from cofactor.service.settings import Settings


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
    try:
        taken.bind((settings.host, settings.port))
    except OSError as error:
        taken.close()
        raise CofactorError(f"can't listen on {settings.host}:{settings.port}: {error.strerror}; choose another with --port.") from None
    return taken


def run(app: Any, settings: Settings, listening: socket.socket) -> None:
    """Serve until a signal; then take nothing new, finish what is under way, write what waits, and return."""
    import uvicorn

    from cofactor.service.door import guarded_protocol

    # The loop and the scorer share one interpreter: a thread that wants its turn should not wait five milliseconds for it.
    sys.setswitchinterval(0.0005)
    door = guarded_protocol(app.state.short_way)
    # What was loaded stays: looking through it for garbage, tenths of a second at a time, would stand before every request.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)
    config = uvicorn.Config(
        app, http=door if door is not None else "auto", log_config=None, access_log=False, server_header=False,
        date_header=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=round(settings.drain_seconds), timeout_keep_alive=30, backlog=2048, proxy_headers=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listening])
