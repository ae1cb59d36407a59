"""Load shedding: admits as many requests as can be answered in time, by recent costs."""

from __future__ import annotations

import time
from collections import Counter

from cofactor.service.settings import Settings

_WEIGHT = 0.05  # of the latest batch in what a request is taken to cost
_FIRST_GUESS = 0.0005
_OUTLIER = 4.0  # times the usual: a stall of the machine says nothing of what requests cost
_ONCE = 3.0  # times the patience for a burst, or for what gathered while the machine stood still
_STRICT = (
    1.0  # seconds after a refusal in which there is none of that: the load is more than a burst
)
_MODELS = 8  # whose costs are remembered
_LONE_SHARE = 8.0  # batches of one that may stand before a request, whatever the limit says


class Admission:
    """Counts the requests that are under way, and knows what one costs.

    Requests are scored together, and together they cost less each than alone; so the cost is that
    of a request in its batch, and the room grows with the load. What waits in sockets is seen by
    nobody, but as all that came in is either let in or refused before the next batch, it waits for
    one batch at most. A burst may wait longer than a load that stays: nobody is refused because of
    a moment, and no key because of what another one sends.

    Parameters
    ----------
    settings
        Seconds that may be spent on those before, and requests that may write at once.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.scored = 0
        self.ingested = 0
        self.scored_by, self.ingested_by = Counter[str](), Counter[str]()  # by key
        self.cost = self.lone = _FIRST_GUESS
        self._costs: dict[float, float] = {}  # of the models that answered before
        self._strict_until = 0.0

    def count(self, who: str, by: int, *, scored: bool, ingested: bool) -> None:
        """Count a request of a key as under way (1), or no longer (-1)."""
        self.scored += by * scored
        self.ingested += by * ingested
        for counts, one in ((self.scored_by, scored), (self.ingested_by, ingested)):
            if one and who:
                counts[who] += by
                if not counts[who]:
                    del counts[who]

    def full(self, who: str = "") -> bool:
        """Return whether those under way take longer than a request should wait: one of this key,
        which has its share of the places whatever others send.
        """
        under_way = self.scored
        if under_way < 2:
            return False
        now = time.monotonic()
        strict = now < self._strict_until
        if under_way < self._settings.max_scored and under_way * self.cost <= self.patience * (
            1.0 if strict else _ONCE
        ):
            return False
        if _has_share(self.scored_by, who, under_way, self._settings.max_scored):
            return False
        self._strict_until = now + _STRICT
        return True

    @property
    def patience(self) -> float:
        """Seconds that a request may wait for its turn."""
        return max(self._settings.max_waiting, _LONE_SHARE * self.lone)

    def ingest_full(self, who: str = "") -> bool:
        """Return whether as many requests write as may at once; see `full`."""
        most = self._settings.max_ingest
        return self.ingested >= most and not _has_share(self.ingested_by, who, self.ingested, most)

    def begin_with(self, lone: float) -> None:
        """Go on with a model that answers one person in ``lone`` seconds: with what was learned of
        it, where several take turns (an experiment).
        """
        self._costs.pop(self.lone, None)
        self._costs[self.lone] = self.cost
        if len(self._costs) > _MODELS:
            del self._costs[next(iter(self._costs))]
        self.lone, self.cost = lone, self._costs.get(lone, lone)

    def learn(self, seconds: float, count: int) -> None:
        """Learn from the seconds that a batch of ``count`` requests needed."""
        known = max(self.cost, 1e-5)
        self.cost = known + _WEIGHT * (min(seconds / count, _OUTLIER * known) - known)


def _has_share(counts: Counter[str], who: str, under_way: int, most: int) -> bool:
    """Whether a key has less under way than its share of what is, so that it needn't wait for the
    others; in all there are at most twice as many.
    """
    n_keys = max(2, len(counts) + (who not in counts))
    return bool(who) and under_way < 2 * most and counts[who] < under_way // n_keys
