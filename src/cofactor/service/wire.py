"""What goes over the wire: decoded strictly, unknown names refused, and told to others by the
OpenAPI document.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cofactor.store import MAX_ID, MAX_TEXT, MAX_TITLE

# Ids are texts; an integer is taken as its decimal text.
IdText = Annotated[str, Meta(min_length=1, max_length=MAX_ID)]
IdNumber = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Id = IdText | IdNumber
K = Annotated[int, Meta(ge=1, le=1_000_000)]
Where = Annotated[str, Meta(min_length=1, max_length=10_000)]
Finite = Annotated[float, Meta(ge=-3.4e38, le=3.4e38)]
Seconds = Annotated[int, Meta(ge=0, le=2**53)]
Words = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT)]
Version = Annotated[str, Meta(min_length=1, max_length=200)]
Kind = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$")]


def outside_id(value: Any) -> Any:
    """Return an id as every door reads it: without whitespace around it."""
    return value.strip() if isinstance(value, str) else value


def _outside_ids(values: list[Any] | None) -> list[Any] | None:
    return None if values is None else [outside_id(value) for value in values]


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A request: names that it doesn't know are refused."""


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer; what doesn't apply is left out."""


# Requests


class Past(Strict, kw_only=True):
    """One item of a posted history, with its value."""

    item_id: Id
    value: Finite | None = None

    def __post_init__(self) -> None:
        self.item_id = outside_id(self.item_id)


class _Choice(Strict, kw_only=True):
    """Which items may come back, shared by recommending and by looking for the similar."""

    k: K = 10
    allow: list[Id] | None = None
    block: list[Id] | None = None
    where: Where | None = None
    version: Version | None = None

    def __post_init__(self) -> None:
        self.allow, self.block = _outside_ids(self.allow), _outside_ids(self.block)


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

    def __post_init__(self) -> None:
        super().__post_init__()
        self.user_id, self.history = outside_id(self.user_id), _outside_ids(self.history)


class SimilarRequest(_Choice, kw_only=True):
    """The items most like one that is known (``item_id``) or one that is described (``text``,
    ``features``).
    """

    item_id: Id | None = None
    text: Words | None = None
    features: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.item_id = outside_id(self.item_id)


class EventIn(Strict, kw_only=True):
    """Something that a user did with an item."""

    user_id: Id
    item_id: Id
    kind: Kind = "view"
    value: Finite | None = None
    time: Seconds | None = None
    event_id: IdText | None = None

    def __post_init__(self) -> None:
        self.user_id, self.item_id = outside_id(self.user_id), outside_id(self.item_id)


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
        self.user_id = outside_id(self.user_id)


class ItemIn(Strict, kw_only=True):
    """An item as its owner describes it; it replaces what was known of it."""

    item_id: Id
    title: Annotated[str, Meta(max_length=MAX_TITLE)] | None = None
    text: Annotated[str, Meta(max_length=MAX_TEXT)] | None = None
    features: dict[str, Any] | None = None
    hidden: bool | None = None

    def __post_init__(self) -> None:
        self.item_id = outside_id(self.item_id)


class ItemsRequest(Strict, kw_only=True):
    """Items to be described, all or none."""

    items: Annotated[list[ItemIn], Meta(min_length=1, max_length=10_000)]


class ItemIdsRequest(Strict, kw_only=True):
    """Items to be hidden, shown or deleted."""

    item_ids: Annotated[list[Id], Meta(min_length=1, max_length=10_000)]

    def __post_init__(self) -> None:
        self.item_ids = [outside_id(one) for one in self.item_ids]


class PromoteRequest(Strict, kw_only=True):
    """Which version is to answer from now on; ``force`` skips the comparison on stored events,
    never the other checks.
    """

    version: Version
    force: bool = False


class Nothing(Strict, kw_only=True):
    """No parameters."""


# Queries: the same strictness for what stands behind the "?". Texts are read as numbers where
# numbers are wanted.


class UserQuery(Strict, kw_only=True):
    """How to recommend."""

    k: K = 10
    where: Where | None = None
    exclude_seen: bool = True
    reasons: Annotated[int, Meta(ge=0, le=50)] | None = None
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


class HistoryQuery(Strict, kw_only=True):
    """How much of a history."""

    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class MapQuery(Strict, kw_only=True):
    """How many items of the map, the most popular first."""

    limit: Annotated[int, Meta(ge=1, le=20_000)] = 4_000


