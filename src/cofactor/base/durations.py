"""Units of time on the command line and in schedules."""

from __future__ import annotations

SECONDS_OF = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def duration_text(seconds: int) -> str:
    """Return seconds in the largest unit that divides them: 172,800 is ``2d``."""
    unit = max((u for u, n in SECONDS_OF.items() if seconds % n == 0), key=SECONDS_OF.__getitem__)
    return f"{seconds // SECONDS_OF[unit]}{unit}"
