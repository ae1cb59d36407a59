"""A client of the service: typed calls over one connection, with safe retries.

::

    from cofactor.client import Client

    with Client("http://127.0.0.1:8000", key="...") as recs:
        recs.send([{"user_id": 42, "item_id": 50, "kind": "purchase"}])
        for item in recs.recommend(42, k=5).items:
            print(item.title, item.score)

It needs nothing but Cofactor's base install. One client is for one thread at a time."""

from __future__ import annotations

import http.client
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.service.plain_requests import id_of, plain_event, plain_of
from cofactor.service.replies import (
    AckOut,
    ExportOut,
    Feed,
    FeedRows,
    Found,
    HistoryOut,
    ItemOut,
    ModelOut,
    Recommendations,
    Recommended,
    Similar,
)

_Reply = TypeVar("_Reply")
_NO_ANSWER = (OSError, http.client.HTTPException)


class ServiceError(CofactorError):
    """The service refused a request, failed, or can't be reached.

    Parameters
    ----------
    status
        The HTTP status; 0 where there was no answer.
    code
        A word for machines.
    message
        A sentence for people.
    field
        The part of the request at fault, or None.
    outcome
        Of a request that changes the store: ``refused`` or ``unknown``; None of others.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        field: str | None = None,
        outcome: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.field, self.outcome = status, code, field, outcome


class Client:
    """A connection to a running service.

    Parameters
    ----------
    url
        Where it is, with the path of a proxy if it has one: ``https://shop.example/recs``.
    key
        An API key, or None.
    timeout
        Seconds that an answer may take.
    retries
        How often a request is sent again when the service is busy (503) or the connection breaks.
        Events are sent again under the same ids, so that none is stored twice.

    Raises
    ------
    ArgumentError
        If the URL isn't one of http or https, or the key can't be one.
    """

    def __init__(
        self, url: str, *, key: str | None = None, timeout: float = 10.0, retries: int = 2
    ) -> None:
        self._connection, self._root = _connection(url, timeout)
        self._headers = _headers(key)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # Lists.

    def recommend(
        self,
        user_id: str | int | None = None,
        *,
        history: Sequence[Any] | None = None,
        k: int = 10,
        where: str | None = None,
        rerank: Sequence[str] | None = None,
        **more: Any,
    ) -> Recommendations:
        """Recommend to a user, or to a history of item ids.

        Parameters
        ----------
        user_id, history
            One of them.
        k
            How many items.
        where
            A condition of the filter language.
        rerank
            Rules such as ``["mmr=0.7 by genres", "cap=2 by author"]``; None for the service's own.
        more
            Further fields of ``POST /v1/recommend``: ``allow``, ``block``, ``version`` ...

        Raises
        ------
        ServiceError
            If the service refuses or can't be reached.
        """
        body = {"user_id": user_id, "history": history, "k": k, "where": where, "rerank": rerank}
        return self._post("/v1/recommend", {**body, **more}, Recommendations)

    def pages(
        self, user_id: str | int, *, k: int = 20, where: str | None = None, **more: Any
    ) -> Iterator[list[Recommended]]:
        """Yield a user's list page by page; no item comes twice."""
        cursor: str | None = None
        while True:
            found = self.recommend(user_id, k=k, where=where, paged=True, cursor=cursor, **more)
            if found.items:
                yield found.items
            cursor = found.next
            if cursor is None or len(found.items) < k:
                return

    def similar(self, item_id: str | int, k: int = 10, where: str | None = None) -> Similar:
        """Return the items most like one."""
        return self._get(f"/v1/items/{_escaped(item_id)}/similar", Similar, k=k, where=where)

    def because(self, user_id: str | int, rows: int = 3, k: int = 10) -> FeedRows:
        """Return rows of items like the last ones that a user liked."""
        return self._get(f"/v1/users/{_escaped(user_id)}/because", FeedRows, rows=rows, k=k)

    def trending(
        self,
        k: int = 10,
        *,
        half_life: float = 24.0,
        where: str | None = None,
        cursor: str | None = None,
    ) -> Feed:
        """Return what users did most lately; ``half_life`` in hours."""
        given = {"k": k, "half_life": half_life, "where": where, "cursor": cursor}
        return self._get("/v1/feeds/trending", Feed, **given)

    def popular(
        self,
        column: str | None = None,
        value: str | None = None,
        k: int = 10,
        cursor: str | None = None,
    ) -> Feed:
        """Return the most popular items, of one category if it is named."""
        given = {"column": column, "value": value, "k": k, "cursor": cursor}
        return self._get("/v1/feeds/popular", Feed, **given)

    def categories(self, column: str, rows: int = 5, k: int = 10) -> FeedRows:
        """Return a row of popular items for each of the largest categories."""
        return self._get("/v1/feeds/categories", FeedRows, column=column, rows=rows, k=k)

    # Events, items, users.

    def send(self, events: Sequence[Mapping[str, Any]], request_id: str | None = None) -> AckOut:
        """Store events: on return they are on disk, and the next answers know them.

        Parameters
        ----------
        events
            Each with ``user_id``, ``item_id``, and perhaps ``kind``, ``value``, ``time`` (seconds
            since 1970, a `datetime` or a `date`), ``event_id``.
        request_id
            From which events without an id get theirs; made if None.
        """
        name = request_id if request_id is not None else uuid.uuid4().hex
        sent = [plain_event(event) for event in events]
        return self._post("/v1/events", {"events": sent, "request_id": name}, AckOut)

    def undo(self, event_ids: Sequence[str]) -> AckOut:
        """Undo events by their ids."""
        return self._post("/v1/events/undo", {"event_ids": list(event_ids)}, AckOut)

    def put_items(self, items: Sequence[Mapping[str, Any]]) -> AckOut:
        """Describe items: ``item_id``, ``title``, ``text``, ``features``."""
        return self._post("/v1/items", {"items": list(items)}, AckOut)

    def hide(self, item_ids: Sequence[str | int]) -> AckOut:
        """Hide items: from now on no answer holds them."""
        return self._post("/v1/items/hide", {"item_ids": list(item_ids)}, AckOut)

    def show(self, item_ids: Sequence[str | int]) -> AckOut:
        """Show hidden items again."""
        return self._post("/v1/items/show", {"item_ids": list(item_ids)}, AckOut)

    def delete_items(self, item_ids: Sequence[str | int]) -> AckOut:
        """Delete items."""
        return self._post("/v1/items/delete", {"item_ids": list(item_ids)}, AckOut)

    def item(self, item_id: str | int) -> ItemOut:
        """Return what is known of an item."""
        return self._get(f"/v1/items/{_escaped(item_id)}", ItemOut)

    def search(self, words: str, limit: int = 10) -> Found:
        """Find items by words of their titles."""
        return self._get("/v1/search", Found, q=words, limit=limit)

    def history(self, user_id: str | int, limit: int = 100) -> HistoryOut:
        """Return what a user did, oldest first."""
        return self._get(f"/v1/users/{_escaped(user_id)}/history", HistoryOut, limit=limit)

    def export(self, user_id: str | int) -> ExportOut:
        """Return all that is stored of a user."""
        return self._get(f"/v1/users/{_escaped(user_id)}/export", ExportOut)

    def erase(self, user_id: str | int) -> AckOut:
        """Erase all that is stored of a user."""
        return self._call("DELETE", f"/v1/users/{_escaped(user_id)}", None, AckOut)

    def model(self) -> ModelOut:
        """Return which model answers, and which versions there are."""
        return self._get("/v1/model", ModelOut)

    def ready(self) -> bool:
        """Return whether the service can answer and take events."""
        try:
            return self._exchange("GET", "/ready", None)[0] == 200
        except _NO_ANSWER:
            self._connection.close()
            return False

    # One request.

    def _get(self, path: str, kind: type[_Reply], **query: Any) -> _Reply:
        given = {name: value for name, value in query.items() if value is not None}
        with _sendable():
            words = f"?{urlencode(given)}" if given else ""
        return self._call("GET", path + words, None, kind)

    def _post(self, path: str, body: Mapping[str, Any], kind: type[_Reply]) -> _Reply:
        given = {name: value for name, value in body.items() if value is not None}
        with _sendable():
            raw = msgspec.json.encode(plain_of(given, ""))
        return self._call("POST", path, raw, kind)

    def _call(self, method: str, path: str, body: bytes | None, kind: type[_Reply]) -> _Reply:
        outcome = None if method == "GET" else "unknown"  # of what has no answer
        for left in range(self._retries, -1, -1):
            try:
                status, raw, wait = self._exchange(method, path, body)
            except _NO_ANSWER as error:
                self._connection.close()
                if not left:
                    message = f"the service can't be reached: {error}."
                    raise ServiceError(0, "unreachable", message, None, outcome) from error
                continue
            if status == 503 and left:
                time.sleep(wait)
                continue
            if status >= 300:
                raise _refusal(status, raw)
            try:
                return msgspec.json.decode(raw, type=kind)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                message = "the answer isn't the service's; check the address, and proxies between."
                raise ServiceError(status, "unreadable", message, None, outcome) from None
        raise AssertionError("unreachable")

    def _exchange(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes, float]:
        headers = dict(self._headers)
        if body is not None:
            headers["content-type"] = "application/json"
        self._connection.request(method, self._root + path, body, headers)
        answer = self._connection.getresponse()
        raw, wait = answer.read(), answer.headers.get("retry-after", "1")
        return answer.status, raw, min(5.0, float(wait)) if wait.isdecimal() else 1.0


