"""What goes wrong with a request, in the one form in which responses report it."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cofactor.base.errors import (
    ArgumentError,
    ArtifactError,
    CofactorError,
    TraitError,
    UnknownIdError,
    UnwrittenError,
)
from cofactor.store import (
    ConflictError,
    OverloadError,
    ReadOnlyError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    UnknownEventError,
)

Headers = list[tuple[bytes, bytes]]
# Browsers take an answer for what it says it is, and for nothing else.
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
JSON_HEADERS: Headers = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    NO_SNIFFING,
]


class RequestError(CofactorError):
    """A request that is refused or fails.

    Parameters
    ----------
    status
        The HTTP status.
    code
        A word for machines.
    message
        A sentence for people.
    field
        The part of the request at fault: ``events[3].time``; None when it isn't a single one.
    retry_after
        Seconds after which trying again makes sense, or None.

    Attributes
    ----------
    outcome
        Of a request that changes the store: ``refused`` or ``unknown``; None of others.
    event_ids
        The ids under which its events are stored if they are, where that is unknown.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.outcome: str | None = None
        self.event_ids: tuple[str, ...] = ()

    def body(self) -> bytes:
        """Return the answer's body."""
        fields: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field is not None:
            fields["field"] = self.field
        if self.outcome is not None:
            fields["outcome"] = self.outcome
        if self.event_ids:
            fields["event_ids"] = self.event_ids
        try:
            return msgspec.json.encode({"error": fields})
        except UnicodeEncodeError:  # halves of characters, from the name of a file
            shown = {name: _shown(value) for name, value in fields.items()}
            return msgspec.json.encode({"error": shown})

    def headers(self) -> Headers:
        """Return the answer's headers besides its length."""
        found = list(JSON_HEADERS)
        if self.retry_after is not None:
            found.append((b"retry-after", str(max(1, round(self.retry_after))).encode()))
        if self.status == 401:
            found.append((b"www-authenticate", b"Bearer"))
        return found

    async def answer(self, send: Any, *more: tuple[bytes, bytes]) -> None:
        """Send the answer of what reached no route, by ASGI's ``send``."""
        body = self.body()
        headers = [*self.headers(), (b"content-length", str(len(body)).encode()), *more]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _shown(value: Any) -> Any:
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def overloaded(
    message: str = "there are more requests than can be answered in time; try again shortly.",
    retry_after: float = 1.0,
) -> RequestError:
    """Return the refusal of a request for which there is no room now."""
    return RequestError(503, "overloaded", message, retry_after=retry_after)


def unknown_outcome(event_ids: tuple[str, ...] = (), why: str = "") -> RequestError:
    """Return the response to a write of which it is unknown whether it is or will be stored."""
    error = RequestError(
        503,
        "unknown",
        f"{why or 'the storage took too long'}: whether this is stored isn't known; send the same"
        " again, with the same event ids, until it is acknowledged.",
        retry_after=2.0,
    )
    error.outcome, error.event_ids = "unknown", event_ids
    return error


def invalid(message: str, field: str | None = None) -> RequestError:
    """Return the refusal of a request that can't be right."""
    return RequestError(422, "invalid", message, field)


def not_found(message: str, field: str | None = None) -> RequestError:
    """Return the answer for something that isn't there."""
    return RequestError(404, "not_found", message, field)


_AT = re.compile(r"^(?P<what>.*?) - at `(?P<key>key in )?\$?\.?(?P<where>[^`]*)`$", re.DOTALL)
_PLACE = re.compile(r"^(?P<where>(?:events|items)\[\d+\]): (?P<what>.*)$", re.DOTALL)
_NAMED = re.compile(
    r"^((?:user_id|item_ids?|event_ids?|kind|value|time|title|text|features|allow|block|where"
    r"|k|history|version)\b(?:\[\d+\])?)"
)


def of_decoding(
    error: msgspec.MsgspecError | UnicodeDecodeError | RecursionError, takes: Any = None
) -> RequestError:
    """Return the refusal of a body or a query that can't be read; ``takes`` is the type that was
    expected, whose fields are named where an unknown one was given.
    """
    if not isinstance(error, msgspec.ValidationError):
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return RequestError(400, "malformed", f"the body isn't valid JSON: {why}.")
    found = _AT.match(str(error))
    if found is None:
        said = str(error).rstrip(".")
        if said.startswith("Object contains unknown field") and hasattr(takes, "__struct_fields__"):
            said += f"; its fields are {', '.join(takes.__struct_fields__)}"
        return invalid(f"{said}.", _named(str(error)))
    where = re.sub(r"\[\.\.\.\]", "[…]", found["where"])
    if named := _named(found["what"]):  # a check of ours, on the object there
        where = f"{where}.{named}" if where else named
    return invalid(f"{found['what'].rstrip('.')}.", where or None)


def of_error(error: Exception) -> RequestError:
    """Return an error as the response reports it; an unexpected one is reported without its
    details.
    """
    if isinstance(error, RequestError):
        return error
    if isinstance(error, StoreError):
        return _of_store(error)
    if isinstance(error, (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)):
        return of_decoding(error)
    if isinstance(error, TraitError):
        return RequestError(409, "model_cannot", str(error))
    if isinstance(error, UnknownIdError):
        # Its own sentence offers known ids, among them maybe hidden or deleted ones.
        return not_found("the model doesn't know an id of the request.")
    if isinstance(error, ArtifactError):
        return RequestError(409, "bad_model", str(error))
    if isinstance(error, UnwrittenError):
        return RequestError(503, "storage", str(error), retry_after=5.0)
    if isinstance(error, ArgumentError):
        return _of_argument(str(error))
    if isinstance(error, UnicodeEncodeError):
        return RequestError(
            400, "malformed", "a text holds half of a surrogate pair, which isn't valid Unicode."
        )
    if isinstance(error, TimeoutError):
        return RequestError(
            503, "timeout", "the request took too long and was given up.", retry_after=1.0
        )
    return RequestError(500, "internal", "something went wrong inside; the log says what.")


def _of_argument(text: str) -> RequestError:
    placed = _PLACE.match(text)
    if placed is None:
        return invalid(text, _named(text))
    inner = _named(placed["what"])
    return invalid(placed["what"], f"{placed['where']}.{inner}" if inner else placed["where"])


def _named(text: str) -> str | None:
    found = _NAMED.match(text)
    return None if found is None else found[1]


def _of_store(error: StoreError) -> RequestError:
    if isinstance(error, ConflictError):
        return RequestError(409, "conflict", str(error), "events")
    if isinstance(error, UnknownEventError):
        return not_found(str(error), "event_ids")
    if isinstance(error, (OverloadError, StoreBusyError)):
        return overloaded(str(error), error.retry_after)
    if isinstance(error, (ReadOnlyError, StoreClosedError)):
        return RequestError(503, "unavailable", str(error), retry_after=5.0)
    if getattr(error, "unknown", False):
        return unknown_outcome(why=str(error).rstrip("."))
    retry = getattr(error, "retry_after", 5.0)
    return RequestError(503, "storage", str(error), retry_after=retry)
