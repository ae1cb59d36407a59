"""Health, readiness, metrics, live numbers, the OpenAPI document, and the page."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from importlib import resources

from starlette.responses import Response

from cofactor.service.errors import RequestError, not_found
from cofactor.service.http.context import Context
from cofactor.service.http.route import Route, slowly
from cofactor.service.replies import HealthOut, ReadyOut, SeriesOut, StatsOut, VersionLists
from cofactor.service.wire import Nothing, SeriesQuery

# The page asks nobody but this service for anything, and nobody may frame it.
_PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none';"
        " form-action 'self'"
    ),
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


async def health(context: Context, path: dict[str, str], request: Nothing) -> HealthOut:
    """Say that the process lives."""
    return HealthOut(status="ok")


async def ready(context: Context, path: dict[str, str], request: Nothing) -> ReadyOut:
    """Say whether it can answer and take events."""
    if context.stopping:
        raise RequestError(503, "stopping", "the service is stopping.", retry_after=1.0)
    facts = context.store.health()
    if not facts.writable:
        why = (facts.reason or "it can't be written").rstrip(".")
        raise RequestError(503, "storage", f"the store takes no events: {why}.", retry_after=5.0)
    return ReadyOut(status="ready", model=context.models.current.name, store="writable")


async def metrics(context: Context, path: dict[str, str], request: Nothing) -> Response:
    """Return the metrics for Prometheus."""
    facts, name = context.store.health(), context.models.current.name
    body = context.telemetry.page(
        name.name, name.version, context.scorer.queued, facts.queued, facts.writable
    )
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


async def stats(context: Context, path: dict[str, str], request: Nothing) -> StatsOut:
    """Return live numbers."""
    counts = await context.slowly(context.store.counts)
    telemetry, scorer, facts = context.telemetry, context.scorer, context.store.health()
    total = sum(telemetry.sources.values())
    return StatsOut(
        uptime=round(telemetry.uptime, 1),
        events=counts.events,
        users=counts.users,
        items=counts.items,
        hidden=counts.hidden,
        requests=telemetry.requests,
        failed=telemetry.failed,
        shed=telemetry.shed,
        **telemetry.recent(),
        sources=dict(telemetry.sources),
        versions={
            version: VersionLists(lists=lists, popularity=telemetry.fallbacks[version])
            for version, lists in telemetry.lists.items()
        },
        fallback_share=round(telemetry.sources["popularity"] / total, 4) if total else 0.0,
        waiting=scorer.queued,
        batch_mean=round(scorer.answered / scorer.batches, 2) if scorer.batches else 0.0,
        model=context.models.current.name,
        store={
            "writable": facts.writable,
            "reason": facts.reason,
            "queued": facts.queued,
            "commits": facts.commits,
            "mean_group": round(facts.mean_group, 2),
            "owed": facts.owed,
            "commit_ms": round(facts.commit_seconds * 1000, 2),
        },
    )


# Span -> seconds of a stretch, and how many of them.
_SPANS = {"hour": (60, 60), "day": (3_600, 24), "month": (86_400, 30)}
_KINDS, _OTHERS = 30, "others"  # the most frequent kinds of a series, and what all others count as
_COUNTED = 1_000_000  # the last events that a series looks at


@slowly
def series(context: Context, path: dict[str, str], request: SeriesQuery) -> SeriesOut:
    """Return what happened over a time."""
    step, count = _SPANS[request.span]
    buckets = context.telemetry.history.buckets(step, count)
    times = [one.start for one in buckets]
    place = {start: n for n, start in enumerate(times)}
    after = max(0, context.store.last_seq() - _COUNTED)
    rows = context.store.event_counts(after, times[0], step)
    counts = [(place[start], kind, amount) for start, kind, amount in rows if start in place]
    return SeriesOut(
        step=step,
        times=times,
        events=_most_frequent(counts, count),
        requests=[one.requests for one in buckets],
        failed=[one.failed for one in buckets],
        shed=[one.shed for one in buckets],
        lists=[one.lists for one in buckets],
        fallback=[one.fallback for one in buckets],
        p50_ms=[one.quantile(0.5) for one in buckets],
        p99_ms=[one.quantile(0.99) for one in buckets],
    )


def _most_frequent(counts: list[tuple[int, str, int]], n_places: int) -> dict[str, list[int]]:
    """The counts (place, kind, amount) of the most frequent kinds, the first first, and the sum of
    all others: a million kinds would be a million lists.
    """
    totals = Counter[str]()
    for _, kind, amount in counts:
        totals[kind] += amount
    named = sorted(totals, key=lambda kind: (-totals[kind], kind))
    found = {kind: [0] * n_places for kind in named[:_KINDS]}
    if len(named) > _KINDS:
        found.setdefault(_OTHERS, [0] * n_places)
    for place, kind, amount in counts:
        found[kind if kind in found else _OTHERS][place] += amount
    return found


async def openapi(context: Context, path: dict[str, str], request: Nothing) -> Response:
    """Return the OpenAPI document."""
    return Response(context.document, media_type="application/json")


async def page(context: Context, path: dict[str, str], request: Nothing) -> Response:
    """Return the page."""
    return _file("index.html", context.settings.image_hosts)


async def explorer(context: Context, path: dict[str, str], request: Nothing) -> Response:
    """Return the explorer of the API."""
    return _file("docs.html")


async def page_file(context: Context, path: dict[str, str], request: Nothing) -> Response:
    """Return a file of the page."""
    return _file(path["name"])


def _file(name: str, image_hosts: tuple[str, ...] = ()) -> Response:
    files = page_files()
    if name not in files:
        raise not_found(f"there is no file {name!r}.")
    headers = {**_PAGE_HEADERS, "content-type": _TYPES[name.rpartition(".")[2]]}
    if image_hosts:
        allowed = "".join(f" https://{host}" for host in image_hosts)
        policy = headers["content-security-policy"]
        headers["content-security-policy"] = policy.replace(
            "img-src 'self' data:", f"img-src 'self' data:{allowed}"
        )
    return Response(files[name], headers=headers)


@lru_cache(maxsize=1)
def page_files() -> dict[str, bytes]:
    """Return the files of the page by name."""
    folder = resources.files("cofactor.service") / "page"
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name.rpartition(".")[2] in _TYPES}


ROUTES = [
    Route("GET", "/health", "public", health, "Whether the process lives."),
    Route("GET", "/ready", "public", ready, "Whether it can answer and take events."),
    Route("GET", "/metrics", "read", metrics, "Metrics for Prometheus.", gives="text/plain"),
    Route("GET", "/v1/stats", "read", stats, "Live numbers."),
    Route("GET", "/v1/series", "read", series, "What happened, over time."),
    Route("GET", "/openapi.json", "public", openapi, "This document.", gives="application/json"),
    Route("GET", "/", "public", page, "The page.", gives="text/html"),
    Route("GET", "/docs", "public", explorer, "The API, to be tried.", gives="text/html"),
    Route("GET", "/page/{name}", "public", page_file, "A file of the page.", gives="text/plain"),
]
