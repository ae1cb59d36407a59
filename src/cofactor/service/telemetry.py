"""Telemetry: Prometheus metrics, live numbers for the page, and logs as JSON lines."""

from __future__ import annotations

import contextlib
import logging
import math
import queue
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Total

from cofactor.service.series import ServiceHistory

_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_KEPT = 60_000
_MINUTE = 60.0


class Telemetry:
    """Counts and latencies of one process."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.sources: Counter[str] = Counter()
        # By version: its lists, and those by popularity.
        self.lists: Counter[str] = Counter()
        self.fallbacks: Counter[str] = Counter()
        self.history = ServiceHistory()
        self.requests = self.failed = self.shed = 0
        # (moment, seconds) of answers that were recommendations; (moment, events) of acknowledged
        # batches.
        self._latencies: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        self._ingested: deque[tuple[float, int]] = deque(maxlen=_KEPT)
        self.registry = CollectorRegistry()
        self._add_metrics()
        self._bound: dict[tuple[str, int], tuple[Any, Any]] = {}

    def _add_metrics(self) -> None:
        self._seconds = Histogram(
            "cofactor_request_seconds",
            "Seconds from request to answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._answers = Total(
            "cofactor_answers",
            "Answers by route and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self._from = Total(
            "cofactor_recommendations",
            "Lists of recommendations by where they came from.",
            ["source"],
            registry=self.registry,
        )
        self._events = Total(
            "cofactor_events", "Events acknowledged, without repeats.", registry=self.registry
        )
        self._refused = Total("cofactor_shed", "Requests refused with 503.", registry=self.registry)
        self._add_gauges()

    def _add_gauges(self) -> None:
        self._version = Gauge(
            "cofactor_model",
            "1 for the version that answers.",
            ["model", "version"],
            registry=self.registry,
        )
        self._waiting = Gauge(
            "cofactor_queue", "Requests that wait to be scored.", registry=self.registry
        )
        self._stored = Gauge(
            "cofactor_store_queue",
            "Events and items that wait for their commit.",
            registry=self.registry,
        )
        self._writable = Gauge(
            "cofactor_store_writable", "1 when the store takes events.", registry=self.registry
        )

    def answered(self, route: str, status: int, seconds: float, *, timed: bool) -> None:
        """Count an answer."""
        bound = self._bound.get((route, status))
        if bound is None:
            bound = self._bound[route, status] = (
                self._seconds.labels(route),
                self._answers.labels(route, str(status)),
            )
        self.history.answered(status, seconds, timed=timed)
        bound[0].observe(seconds)
        bound[1].inc()
        self.requests += 1
        if status >= 500:
            self.failed += 1
        if status == 503:
            self.refused()
        elif timed and status < 400:
            self._latencies.append((time.monotonic(), seconds))

    def refused(self) -> None:
        """Count a request that was refused for want of room."""
        self.shed += 1
        self._refused.inc()

    def turned_away(self) -> None:
        """Count a request that was refused unread."""
        self.requests += 1
        self.failed += 1
        self.history.refused()
        self.refused()

    def recommended(self, source: str, version: str) -> None:
        """Count a list of recommendations, and by which version."""
        self.sources[source] += 1
        self.lists[version] += 1
        self.fallbacks[version] += source == "popularity"
        self.history.listed(source)
        self._from.labels(source).inc()

    def ingested(self, events: int) -> None:
        """Count acknowledged events."""
        self._events.inc(events)
        self._ingested.append((time.monotonic(), events))

    @property
    def uptime(self) -> float:
        """Seconds since it began, whatever the machine's clock was set to meanwhile."""
        return time.monotonic() - self._started

    def recent(self) -> dict[str, Any]:
        """Return rates a second and latencies in milliseconds of the last minute."""
        now = time.monotonic()
        window = min(_MINUTE, max(1.0, self.uptime))
        taken = (
            np.array([seconds for moment, seconds in self._latencies if now - moment <= window])
            * 1000
        )
        events = sum(count for moment, count in self._ingested if now - moment <= window)
        some = len(taken) > 0
        return {
            "rate": round(len(taken) / window, 2),
            "event_rate": round(events / window, 2),
            "p50_ms": round(float(np.percentile(taken, 50)), 2) if some else None,
            "p99_ms": round(float(np.percentile(taken, 99)), 2) if some else None,
        }

    def page(
        self, model: str, version: str, queued: int, store_queued: int, writable: bool
    ) -> bytes:
        """Return the metrics in Prometheus' text format."""
        self._version.clear()
        self._version.labels(model, version).set(1)
        self._waiting.set(queued)
        self._stored.set(store_queued)
        self._writable.set(int(writable))
        return generate_latest(self.registry)


