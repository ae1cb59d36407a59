"""Retraining by schedule: a process trains, the guards decide, old versions go, and all of it is
reported. Whatever happens to the process, the service goes on answering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client import Counter as Total

import cofactor
from cofactor.base import checks
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.state_file import StateError, read_state, write_state
from cofactor.service.retraining.schedule import RetrainSchedule
from cofactor.service.retraining.trainer import Job
from cofactor.service.retraining.webhook import Webhook
from cofactor.service.versions.reload import Models
from cofactor.service.versions.versions import Folder
from cofactor.store import Store

log = logging.getLogger("cofactor.service")
PREFIX = "auto-"  # of the names of versions that a schedule made
STATE = "retraining.json"
OUTCOMES = ("promoted", "refused", "nothing_new", "failed")
_NOTHING_NEW = "nothing is new"
_PATIENCE = 86_400.0  # seconds that the checks of a promotion may take


@dataclass(frozen=True, kw_only=True)
class RetrainSettings:
    """How a service retrains.

    Parameters
    ----------
    schedule
        When.
    source
        The store's URL as the command line takes it; it may hold a password.
    keep_versions
        How many of the versions that the schedule made stay in the folder.
    memory
        Bytes that the training process may have; None for half of the machine's.
    nice
        Added to the process's niceness.
    threads
        Of the training process.
    webhook
        An http(s) URL that gets a JSON object after each attempt; None for none.
    look_seconds
        How often it is looked whether the next attempt is due.
    """

    schedule: RetrainSchedule
    source: str
    keep_versions: int = 5
    memory: int | None = None
    nice: int = 10
    threads: int = 1
    webhook: str | None = None
    look_seconds: float = 1.0

    def __post_init__(self) -> None:
        checks.integer(self.keep_versions, "keep_versions", low=1)
        checks.integer(self.nice, "nice", low=0, high=19)
        checks.integer(self.threads, "threads", low=1)
        checks.real(self.look_seconds, "look_seconds", above=0)


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one retraining came to.

    Parameters
    ----------
    time
        When it began, seconds since 1970.
    seq
        The place of the store's last event then.
    outcome
        ``promoted``, ``refused`` (by the guards; the version stays in the folder), ``nothing_new``
        or ``failed``; None while it is under way.
    version
        The version that it made.
    seconds
        How long it took.
    why
        What was checked, or what went wrong.
    events
        New events that the version learned from.
    removed
        Older versions that were removed.
    """

    time: float
    seq: int
    outcome: str | None = None
    version: str | None = None
    seconds: float | None = None
    why: str | None = None
    events: int | None = None
    removed: list[str] = []


