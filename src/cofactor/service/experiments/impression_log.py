"""The durable log of lists on their way out: those of one turn of the event loop are one write.

A list whose response carries a ``request_id`` is on disk. Where the store doesn't take it in time,
the response goes out without one: answers never wait for a broken disk."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import Future

from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Total

from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.service.answering.admission import Admission
from cofactor.store import Ack, Impression, Store
from cofactor.store.impressions import checked_impressions

_PATIENCE = 0.25  # seconds that a response waits for its impression to be on disk

_Batch = list[tuple[Impression, "asyncio.Future[bool]"]]


class DurableLog:
    """Logs lists together: while one write is under way lists gather, and the next takes them all.

    Parameters
    ----------
    store
        Where they go.
    admission
        Counts the requests that are still to be scored; those that wait for the disk aren't.
    registry
        Where its metrics go.
    """

    def __init__(self, store: Store, admission: Admission, registry: CollectorRegistry) -> None:
        self._store, self._admission = store, admission
        self._waiting: _Batch = []
        self._timer: asyncio.TimerHandle | None = None
        self._writing = False
        self._counts = impression_counts(registry)

    def start(self) -> None:
        """Nothing to do before the first list."""

    async def flush(self) -> bool:
        """Nothing to do: what was logged is on disk."""
        return True

    async def close(self) -> None:
        """Nothing to do: whoever waits is answered before."""

    def log_unseen(self, impression: Impression) -> None:
        """Log a list that nobody waits for."""
        with contextlib.suppress(CofactorError):
            self._store.log_impressions([impression])

    async def log(self, impression: Impression) -> bool:
        """Log a list; return whether it is on disk."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            self._timer = loop.call_later(_PATIENCE, self._give_up, self._waiting)
            if not self._writing:
                # Later in this turn of the loop: what else is answered by then goes with it.
                loop.call_soon(self._write)
        written: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((impression, written))
        self._admission.scored -= 1
        try:
            return await written
        finally:
            self._admission.scored += 1

    def _write(self) -> None:
        batch, timer = self._waiting, self._timer
        self._waiting, self._timer = [], None
        if not batch or timer is None:
            return
        loop = asyncio.get_running_loop()
        write = self._queued(batch)
        if write is None:
            self._finish(batch, timer, False)
            return
        self._writing = True

        def written(done: Future[Ack]) -> None:
            stored = not done.cancelled() and done.exception() is None
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(self._finish, batch, timer, stored)

        write.add_done_callback(written)

    def _queued(self, batch: _Batch) -> Future[Ack] | None:
        """The write of a batch, which lists that can't be logged leave; None if none is left, or
        the store takes nothing.
        """
        try:
            return self._store.log_impressions([impression for impression, _ in batch])
        except ArgumentError:
            bad = [one for one in batch if not _can_be_logged(one[0])]
            self._resolve(bad)
            batch[:] = [one for one in batch if one not in bad]
            return self._queued(batch) if bad and batch else None
        except CofactorError:
            return None

    def _finish(self, batch: _Batch, timer: asyncio.TimerHandle, stored: bool) -> None:
        timer.cancel()
        self._resolve(batch, stored)
        self._writing = False
        if self._waiting:
            self._write()

    def _give_up(self, batch: _Batch) -> None:
        """Let responses go whose lists aren't on disk in time; what wasn't begun isn't written."""
        if batch is self._waiting:
            self._waiting, self._timer = [], None
        self._resolve(batch)

    def _resolve(self, batch: _Batch, stored: bool = False) -> None:
        count = 0
        for _, written in batch:
            if not written.done():
                written.set_result(stored)
                count += 1
        if count:
            self._counts.labels("stored" if stored else "unlogged").inc(count)


def impression_counts(registry: CollectorRegistry) -> Total:
    """Return the metric of what became of lists."""
    return Total(
        "cofactor_impressions",
        "Lists by what became of their log: stored, or unlogged (the store didn't take them).",
        ["outcome"],
        registry=registry,
    )


def _can_be_logged(impression: Impression) -> bool:
    try:
        checked_impressions([impression])
    except ArgumentError:
        return False
    return True
