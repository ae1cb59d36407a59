"""The scorer: waiting requests are scored together.

While one batch is scored, requests gather, and the next batch takes them all: reading the items
once for thirty people costs little more than reading them for one. So a queue that grows makes the
service more efficient rather than slower, up to the point where the oldest request has waited too
long; from there on new ones are refused at once. Histories are read here too, right before scoring:
whatever was acknowledged before a request came is in its answer.

Where scoring a person takes a fraction of a millisecond, a batch is scored in the event loop
itself: handing it to a thread and back costs more than the work, since both need the interpreter.
What takes longer (a million items, a neural model, a filter to be evaluated, a database on another
machine) has a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from cofactor.base.offsets import offsets
from cofactor.base.threads import kernel_threads, set_kernel_threads
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import Exclusions, TopK
from cofactor.service.answering.admission import Admission
from cofactor.service.answering.answers import (
    ScoringJob,
    ScoringTask,
    allowed_mask,
    personal_answer,
    popular_answer,
)
from cofactor.service.answering.budget import is_plain
from cofactor.service.answering.exploring import Explorer
from cofactor.service.answering.loaded import Loaded
from cofactor.service.answering.paging import page_of
from cofactor.service.answering.rerankers import Rerankers, ServedRules
from cofactor.service.answering.turns import Turns, asking
from cofactor.service.errors import RequestError, overloaded
from cofactor.service.replies import Recommendations
from cofactor.service.settings import Settings
from cofactor.service.wire import RecommendRequest

log = logging.getLogger("cofactor.service")
_LONGEST = 1.0  # seconds of a key's own such requests behind which no more of them wait
_NEWEST = 0.2  # of the newest such request in what one is taken to cost
_FEW = 100  # items of a request up to which it may be answered in the event loop


class Scorer:
    """The thread that scores.

    Parameters
    ----------
    settings
        Batch, queue, threads.
    admission
        Learns here what a request costs.
    """

    def __init__(self, settings: Settings, admission: Admission) -> None:
        self._settings = settings
        self._admission = admission
        self._here: list[ScoringJob] = []
        self._waiting: Turns[ScoringJob] = Turns(settings.max_queue)
        self._alone_waiting: Turns[ScoringJob] = Turns(settings.max_queue)
        # Seconds that a request of a key costs that is scored alone.
        self._alone: dict[str, float] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._rerankers = Rerankers(settings.rerank)
        self.batches = 0
        self.answered = 0
        self.shed = 0
        self._thread = threading.Thread(target=self._run, name="cofactor-scorer", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many requests wait."""
        return len(self._waiting) + len(self._alone_waiting) + len(self._here)

    def recommend(
        self, loaded: Loaded, request: RecommendRequest, explorer: Explorer | None = None
    ) -> asyncio.Future[Recommendations]:
        """Queue a request for recommendations; call it in the event loop.

        Raises
        ------
        RequestError
            503, if those before it wait too long already.
        """
        if loaded.lone != self._admission.lone:
            self._admission.begin_with(loaded.lone)
        future = self._loop.create_future()
        job = ScoringJob(loaded, future, request=request, explorer=explorer)
        if not loaded.quick or not _is_short(request) or self._rerankers.matter(request.rerank):
            return self._submit(job)
        if len(self._here) >= self._settings.max_queue:
            self.shed += 1
            raise overloaded()
        if not self._here:
            # Later in this turn of the loop: what else has arrived by then is scored together with
            # it.
            self._loop.call_soon(self._answer_here)
        self._here.append(job)
        return job.future

    def call(self, loaded: Loaded, call: Callable[[], Any]) -> asyncio.Future[Any]:
        """Queue other work that needs the model's kernels."""
        return self._submit(ScoringJob(loaded, self._loop.create_future(), call=call))

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _submit(self, job: ScoringJob) -> asyncio.Future[Any]:
        who = job.who = asking.get()
        explains = job.loaded.model.traits.explains
        job.alone = job.call is not None or not is_plain(job.request, explains)
        with self._changed:
            turns = self._alone_waiting if job.alone else self._waiting
            ahead = turns.waiting(who)
            long = job.alone and ahead > 1 and ahead * self._alone.get(who, 0.0) > _LONGEST
            if self._closing:
                raise RequestError(503, "stopping", "the service is stopping.", retry_after=1.0)
            if long or not turns.add(who, job):
                self.shed += 1
                raise overloaded()
            self._changed.notify()
        return job.future

    def _run(self) -> None:
        _set_threads(self._settings.threads)
        while True:
            with self._changed:
                while not self._some_wait and not self._closing:
                    self._changed.wait()
                if not self._some_wait:
                    return
                batches = self._taken()
            for batch in batches:
                done = self._answered(batch)
                self._loop.call_soon_threadsafe(_deliver, done)

    @property
    def _some_wait(self) -> bool:
        return len(self._waiting) + len(self._alone_waiting) > 0

    def _taken(self) -> list[list[ScoringJob]]:
        """What is next, in turn: those that are scored together, then one that takes longer."""
        count = min(len(self._waiting), self._settings.batch)
        together = [self._waiting.take() for _ in range(count)]
        alone = [self._alone_waiting.take()] if len(self._alone_waiting) else []
        return [batch for batch in (together, alone) if batch]

    def _answer_here(self) -> None:
        """Answer in the event loop, a batch each turn."""
        batch, self._here = self._here[: self._settings.batch], self._here[self._settings.batch :]
        if self._here:
            self._loop.call_soon(self._answer_here)
        # Without it kernels would take a pool of threads, which costs more than their work.
        with kernel_threads(self._settings.threads):
            _deliver(self._answered(batch))

    def _answered(self, batch: list[ScoringJob]) -> list[tuple[ScoringJob, Any]]:
        """The answers of a batch, or what went wrong with them."""
        started = time.perf_counter()
        # Who gave up, or was cut off, isn't worth scoring.
        batch = [job for job in batch if not job.future.cancelled()]
        done: list[tuple[ScoringJob, Any]] = []
        try:
            self._answer(batch, done)
        except Exception as error:  # nobody waits for ever, whatever it was
            log.exception("scoring failed")
            done_ids = {id(job) for job, _ in done}
            done += [(job, error) for job in batch if id(job) not in done_ids]
        self.batches += 1
        self.answered += len(batch)
        seconds = time.perf_counter() - started
        if batch and batch[0].alone:
            known = self._alone.get(batch[0].who, seconds)
            self._alone[batch[0].who] = known + _NEWEST * (seconds - known)
        elif batch:
            self._admission.learn(seconds, len(batch))
        return done

    def _answer(self, batch: list[ScoringJob], done: list[tuple[ScoringJob, Any]]) -> None:
        groups: dict[tuple[int, bool, int], list[ScoringTask]] = {}
        for job in batch:
            try:
                if job.call is not None:
                    done.append((job, job.call()))
                    continue
                task = self._prepared(job)
                if not len(task.profile.rows) and not job.loaded.model.traits.answers_empty:
                    done.append((job, popular_answer(task)))
                    continue
            except Exception as error:
                done.append((job, error))
                continue
            # Vectors of trained users and of others stand side by side in one scan; other states
            # can't be mixed.
            trained = task.profile.trained >= 0 and not job.loaded.model.traits.has_vectors
            # Those with a filter or rules can't share a scan with others.
            groups.setdefault((id(job.loaded), trained, task.own), []).append(task)
        for group in groups.values():
            try:
                done += self._score(group)
            except Exception as error:
                if len(group) == 1:
                    done.append((group[0].job, error))
                    continue
                # One that fails must not take its neighbours along.
                for task in group:
                    try:
                        done += self._score([task])
                    except Exception as own_error:
                        done.append((task.job, own_error))

    def _prepared(self, job: ScoringJob) -> ScoringTask:
        loaded, request = job.loaded, job.request
        assert request is not None
        profiles = loaded.profiles
        page = page_of(request, loaded, profiles.store)
        if request.user_id is not None:
            profile = profiles.of_user(str(request.user_id), None if page is None else page.seq)
        else:
            profile = profiles.of_history(request.history or [])
        excluded = profile.seen if request.exclude_seen else np.zeros(0, np.int32)
        if request.block:
            blocked = loaded.model.data.items.find(request.block)
            excluded = np.unique(np.concatenate([excluded, blocked[blocked >= 0]])).astype(np.int32)
        if page is not None:
            excluded = np.union1d(excluded, page.shown).astype(np.int32)
        reasons = self._settings.reasons if request.reasons is None else request.reasons
        return ScoringTask(
            job=job,
            profile=profile,
            k=request.k,
            excluded=excluded,
            mask=allowed_mask(loaded, request.allow, request.where),
            reasons=reasons,
            rules=self._rerankers.of(loaded, request.rerank),
            page=page,
        )

    def _score(self, group: list[ScoringTask]) -> list[tuple[ScoringJob, Any]]:
        loaded = group[0].job.loaded
        user_batch = loaded.profiles.user_batch([task.profile for task in group])
        indptr = offsets([len(task.excluded) for task in group])
        excluded = (indptr, np.concatenate([task.excluded for task in group]))
        k = max(task.job.width for task in group)
        if group[0].rules is None:
            best = self._best(loaded, user_batch, k, excluded, group[0].mask)
        else:
            best = self._reranked(group[0], group[0].rules, user_batch, excluded)
        return [
            (task.job, personal_answer(task, user_batch, best, place))
            for place, task in enumerate(group)
        ]

    def _reranked(
        self, task: ScoringTask, rules: ServedRules, user_batch: UserBatch, excluded: Exclusions
    ) -> TopK:
        """One person's list under rules."""
        loaded = task.job.loaded
        visible = loaded.view.visible if task.mask is None else task.mask
        past = np.array([0, len(task.profile.rows)], np.int64), task.profile.rows

        def find(count: int, mask: np.ndarray | None) -> TopK:
            return self._best(loaded, user_batch, count, excluded, mask)

        return rules.lists(find, task.k, past, visible)

    def _best(
        self,
        loaded: Loaded,
        user_batch: UserBatch,
        k: int,
        excluded: Exclusions,
        mask: np.ndarray | None,
    ) -> TopK:
        """The k best that are visible (or pass a request's own mask)."""
        threads, ordered = self._settings.threads, loaded.ordered
        if ordered is None or (user_batch.empty.any() and not loaded.model.traits.answers_empty):
            allowed = loaded.view.visible if mask is None else mask
            return loaded.model.topk(
                user_batch, k, excluded=excluded, allowed=allowed, n_threads=threads
            )
        allowed = loaded.view.visible_in_order(ordered) if mask is None else ordered.in_order(mask)
        return ordered.best(
            np.asarray(user_batch.states), k, allowed=allowed, excluded=excluded, n_threads=threads
        )


def _is_short(request: RecommendRequest) -> bool:
    """Whether a request asks for nothing that may take long of itself."""
    small = (
        request.k <= _FEW
        and len(request.history or ()) <= _FEW
        and len(request.block or ()) <= _FEW
    )
    return small and request.where is None and request.allow is None


def _deliver(done: list[tuple[ScoringJob, Any]]) -> None:
    for job, answer in done:
        if job.future.done():
            continue
        if isinstance(answer, BaseException):
            job.future.set_exception(answer)
        else:
            job.future.set_result(answer)


def _set_threads(count: int) -> None:
    """Native threads of this Python thread, and of BLAS in this process."""
    import threadpoolctl

    set_kernel_threads(count)
    threadpoolctl.threadpool_limits(1, user_api="blas")
