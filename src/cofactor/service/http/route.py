"""A route: its path, who may call it, what goes in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, TypeVar, get_type_hints

from cofactor.service.http.context import Context

PATH_IDS = ("user_id", "item_id")  # names in paths that stand for ids, slashes and all
Handler = Callable[[Context, dict[str, str], Any], Awaitable[Any]]
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def slowly(
    call: Callable[[Context, dict[str, str], Asked], Answer],
) -> Callable[[Context, dict[str, str], Asked], Awaitable[Answer]]:
    """Make a handler of a function that takes longer: it runs in `Context.slowly`."""

    @wraps(call)
    async def handler(context: Context, path: dict[str, str], request: Asked) -> Answer:
        return await context.slowly(call, context, path, request)

    return handler


@dataclass(frozen=True)
class Route:
    """One kind of request: method and path.

    Parameters
    ----------
    method, path
        As HTTP has them; ``{user_id}`` stands for the rest of the path up to what follows it,
        slashes included.
    scope
        ``public``, ``read``, ``write`` or ``admin``.
    handler
        Takes the context, the path's parameters and the decoded request; returns an answer, or a
        ready `Response`. The types of its request and answer are those of the route.
    summary
        One line.
    gives
        The type of the answer where the handler's doesn't say it; a media type for what isn't JSON.
    ingest
        Whether it writes to the store.
    timed
        Whether its latency counts among those of recommendations.
    goes_on
        Whether it may answer 202 and go on beside everything else.
    """

    method: str
    path: str
    scope: str
    handler: Handler
    summary: str
    gives: Any = None
    ingest: bool = False
    timed: bool = False
    goes_on: bool = False
    takes: type = field(init=False)  # of the body (POST, PUT) or of the query (GET, DELETE)

    def __post_init__(self) -> None:
        *_, takes, gives = get_type_hints(self.handler).values()
        object.__setattr__(self, "takes", takes)
        object.__setattr__(self, "gives", self.gives or gives)

    @property
    def has_body(self) -> bool:
        """Whether what it takes comes in the body."""
        return self.method in ("POST", "PUT")
