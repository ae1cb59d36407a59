"""When a retraining is due: by the clock, or by the events that came in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cofactor.base.durations import SECONDS_OF, duration_text
from cofactor.base.errors import ArgumentError

_EVERY = re.compile(r"every\s+(\d{1,6})\s*([smhd])\Z")
_AFTER = re.compile(r"after\s+([\d_,]{1,15})\s+events\Z")


@dataclass(frozen=True)
class RetrainSchedule:
    """When a retraining is due; exactly one of the two is set.

    Parameters
    ----------
    seconds
        Between the begin of one attempt and that of the next.
    events
        That arrived since the last attempt.
    """

    seconds: int | None = None
    events: int | None = None

    def __str__(self) -> str:
        if self.events is not None:
            return f"after {self.events:,} events"
        return f"every {duration_text(self.seconds or 0)}"

    def is_due(self, seconds: float, events: int) -> bool:
        """Return whether so many seconds and events after the last attempt the next one is due.

        A clock that was set back (fewer than 0 seconds) makes it due, and a store that holds less
        than it did (fewer than 0 events: it was restored): nothing else would end the wait.
        """
        if self.events is not None:
            return events < 0 or events >= self.events
        return seconds < 0 or seconds >= (self.seconds or 0)


def parse_schedule(text: str) -> RetrainSchedule:
    """Read ``every 6h`` (s, m, h, d) or ``after 10000 events``.

    Raises
    ------
    ArgumentError
        If it is neither, or zero.
    """
    words = " ".join(text.lower().split())
    every, after = _EVERY.match(words), _AFTER.match(words)
    if every is not None and int(every[1]) > 0:
        return RetrainSchedule(seconds=int(every[1]) * SECONDS_OF[every[2]])
    if after is not None:
        count = int(re.sub(r"[_,]", "", after[1]) or 0)
        if count > 0:
            return RetrainSchedule(events=count)
    raise ArgumentError(
        f"retrain must be like 'every 6h' (s, m, h, d) or 'after 10000 events', not {text!r}."
    )
