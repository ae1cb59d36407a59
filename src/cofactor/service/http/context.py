"""What handlers work with."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cofactor.service.answering.admission import Admission
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.scoring import Scorer
from cofactor.service.errors import RequestError, invalid, overloaded
from cofactor.service.http.keys import Keys
from cofactor.service.settings import Settings
from cofactor.service.telemetry import Telemetry
from cofactor.service.versions.reload import Models
from cofactor.store import Ack, Store

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
    document
        The OpenAPI document of its routes, as JSON.
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
    document: bytes
    _scorer: Scorer | None = None
    stopping: bool = False
    lag: float = 0.0
    maps: dict[str, Any] = field(default_factory=dict)
    _slow: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(2, "cofactor-slow")
    )
    _slow_count: int = 0
    _resolved: list[tuple[asyncio.Future[Ack], Future[Ack]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def scorer(self) -> Scorer:
        """The thread that scores."""
        if self._scorer is None:
            raise RequestError(503, "starting", "the service is starting.", retry_after=1.0)
        return self._scorer

    async def slowly(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run something that takes longer beside the event loop, in a lane of its own."""
        if self._slow_count >= _SLOW_AT_ONCE:
            raise overloaded(
                "there are too many searches and exports under way; try again shortly."
            )
        self._slow_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._slow, lambda: call(*arguments)
            )
        finally:
            self._slow_count -= 1

    def stored(self, write: Future[Ack]) -> asyncio.Future[Ack]:
        """Return what tells in the event loop that a write is on disk. Giving up waiting doesn't
        take the write back.
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Ack] = loop.create_future()

        def resolved(done: Future[Ack]) -> None:
            # In the writer's thread: a commit resolves many writes, and wakes the loop once for all
            # of them.
            with self._lock:
                first = not self._resolved
                self._resolved.append((told, done))
            if first:
                with contextlib.suppress(
                    RuntimeError
                ):  # the loop was closed: nobody waits any more
                    loop.call_soon_threadsafe(self._tell)

        write.add_done_callback(resolved)
        return told

    def _tell(self) -> None:
        with self._lock:
            resolved, self._resolved = self._resolved, []
        for told, done in resolved:
            if told.done():
                continue
            error = done.exception()
            if error is not None:
                told.set_exception(error)
            else:
                told.set_result(done.result())

    def checked_k(self, k: int) -> int:
        """Return k if it is within the limit."""
        if k > self.settings.max_k:
            raise invalid(f"k must be at most {self.settings.max_k}, not {k}.", "k")
        return k

    def checked_ids(self, ids: list[Any] | None, name: str) -> None:
        """Refuse a list of ids beyond the limit."""
        if ids is not None and len(ids) > self.settings.max_filter:
            raise invalid(
                f"{name} must have at most {self.settings.max_filter:,} ids, not {len(ids):,}.",
                name,
            )

    def close(self) -> None:
        """Finish what waits, then stop."""
        if self._scorer is not None:
            self._scorer.close()
        self._slow.shutdown(wait=False, cancel_futures=True)
        self.store.close()
