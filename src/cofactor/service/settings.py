"""How the service is run. Values come from the command line; nothing below this file reads the
environment.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data.event_kinds import AGAINST, SILENT
from cofactor.retrieval.exploration import parse_exploration
from cofactor.retrieval.rerank.rules import Rerank
from cofactor.store import Retention
from cofactor.store.impressions import MAX_LIST

_ROOT = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_HEX = "[0-9A-Fa-f:.]*"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?")
_NAME = re.compile(rf"\w([\w.-]*\w)?|{_HEX}:{_HEX}:{_HEX}", re.ASCII)
_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s*]+/?")
MOST_WORKERS = 256
_EVERYTHING = Retention()
LOOPBACK = ("127.0.0.1", "::1", "localhost")


# Settings that are numbers from 1, and settings in seconds.
_COUNTS = (
    "max_body",
    "max_events",
    "max_items",
    "max_history",
    "max_k",
    "max_filter",
    "max_filter_work",
    "max_queue",
    "max_scored",
    "max_ingest",
    "batch",
    "trending_events",
    "max_connections",
)
_SECONDS = (
    "max_waiting",
    "timeout",
    "watch_seconds",
    "drain_seconds",
    "head_seconds",
    "body_seconds",
    "send_seconds",
    "idle_seconds",
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How the service is run.

    Parameters
    ----------
    host, port
        Where it listens.
    hosts
        Names under which it may be called, besides those of the loopback and ``host`` itself (the
        ``Host`` header).
    origins
        Origins of pages that may call it, besides its own (``https://shop.example``).
    max_body
        Bytes of a request's body.
    max_events, max_items
        Events or items of one request.
    max_history
        Events of a posted history, and the latest ones of a stored history that count.
    max_k
        The largest k; at most 1,000, as many items as a logged list may hold.
    max_filter
        Ids of an allow or block list.
    max_filter_work
        Comparisons of a filter times items; twenty comparisons are always allowed.
    max_waiting
        Seconds that a request may be expected to wait for its turn while there is more to do than
        can be done, or eight times what one takes alone, if that is more; beyond it is refused with
        503 at once. In a burst it may be three times as long.
    max_queue
        Requests that may wait to be scored.
    max_scored
        Requests to be scored that may be under way, from the moment at which they are whole; beyond
        it they are refused unread.
    max_ingest
        Writing requests under way at once; more get 503. They have a queue of their own: a flood of
        events doesn't stop answers.
    timeout
        Seconds after which a request is given up with 503.
    batch
        Requests that are scored together at most.
    threads
        Native threads of scoring.
    reasons
        Past items named as reasons of a recommendation where a request doesn't say how many.
    negative_kinds
        Kinds of events that aren't positive feedback, though their items are seen and so don't come
        back.
    silent_kinds
        Kinds of events that count neither as positive feedback nor as seen.
    watch_seconds
        How often the folder of versions is looked at for a promotion by somebody else.
    keep_versions
        Versions of the model that are held in memory: the one in use, the one before, and others
        that were asked for.
    max_connections
        Connections at a time; one address may hold three quarters of them. At the limit the one
        that has waited longest for its client (for a request, or until an answer is read) is let go
        for a new one.
    head_seconds
        How long a connection may take until the head of a request is whole.
    body_seconds
        How long a request may take until its body is whole.
    send_seconds
        How long answers may stay unread.
    idle_seconds
        How long a connection may wait between two requests.
    drain_seconds
        How long requests under way may take after a signal to stop.
    log_impressions
        Whether every list for a user is logged as shown; lists of experiments and of explorations
        always are.
    durable_impressions
        Whether an answer waits until its logged list is on disk. Without it lists are written
        together a little later: a power cut may lose the last of them.
    retention
        Which logged lists are kept; all of them by default.
    explore
        How lists are drawn outside experiments, as `cofactor.retrieval.exploration` reads it; None
        for the ranking itself.
    access_log
        Whether every request is logged, not only those that failed or changed the service.
    workers
        Processes that serve one folder and one store. With several, each looks before an answer
        whether items were changed by another, and models are mapped from their files.
    trending_events
        The last events of the store from which the trending feed is counted.
    image_hosts
        Hosts from which the page may load the catalogue's images (``images.shop.example``);
        without them only images of this service's own host and such as are written in the catalogue
        are shown.
    root_path
        The path under which a proxy publishes the service: ``/recs``; empty for the root. Requests
        are taken with it and without it.
    rerank
        Rules by which lists are chosen where a request names none, as text.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    max_body: int = 1 << 20
    max_events: int = 1_000
    max_items: int = 1_000
    max_history: int = 1_000
    max_k: int = 1_000
    max_filter: int = 10_000
    max_filter_work: int = 10_000_000
    max_waiting: float = 0.008
    max_queue: int = 256
    max_scored: int = 256
    max_ingest: int = 128
    timeout: float = 10.0
    batch: int = 64
    threads: int = 1
    reasons: int = 3
    negative_kinds: frozenset[str] = AGAINST - SILENT
    silent_kinds: frozenset[str] = SILENT
    watch_seconds: float = 0.25
    keep_versions: int = 3
    max_connections: int = 4_096
    head_seconds: float = 10.0
    body_seconds: float = 20.0
    send_seconds: float = 20.0
    idle_seconds: float = 30.0
    drain_seconds: float = 10.0
    log_impressions: bool = False
    durable_impressions: bool = False
    retention: Retention = _EVERYTHING
    explore: str | None = None
    access_log: bool = False
    workers: int = 1
    trending_events: int = 200_000
    image_hosts: tuple[str, ...] = ()
    root_path: str = ""
    rerank: str = ""

    def __post_init__(self) -> None:
        checks.integer(self.port, "port", low=0, high=65_535)
        for name in _COUNTS:
            checks.integer(getattr(self, name), name, low=1)
        checks.integer(self.max_k, "max_k", low=1, high=MAX_LIST)
        if Rerank.parse(self.rerank) and self.explore is not None:
            raise ArgumentError(
                "explore and rerank can't both hold for all lists: rules choose a list, exploration"
                " draws it; leave one out, or give rules in the requests that want them."
            )
        if self.explore is not None:
            parse_exploration(self.explore)
        checks.integer(self.threads, "threads", low=1, high=4_096)
        # Processes by the hundred thousand would take the machine with them.
        checks.integer(self.workers, "workers", low=1, high=MOST_WORKERS)
        for name in self.hosts:
            if not _NAME.fullmatch(name):
                raise ArgumentError(
                    f"hosts must be names or addresses without a port such as recs.shop.example,"
                    f" not {name!r}."
                )
        for name in self.origins:
            if not _ORIGIN.fullmatch(name):
                raise ArgumentError(
                    f"origins must be such as https://shop.example, each one named, not {name!r}."
                )
        for name in self.image_hosts:
            if not _HOST.fullmatch(name):
                raise ArgumentError(
                    f"image_hosts must be names of hosts such as images.shop.example, not {name!r}."
                )
        if self.root_path and not _ROOT.fullmatch(self.root_path):
            raise ArgumentError(
                "root_path must begin with a slash and end without one, of plain characters, such"
                f" as /recs, not {self.root_path!r}."
            )
        checks.integer(self.reasons, "reasons", low=0, high=50)
        checks.integer(self.keep_versions, "keep_versions", low=2, high=64)
        for name in _SECONDS:
            checks.real(getattr(self, name), name, above=0)

    @property
    def beyond_loopback(self) -> bool:
        """Whether others than this machine can reach it."""
        if self.host in LOOPBACK:
            return False
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:  # a name, wherever it leads
            return True