@dataclass(eq=False)
class Retraining:
    """Retrains a folder of versions by a schedule.

    Parameters
    ----------
    settings
        When and how.
    models
        The versions in memory, of which one answers.
    store
        Where the events are.
    registry
        Where its metrics go.
    in_use
        Names of further versions that must stay, such as the arms of an experiment.

    Raises
    ------
    ArgumentError
        If the service has a single saved model, which has no other versions.
    """

    settings: RetrainSettings
    models: Models
    store: Store
    registry: CollectorRegistry
    in_use: Callable[[], Collection[str]] = tuple
    last: Attempt | None = None
    running: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _task: asyncio.Task[None] | None = None
    _closing: bool = False
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "cofactor-retraining")
    )

    def __post_init__(self) -> None:
        if self.folder.single:
            raise ArgumentError(
                "retrain: a schedule makes new versions, and this is a single saved model; serve a"
                " folder that holds one saved model per subfolder (models/v1, models/v2 ...)."
            )
        self._counts = Total(
            "cofactor_retrainings", "Retrainings by outcome.", ["outcome"], registry=self.registry
        )
        for outcome in OUTCOMES:
            self._counts.labels(outcome)
        self._running_gauge = Gauge(
            "cofactor_retraining", "1 while a retraining is under way.", registry=self.registry
        )
        self._last_gauge = Gauge(
            "cofactor_retraining_last_promotion_time",
            "When the last retraining was promoted, seconds since 1970.",
            registry=self.registry,
        )
        self._webhook = None if self.settings.webhook is None else Webhook(self.settings.webhook)
        self.last = self._read_state()
        self._since = Attempt(time=time.time(), seq=_trained_until(self.folder))

    @property
    def folder(self) -> Folder:
        """The folder of versions."""
        return self.models.folder

    @property
    def pid(self) -> int | None:
        """The process that trains, while one does."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Begin to look whether it is due; call it in the event loop."""
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Stop; a process that trains is ended, and nothing of its work stays."""
        self._closing = True
        self._end_process()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def is_due(self) -> bool:
        """Return whether the next attempt is due."""
        before = self.last if self.last is not None else self._since
        seq = self.store.counts().last_seq if self.settings.schedule.events is not None else 0
        return self.settings.schedule.is_due(time.time() - before.time, seq - before.seq)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.settings.look_seconds)
            try:
                if await loop.run_in_executor(self._pool, self.is_due):
                    await self.retrain()
            except Exception as error:  # the schedule outlives whatever goes wrong
                facts = {"problem": str(error) or type(error).__name__}
                unforeseen = not isinstance(error, CofactorError | OSError)
                log.warning("retraining didn't start", exc_info=unforeseen, extra={"facts": facts})

    async def retrain(self) -> Attempt:
        """Train, check, promote, remove what is old, and report."""
        loop, started = asyncio.get_running_loop(), time.monotonic()
        self.running = True
        self._running_gauge.set(1)
        try:
            begun = await loop.run_in_executor(self._pool, self._new_attempt)
            done = await self._attempted(begun)
            removed = await loop.run_in_executor(self._pool, self._remove_old)
            seconds = round(time.monotonic() - started, 3)
            done = msgspec.structs.replace(done, seconds=seconds, removed=removed)
            await loop.run_in_executor(self._pool, self._report, done)
        finally:
            self.running = False
            self._running_gauge.set(0)
        return done

    async def _attempted(self, begun: Attempt) -> Attempt:
        """Train and promote; what goes wrong unforeseen is a failed attempt, so the next one is due
        when the schedule says.
        """
        try:
            loop = asyncio.get_running_loop()
            done = await loop.run_in_executor(self._pool, self._train, begun)
            return await self._promote(done) if done.outcome is None else done
        except Exception as error:
            log.warning("retraining failed", exc_info=not isinstance(error, OSError))
            why = f"{type(error).__name__}: {error}"
            return msgspec.structs.replace(begun, outcome="failed", why=why, version=None)

    def _new_attempt(self) -> Attempt:
        self._sweep()
        begun = Attempt(
            time=time.time(), seq=self.store.counts().last_seq, version=self._new_version()
        )
        # Written before it begins: whatever ends the service meanwhile, the next attempt is due no
        # earlier than the schedule says.
        self._write_state(begun)
        return begun

    def _new_version(self) -> str:
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        names = (f"{PREFIX}{stamp}{end}" for end in ("", *(f"-{n}" for n in range(2, 100))))
        return next(name for name in names if not (self.folder.path / name).exists())

    def _train(self, begun: Attempt) -> Attempt:
        """Run the process, and return what it came to; without an outcome if it made a version."""
        assert begun.version is not None
        folder = self.folder.path
        words = ["retrain", str(folder), self.settings.source, "--out", str(folder / begun.version)]
        words += ["--threads", str(self.settings.threads), "--json", "-q"]
        memory = self.settings.memory if self.settings.memory is not None else _half_of_memory()
        job = Job(words=words, nice=self.settings.nice, memory=memory, parent=os.getpid())
        process = subprocess.Popen(
            [sys.executable, "-m", "cofactor.service.retraining.trainer"],
            env=_same_code(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._process = process
        if self._closing:
            self._end_process()
        out, err = process.communicate(msgspec.json.encode(job))
        self._process = None
        if process.returncode == 0:
            return msgspec.structs.replace(begun, events=_learned(out))
        why = _last_line(err) or f"it ended with code {process.returncode}"
        if process.returncode < 0:
            why = f"it was ended by signal {-process.returncode}"
        outcome = "nothing_new" if _NOTHING_NEW in why else "failed"
        self._sweep()
        return msgspec.structs.replace(begun, outcome=outcome, why=why, version=None)

    async def _promote(self, done: Attempt) -> Attempt:
        assert done.version is not None
        try:
            promoted = await self.models.promote(done.version, force=False, patience=_PATIENCE)
        except (CofactorError, OSError) as error:
            return msgspec.structs.replace(done, outcome="refused", why=str(error))
        return msgspec.structs.replace(done, outcome="promoted", why="; ".join(promoted.checks))

    def _sweep(self) -> None:
        """Remove what a process that was killed left beside its place."""
        for left in self.folder.path.glob(f".{PREFIX}*"):
            shutil.rmtree(left, ignore_errors=True)

    def _remove_old(self) -> list[str]:
        """Remove the oldest versions that a schedule made; never one that answers, is the way
        back, or is in use otherwise.
        """
        made = [name for name in self.folder.versions() if name.startswith(PREFIX)]
        pointer = self.folder.pointer()
        kept = {pointer.version, *pointer.before[:1], *self.in_use()}
        removed = []
        for name in made[: -self.settings.keep_versions]:
            if name in kept:
                continue
            # In one step: no reader finds half of a version.
            gone = self.folder.path / f".{name}-removed"
            os.replace(self.folder.path / name, gone)
            shutil.rmtree(gone, ignore_errors=True)
            removed.append(name)
        return removed

    def _report(self, done: Attempt) -> None:
        self.last = done
        self._write_state(done)
        self._counts.labels(done.outcome).inc()
        if done.outcome == "promoted":
            self._last_gauge.set_to_current_time()
        facts: dict[str, Any] = msgspec.to_builtins(done)
        failed = done.outcome == "failed"
        log.log(logging.WARNING if failed else logging.INFO, "retrained", extra={"facts": facts})
        if self._webhook is not None:
            self._webhook.send({"event": "retrained", **facts})

    def _read_state(self) -> Attempt | None:
        try:
            return read_state(self.folder.path / STATE, Attempt)
        except (OSError, StateError):
            return None

    def _write_state(self, attempt: Attempt) -> None:
        write_state(self.folder.path / STATE, msgspec.json.encode(attempt) + b"\n")

    def _end_process(self) -> None:
        process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                process.kill()


def _trained_until(folder: Folder) -> int:
    """The place of the last stored event that the current version learned from; 0 for none."""
    with contextlib.suppress(CofactorError, AttributeError):
        reading = folder.manifest(folder.pointer().version).run.get("reading", {})
        places = reading.get("stores", {}).values()
        return max((place for place in places if isinstance(place, int)), default=0)
    return 0


def _same_code() -> dict[str, str]:
    """The environment in which another interpreter finds this very package."""
    places = [str(Path(cofactor.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}


def _half_of_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _learned(out: bytes) -> int | None:
    """How many new events the process says it learned from."""
    try:
        shares = msgspec.json.decode(out.strip().splitlines()[-1])["shares"][1:]
        return sum(int(share["events"]) - int(share["known"]) for share in shares)
    except (msgspec.MsgspecError, LookupError, TypeError, ValueError):
        return None


def _last_line(err: bytes) -> str:
    lines = err.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].removeprefix("cofactor: ")[:500] if lines else ""
