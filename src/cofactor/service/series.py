"""What the service did, minute by minute for a day and hour by hour for a month.

It is kept in memory, from the start of the process on; events are in the store, and counted
there."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field

# Bins of latencies: the n-th ends at 0.1 ms times 1.2 to the power of n; the last is open.
_BINS = 80
_LEAST, _RATIO = 1e-4, math.log(1.2)
_MINUTES, _HOURS = 1_440, 744


@dataclass(slots=True)
class Bucket:
    """What happened in one stretch of time.

    Parameters
    ----------
    start
        Seconds since 1970.
    requests, failed, shed
        Answers, those of 5xx, and those of 503.
    lists, fallback
        Lists of recommendations, and those by popularity.
    bins
        How many recommendations took how long.
    """

    start: int
    requests: int = 0
    failed: int = 0
    shed: int = 0
    lists: int = 0
    fallback: int = 0
    bins: list[int] = field(default_factory=lambda: [0] * _BINS)

    def add(self, other: Bucket) -> None:
        """Take in what another bucket counted."""
        for name in ("requests", "failed", "shed", "lists", "fallback"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bins = [a + b for a, b in zip(self.bins, other.bins, strict=True)]

    def quantile(self, share: float) -> float | None:
        """Return a latency in milliseconds, within a fifth; None without any."""
        wanted, seen = share * sum(self.bins), 0
        if not wanted:
            return None
        for n, count in enumerate(self.bins):
            seen += count
            if seen >= wanted:
                return round(1000 * _LEAST * math.exp(_RATIO * (n - 0.5)), 2)
        return None


class ServiceHistory:
    """Buckets of minutes and of hours."""

    def __init__(self) -> None:
        self._minutes: deque[Bucket] = deque(maxlen=_MINUTES)
        self._hours: deque[Bucket] = deque(maxlen=_HOURS)
        self._now = Bucket(int(time.time()) // 60 * 60)

    def answered(self, status: int, seconds: float, *, timed: bool) -> None:
        """Count an answer."""
        now = self._current()
        now.requests += 1
        if status >= 500:
            now.failed += 1
        if status == 503:
            now.shed += 1
        elif timed and status < 400:
            n = int(math.log(max(seconds, _LEAST) / _LEAST) / _RATIO) + 1
            now.bins[min(n, _BINS - 1)] += 1

    def refused(self) -> None:
        """Count a request that was refused unread."""
        now = self._current()
        now.requests += 1
        now.failed += 1
        now.shed += 1

    def listed(self, source: str) -> None:
        """Count a list of recommendations."""
        now = self._current()
        now.lists += 1
        now.fallback += source == "popularity"

    def buckets(self, step: int, count: int) -> list[Bucket]:
        """Return the last ``count`` stretches of ``step`` seconds (60, or a multiple of 3,600 in
        which the last hours are summed), the oldest first; empty ones where nothing happened.
        """
        self._current()
        first = int(time.time()) // step * step - step * (count - 1)
        found = {first + step * n: Bucket(first + step * n) for n in range(count)}
        kept = [*self._minutes, self._now] if step < 3_600 else [*self._hours, *self._this_hour()]
        for bucket in kept:
            place = found.get(bucket.start // step * step)
            if place is not None:
                place.add(bucket)
        return list(found.values())

    def _this_hour(self) -> list[Bucket]:
        hour = self._now.start // 3_600 * 3_600
        return [one for one in (*self._minutes, self._now) if one.start >= hour]

    def _current(self) -> Bucket:
        minute = int(time.time()) // 60 * 60
        if minute == self._now.start:
            return self._now
        if any((self._now.requests, self._now.lists)):
            self._minutes.append(self._now)
        hour = self._now.start // 3_600 * 3_600
        if minute // 3_600 * 3_600 != hour:
            whole = Bucket(hour)
            for one in self._minutes:
                if one.start >= hour:
                    whole.add(one)
            if whole.requests or whole.lists:
                self._hours.append(whole)
        self._now = Bucket(minute)
        return self._now
