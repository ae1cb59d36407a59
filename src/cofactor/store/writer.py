"""The writer: one thread, a bounded queue, one commit for all waiting writes."""

from __future__ import annotations

import contextlib
import os
import threading
import time as clock
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from cofactor.base.errors import CofactorError
from cofactor.store import operations
from cofactor.store.database import Database, Session
from cofactor.store.exceptions import (
    OverloadError,
    StoreBusyError,
    StoreClosedError,
    StoreError,
    StoreUnavailableError,
)
from cofactor.store.operations import Work
from cofactor.store.records import Health, StoreSettings

_LONGEST_PAUSE = 600.0  # seconds between two attempts to write the file again
_STALLED = 2.0  # seconds of one commit after which the storage counts as not answering


@dataclass(eq=False)
class WriteJob:
    """A request that waits for its commit.

    Parameters
    ----------
    apply
        What it does to the store.
    size
        Its events or items.
    scrub
        Whether what it deletes must be gone from the database's logs too before it is done.
    future
        Resolved once the commit is on disk.
    """

    apply: Callable[[Work], Any]
    size: int
    scrub: bool = False
    future: Future[Any] = field(default_factory=Future)


class Writer:
    """The thread that writes.

    A commit costs one wait for the disk, however much is in it; while one is under way requests
    gather, and the next commit takes them all. Each request is a savepoint: it is done as a whole
    or not at all, whatever becomes of its neighbours.

    Parameters
    ----------
    database
        Where to write.
    settings
        Limits.
    """

    def __init__(self, database: Database, settings: StoreSettings) -> None:
        self._database = database
        self._settings = settings
        self._waiting: deque[WriteJob] = deque()
        self._queued = 0
        self._changed = threading.Condition()
        self._closing = False
        self._process = os.getpid()
        self._session: Session | None = None
        # What was erased still stands in the file's gaps or in the log; the store itself remembers
        # it too, so that a crash doesn't make it forgotten.
        self._owed = self._compacted = False
        self._owed_since = self._not_before = 0.0
        self._pause = settings.probe_seconds
        self._busy_since: float | None = None
        self._reason: str | None = None
        self._commits = self._requests = 0
        self._seconds = 0.0
        self._rate = 10_000.0
        # The first connection is made by the caller, who thus hears what is wrong with the place.
        self._connect()
        self._thread = threading.Thread(target=self._run, name="cofactor-store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: WriteJob) -> Future[Any]:
        """Queue a request.

        Raises
        ------
        OverloadError
            If too much waits already.
        StoreClosedError
            If the store was closed, or this process was forked from the one that opened it.
        """
        if os.getpid() != self._process:  # a fork copies no thread: nobody would write
            raise StoreClosedError(
                f"the store {self._database.shown} was opened before this process was forked; open"
                " it after the fork."
            )
        with self._changed:
            if self._closing:
                raise StoreClosedError(f"the store {self._database.shown} was closed.")
            if self._queued and self._queued + job.size > self._settings.max_queue:
                wait = max(0.1, round(self._queued / self._rate, 1))
                raise OverloadError(
                    f"the store's queue is full ({self._queued:,} wait); try again in {wait} s.",
                    wait,
                )
            self._waiting.append(job)
            self._queued += job.size
            self._changed.notify()
        return job.future

    def health(self) -> Health:
        """Return how it goes."""
        mean = self._requests / self._commits if self._commits else 0.0
        reason, busy = self._reason, self._busy_since
        if busy is not None and clock.monotonic() - busy > _STALLED:
            reason = f"the storage hasn't answered for {clock.monotonic() - busy:.0f} s"
        if self._closing:
            reason = "the store was closed"
        return Health(
            writable=reason is None,
            reason=reason,
            queued=self._queued,
            commits=self._commits,
            mean_group=mean,
            commit_seconds=self._seconds,
            owed=self._owed,
        )

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while True:
                group = self._next_group()
                if group is None:
                    return
                if group:
                    self._write(group)
                elif self._reason is not None:
                    self._try_again()
                if self._owed and (not group or self._overdue()):
                    self._pay()
        finally:
            self._disconnect(orderly=True)

    def _next_group(self) -> list[WriteJob] | None:
        """The requests of the next commit; none when it is time to look after the storage; None
        at the end.
        """
        with self._changed:
            if not self._waiting and not self._closing:
                restless = self._reason is not None or self._owed
                self._changed.wait(self._settings.probe_seconds if restless else None)
            if not self._waiting:
                return None if self._closing else []
            group: list[WriteJob] = []
            size = 0
            while self._waiting and (
                not group or size + self._waiting[0].size <= self._settings.max_group
            ):
                job = self._waiting.popleft()
                size += job.size
                group.append(job)
            return group

    def _write(self, group: list[WriteJob]) -> None:
        started = self._busy_since = clock.monotonic()
        size = sum(job.size for job in group)
        running = [job for job in group if job.future.set_running_or_notify_cancel()]
        done: list[tuple[WriteJob, Any, Exception | None]] = []
        try:
            done = self._commit(running) if running else []
        except StoreError as error:
            done = [(job, None, error) for job in running]
        self._seconds, self._busy_since = clock.monotonic() - started, None
        self._rate = 0.8 * self._rate + 0.2 * max(size / max(self._seconds, 1e-4), 1.0)
        with self._changed:
            self._queued -= size
        for job, result, failed in done:
            if failed is not None:
                job.future.set_exception(failed)
            else:
                job.future.set_result(result)

    def _commit(self, jobs: list[WriteJob]) -> list[tuple[WriteJob, Any, Exception | None]]:
        """Do the requests in one transaction; return each one's result or refusal. Raises if
        none was stored.
        """
        committing = False
        try:
            session = self._begun()
            work = Work(session, self._database, self._settings.moment())
            done = [self._apply(work, job) for job in jobs]
            work.write_counters()
            committing = True
            session.commit()
            self._database.check_kept(written=True)
            if any(job.scrub for job in jobs):
                # At once what costs little; all that may be left is overwritten when nobody waits.
                self._database.scrub(session)
        except BaseException as error:  # whatever it is, nothing is acknowledged
            failure = self._failure(error, committing)
            if not isinstance(error, StoreError):
                # After a failed write SQLite's own caches and the system's may disagree with the
                # disk: begin again.
                self._disconnect()
            self._reason = None if isinstance(failure, StoreBusyError) else str(failure)
            raise failure from error
        self._reason = None
        self._commits += 1
        self._requests += len(jobs)
        if any(job.scrub for job in jobs):
            if not self._owed:
                self._owed_since = clock.monotonic()
            self._owed, self._compacted = True, False
        return done

    def _failure(self, error: BaseException, committing: bool) -> StoreError:
        """What an error means to those whose requests were under way: once the commit has begun
        nothing is certain, whatever went wrong.
        """
        if isinstance(error, StoreError):
            failure = error
        elif isinstance(error, self._database.errors):
            failure = self._database.failure(error, committing=committing)
        else:
            failure = StoreError(f"the store failed: {type(error).__name__}: {error}.")
        if not committing or getattr(failure, "unknown", False):
            return failure
        return StoreUnavailableError(str(failure), unknown=True)

    def _overdue(self) -> bool:
        return clock.monotonic() - self._owed_since > self._settings.erase_seconds

    def _pay(self) -> None:
        """Overwrite what was erased wherever it may still stand, and forget that it is owed."""
        if clock.monotonic() < self._not_before:
            return
        pause = self._settings.probe_seconds
        self._not_before = clock.monotonic() + pause
        try:
            session = self._checked()
        except Exception:  # `_try_again` says what is wrong, or the next write does
            return
        try:
            self._compacted = self._compacted or self._database.compact(session)
            self._pause = pause
            if self._compacted and self._database.scrub(session):
                session.begin()
                operations.settle(Work(session, self._database, 0))
                session.commit()
                self._owed = False
                return
        except Exception:  # it is tried again; without room for it, in vain for a while
            self._disconnect()
            pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        self._not_before = clock.monotonic() + pause

    def _apply(self, work: Work, job: WriteJob) -> tuple[WriteJob, Any, Exception | None]:
        kept = Counter(work.deltas)
        work.session.run("SAVEPOINT request")
        try:
            result = job.apply(work)
        except CofactorError as refusal:
            work.session.run("ROLLBACK TO SAVEPOINT request")
            work.session.run("RELEASE SAVEPOINT request")
            work.deltas, work.known_seq = kept, None
            return job, None, refusal
        work.session.run("RELEASE SAVEPOINT request")
        return job, result, None

    def _try_again(self) -> None:
        """Try the storage while nobody asks, so that readiness comes back by itself."""
        try:
            self._checked()
        except Exception as error:  # whatever it is: without this thread nobody would write
            self._reason = str(error)
        else:
            self._reason = None

    def _begun(self) -> Session:
        """The connection, in a transaction. One that was lost while nothing happened is made
        again: no request has to suffer.
        """
        self._database.check_ours()
        if self._session is not None:
            self._database.check_kept()
            try:
                self._session.begin()
                return self._session
            except self._database.errors as error:
                if isinstance(self._database.failure(error), StoreBusyError):
                    raise
                self._disconnect()
        session = self._connect()
        session.begin()
        return session

    def _checked(self) -> Session:
        """The connection, or a new one, to the file that was opened."""
        self._database.check_ours()
        if self._session is None:
            return self._connect()
        self._database.check_kept()
        return self._session

    def _connect(self) -> Session:
        """Open the connection, bring the schema up to date, and sync what an earlier writer may
        have left unsynced.

        A process that was killed between writing and syncing leaves events that can be read and yet
        be lost in a power cut. A retry of those would find them stored, and be acknowledged: so the
        first thing is a commit of our own."""
        session = None
        try:
            session = self._database.writer()
            self._database.prepare(session)
            session.begin()
            work = Work(session, self._database, self._settings.moment())
            operations.probe(work)
            owed = operations.is_owed(work)
            session.commit()
            self._database.check_kept(written=True)
            if owed and not self._owed:
                self._owed, self._compacted, self._owed_since = True, False, clock.monotonic()
        except self._database.errors as error:
            self._discard(session)
            raise self._database.failure(error) from error
        except BaseException:
            self._discard(session)
            raise
        self._session = session
        return session

    def _disconnect(self, orderly: bool = False) -> None:
        if orderly and self._owed and self._database.quickly_compacted:
            self._not_before = 0.0
            self._pay()
        session, self._session = self._session, None
        if orderly and session is not None:
            self._database.scrub(session)
        self._discard(session)

    def _discard(self, session: Session | None) -> None:
        if session is not None:
            for step in (session.rollback, session.close):
                with contextlib.suppress(*self._database.errors):
                    step()