class JsonLines(logging.Formatter):
    """Log lines as one JSON object each. What goes in is chosen at each call: no bodies, no
    keys, no ids of users.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        fields: dict[str, Any] = {
            "time": (
                time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
                + f".{int(record.msecs):03d}Z"
            ),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(fields, enc_hook=str).decode()


_LOGS = (("cofactor.service", logging.INFO), ("uvicorn.error", logging.WARNING))


def log_to_stderr(*, access_log: bool = False, workers: int = 1) -> Callable[[], None]:
    """Send the service's log, and the server's warnings, to stderr as JSON lines. Of each kind of
    line, at most 10 are written in 10 seconds, then how many were left out. A thread writes them:
    a slow terminal or disk, or a pipe that nobody reads, would otherwise stand before the answers.

    Parameters
    ----------
    access_log
        Whether every request has its line, whatever comes.
    workers
        How many processes write to the same log, each its share of the lines.

    Returns
    -------
    callable
        Writes what waits; from then on lines are written at once. To be called before the process
        ends.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    beside, lines = _Beside(handler), max(1, _LINES // workers)
    bounded = _Bounded(beside, lines, access_log=access_log)
    _use(bounded)

    def drain() -> None:
        bounded.write_counts()
        if beside.ended():
            _use(_Bounded(handler, lines, access_log=access_log))

    return drain


_Kind = tuple[str, int, str, Any]
_SECONDS = 10.0  # in which at most so many lines of a kind are written
_LINES = 10
_WAITING = 10_000  # lines that may wait to be written
_PATIENCE = 2.0  # seconds to wait for them in the end


class _Bounded(logging.Handler):
    """Hands on a few lines of each kind, then their number: whoever can reach the port, without a
    key too, can cause a line with each request, and must not fill the disk.

    What a request changed is always written, since only a key can cause it.
    """

    def __init__(self, handler: logging.Handler, lines: int, *, access_log: bool = False) -> None:
        super().__init__()
        self._handler, self._lines = handler, lines
        self._access_log = access_log
        self._since = -math.inf
        self._seen: Counter[_Kind] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if time.monotonic() - self._since >= _SECONDS:
            self.write_counts()
        status = getattr(record, "facts", {}).get("status")
        if status is None or (status >= 400 and not self._access_log):
            # The message before its arguments: what a client sent must not make kinds.
            kind = (record.name, record.levelno, str(record.msg), status)
            self._seen[kind] += 1
            if self._seen[kind] > self._lines:
                return
        self._handler.handle(record)

    def flush(self) -> None:
        """Wait until all is written."""
        self._handler.flush()

    def write_counts(self) -> None:
        """Write how many lines of each kind were left out, and count from 0 again."""
        with self.lock or contextlib.nullcontext():
            seen, self._seen, self._since = self._seen, Counter(), time.monotonic()
            for (name, level, message, status), count in seen.items():
                if count > self._lines:
                    facts = {"of": message, "lines": count - self._lines}
                    if status is not None:
                        facts["status"] = status
                    self._handler.handle(_left_out(name, level, facts))


class _Beside(logging.Handler):
    """Hands lines to a thread that writes them; where too many wait, only their number stays."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler, self._lost = handler, 0
        self._waiting: queue.Queue[logging.LogRecord | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._write, name="cofactor-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        """Wait until all is written, but not for ever: the interpreter's end comes by here too."""
        done = self._waiting.all_tasks_done
        with done:
            done.wait_for(lambda: not self._waiting.unfinished_tasks, _PATIENCE)

    def ended(self) -> bool:
        """Write what waits, and end; return whether that is done."""
        self.flush()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(_PATIENCE)
        return not self._thread.is_alive()

    def _write(self) -> None:
        record: logging.LogRecord | None = None
        while (record := self._waiting.get()) is not None:
            self._handler.handle(record)
            if self._lost:
                lost, self._lost = self._lost, 0
                facts = {"of": "lines that couldn't be written in time", "lines": lost}
                self._handler.handle(_left_out("cofactor.service", logging.WARNING, facts))
            self._waiting.task_done()


def _left_out(name: str, level: int, facts: dict[str, Any]) -> logging.LogRecord:
    """A line in the place of others."""
    fields = {"name": name, "levelno": level, "levelname": logging.getLevelName(level)}
    return logging.makeLogRecord({**fields, "msg": "lines left out", "facts": facts})


def _use(handler: logging.Handler) -> None:
    for name, level in _LOGS:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
