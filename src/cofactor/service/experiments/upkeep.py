"""What keeps the log of impressions within its bounds while the service runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from time import monotonic

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Total

from cofactor.store import Retention, Store, StoreError, prune_impressions
from cofactor.store.pruning import ahead, latest_moment

log = logging.getLogger("cofactor.service")
_FIRST = 30.0  # seconds after the start until the first look
_LOOK = 600.0  # seconds between two looks
_DOUBT = 86_400.0  # seconds after the start in which the clock isn't trusted (`pruning.LEEWAY`)
_PAUSE = 0.1  # seconds between two steps: at most 2,000 lists a second go, and others write between


class Pruning:
    """Deletes impressions beyond their retention, step by step.

    Parameters
    ----------
    store
        The store that writes.
    retention
        Which are kept.
    running
        Returns the names of the experiments that run; their lists stay.
    registry
        Where its metrics go.
    """

    def __init__(
        self,
        store: Store,
        retention: Retention,
        running: Callable[[], Collection[str]],
        registry: CollectorRegistry,
    ) -> None:
        self._store, self._retention, self._running = store, retention, running
        self._task: asyncio.Task[None] | None = None
        self._started, self._latest = monotonic(), latest_moment(store) if retention else None
        self._pruned = Total(
            "cofactor_impressions_pruned",
            "Lists deleted from the log: too old, or too many.",
            registry=registry,
        )

    def start(self) -> None:
        """Begin to look; call it in the event loop."""
        if self._retention:
            self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Stop after the step under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def prune(self) -> int:
        """Make one pass; return how many lists went."""
        # What is stored while the clock is wrong says nothing of it: what the store held before
        # does, for a day.
        early = monotonic() - self._started < _DOUBT
        latest = self._latest if early else None
        if self._retention.seconds is not None and (days := ahead(self._store, latest) // 86_400):
            log.warning(
                "the clock is far ahead of what was stored last; impressions are kept longer",
                extra={"facts": {"days": days}},
            )
        steps = prune_impressions(self._store, self._retention, self._running(), latest)
        gone = 0
        while (count := await asyncio.to_thread(next, steps, None)) is not None:
            gone += count
            self._pruned.inc(count)
            await asyncio.sleep(_PAUSE)
        return gone

    async def _look(self) -> None:
        wait = _FIRST
        while True:
            await asyncio.sleep(wait)
            wait = _LOOK
            try:
                if gone := await self.prune():
                    log.info("impressions pruned", extra={"facts": {"lists": gone}})
            except StoreError as error:
                log.warning("impressions not pruned", extra={"facts": {"problem": str(error)}})
