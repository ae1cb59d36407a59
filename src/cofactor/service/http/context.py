"""What handlers work with."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cofactor.base.errors import CofactorError
from cofactor.service.answering.admission import Admission
from cofactor.service.answering.budget import Budgets
from cofactor.service.answering.cursors import expired, version_of
from cofactor.service.answering.feeds import TrendingFeed
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.scoring import Scorer
from cofactor.service.answering.turns import SlowLane, asking
from cofactor.service.errors import RequestError, invalid, overloaded, unknown_outcome
from cofactor.service.experiments.traffic import Traffic
from cofactor.service.experiments.upkeep import Pruning
from cofactor.service.http.keys import Keys
from cofactor.service.retraining.retraining import Retraining
from cofactor.service.settings import Settings
from cofactor.service.telemetry import Telemetry
from cofactor.service.versions.reload import Models
from cofactor.store import Ack, Store, StoreError, StoreUnavailableError

log = logging.getLogger("cofactor.service")
Result = TypeVar("Result")
GONE = "the client has gone"  # why a request on its way is cancelled
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
    traffic
        Which version and list a user gets, and the log of what was shown.
    pruning
        What keeps the log of what was shown within its bounds.
    retraining
        What retrains by a schedule, if anything does.
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
    traffic: Traffic
    pruning: Pruning
    _scorer: Scorer | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    retraining: Retraining | None = None
    stopping: bool = False
    lag: float = 0.0
    maps: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    computing: asyncio.Lock = field(default_factory=asyncio.Lock)  # results of an experiment
    _trending: TrendingFeed | None = None
    _slow: SlowLane = field(default_factory=lambda: SlowLane("cofactor-slow", 2, _SLOW_AT_ONCE))
    _reading: SlowLane = field(
        default_factory=lambda: SlowLane("cofactor-bodies", 1, _SLOW_AT_ONCE)
    )
    _following: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "cofactor-items")
    )
    _resolved: list[tuple[asyncio.Future[Ack], Future[Ack]]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.budgets = Budgets(self.settings, self.admission)

    @property
    def scorer(self) -> Scorer:
        """The thread that scores."""
        if self._scorer is None:
            raise RequestError(503, "starting", "the service is starting.", retry_after=1.0)
        return self._scorer

    async def follow(self) -> None:
        """Take over what other processes changed of items: what they acknowledged holds here too.
        Where the store can't be read, what is known here counts.
        """
        if not self.live.others:
            return
        try:
            if self.store.database.embedded:
                grown = self.live.follow_others()
            else:
                grown = await asyncio.to_thread(self.live.follow_others)
        except StoreError:
            return
        if grown:
            self.models.growing()

    @property
    def trending(self) -> TrendingFeed:
        """The feed of what users did lately."""
        if self._trending is None:
            self._trending = TrendingFeed(self.store, self.settings)
        return self._trending

    async def version(self, name: str | None, cursor: str | None) -> Loaded:
        """Return a version by its name, or the current one for None; of a page, that of the first
        page.

        Raises
        ------
        RequestError
            410 if the first page's version is gone; 503 if its key has had too many loaded.
        """
        first = None if cursor is None else version_of(cursor)
        if first is None:
            return await self.models.named(name, asking.get())
        try:
            return await self.models.named(first, asking.get())
        except RequestError:
            raise
        except CofactorError:
            raise expired(first) from None

    async def slowly(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run something that takes longer beside the event loop, in a lane of its own, in which
        keys take turns.
        """
        return await _in(self._slow, "searches and exports", call, *arguments)

    async def read(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """Run what reads a long body beside the event loop, in a lane in which keys take turns."""
        return await _in(self._reading, "long bodies", call, *arguments)

    async def settled(
        self,
        write: Future[Ack],
        event_ids: tuple[str, ...] = (),
        after: Future[Ack] | None = None,
    ) -> Ack:
        """Wait until a write is on disk, and what comes after it is done too.

        Raises
        ------
        RequestError
            503 if it isn't in time: with the outcome ``refused`` if it could be taken back before
            it began, else ``unknown``, with the ids under which its events may be stored.
        """
        try:
            return await self.stored(write if after is None else after)
        except asyncio.CancelledError as error:
            if error.args == (GONE,):
                raise  # the client has; the write goes on
            if write.cancel():
                raise RequestError(
                    503,
                    "timeout",
                    "the storage took too long, and this was taken back: nothing is stored.",
                    retry_after=2.0,
                ) from None
            raise unknown_outcome(event_ids) from None
        except StoreUnavailableError as error:
            if not error.unknown:
                raise
            raise unknown_outcome(event_ids, str(error).rstrip(".")) from None

    def followed(self, write: Future[Ack], item_ids: Iterable[str | int]) -> Future[Ack]:
        """Return a write of items that is done once the copy in memory knows it too.

        The copy follows whatever becomes of the request, and has a thread of its own: a request
        that was given up, or a lane that is full, leaves no hidden item visible."""
        both: Future[Ack] = Future()
        ids = [str(one) for one in item_ids]

        def on_disk(done: Future[Ack]) -> None:
            if done.cancelled():
                both.cancel()
                return
            self.live.owe(ids)
            try:
                self._following.submit(self._follow, done, both)
            except RuntimeError:  # it is stopping; the next start reads all items again
                _hand_on(done, both)

        write.add_done_callback(on_disk)
        return both

    def followed_beside(self, write: Future[Ack], item_ids: Iterable[str | int]) -> Future[Ack]:
        """The same for a write that another process handed to this one's store: an import."""
        both = self.followed(write, item_ids)
        both.add_done_callback(lambda _: self._grow())
        return both

    def _grow(self) -> None:
        """Let the models know new items; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed: it is stopping
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self.models.growing)

    def _follow(self, done: Future[Ack], both: Future[Ack]) -> None:
        try:
            self.live.catch_up()
        except Exception as error:
            log.warning("items not read", extra={"facts": {"problem": str(error)}})
            if done.exception() is None:
                failure = StoreUnavailableError(f"{error}", unknown=True)
                failure.__cause__ = error
                both.set_exception(failure)
                return
        _hand_on(done, both)

    def catch_up(self) -> None:
        """Try again what `_follow` couldn't read, and read what other processes changed."""
        if (self.live.owes or self.live.others) and not self.stopping:
            self._following.submit(self._try_again)

    def _try_again(self) -> None:
        with contextlib.suppress(StoreError):
            self.live.catch_up()
            if self.live.others and self.live.follow_others():
                self._grow()

    def stored(self, write: Future[Ack]) -> asyncio.Future[Ack]:
        """Return what tells in the event loop that a write is on disk. Giving up waiting doesn't
        take the write back.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Ack] = loop.create_future()

        def resolved(done: Future[Ack]) -> None:
            # In the writer's thread: a commit resolves many writes, and wakes the loop once for all
            # of them.
            with self._lock:
                first = not self._resolved
                self._resolved.append((answer, done))
            if first:
                with contextlib.suppress(
                    RuntimeError
                ):  # the loop was closed: nobody waits any more
                    loop.call_soon_threadsafe(self._tell)

        write.add_done_callback(resolved)
        return answer

    def _tell(self) -> None:
        with self._lock:
            resolved, self._resolved = self._resolved, []
        for answer, done in resolved:
            if not answer.done():
                _hand_on(done, answer)

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
        self._slow.close()
        self._reading.close()
        self._following.shutdown(wait=False)
        self.store.close()


async def _in(lane: SlowLane, what: str, call: Callable[..., Result], *arguments: Any) -> Result:
    """What a call returns in a lane, if there is room."""
    running = lane.submit(lambda: call(*arguments))
    if running is None:
        raise overloaded(f"there are too many {what} under way; try again shortly.")
    return await asyncio.wrap_future(running)


def _hand_on(done: Future[Ack], to: Future[Ack] | asyncio.Future[Ack]) -> None:
    """Let one future end as another did."""
    if done.cancelled():
        to.cancel()
    elif (error := done.exception()) is not None:
        to.set_exception(error)
    else:
        to.set_result(done.result())
