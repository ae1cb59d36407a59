"""Responses of the service, described by the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from cofactor.service.experiments.results import Results


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer; what doesn't apply is left out."""


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
    """One item of a response; ``words`` come from models with content, ``probability`` (of this
    item here, given those before) where lists are drawn at random.
    """

    item_id: Any
    score: float
    title: str | None = None
    image: str | None = None
    reasons: list[ReasonOut] | None = None
    words: list[WordOut] | None = None
    probability: float | None = None


class Recommendations(Answer, kw_only=True):
    """An answer: what, from where, by which model, and why.

    ``source`` is ``personal`` (from the history), ``features``, ``text``, or ``popularity``
    (nothing is known that the model could use; ``note`` says why). ``history_used`` counts the past
    items that the answer rests on. ``rerank`` is by which rules the list was chosen, if any; the
    scores are the model's, so they needn't descend then. ``request_id`` is there where the list was
    logged as shown, ``arm`` where the user takes part in an experiment. ``next`` is the cursor of
    the next page, where pages were wanted."""

    items: list[Recommended]
    source: str
    model: ModelName
    history_used: int
    note: str | None = None
    rerank: str | None = None
    request_id: str | None = None
    arm: str | None = None
    next: str | None = None


class Feed(Answer, kw_only=True):
    """A list that isn't for one user alone; ``next`` is the cursor of the page behind it."""

    items: list[Recommended]
    source: str
    model: ModelName
    next: str | None = None


class FeedRow(Answer, kw_only=True):
    """A row: why its items stand together, and the items."""

    title: str
    items: list[Recommended]
    item_id: Any = None
    value: str | None = None


class FeedRows(Answer, kw_only=True):
    """Rows of items; no item is in two of them."""

    rows: list[FeedRow]
    source: str
    model: ModelName


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
    image: str | None = None
    text: str | None = None
    features: dict[str, Any] | None = None
    known_to_model: bool
    interactions: int | None = None


class Found(Answer, kw_only=True):
    """Items whose titles hold the words, the best first."""

    items: list[ItemOut]
    model: ModelName
    total: int | None = None


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


class EventOut(Answer, kw_only=True):
    """One event of the store; ``undone`` is when it was undone."""

    seq: int
    event_id: str
    user_id: str
    item_id: str
    kind: str
    time: int
    received: int
    value: float | None = None
    undone: int | None = None
    title: str | None = None
    state: str = "visible"


class EventsOut(Answer, kw_only=True):
    """The last events; ``next`` is the ``before`` of those before them."""

    events: list[EventOut]
    next: int | None = None


class SeriesOut(Answer, kw_only=True):
    """What happened, stretch by stretch of ``step`` seconds, the oldest first.

    Events are counted in the store, all the rest in this process since it started.
    """

    step: int
    times: list[int]
    events: dict[str, list[int]]
    requests: list[int]
    failed: list[int]
    shed: list[int]
    lists: list[int]
    fallback: list[int]
    p50_ms: list[float | None]
    p99_ms: list[float | None]


class ExportOut(Answer, kw_only=True):
    """All that is stored of a user."""

    user_id: str
    events: list[dict[str, Any]]
    impressions: list[dict[str, Any]]
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
    licence: str | None = None
    limits: list[str] | None = None
    card: str | None = None
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
    the checks take longer; then ask for ``GET /v1/model``, whose ``promotion`` says how it ended.
    """

    status: str
    version: str
    previous: str | None
    checks: list[str]
    seconds: float


class RetrainingOut(Answer, kw_only=True):
    """Scheduled retraining: when, whether one is under way, and what the last one came to."""

    schedule: str | None
    running: bool
    last: dict[str, Any] | None = None


class ExperimentsOut(Answer, kw_only=True):
    """The experiments of the folder, the latest last, and the results of one of them."""

    experiments: list[dict[str, Any]]
    results: Results | None = None


class MapOut(Answer, kw_only=True):
    """The item space in two dimensions: one entry per item, the most popular first."""

    item_ids: list[Any]
    titles: list[str | None]
    x: list[float]
    y: list[float]
    groups: list[int]
    group_names: list[str]
    # Whether the groups are ranges of a number, in order.
    ordered: bool
    columns: list[str]
    column: str
    sizes: list[float]
    explained: list[float]
    model: ModelName


class VersionLists(Answer, kw_only=True):
    """How many lists a version answered with, and how many of them were by popularity."""

    lists: int
    popularity: int


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
    versions: dict[str, VersionLists]
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
