"""The door: at many times the load that can be carried, even saying no must cost next to nothing.

A refusal by a handler costs a fifth of a millisecond, so five thousand a second of them eat a core. Here a request that comes
whole, to a route that can be overloaded, is refused before it is parsed, while too many like it are under way. Others, and all
where the fast parser isn't installed, meet the limits of the guard and the queues further in.
"""

from __future__ import annotations

from collections.abc import Callable

from cofactor.service.errors import overloaded

_SCORED = (b"GET /v1/users/", b"POST /v1/recommend ")
_INGEST = (b"POST /v1/events ",)
_REFUSAL = overloaded("there are more requests than can be answered in time; try again shortly.")
_BODY = _REFUSAL.body()
_NO = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncache-control: no-store\r\nretry-after: 1\r\ncontent-length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)


def guarded_protocol(max_scored: int, max_ingest: int, refused: Callable[[], None]) -> type | None:
    """Return uvicorn's fast protocol with a door in front, or None where its parser isn't installed.

    Parameters
    ----------
    max_scored, max_ingest
        Requests of either kind that may be under way.
    refused
        Called for each request that is turned away.
    """
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return None

    under_way = {"scored": 0, "ingest": 0}
    most = {"scored": max_scored, "ingest": max_ingest}

    class Door(HttpToolsProtocol):
        """A connection."""

        counted: str | None = None

        def data_received(self, data: bytes) -> None:
            kind = _kind(data)
            # Between two requests of a connection only: what comes meanwhile is part of one, or waits behind it.
            if kind is not None and (self.cycle is None or self.cycle.response_complete):
                if under_way[kind] >= most[kind] and _is_whole(data):
                    self._unset_keepalive_if_required()
                    self.transport.write(_NO)
                    self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)
                    refused()
                    return
                self._leave()
                self.counted = kind
                under_way[kind] += 1
            super().data_received(data)

        def on_response_complete(self) -> None:
            self._leave()
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._leave()
            super().connection_lost(exc)

        def _leave(self) -> None:
            if self.counted is not None:
                under_way[self.counted] -= 1
                self.counted = None

    return Door


def _kind(data: bytes) -> str | None:
    if data.startswith(_SCORED):
        return "scored"
    return "ingest" if data.startswith(_INGEST) else None


def _is_whole(data: bytes) -> bool:
    """Whether the bytes are exactly one request, so that nothing of it is left to come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[:end].lower()
    if b"\r\ntransfer-encoding:" in head or b"\r\nexpect:" in head:
        return False
    at = head.find(b"\r\ncontent-length:")
    told = head[at + 17 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b"0"
    return told.isdigit() and len(told) < 10 and len(data) == end + 4 + int(told)
