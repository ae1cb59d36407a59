"""How much of the time one key may have versions loaded that it names: loads are done one after the
other, and others wait for theirs, for promotions and for new items.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator

from cofactor.service.errors import overloaded

_SHARE = 0.2  # of the time
_AHEAD = 10.0  # seconds of loading that a key may have had beyond its share
_AT_ONCE = 2  # versions that a key may wait for: a comparison side by side names two


class LoadShares:
    """What each key has had loaded lately; where no keys are required, nobody is counted."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._debts: dict[str, tuple[float, float]] = {}  # seconds beyond the share, and when
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def waiting(self, who: str) -> Iterator[None]:
        """Count a key as waiting for a version.

        Raises
        ------
        RequestError
            503 if it waits for two already, or has had more than its share.
        """
        self.check(who)
        if who and self._under_way[who] >= _AT_ONCE:
            raise overloaded("this key waits for other versions that are being loaded.")
        self._under_way[who] += 1
        try:
            yield
        finally:
            self._under_way[who] -= 1

    def check(self, who: str) -> None:
        """Raise RequestError (503) if a key has had more than its share."""
        over = self._debt(who) - _AHEAD
        if over > 0:
            raise overloaded(
                "this key has had too many versions loaded; ask for those that are in memory"
                " (`loaded` at GET /v1/model), or try again later.",
                retry_after=over / _SHARE,
            )

    def spent(self, who: str, seconds: float) -> None:
        """Count what a load took; called by the thread that loads."""
        if who:
            with self._lock:
                self._debts[who] = self._debt(who) + seconds, time.monotonic()

    def _debt(self, who: str) -> float:
        debt, at = self._debts.get(who, (0.0, 0.0))
        return max(0.0, debt - _SHARE * (time.monotonic() - at))
