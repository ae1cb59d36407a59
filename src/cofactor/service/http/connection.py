"""A connection within limits: how many there may be, how long each phase of one may take, and how
much of it is held in memory.

The parser is h11, for what it brings: it takes in one request at a time (what is pipelined behind
it waits in the socket), and refuses a head that doesn't end within its limit. uvicorn waits with an
answer until the last one is read. What neither has are deadlines before a request is whole and
while an answer isn't read, and room for others: those are here, as one look at all connections a
second rather than a timer a request."""

from __future__ import annotations

import time
from collections import Counter
from http import HTTPStatus
from typing import Any, NoReturn

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cofactor.service.errors import RequestError, overloaded
from cofactor.service.http.guard import MAX_HEAD
from cofactor.service.settings import Settings

_LOOK = 1.0  # seconds between two looks
_SHARE = 0.75  # of all connections that one address may hold
_PART = 64  # of as many connections one more is let go at a time
_MOST_REFUSED = 64  # connections that are refused and whose clients haven't closed them yet
MAX_LINES = 256  # lines of a request's head; each takes microseconds to read
_MOST_CHUNKS = 2_048  # chunks of a body; each takes some ten microseconds to read


class ConnectionLimits:
    """All connections of a server, and who of them has to go.

    Parameters
    ----------
    settings
        How many there may be, and the deadlines.
    handles
        How many the system lets this process have.
    """

    def __init__(self, settings: Settings, handles: int | None = None) -> None:
        self.settings = settings
        most = settings.max_connections
        self.most = most if handles is None else max(1, min(most, handles))
        self.per_address = max(1, int(_SHARE * self.most))
        self._open: dict[Connection, None] = {}
        self._by_address: Counter[str] = Counter()
        self._refused: dict[Connection, float] = {}
        self._looking = False

    def now(self) -> float:
        """Return the seconds of the clock by which deadlines are kept."""
        return time.monotonic()

    def enter(self, one: Connection) -> bool:
        """Take a connection in, and let go another that waits if need be; return whether there is
        room.
        """
        self._open[one] = None
        self._by_address[one.address] += 1
        self._look_again(one.loop)
        if self._by_address[one.address] > self.per_address:
            return self._let_go(one, one.address)
        return len(self._open) <= self.most or self._let_go(one, None)

    def refuse(self, one: Connection) -> None:
        """Give a client for whom there is no room a moment to read so: a connection that is closed
        over what has come and isn't read is reset.
        """
        self.leave(one)
        self._refused[one] = self.now()
        if len(self._refused) > _MOST_REFUSED:
            longest = next(iter(self._refused))
            self.leave(longest)
            longest.transport.abort()
        self._look_again(one.loop)

    def leave(self, one: Connection) -> None:
        """Forget a connection."""
        self._refused.pop(one, None)
        if one in self._open:
            del self._open[one]
            self._by_address[one.address] -= 1
            if not self._by_address[one.address]:
                del self._by_address[one.address]

    def _look_again(self, loop: Any) -> None:
        if not self._looking:
            self._looking = True
            loop.call_later(_LOOK, self._look, loop)

    def _let_go(self, new: Connection, address: str | None) -> bool:
        """Close what has waited longest for its client; last of all those that were answered and
        are silent since. Of many connections several at a time: to look at all of them for each
        new one would let whoever opens more hold everybody up.
        """
        waiting = [
            one
            for one in self._open
            if one is not new and one.awaits_client and (address is None or one.address == address)
        ]
        waiting.sort(key=lambda one: (one.answered and not one.busy, one.waiting_since))
        for oldest in waiting[: 1 + self.most // _PART]:
            self.leave(oldest)
            oldest.transport.abort()
        return bool(waiting)

    def _look(self, loop: Any) -> None:
        self._looking, now = False, self.now()
        if self._open or self._refused:
            self._look_again(loop)
        late = [one for one in self._open if one.is_late(now)]
        for one in (*late, *(o for o, since in self._refused.items() if now - since > _LOOK)):
            one.transport.abort()


class SparingParser(h11.Connection):
    """h11's parser, which refuses what costs many times more to read than to send: a head of
    thousands of lines, a body in thousands of chunks. Either would hold everybody up meanwhile.
    """

    refusal: RequestError | None = None  # why the last event was refused
    _chunks = 0

    def next_event(self) -> Any:
        """Return the next event of the client, within the limits."""
        if self.their_state is h11.IDLE:
            self._chunks = 0
            if too_many_lines(self.trailing_data[0]):
                self._refuse(
                    431, "too_large", f"a request's head must have at most {MAX_LINES} lines."
                )
        event = super().next_event()
        if isinstance(event, h11.Data) and event.chunk_start:
            self._chunks += 1
            if self._chunks > _MOST_CHUNKS:
                self._refuse(
                    400,
                    "malformed",
                    f"a body must come in at most {_MOST_CHUNKS:,} chunks; send larger ones.",
                )
        return event

    def _refuse(self, status: int, code: str, message: str) -> NoReturn:
        self.refusal = RequestError(status, code, message)
        raise h11.RemoteProtocolError(message, error_status_hint=status)


def too_many_lines(data: bytes) -> bool:
    """Return whether the head at the beginning of some bytes has more lines than it may."""
    if data.count(b"\n") <= MAX_LINES:
        return False
    end = data.find(b"\r\n\r\n")
    return data.count(b"\n", 0, len(data) if end < 0 else end) > MAX_LINES


class Connection(H11Protocol):
    """A connection of uvicorn's within limits."""

    limits: ConnectionLimits  # of the server, set in a subclass of its own
    conn: SparingParser
    address = ""
    since = 0.0  # when the present phase began
    begun = False  # whether bytes of the next request have come
    answered = False  # whether a request was ever answered
    ended = False  # whether the client has sent all that it will
    refused = False  # whether there was no room for it
    _unsent_since: float | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.conn = SparingParser(h11.SERVER, MAX_HEAD)

    def connection_made(self, transport: Any) -> None:
        """Begin, if there is room."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self.since = self.limits.now()
        if self.limits.enter(self):
            return
        # Nothing that comes is read as a request.
        self.refused = self.begun = True
        self.limits.refuse(self)
        self._answer_last(
            overloaded("there are as many connections as there may be; try again shortly.")
        )
        if transport.can_write_eof():
            transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.limits.leave(self)
        super().connection_lost(exc)

    @property
    def busy(self) -> bool:
        """Whether a request is whole, or at least its head, and not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def receiving(self) -> bool:
        """Whether the body of the request under way isn't whole."""
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    @property
    def awaits_client(self) -> bool:
        """Whether nothing happens here until the client sends or reads something."""
        return not self.busy or self.receiving or self._unsent_since is not None

    @property
    def waiting_since(self) -> float:
        """Since when it waits for its client."""
        return self.since if self._unsent_since is None else self._unsent_since

    def is_late(self, now: float) -> bool:
        """Return whether the present phase takes longer than it may."""
        settings = self.limits.settings
        if self._unsent_since is not None and now - self._unsent_since > settings.send_seconds:
            return True
        if self.busy:
            return self.receiving and now - self.since > settings.body_seconds
        fresh = self.begun or not self.answered
        return now - self.since > (settings.head_seconds if fresh else settings.idle_seconds)

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self.refused:
            return
        if not self.begun and not self.busy:
            self.begun = True
            if self.answered:  # the first request has the time since the connection was made
                self.since = self.limits.now()
        super().data_received(data)

    def _should_upgrade(self) -> bool:
        """Return False: what asks for another protocol is answered in this one (RFC 9110, section
        7.8). uvicorn would, each time, advise in the log to install a library for WebSockets.
        """
        return False

    def send_400_response(self, msg: str) -> None:
        """Refuse what isn't HTTP, in the form of all refusals, and end; a handler that waits for
        the rest of a body learns that nobody is there any more.
        """
        if self.busy:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            unread = RequestError(400, "malformed", "this isn't an HTTP request.")
            self._answer_last(self.conn.refusal or unread)
        self.transport.close()

    def _answer_last(self, error: RequestError) -> None:
        """Write an answer behind which nothing follows."""
        body = error.body()
        length = (b"content-length", str(len(body)).encode())
        headers = [*error.headers(), length, (b"connection", b"close")]
        reason = HTTPStatus(error.status).phrase.encode()
        reply = h11.Response(status_code=error.status, headers=headers, reason=reason)
        for event in (reply, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))

    def eof_received(self) -> bool:  # type: ignore[override]
        """Keep the connection of a client that has said all and still listens (`nc -N`)."""
        self.ended = True
        return self.busy and not self.receiving

    def close_if_ended(self) -> None:
        """Close the connection of a client that has said all and has its answers."""
        if self.ended and not self.busy:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Go on to what is between two requests, or to the next one."""
        self.answered, self.since = True, self.limits.now()
        super().on_response_complete()
        self.begun = self.conn.their_state is not h11.IDLE or bool(self.conn.trailing_data[0])
        self.close_if_ended()

    def pause_writing(self) -> None:
        """Note that what was answered isn't read."""
        self._unsent_since = self.limits.now()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that it is read now."""
        self._unsent_since = None
        super().resume_writing()
