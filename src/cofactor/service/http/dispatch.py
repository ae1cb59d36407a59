"""From a request to its handler and back: key, body, decoding, time limit, the one shape of
errors, counting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec
from starlette.responses import Response

from cofactor.base.json_names import name_twice
from cofactor.service.answering.budget import is_plain
from cofactor.service.answering.turns import asking
from cofactor.service.errors import (
    JSON_HEADERS,
    NO_SNIFFING,
    Headers,
    RequestError,
    invalid,
    of_decoding,
    of_error,
    overloaded,
)
from cofactor.service.http.context import Context
from cofactor.service.http.guard import Guard, cors
from cofactor.service.http.keys import Key
from cofactor.service.http.route import PATH_IDS, Route
from cofactor.service.wire import outside_id

log = logging.getLogger("cofactor.service")
# A catalogue may hold what the encoder doesn't know: pandas' own times, of nanoseconds.
_encoder = msgspec.json.Encoder(
    enc_hook=lambda one: one.isoformat() if hasattr(one, "isoformat") else str(one)
)
_BEHIND_IDS = (b"because", b"export", b"history", b"recommendations", b"similar")
_PROBES = ("/health", "/ready")
_MOST_HELD = 64 << 20  # bytes of bodies of one key that haven't come whole
# Bytes of a body that are read in the event loop; a megabyte of small objects takes 80 ms.
_SOON_READ = 1 << 16
_LATE = 25.0  # times what a request may wait that the event loop may be late, on average


class Dispatch:
    """One route as an ASGI application.

    Parameters
    ----------
    route
        What it serves.
    context
        The service.
    guard
        Who may call at all.
    """

    def __init__(self, route: Route, context: Context, guard: Guard) -> None:
        self.route = route
        self._context = context
        self._guard = guard
        self._decode: Callable[[bytes], Any] | None = (
            msgspec.json.Decoder(route.takes).decode if route.has_body else None
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request of the framework."""
        status, body, headers = await self.reply(scope, dict(scope["headers"]), receive)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body}
        )

    async def reply(
        self, scope: Any, headers: dict[bytes, bytes], body: Any
    ) -> tuple[int, bytes, Headers]:
        """Return status, body and headers of the answer to a request; whatever goes wrong is
        reported in the response.

        Parameters
        ----------
        scope
            ASGI's: ``method``, ``query_string`` and ``path_params`` are read.
        headers
            By their names in lower case.
        body
            Its bytes, where the caller has them; else ASGI's ``receive``.
        """
        started = time.perf_counter()
        origin, failure, route = None, None, self.route
        try:
            origin = self._guard.check(
                scope,
                headers,
                probe=route.path in _PROBES,
                public=route.scope == "public",
            )
            async with asyncio.timeout(self._context.settings.timeout):
                key, raw = await self._received(headers, body)
                with self._under_way(_who(key)):
                    status, payload, extra = await self._answer(scope, key, raw)
        except Exception as error:
            failure = of_error(error)
            if route.ingest and failure.outcome is None and failure.status >= 500:
                # An unexpected error may have happened after the commit.
                failure.outcome = "unknown" if failure.status == 500 else "refused"
            if failure.status == 500:
                log.exception("failed", extra={"facts": {"route": route.path}})
            status, payload, extra = failure.status, failure.body(), failure.headers()
        self._record(scope, status, time.perf_counter() - started, failure)
        sized = [*extra, (b"content-length", str(len(payload)).encode())]
        return status, payload, sized if origin is None else [*sized, *cors(origin)]

    async def _received(self, headers: dict[bytes, bytes], body: Any) -> tuple[Key | None, bytes]:
        """The key and the whole body of a request for which there is room."""
        whole, most = isinstance(body, bytes), self._context.settings.max_body
        given = headers.get(b"authorization")
        key = self._context.keys.check(
            None if given is None else given.decode("latin-1"), self.route.scope
        )
        who = _who(key)
        if not whole:
            self._has_room(who)
        raw: bytes = body if whole else b""
        if self._decode is not None:
            if not whole:
                raw = await _body(body, headers, most, self._guard.held, who)
                self._has_room(who)  # others may have come meanwhile
            if len(raw) > most:
                raise _too_long(most)
            _check_plain(headers, raw)
        return key, raw

    @contextlib.contextmanager
    def _under_way(self, who: str) -> Iterator[None]:
        """Count a request from the moment at which it is whole: who sends slowly takes no place."""
        route, admission = self.route, self._context.admission
        self._guard.under_way += 1
        admission.count(who, 1, scored=route.timed, ingested=route.ingest)
        try:
            yield
        finally:
            self._guard.under_way -= 1
            admission.count(who, -1, scored=route.timed, ingested=route.ingest)

    async def _answer(self, scope: Any, key: Key | None, raw: bytes) -> tuple[int, bytes, Headers]:
        route, context, who = self.route, self._context, _who(key)
        asking.set(who)
        if self._decode is None:
            request = _query(scope["query_string"], route.takes)
        elif len(raw) <= _SOON_READ:
            request = self._request(raw)
        else:
            request = await context.read(self._request, raw)
        if scope["method"] == "DELETE":
            _check_whole(scope)
        path = scope.get("path_params", {})
        path = {n: outside_id(v, n) if n in PATH_IDS else v for n, v in path.items()}
        if any("\ufffd" in value for value in path.values()):
            _check_text(scope)
        await context.follow()
        model = context.models.current.model
        if is_plain(request, model.traits.explains):
            answer = await route.handler(context, path, request)
        else:
            n_items = model.data.n_items
            with context.budgets.spent(request, who, n_items, timed=route.timed):
                answer = await route.handler(context, path, request)
        if isinstance(answer, Response):
            return (
                answer.status_code,
                bytes(answer.body),
                [*(h for h in answer.raw_headers if h[0] != b"content-length"), NO_SNIFFING],
            )
        return 200, _encoder.encode(answer), JSON_HEADERS

    def _request(self, raw: bytes) -> Any:
        """What a body asks for."""
        assert self._decode is not None
        try:
            request = self._decode(raw)
        except msgspec.ValidationError as error:
            raise of_decoding(error, self.route.takes) from None
        _check_names(raw)
        return request

    def _has_room(self, who: str) -> None:
        """Refuse what comes by the slow path while there is no room."""
        route, context, admission = self.route, self._context, self._context.admission
        late = context.lag > _LATE * context.settings.max_waiting
        if route.timed and (late or admission.full(who)):
            raise overloaded()
        # Writes have room of their own: a flood of events is refused here, and answers go on.
        if route.ingest and (late or admission.ingest_full(who)):
            raise overloaded(
                "there are more events than can be stored in time; send the same ones, with the"
                " same ids, again shortly."
            )

    def _record(
        self, scope: Any, status: int, seconds: float, failure: RequestError | None
    ) -> None:
        route, context = self.route, self._context
        context.telemetry.answered(route.path, status, seconds, timed=route.timed)
        # At full load a line per refusal would cost more than the refusal: those are counted, not
        # listed.
        notable = (status >= 500 and status != 503) or route.scope == "admin"
        if context.settings.access_log or notable:
            facts = {
                "method": scope["method"],
                "route": route.path,
                "status": status,
                "ms": round(seconds * 1000, 2),
            }
            if failure is not None:
                facts["code"] = failure.code
            log.info("request", extra={"facts": facts})