def _connection(url: str, timeout: float) -> tuple[http.client.HTTPConnection, str]:
    """The connection to an address, and the path of a proxy in front."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise ArgumentError(f"url must be such as http://127.0.0.1:8000, not {url!r}.")
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    return kind(host, port, timeout=timeout), parts.path.rstrip("/")


def _headers(key: str | None) -> dict[str, str]:
    """The headers of every request; a key often comes from a file, with the end of its line."""
    given = (key or "").strip()
    if not (given.isascii() and given.isprintable()):
        raise ArgumentError(
            "key must be one line of plain characters, as `cofactor serve --new-key` prints it."
        )
    return {"authorization": f"Bearer {given}"} if given else {}


def _escaped(one: str | int) -> str:
    """An id as a part of an address."""
    with _sendable():
        return quote(str(id_of(one, "the id")), safe="")


@contextmanager
def _sendable() -> Iterator[None]:
    try:
        yield
    except ArgumentError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ArgumentError(f"this can't be sent: {error}.") from None


def _refusal(status: int, raw: bytes) -> ServiceError:
    try:
        found = msgspec.json.decode(raw)["error"]
        message, code = str(found["message"]), str(found["code"])
    except (msgspec.MsgspecError, KeyError, TypeError):
        return ServiceError(status, "unknown", f"the service answered {status}.")
    return ServiceError(status, code, message, found.get("field"), found.get("outcome"))
