"""Units of time, as words of the command line and of schedules have them."""

from __future__ import annotations

SECONDS_OF = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
