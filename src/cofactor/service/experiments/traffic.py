"""What a user's request gets while lists are logged: which version, which list, and its log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Any, NamedTuple

import msgspec
import numpy as np
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as Total

from cofactor.base.errors import CofactorError
from cofactor.retrieval.exploration import parse_exploration
from cofactor.retrieval.interleaving import team_draft
from cofactor.service.answering.admission import Admission
from cofactor.service.answering.exploring import Explorer
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.scoring import Scorer
from cofactor.service.experiments.batched_log import BatchedLog
from cofactor.service.experiments.experiment import Arm, Experiment, Experiments
from cofactor.service.experiments.impression_log import DurableLog
from cofactor.service.experiments.logged import SHADOW
from cofactor.service.replies import Recommendations
from cofactor.service.settings import Settings
from cofactor.service.versions.reload import Models
from cofactor.service.wire import RecommendRequest
from cofactor.store import IdMaker, Impression, Store
from cofactor.store.impressions import MAX_LIST

log = logging.getLogger("cofactor.service")
_SHADOWS = 32  # shadow lists under way at once
INTERLEAVED = "interleaved"
_CERTAIN = (1.0,) * MAX_LIST  # of a list that isn't drawn
_USERS = 1 << 16  # whose arms are remembered


def unseeded() -> np.random.Generator:
    """Return the chance by which a service draws its lists: another one in each process."""
    return np.random.default_rng()


class _Answer(NamedTuple):
    """A list on its way out, and what is logged of it."""

    given: Recommendations
    experiment: Experiment | None = None
    arm: str | None = None
    item_arms: tuple[str, ...] | None = None


class Traffic:
    """Answers users' requests by the experiments that run, and logs what was shown.

    Parameters
    ----------
    settings
        Whether everything is logged, and how lists are drawn outside experiments.
    models, store
        The versions, and where impressions go.
    admission
        Who is let in.
    registry
        Where its metrics go.
    """

    def __init__(
        self,
        settings: Settings,
        models: Models,
        store: Store,
        admission: Admission,
        registry: CollectorRegistry,
    ) -> None:
        self._settings, self._models, self._store = settings, models, store
        self.experiments = Experiments(models.folder)
        self.live: Experiment | None = None
        self.shadow: Experiment | None = None
        self._stamp: Any = ()
        self._explorers: dict[str, Explorer] = {}
        self._arms: dict[str, Arm | None] = {}  # of users, in the experiment that is live
        self._exposures: Counter[str] = Counter()
        self._counted = False
        self._new_id = IdMaker()
        self._rng = unseeded()
        self._watch: asyncio.Task[None] | None = None
        self._shadows: set[asyncio.Task[None]] = set()
        self._log: BatchedLog | DurableLog = (
            DurableLog(store, admission, registry)
            if settings.durable_impressions
            else BatchedLog(store, registry, others=settings.workers > 1)
        )
        self._shadow_counts = Total(
            "cofactor_shadow", "Shadow lists by outcome.", ["outcome"], registry=registry
        )

    def running(self) -> set[str]:
        """Return the names of the experiments that run."""
        return {one.name for one in (self.live, self.shadow) if one is not None}

    def versions(self) -> set[str]:
        """Return the versions that running experiments need."""
        running = (one for one in (self.live, self.shadow) if one is not None)
        return {arm.version for one in running for arm in one.arms}

    async def start(self) -> None:
        """Read the experiments, and begin to look for changes; call it in the event loop."""
        self._log.start()
        await self._read()
        if not self._models.folder.single:
            self._watch = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Stop looking, give up the shadow lists under way, and write what has gathered."""
        tasks = [*self._shadows, *([self._watch] if self._watch is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._log.close()

    async def flush(self) -> bool:
        """Have what was logged so far in the store; return whether it is."""
        return await self._log.flush()

    async def recommend(self, scorer: Scorer, request: RecommendRequest) -> Recommendations:
        """Answer a user's request by the arm that the user is in, and log the list.

        Parameters
        ----------
        scorer
            Makes the lists.
        request
            Of a user by id, for no version in particular.
        """
        user = str(request.user_id)
        began = time.perf_counter()
        answer = await self._answered(scorer, request, user)
        ms = (time.perf_counter() - began) * 1000
        given = answer.given
        given.arm = answer.arm
        if answer.experiment is not None or self._logs:
            given.request_id = self._new_id()
            impression = self._impression(answer, user, given.request_id, ms)
            if not await self._log.log(impression):
                given.request_id = None
            elif self._counted:
                self._exposures.update(impression.items)
        if self.shadow is not None and self.shadow.includes(user):
            self._begin_shadow(scorer, request, self.shadow, given)
        return given

    @property
    def _logs(self) -> bool:
        return self._settings.log_impressions or self._settings.explore is not None

    async def _answered(self, scorer: Scorer, request: RecommendRequest, user: str) -> _Answer:
        live = self.live
        if live is not None and live.kind == "ab":
            arm = self._arm_of(live, user)
            loaded = None if arm is None else await self._loaded(arm)
            if arm is not None and loaded is not None:
                explorer = self._explorer(arm.explore)
                return _Answer(await scorer.recommend(loaded, request, explorer), live, arm.name)
        elif live is not None and live.includes(user):
            first, second = [await self._loaded(arm) for arm in live.arms]
            if first is not None and second is not None:
                return await self._interleaved(scorer, request, live, (first, second))
        explorer = self._explorer(self._settings.explore)
        given = await scorer.recommend(self._models.current, request, explorer)
        shadow = self.shadow
        if live is None and shadow is not None and shadow.includes(user):
            return _Answer(given, shadow, shadow.arms[0].name)
        return _Answer(given)

    def _arm_of(self, live: Experiment, user: str) -> Arm | None:
        """A user's arm. Hashing costs little, but more than to remember who came lately."""
        known = self._arms
        if user in known:
            return known[user]
        if len(known) >= _USERS:
            known.clear()
        arm = known[user] = live.arm_of(user)
        return arm

    async def _loaded(self, arm: Arm) -> Loaded | None:
        """An arm's version; None where it can't be loaded: its users get the current one, outside
        the experiment.
        """
        try:
            return await self._models.get(arm.version)
        except (CofactorError, OSError) as error:
            facts = {"version": arm.version, "problem": str(error)}
            log.warning("arm not loaded", extra={"facts": facts})
            return None

    async def _interleaved(
        self,
        scorer: Scorer,
        request: RecommendRequest,
        live: Experiment,
        loaded: tuple[Loaded, Loaded],
    ) -> _Answer:
        first, second = await asyncio.gather(*(scorer.recommend(one, request) for one in loaded))
        lists = (first.items, second.items)
        ids = [[str(item.item_id) for item in items] for items in lists]
        merged = team_draft(ids[0], ids[1], request.k, self._rng)
        places = list(zip(merged.sources.tolist(), merged.places.tolist(), strict=True))
        items = [lists[source][place] for source, place in places]
        for item, probability in zip(items, merged.probabilities.tolist(), strict=True):
            item.probability = probability
        # A cursor knows one version's rows, not both lists': a merged list has no further pages.
        given = msgspec.structs.replace(first, items=items, next=None)
        arms = tuple(live.arms[source].name for source, _ in places)
        return _Answer(given, live, INTERLEAVED, arms)

    def _explorer(self, text: str | None) -> Explorer | None:
        if text is None:
            return None
        found = self._explorers.get(text)
        if found is None:
            found = Explorer(parse_exploration(text), self._exposures, self._rng)
            self._explorers[text] = found
        return found

    def _begin_shadow(
        self, scorer: Scorer, request: RecommendRequest, shadow: Experiment, shown: Recommendations
    ) -> None:
        """Let the shadow version answer too, without waiting for it."""
        if len(self._shadows) >= _SHADOWS:
            self._shadow_counts.labels("left_out").inc()
            return
        task = asyncio.get_running_loop().create_task(
            self._shadowed(scorer, request, shadow, shown.request_id)
        )
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadowed(
        self, scorer: Scorer, request: RecommendRequest, shadow: Experiment, shown_id: str | None
    ) -> None:
        began = time.perf_counter()
        arm = shadow.arms[1]
        try:
            loaded = await self._models.get(arm.version)
            given = await scorer.recommend(loaded, request)
        except Exception as error:
            self._shadow_counts.labels("failed").inc()
            log.warning("shadow failed", extra={"facts": {"problem": str(error)}})
            return
        ms = (time.perf_counter() - began) * 1000
        answer = _Answer(given, shadow, arm.name)
        request_id = f"{shown_id or self._new_id()}{SHADOW}"
        impression = self._impression(answer, str(request.user_id), request_id, ms, shown=False)
        self._log.log_unseen(impression)
        self._shadow_counts.labels("answered").inc()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._settings.watch_seconds)
            if self.experiments.stamp() != self._stamp:
                try:
                    await self._read()
                except Exception:  # the next change is looked at nevertheless
                    log.exception("experiments not read")

    async def _read(self) -> None:
        """Take over the experiments that run, once their versions are in memory."""
        self._stamp = self.experiments.stamp()
        try:
            running = [] if self._models.folder.single else self.experiments.running()
            needed = {arm.version for one in running for arm in one.arms}
            self._models.pinned = frozenset(needed)
            for version in sorted(needed):
                await self._models.get(version)
        except (CofactorError, OSError) as error:
            log.error("experiments not read", extra={"facts": {"problem": str(error)}})
            return
        await self._count_exposures(running)
        self._arms = {}
        self.live = next((one for one in running if one.kind != "shadow"), None)
        self.shadow = next((one for one in running if one.kind == "shadow"), None)
        names = [one.name for one in running]
        log.info("experiments", extra={"facts": {"running": names}})

    async def _count_exposures(self, running: list[Experiment]) -> None:
        """Count how often items were shown so far, where that decides what is new."""
        explored = [self._settings.explore, *(arm.explore for one in running for arm in one.arms)]
        if self._counted or not any(text and "new=" in text for text in explored):
            return
        # From now on lists are counted as they are logged.
        self._counted = True
        self._exposures.update(await asyncio.to_thread(self._logged_exposures))

    def _logged_exposures(self) -> Counter[str]:
        counts: Counter[str] = Counter()
        for one in self._store.impressions():
            if one.shown:
                counts.update(one.items)
        return counts

    def _impression(
        self, answer: _Answer, user: str, request_id: str, ms: float, shown: bool = True
    ) -> Impression:
        given = answer.given
        items = given.items
        probabilities = _CERTAIN[: len(items)]
        if items and items[0].probability is not None:  # all of a list's items are drawn or none
            drawn = [1.0 if item.probability is None else item.probability for item in items]
            probabilities = tuple(drawn)
        return Impression(
            request_id=request_id,
            user_id=user,
            version=given.model.version,
            source=given.source,
            items=tuple([str(item.item_id) for item in items]),
            probabilities=probabilities,
            experiment=None if answer.experiment is None else answer.experiment.name,
            arm=answer.arm,
            item_arms=answer.item_arms,
            ms=round(ms, 3),
            shown=shown,
            # When it goes out, not when it is written: what follows from it comes later.
            time=self._store.settings.moment(),
        )
