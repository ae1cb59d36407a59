"""Which version answers: loaded in a thread, checked, then swapped in by one assignment.

Whoever began with a version ends with it: every answer names exactly one. The version before stays
in memory, so that going back takes no loading."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar

from cofactor.artifact.load import identity
from cofactor.base.errors import CofactorError
from cofactor.base.threads import set_kernel_threads
from cofactor.service.answering.items import LiveItems
from cofactor.service.answering.loaded import Loaded, load_version, prepare_version
from cofactor.service.answering.new_items import unknown_items, with_stored_items
from cofactor.service.errors import RequestError
from cofactor.service.replies import PromotedOut, PromotionOut
from cofactor.service.settings import Settings
from cofactor.service.versions.comparison import LOADING_CHECKS, check_knowledge, compared
from cofactor.service.versions.shares import LoadShares
from cofactor.service.versions.versions import Folder
from cofactor.store import Store

log = logging.getLogger("cofactor.service")
Result = TypeVar("Result")


class Models:
    """The versions in memory.

    Parameters
    ----------
    folder
        Where the versions are.
    live
        What the store says of items.
    store
        Where the histories are.
    settings
        How many versions to keep, how often to look.
    """

    def __init__(self, folder: Folder, live: LiveItems, store: Store, settings: Settings) -> None:
        self.folder = folder
        self._live, self._store, self._settings = live, store, settings
        self._held: OrderedDict[str, Loaded] = OrderedDict()
        self._lock = threading.Lock()  # one load at a time
        self._shares = LoadShares()
        self._changing = asyncio.Lock()
        self.previous: str | None = None
        self.problem: str | None = None
        self.pinned: frozenset[str] = frozenset()  # versions that experiments need
        self._pool = ThreadPoolExecutor(
            1, "cofactor-loader", set_kernel_threads, (settings.threads,)
        )
        self._stamp = folder.stamp()
        self.current = self._load(folder.current())
        self._watch: asyncio.Task[None] | None = None
        self._growing: asyncio.Task[None] | None = None
        self._promoting: asyncio.Task[PromotedOut] | None = None
        self.promotion: PromotionOut | None = None

    def start(self) -> None:
        """Begin to look after promotions by others; call it in the event loop."""
        if not self.folder.single:
            self._watch = asyncio.get_running_loop().create_task(self._watching())

    async def close(self) -> None:
        """Stop looking."""
        under_way = [
            one for one in (self._watch, self._growing, self._promoting) if one is not None
        ]
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def held(self) -> list[str]:
        """The versions in memory."""
        return list(self._held)

    async def get(self, version: str | None) -> Loaded:
        """Return a version, loading it if need be; the current one for None."""
        if version is None or version == self.current.version:
            return self.current
        held = self._held.get(version)
        if held is None:
            return await self._in_thread(self._load, version)
        with contextlib.suppress(KeyError):  # let go meanwhile, in the thread that loads
            self._held.move_to_end(version)
        return held

    async def named(self, version: str | None, who: str) -> Loaded:
        """Return the version that a request names, as `get`; loads take a share of the time of its
        key.

        Raises
        ------
        RequestError
            503 if that share is used up.
        """
        if version is None or version == self.current.version or version in self._held:
            return await self.get(version)
        with self._shares.waiting(who):
            return await self._in_thread(self._load_for, who, version)

    async def promote(self, version: str, *, force: bool, patience: float) -> PromotedOut:
        """Check a version, make it the current one on disk, then let it answer. Checks that take
        longer than ``patience`` seconds go on beside everything else; ``promotion`` says how they
        end.

        Raises
        ------
        RequestError
            409 while another version is being checked.
        """
        started = time.monotonic()
        running = self._promoting
        if running is None or running.done():
            self.folder.folder(version)
            self.promotion = PromotionOut(version=version, status="checking")
            running = asyncio.get_running_loop().create_task(self._promote(version, force=force))
            running.add_done_callback(self._promoted)
            self._promoting = running
        elif self.promotion is not None and self.promotion.version != version:
            raise RequestError(
                409,
                "promoting",
                f"version {self.promotion.version!r} is being checked; wait until that is done.",
                "version",
            )
        await asyncio.wait({running}, timeout=patience)
        if running.done():
            return running.result()
        return _outcome("checking", version, self.current.version, [], started)

    def _promoted(self, task: asyncio.Task[PromotedOut]) -> None:
        if task.cancelled() or self.promotion is None:
            return
        error, version = task.exception(), self.promotion.version
        if error is None:
            self.promotion = PromotionOut(version=version, status="promoted")
        else:
            problem = str(error) if isinstance(error, CofactorError) else type(error).__name__
            self.promotion = PromotionOut(version=version, status="failed", problem=problem)
            log.info("not promoted", extra={"facts": {"version": version, "problem": problem}})

    async def _promote(self, version: str, *, force: bool) -> PromotedOut:
        started = time.monotonic()
        async with self._changing:
            before = self.current
            loaded = await self._in_thread(self._load, version)
            checks = list(LOADING_CHECKS)
            if not force and loaded is not before:
                data = loaded.model.data, before.model.data
                checks.append(await self._in_thread(check_knowledge, version, *data))
                checks.append(await self._in_thread(compared, loaded, before, self._store))
            await asyncio.to_thread(self.folder.promote, version)
            self._swap(loaded)
        return _outcome("promoted", version, self.previous, checks, started)

    async def roll_back(self) -> PromotedOut:
        """Let the version before answer again."""
        started = time.monotonic()
        async with self._changing:
            # Loaded first: `current` never names what can't answer.
            version = (await asyncio.to_thread(self.folder.before))[0]
            loaded = await self._in_thread(self._load, version)
            await asyncio.to_thread(self.folder.roll_back, version)
            self._swap(loaded)
        return _outcome("promoted", version, self.previous, list(LOADING_CHECKS), started)

    def growing(self) -> asyncio.Task[None]:
        """Begin to let the models in memory know new items, and return what tells when it is done;
        whoever calls meanwhile is served by a later round.
        """
        before = self._growing

        async def grown() -> None:
            if before is not None:
                await asyncio.gather(before, return_exceptions=True)
            try:
                await self.grow()
            except (CofactorError, OSError) as error:
                log.warning("new items not placed", extra={"facts": {"problem": str(error)}})

        self._growing = asyncio.get_running_loop().create_task(grown())
        return self._growing

    async def grow(self) -> None:
        """Let the models in memory know the items that the store describes and they don't have,
        where they can.
        """
        async with self._changing:
            # Versions are loaded and let go in a thread meanwhile.
            held = list(self._held.values())
            for old in [one for one in held if unknown_items(one.model, self._live)]:
                new = await self._in_thread(self._grown, old)
                if self.current is old:
                    self.current = new
                if new is not old:
                    self._live.forget(old.view)

    def _grown(self, old: Loaded) -> Loaded:
        """A version that knows more items, held in the old one's place if that is held still."""
        model = with_stored_items(old.model, self._live, self._store)
        if model is old.model or self._held.get(old.version) is not old:
            return old
        new = prepare_version(
            old.version, model, old.manifest, self._live, self._store, self._settings
        )
        new = replace(new, files=old.files)
        self._held[old.version] = new
        return new

    def _swap(self, loaded: Loaded) -> None:
        self._stamp, self.problem = self.folder.stamp(), None
        before, self.current = self.current, loaded
        if loaded is before:
            return
        if loaded.version == before.version:  # saved again
            self._held[loaded.version] = loaded
            self._live.forget(before.view)
        else:
            self.previous = before.version
        facts = {"version": loaded.version, "previous": before.version}
        log.info("promoted", extra={"facts": facts})

    async def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> Result:
        """What a call returns that takes longer, one after another in a thread of their own."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, call, *arguments)

    def _load_for(self, who: str, version: str) -> Loaded:
        self._shares.check(who)  # it may have been less when this began to wait
        started = time.monotonic()
        try:
            return self._load(version)
        finally:
            self._shares.spent(who, time.monotonic() - started)

    def _load(self, version: str) -> Loaded:
        """A version as its files are now: what is held of them, or loaded again."""
        with self._lock:
            where, held = self.folder.folder(version), self._held.get(version)
            if held is not None and held.files == identity(where):
                return held
            started = time.monotonic()
            loaded = load_version(where, version, self._live, self._store, self._settings)
            if held is None or held is not self.current:  # that one stays until it is replaced
                self._held[version] = loaded
            if held is not None and held is not self.current:
                self._live.forget(held.view)
            self._let_go()
            log.info(
                "loaded",
                extra={
                    "facts": {"version": version, "seconds": round(time.monotonic() - started, 3)}
                },
            )
            return loaded

    def _let_go(self) -> None:
        """Forget the versions that weren't asked for longest; never the current one, the one
        before, the last one loaded, nor those of experiments.
        """
        if len(self._held) <= self._settings.keep_versions:
            return
        last = next(reversed(self._held))
        kept = {*self.pinned, self.previous, self.current.version, last}
        for version in list(self._held):
            if len(self._held) <= self._settings.keep_versions:
                return
            if version not in kept:
                self._live.forget(self._held.pop(version).view)

    async def _watching(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_seconds)
            stamp = self.folder.stamp()
            if stamp == self._stamp or self._changing.locked():
                continue
            async with self._changing:
                self._stamp = stamp
                try:
                    version = self.folder.current()
                    self._swap(await self._in_thread(self._load, version))
                except Exception as error:
                    # What answers goes on answering; readiness and the model's page tell of it.
                    self.problem = str(error)
                    log.error("promotion failed", extra={"facts": {"problem": str(error)}})


def _outcome(
    status: str, version: str, previous: str | None, checks: list[str], started: float
) -> PromotedOut:
    """What a promotion or a rollback came to so far."""
    return PromotedOut(
        status=status,
        version=version,
        previous=previous,
        checks=checks,
        seconds=time.monotonic() - started,
    )
