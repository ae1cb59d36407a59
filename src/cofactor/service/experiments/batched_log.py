"""The log of lists that doesn't hold answers up: they gather and are written together.

A list whose response carries a ``request_id`` stands in the journal beside the store's file, where
a process that is killed leaves it to the next one; a power cut may take what wasn't written yet
(`INTERVAL`, and one commit)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import Future

from prometheus_client import CollectorRegistry, Gauge

from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.service.experiments.impression_log import impression_counts
from cofactor.store import Ack, Impression, Journal, Store, impression_line, take_in

log = logging.getLogger("cofactor.service")
INTERVAL = 0.2  # seconds after which what has gathered is written
_AGAIN = 1.0  # seconds after which what the store didn't take is tried again
_PATIENCE = 5.0  # seconds to wait for what has gathered to be written
_TOGETHER = 1_000  # lists of one write
_MOST = 32 << 20  # bytes of lists that wait to be written; more aren't logged


class BatchedLog:
    """Logs lists together, every `INTERVAL` seconds.

    Lines of lists go to one of two journals; once those of the other are in the store, it is
    cleared, and they change places.

    Parameters
    ----------
    store
        Where they go.
    registry
        Where its metrics go.
    others
        Whether other processes log lists to the same store.
    """

    def __init__(self, store: Store, registry: CollectorRegistry, others: bool = False) -> None:
        self._store, self._others = store, others
        self._gathered: list[bytes] = []
        self._unwritten: list[bytes] = []  # begun to be written
        self._size = 0
        self._added = self._written = 0  # lists since the start
        self._journals: list[Journal | None] = []  # that of what gathers, and the other
        self._timer: asyncio.TimerHandle | None = None
        self._writing = self._closing = False
        self._waiters: list[tuple[int, asyncio.Future[bool]]] = []
        counts = impression_counts(registry)
        self._stored, self._unlogged = counts.labels("stored"), counts.labels("unlogged")
        waiting = Gauge(
            "cofactor_impressions_waiting", "Lists still to be written.", registry=registry
        )
        waiting.set_function(lambda: self._added - self._written)

    def start(self) -> None:
        """Take in what was left by a process that was killed."""
        take_in(self._store)

    async def log(self, impression: Impression) -> bool:
        """Log a list; return whether it was taken."""
        return self._add(impression)

    def log_unseen(self, impression: Impression) -> None:
        """Log a list that nobody waits for."""
        self._add(impression)

    async def flush(self) -> bool:
        """Have all lists of before in the store: what has gathered, what the other workers write
        meanwhile, what processes that were killed left behind; return whether ours are on disk.
        """
        await asyncio.to_thread(take_in, self._store)
        if self._others:  # those of the other workers go by themselves
            await asyncio.sleep(2 * INTERVAL)
        return await self._flushed()

    async def _flushed(self) -> bool:
        if self._written == self._added:
            return True
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiters.append((self._added, done))
        self._write()
        try:
            return await asyncio.wait_for(done, _PATIENCE)
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Write what has gathered; what the store doesn't take any more stays in the journals."""
        self._closing = True
        if self._added > self._written and not await self._flushed():
            left = self._added - self._written
            kept = all(journal is not None for journal in self._journals)
            facts = {"lists": left, "kept": kept}
            log.warning("impressions not written", extra={"facts": facts})
        if self._timer is not None:
            self._timer.cancel()
        for journal in filter(None, self._journals):
            journal.close()
        self._journals = []

    def _add(self, impression: Impression) -> bool:
        try:
            line = impression_line(impression)
            if self._size + len(line) > _MOST:
                raise OSError
            if not self._journals:
                self._journals = [Journal.beside(self._store.database) for _ in range(2)]
            if (journal := self._journals[0]) is not None:
                journal.add(line)
        except (ArgumentError, OSError):
            self._unlogged.inc()
            return False
        self._gathered.append(line)
        self._size += len(line)
        self._added += 1
        if self._timer is None and not self._writing:
            self._write_in(INTERVAL)
        return True

    def _write_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._write)

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing:
            return
        if not self._unwritten:
            self._unwritten, self._gathered = self._gathered, []
            self._journals.reverse()
        if not self._unwritten:
            return
        loop = asyncio.get_running_loop()
        part = self._unwritten[:_TOGETHER]
        self._writing = True
        try:
            write = self._store.log_lines(part)
        except CofactorError:
            self._failed()
            return

        def written(done: Future[Ack]) -> None:
            stored = not done.cancelled() and done.exception() is None
            after = self._finish if stored else self._failed
            with contextlib.suppress(RuntimeError):  # the loop was closed
                loop.call_soon_threadsafe(after)

        write.add_done_callback(written)

    def _finish(self) -> None:
        part, self._unwritten = self._unwritten[:_TOGETHER], self._unwritten[_TOGETHER:]
        self._size -= sum(map(len, part))
        self._written += len(part)
        self._stored.inc(len(part))
        self._writing = False
        if not self._unwritten and (journal := self._journals[1]) is not None:
            journal.clear()
        self._tell()
        if self._unwritten or self._waiters:
            self._write()
        elif self._gathered:
            self._write_in(INTERVAL)

    def _failed(self) -> None:
        """Try again later; nobody waits for it."""
        self._writing = False
        self._tell(failed=True)
        if not self._closing:
            self._write_in(_AGAIN)

    def _tell(self, failed: bool = False) -> None:
        """Tell those who wait whether what they wait for is written."""
        waiting, self._waiters = self._waiters, []
        for count, done in waiting:
            if done.done():
                continue
            if count <= self._written or failed:
                done.set_result(count <= self._written)
            else:
                self._waiters.append((count, done))
