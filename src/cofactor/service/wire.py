"""Requests: decoded strictly, unknown names refused, and described to others by the
OpenAPI document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from cofactor.base.checks import LARGEST_VALUE
from cofactor.base.errors import ArgumentError
from cofactor.store import MAX_ID, MAX_TEXT, MAX_TITLE
from cofactor.store import outside_id as stored_id

# Ids are texts; an integer is taken as its decimal text.
IdText = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
IdNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Id = IdText | IdNumber
K = Annotated[int, Meta(ge=1, le=1_000_000)]
Where = Annotated[str, Meta(min_length=1, max_length=10_000)]
Finite = Annotated[float, Meta(ge=-LARGEST_VALUE, le=LARGEST_VALUE)]
Seconds = Annotated[int, Meta(ge=0, le=2**53)]
Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Version = Annotated[str, Meta(min_length=1, max_length=200)]
# A rule of reranking such as "cap=2 by author"; see `cofactor.retrieval.rerank.rules`.
Rule = Annotated[str, Meta(min_length=1, max_length=2_000)]
CursorText = Annotated[str, Meta(min_length=1, max_length=16_000)]
Kind = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$")]


def outside_id(value: Any, name: str) -> Any:
    """Return an id by the rule for all input; integers stay as they are."""
    return stored_id(value, name) if isinstance(value, str) else value


def _outside_ids(values: list[Any], name: str) -> list[Any]:
    try:
        return [outside_id(value, name) for value in values]
    except ArgumentError:  # which one is looked up now that it matters
        return [outside_id(value, f"{name}[{n}]") for n, value in enumerate(values)]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A request: names that it doesn't know are refused."""


# Requests


class Past(Strict, kw_only=True):
    """One item of a posted history, with its value."""

    item_id: Id
    value: Finite | None = None

    def __post_init__(self) -> None:
        self.item_id = outside_id(self.item_id, "item_id")


class _Choice(Strict, kw_only=True):
    """Which items may come back, shared by recommending and by looking for the similar."""

    k: K = 10
    allow: list[Id] | None = None
    block: list[Id] | None = None
    where: Where | None = None
    version: Version | None = None

    def __post_init__(self) -> None:
        self.allow = self.allow and _outside_ids(self.allow, "allow")
        self.block = self.block and _outside_ids(self.block, "block")


class RecommendRequest(_Choice, kw_only=True):
    """Recommendations for one person: a user by id, a history (oldest first), or what is known of
    somebody without either.

    Give exactly one of ``user_id``, ``history``, ``features`` and ``text``.
    """

    user_id: Id | None = None
    history: list[Id | Past] | None = None
    features: dict[str, Any] | None = None
    text: Words | None = None
    exclude_seen: bool = True
    reasons: Annotated[int, Meta(ge=0, le=50)] | None = None
    # Rules instead of the service's own; an empty list for the model's order.
    rerank: Annotated[list[Rule], Meta(max_length=30)] | None = None
    # Whether the answer holds a cursor for the next page, and the one of the page before.
    paged: bool = False
    cursor: CursorText | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.user_id = outside_id(self.user_id, "user_id")
        self.history = self.history and _outside_ids(self.history, "history")


class SimilarRequest(_Choice, kw_only=True):
    """The items most like one that is known (``item_id``) or one that is described (``text``,
    ``features``).
    """

    item_id: Id | None = None
    text: Words | None = None
    features: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.item_id = outside_id(self.item_id, "item_id")


class EventIn(Strict, kw_only=True):
    """Something that a user did with an item."""

    user_id: Id
    item_id: Id
    kind: Kind = "view"
    value: Finite | None = None
    time: Seconds | None = None
    event_id: IdText | None = None

    def __post_init__(self) -> None:
        self.user_id = outside_id(self.user_id, "user_id")
        self.item_id = outside_id(self.item_id, "item_id")


class EventsRequest(Strict, kw_only=True):
    """Events, stored all or none. An event id makes a retry harmless, and so does a
    ``request_id``, from which events without an id get theirs (``<request_id>/<place>``).
    """

    events: Annotated[list[EventIn], Meta(min_length=1, max_length=10_000)]
    request_id: Annotated[str, Meta(min_length=1, max_length=190)] | None = None


