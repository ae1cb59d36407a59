"""The fast path: requests that come by the hundred a second are read, answered or refused where
their bytes arrive.

A request through the framework costs several times what reading and scoring it do, and at many
times the load that can be carried even saying no must cost next to nothing. So the routes that
carry the load (recommendations for a user, for a posted history, events) have a fast path: a
request that comes whole, in plain form, is refused before it is read while there is no room, and is
otherwise handed to the same handlers, with the same checks, without routing: 230 µs of processor
time a request, and 420 by the framework, client included (November 2026, on a busy machine;
`benchmarks/fast_path.py`).
Whatever isn't plain (an escaped path, a chunked body, a page of another site, a header twice) goes
the slow path."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Coroutine, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cofactor.service.errors import Headers, overloaded
from cofactor.service.http.connection import Connection, ConnectionLimits, too_many_lines
from cofactor.service.http.context import GONE
from cofactor.service.http.guard import MAX_HEAD

if TYPE_CHECKING:
    from cofactor.service.http.context import Context
    from cofactor.service.http.dispatch import Dispatch

_USER, _USER_END = b"/v1/users/", b"/recommendations"
_HOT = (b"GET /v1/users/", b"POST /v1/recommend ", b"POST /v1/events ")
# Header names and values in plain characters; the path without escapes.
_HEAD = re.compile(
    rb"(GET|POST) (/v1/[!\"$&->@-~]+)(?:\?([!\"$-~]*))? HTTP/1\.1\r\n((?:[A-Za-z0-9_-]+: ?["
    rb" -~]*\r\n)+)\r\n"
)
# What these ask for is the framework's business: other framings, other endings, other sites' pages.
_SLOW_PATH_HEADERS = frozenset(
    {b"transfer-encoding", b"expect", b"upgrade", b"origin", b"sec-fetch-site"}
)
_GIVEN_KEY = re.compile(rb"\r\nauthorization: *bearer +([!-~]+)", re.IGNORECASE)
_MOST_UNSENT = 1 << 16  # bytes of answers that a client may leave unread on the fast path
_MOST_HELD = 1 << 16  # bytes that are taken while an answer is on its way


@functools.cache
def _line_of(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()


def _lines_of(headers: Headers) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers]) + b"\r\n"


def _refusal(outcome: str | None) -> bytes:
    error = overloaded()
    error.outcome = outcome
    body = error.body()
    headers = [*error.headers(), (b"content-length", str(len(body)).encode())]
    return _line_of(503) + _lines_of(headers) + body


_NO, _NO_EVENTS = _refusal(None), _refusal("refused")

Reply = tuple[int, bytes, Headers]
Plain = tuple[bytes, bytes, bytes, dict[bytes, bytes], bytes]


class FastPath:
    """What the fast path needs of the service.

    Parameters
    ----------
    context
        The service.
    dispatches
        (method, path as in the table of routes) -> what answers.
    """

    def __init__(self, context: Context, dispatches: Mapping[tuple[str, str], Dispatch]) -> None:
        self._context = context
        self._user = dispatches["GET", "/v1/users/{user_id}/recommendations"]
        self._posted = {
            b"/v1/recommend": dispatches["POST", "/v1/recommend"],
            b"/v1/events": dispatches["POST", "/v1/events"],
        }
        self._admission = context.admission

    def refusal(self, data: bytes) -> bytes | None:
        """Return the answer to a request that came whole and for which there is no room, else
        None; those turned away are counted.
        """
        writes = data.startswith(_HOT[2])
        full = self._admission.ingest_full if writes else self._admission.full
        if not full() or not is_whole(data):
            return None
        if len(self._context.keys):
            # Whose it is matters only now: one key may have filled the places of all.
            given = _GIVEN_KEY.search(data, 0, data.find(b"\r\n\r\n"))
            if given is not None and not full(self._context.keys.digest_of(given[1])):
                return None
        self._context.telemetry.turned_away()
        return _NO_EVENTS if writes else _NO

    def begun(self, data: bytes) -> Coroutine[Any, Any, Reply] | None:
        """Return what answers a request, or None if it must go the slow path."""
        plain = read_plain(data)
        if plain is None:
            return None
        method, path, query, headers, body = plain
        params: dict[str, str] = {}
        if method == b"GET":
            if not path.endswith(_USER_END) or len(path) <= len(_USER) + len(_USER_END):
                return None
            params["user_id"] = path[len(_USER) : -len(_USER_END)].decode("ascii")
            dispatch = self._user
        else:
            found = self._posted.get(path)
            if found is None:
                return None
            dispatch = found
        scope = {"method": method.decode(), "query_string": query, "path_params": params}
        return dispatch.reply(scope, headers, body)


def read_plain(data: bytes) -> Plain | None:
    """Return method, path, query, headers and body if the bytes are exactly one plain request,
    else None.
    """
    found = None if too_many_lines(data) else _HEAD.match(data)
    if found is None or found.end() > MAX_HEAD:
        return None
    method, path, query, lines = found.groups()
    headers: dict[bytes, bytes] = {}
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        name = name.lower()
        if name in headers:
            return None
        headers[name] = value.strip()
    if (
        not _SLOW_PATH_HEADERS.isdisjoint(headers)
        or headers.get(b"connection", b"keep-alive").lower() != b"keep-alive"
    ):
        return None
    length, body = headers.get(b"content-length", b"0"), data[found.end() :]
    if not length.isdigit() or len(length) > 9 or int(length) != len(body):
        return None
    return method, path, query or b"", headers, body


class FastConnection(Connection):
    """A connection with the fast path in front."""

    fast_path: FastPath
    answering: asyncio.Task[Reply] | None = None  # the answer on its way, on the fast path
    held = b""
    closes = False

    @property
    def busy(self) -> bool:
        """Whether a request is under way, on either path."""
        return self.answering is not None or super().busy

    def data_received(self, data: bytes) -> None:
        """Answer what is plain here, and leave the rest to the framework."""
        if self.answering is not None:
            # What comes while an answer is on its way waits behind it.
            self.held += data
            if len(self.held) > _MOST_HELD:
                self.flow.pause_reading()
            return
        if not self.begun and not self.busy and data.startswith(_HOT) and self._answer_plain(data):
            return
        super().data_received(data)

    def _answer_plain(self, data: bytes) -> bool:
        """Answer or refuse a request here, if it is a plain one."""
        if self.transport.get_write_buffer_size() > _MOST_UNSENT:
            return False
        refusal = self.fast_path.refusal(data)
        if refusal is not None:
            self._written(refusal)
            return True
        reply = self.fast_path.begun(data)
        if reply is None:
            return False
        self._unset_keepalive_if_required()
        self.answering = self.loop.create_task(reply)
        self.answering.add_done_callback(self._answered)
        return True

    def _answered(self, task: asyncio.Task[Reply]) -> None:
        self.answering = None
        if task.cancelled():  # nobody is there any more
            return
        status, body, headers = task.result()
        if not self.transport.is_closing():
            self._written(_line_of(status) + _lines_of(headers) + body)
        if self.closes:
            self.transport.close()
        elif self.held:
            data, self.held = self.held, b""
            self.flow.resume_reading()
            self.data_received(data)
        self.close_if_ended()

    def _written(self, raw: bytes) -> None:
        self._unset_keepalive_if_required()
        self.transport.write(raw)
        # From now on it may be idle as long as others; that is looked at for all at a time.
        self.answered, self.since = True, self.limits.now()

    def shutdown(self) -> None:
        """End once what is under way is answered."""
        if self.answering is not None:
            self.closes = True
        else:
            super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        if self.answering is not None:
            self.answering.cancel(GONE)
        super().connection_lost(exc)


def guarded_protocol(fast_path: FastPath, limits: ConnectionLimits) -> type[FastConnection]:
    """Return the connections of one server as a protocol for uvicorn."""
    return type("Guarded", (FastConnection,), {"fast_path": fast_path, "limits": limits})


def is_whole(data: bytes) -> bool:
    """Return whether the bytes are exactly one request, so that nothing of it is left to come."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = data[:end].lower()
    if (
        b"\r\ntransfer-encoding:" in head
        or b"\r\nexpect:" in head
        or b"\r\nconnection: close" in head
    ):
        return False
    at = head.find(b"\r\ncontent-length:")
    length = head[at + 17 :].split(b"\r\n", 1)[0].strip() if at >= 0 else b"0"
    return length.isdigit() and len(length) < 10 and len(data) == end + 4 + int(length)
