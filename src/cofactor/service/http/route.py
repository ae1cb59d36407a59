"""A route: its path, who may call it, what goes in and out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cofactor.service.http.context import Context

PATH_IDS = ("user_id", "item_id")  # names in paths that stand for ids, slashes and all
Handler = Callable[[Context, dict[str, str], Any], Awaitable[Any]]


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
        ready `Response`.
    takes
        The type of the body (POST, PUT) or of the query (GET, DELETE).
    gives
        The type of the answer; a media type for what is no JSON.
    summary
        One line.
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
    takes: type
    gives: type | str
    summary: str
    ingest: bool = False
    timed: bool = False
    goes_on: bool = False

    @property
    def has_body(self) -> bool:
        """Whether what it takes comes in the body."""
        return self.method in ("POST", "PUT")