class UndoRequest(Strict, kw_only=True):
    """Events to be undone."""

    event_ids: Annotated[list[IdText], Meta(min_length=1, max_length=10_000)]
    user_id: Id | None = None

    def __post_init__(self) -> None:
        self.user_id = outside_id(self.user_id, "user_id")


class ItemIn(Strict, kw_only=True):
    """An item as its owner describes it; it replaces what was known of it."""

    item_id: Id
    title: Annotated[str, Meta(max_length=MAX_TITLE)] | None = None
    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    features: dict[str, Any] | None = None
    hidden: bool | None = None

    def __post_init__(self) -> None:
        self.item_id = outside_id(self.item_id, "item_id")


class ItemsRequest(Strict, kw_only=True):
    """Items to be described, all or none."""

    items: Annotated[list[ItemIn], Meta(min_length=1, max_length=10_000)]


class ItemIdsRequest(Strict, kw_only=True):
    """Items to be hidden, shown or deleted."""

    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=10_000)]

    def __post_init__(self) -> None:
        self.item_ids = _outside_ids(self.item_ids, "item_ids")


class PromoteRequest(Strict, kw_only=True):
    """Which version is to answer from now on; ``force`` skips all checks but those of files,
    checksums and scores.
    """

    version: Version
    force: bool = False


class Nothing(Strict, kw_only=True):
    """No parameters."""


# Queries: the same strictness for what stands behind the "?". Texts are read as numbers where
# numbers are wanted.


class UserQuery(Strict, kw_only=True):
    """How to recommend; ``rerank`` holds rules with ``;`` between them, ``none`` for no rules."""

    k: K = 10
    where: Where | None = None
    exclude_seen: bool = True
    reasons: Annotated[int, Meta(ge=0, le=50)] | None = None
    rerank: Rule | None = None
    paged: bool = False
    cursor: CursorText | None = None
    version: Version | None = None


class SimilarQuery(Strict, kw_only=True):
    """How to look for similar items."""

    k: K = 10
    where: Where | None = None
    version: Version | None = None


class SearchQuery(Strict, kw_only=True):
    """Words of a title; each may be the beginning of a word."""

    q: Annotated[str, Meta(min_length=1, max_length=200)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 10


class ExperimentQuery(Strict, kw_only=True):
    """Which experiment's results; the latest one's without a name."""

    name: Annotated[str, Meta(min_length=1, max_length=64)] | None = None


class HistoryQuery(Strict, kw_only=True):
    """How much of a history."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class MapQuery(Strict, kw_only=True):
    """How many items of the map, the most popular first."""

    limit: Annotated[int, Meta(ge=1, le=20_000)] = 4_000
    column: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class BrowseQuery(Strict, kw_only=True):
    """Items to look through, the most popular first; hidden ones by their ids."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 12
    offset: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    state: Literal["visible", "hidden"] = "visible"
    where: Where | None = None


class LatestQuery(Strict, kw_only=True):
    """The last events, before a place in the order of arrival."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    before: Annotated[int, Meta(ge=1, le=2**53)] | None = None


class SeriesQuery(Strict, kw_only=True):
    """Over which time: an hour by minutes, a day by hours, or a month by days."""

    span: Literal["hour", "day", "month"] = "day"


# Feeds: lists that aren't for one user alone.


class TrendingQuery(Strict, kw_only=True):
    """What is trending: after ``half_life`` hours a user's last event with an item counts half."""

    k: K = 10
    half_life: Annotated[float, Meta(ge=0.1, le=10_000)] = 24.0
    where: Where | None = None
    cursor: CursorText | None = None


class PopularQuery(Strict, kw_only=True):
    """The most popular items of one entry of a column, such as ``genres`` and ``Comedy``; of all
    items without a column.
    """

    column: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    value: Annotated[str, Meta(min_length=1, max_length=1_000)] | None = None
    k: K = 10
    cursor: CursorText | None = None


class CategoriesQuery(Strict, kw_only=True):
    """A row of popular items for each of the largest entries of a column."""

    column: Annotated[str, Meta(min_length=1, max_length=200)]
    rows: Annotated[int, Meta(ge=1, le=50)] = 5
    k: K = 10


class BecauseQuery(Strict, kw_only=True):
    """Rows of items like the last ones that a user liked."""

    rows: Annotated[int, Meta(ge=1, le=20)] = 3
    k: K = 10
