"""What handlers work with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cofactor.service.admission import Admission
from cofactor.service.errors import RequestError, invalid, overloaded
from cofactor.service.items import LiveItems
from cofactor.service.keys import Keys
from cofactor.service.reload import Models
from cofactor.service.scoring import Scorer
from cofactor.service.settings import Settings
from cofactor.service.store import Ack, Store
from cofactor.service.telemetry import Telemetry

Result = TypeVar("Result")
_SLOW_AT_ONCE = 32


@dataclass(eq=False)
class Context:
    """The parts of a running service.

    Parameters
    ----------
    settings, keys, store, live, telemetry
        What it was started with.
    models, scorer
        Made when it starts.
    admission
        Who is let in.
    stopping
        Whether it takes no new work.
    """

    settings: Settings
    keys: Keys
    store: Store
    live: LiveItems
    telemetry: Telemetry
    models: Models
    admission: Admission
    _scorer: Scorer | None = None
    stopping: bool = False
    lag: float = 0.0
    maps: dict[str, Any] = field(default_factory=dict)
    _slow: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "cofactor-slow"))
    _slow_count: int = 0

    @property
    def scorer(self) -> Scorer:
        """The thread that scores."""
        if self._scorer is None:
            raise RequestError(503, "starting", "the service is starting.", retry_after=1.0)
        return self._scorer

    async def slowly(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run something that takes longer beside the event loop, in a lane of its own."""
        if self._slow_count >= _SLOW_AT_ONCE:
            raise overloaded("there are too many searches and exports under way; try again shortly.")
        self._slow_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._slow, lambda: call(*arguments))
        finally:
            self._slow_count -= 1

    async def stored(self, write: Future[Ack]) -> Ack:
        """Wait until a write is on disk. Giving up waiting doesn't take the write back."""
        return await asyncio.shield(asyncio.wrap_future(write))

    def checked_k(self, k: int) -> int:
        """Return k if it is within the limit."""
        if k > self.settings.max_k:
            raise invalid(f"k must be at most {self.settings.max_k}, not {k}.", "k")
        return k

    def checked_ids(self, ids: list[Any] | None, name: str) -> None:
        """Refuse a list of ids beyond the limit."""
        if ids is not None and len(ids) > self.settings.max_filter:
            raise invalid(f"{name} must have at most {self.settings.max_filter:,} ids, not {len(ids):,}.", name)

    def close(self) -> None:
        """Finish what waits, then stop."""
        if self._scorer is not None:
            self._scorer.close()
        self._slow.shutdown(wait=False, cancel_futures=True)
        self.store.close()