def _who(key: Key | None) -> str:
    """Whose request it is: the digest of its key, empty where no keys are required."""
    return "" if key is None else key.digest


async def _body(
    receive: Any, headers: dict[bytes, bytes], limit: int, held: Counter[str], who: str
) -> bytes:
    """The body, refused as soon as it is known to be too long, or its key's bodies that haven't
    come whole take too much memory (``held``: bytes by key).
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > limit:
        raise _too_long(limit)
    found, more = bytearray(), True
    try:
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestError(400, "malformed", "the body ended early.")
            part, more = message.get("body", b""), message.get("more_body", False)
            found += part
            held[who] += len(part)
            if len(found) > limit:
                raise _too_long(limit)
            if more and held[who] > _MOST_HELD:
                raise overloaded("there are too many long bodies under way; send fewer at once.")
    finally:
        held[who] -= len(found)
        if not held[who]:
            del held[who]
    return bytes(found)


def _check_plain(headers: dict[bytes, bytes], raw: bytes) -> None:
    """Refuse a body that is there only in another encoding, or not at all."""
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"identity", b""):
        raise RequestError(
            415,
            "encoding",
            f"bodies are read as they are, not as {encoding.decode('latin-1')!r}; send it without"
            " content-encoding.",
        )
    if not raw.strip():
        raise RequestError(400, "malformed", "the body is empty; send a JSON object.")


def _check_names(raw: bytes) -> None:
    """Refuse an object with a name twice, of which readers take the one or the other."""
    name = name_twice(raw.decode())
    if name is not None:
        raise invalid(f"{name} is given twice in one object.", name)


def _check_whole(scope: Any) -> None:
    """Refuse to delete where the path goes on behind an id as it does for reading: the id of a user
    ``x/export`` is written ``x%2Fexport``.
    """
    last = unquote_to_bytes((scope.get("raw_path") or b"").partition(b"?")[0].rpartition(b"/")[2])
    if last in _BEHIND_IDS:
        raise RequestError(
            405, "method", f"DELETE isn't for .../{last.decode()}; a slash in an id is written %2F."
        )


def _check_text(scope: Any) -> None:
    """Refuse ids of bytes that aren't UTF-8, which are one and the same once they are decoded."""
    try:
        unquote_to_bytes(scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        raise RequestError(400, "malformed", "the address isn't UTF-8.") from None


def _too_long(limit: int) -> RequestError:
    return RequestError(413, "too_large", f"the body must have at most {limit:,} bytes.")


def _query(raw: bytes, takes: type) -> Any:
    """What stands behind the "?", as strictly as a body; numbers are written as texts there."""
    if not raw:
        return msgspec.convert({}, takes, strict=False)
    if len(raw) > 20_000:
        raise RequestError(414, "too_large", "the address is too long; POST the request instead.")
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=50,
        )
    except (ValueError, UnicodeDecodeError):
        raise RequestError(
            400, "malformed", "the part of the address behind the '?' can't be read."
        ) from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in given:
            cure = "; put its rules in one, with semicolons between." if name == "rerank" else "."
            raise invalid(f"{name} is given twice{cure}", name)
        given[name] = value
    return msgspec.convert(given, takes, strict=False)