class BrowseQuery(Strict, kw_only=True):
    """A few items to begin with."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 12


# Answers


class ModelName(Answer, kw_only=True):
    """Which model made an answer."""

    name: str
    version: str


class ReasonOut(Answer, kw_only=True):
    """A past item and what it added to the score."""

    item_id: Any
    contribution: float
    title: str | None = None


class WordOut(Answer, kw_only=True):
    """A word or another feature of an item and what it added to the score."""

    word: str
    contribution: float


class Recommended(Answer, kw_only=True):
    """One item of an answer; ``words`` are told by models that read content."""

    item_id: Any
    score: float
    title: str | None = None
    reasons: list[ReasonOut] | None = None
    words: list[WordOut] | None = None


class Recommendations(Answer, kw_only=True):
    """An answer: what, from where, by which model, and why.

    ``source`` is ``personal`` (from the history), ``features``, ``text``, or ``popularity``
    (nothing is known that the model could use; ``note`` says why). ``history_used`` counts the past
    items that the answer rests on."""

    items: list[Recommended]
    source: str
    model: ModelName
    history_used: int
    note: str | None = None


class Similar(Answer, kw_only=True):
    """An item's neighbours."""

    items: list[Recommended]
    source: str
    model: ModelName
    item_id: Any = None
    title: str | None = None


class ItemOut(Answer, kw_only=True):
    """An item: what the catalogue and the store know of it."""

    item_id: Any
    state: str
    title: str | None = None
    text: str | None = None
    features: dict[str, Any] | None = None
    known_to_model: bool
    interactions: int | None = None


class Found(Answer, kw_only=True):
    """Items whose titles hold the words, the best first."""

    items: list[ItemOut]
    model: ModelName


class AckOut(Answer, kw_only=True):
    """What a write did. It is on disk: ``outcome`` is ``stored``."""

    outcome: str
    changed: int
    unchanged: int
    seq: int
    event_ids: list[str] | UnsetType = UNSET


class PastOut(Answer, kw_only=True):
    """One event of a history."""

    item_id: Any
    kind: str
    origin: str
    time: int | None = None
    value: float | None = None
    title: str | None = None


class HistoryOut(Answer, kw_only=True):
    """What a user did, oldest first: in the training data (``origin`` is ``training``) and
    since.
    """

    user_id: str
    events: list[PastOut]
    known_to_model: bool
    model: ModelName


class ExportOut(Answer, kw_only=True):
    """All that is stored of a user."""

    user_id: str
    events: list[dict[str, Any]]
    trained_items: list[Any]


class VersionOut(Answer, kw_only=True):
    """A version of the model."""

    version: str
    current: bool
    loaded: bool
    model: str | None = None
    created: str | None = None
    config: dict[str, Any] | None = None
    data: dict[str, Any] | None = None
    metrics: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    split: str | None = None
    problem: str | None = None


class PromotionOut(Answer, kw_only=True):
    """The latest promotion: ``status`` is ``checking``, ``promoted`` or ``failed``."""

    version: str
    status: str
    problem: str | None = None


class ModelOut(Answer, kw_only=True):
    """The model that answers, the versions there are, and what the model can do."""

    current: VersionOut
    versions: list[VersionOut]
    can: dict[str, bool]
    columns: list[str]
    can_promote: bool
    folder: str
    previous: str | None = None
    promotion: PromotionOut | None = None


class PromotedOut(Answer, kw_only=True):
    """A change of the version that answers: ``status`` is ``promoted``, or ``checking`` (202) where
    the checks take longer; then ask for ``GET /v1/model``, whose ``promotion`` tells how it ended.
    """

    status: str
    version: str
    previous: str | None
    checks: list[str]
    seconds: float


class MapOut(Answer, kw_only=True):
    """The item space in two dimensions: one entry per item, the most popular first."""

    item_ids: list[Any]
    titles: list[str | None]
    x: list[float]
    y: list[float]
    groups: list[int]
    group_names: list[str]
    sizes: list[float]
    explained: list[float]
    model: ModelName


class StatsOut(Answer, kw_only=True):
    """Live numbers since the start; latencies and rates are those of the last minute."""

    uptime: float
    events: int
    users: int
    items: int
    hidden: int
    requests: int
    failed: int
    shed: int
    rate: float
    event_rate: float
    p50_ms: float | None
    p99_ms: float | None
    sources: dict[str, int]
    fallback_share: float
    waiting: int
    batch_mean: float
    model: ModelName
    store: dict[str, Any]


class HealthOut(Answer, kw_only=True):
    """Whether the process lives."""

    status: str


class ReadyOut(Answer, kw_only=True):
    """Whether it can answer, and take events."""

    status: str
    model: ModelName
    store: str


class ErrorBody(Answer, kw_only=True):
    """What is wrong with a request.

    For what changes the store, an answer of 4xx says that nothing of it was stored. In one of 5xx
    ``outcome`` says what became of it: ``refused`` (nothing of it was stored, and nothing will be)
    or ``unknown`` (it may be stored, or may still be; to send the same again, with the
    ``event_ids`` given here, is always right).
    """

    code: str
    message: str
    field: str | None = None
    outcome: str | None = None
    event_ids: list[str] | None = None


class ErrorOut(Answer, kw_only=True):
    """The one shape of an error."""

    error: ErrorBody
