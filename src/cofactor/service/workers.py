"""Several worker processes on one machine: one socket address, one store, one model's memory.

The first worker writes the store; the others send it their writes and read the database
themselves, so that what was acknowledged by one is in the next answer of each. Arrays of models
are mapped from their files, so that all workers share their memory. A worker that ends is started
again."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from cofactor.base import signals
from cofactor.base.errors import ArgumentError, CofactorError
from cofactor.base.staging import temporary_folder
from cofactor.store import Store, StoreError, open_store
from cofactor.store.opening import database_of
from cofactor.store.records import StoreSettings
from cofactor.store.shared import SharedStore, WriteServer, wait_for_writer

_START = 300.0  # seconds that the first worker may take to begin
_AGAIN = 0.5  # seconds before a worker that ended is started again
_ENDING = (signal.SIGTERM, signal.SIGINT)
_BROKEN = 5  # ends within a minute after which all is given up


@dataclass(frozen=True)
class WorkerRole:
    """Which of the workers a process is.

    Parameters
    ----------
    index
        From 0; 0 writes the store.
    count
        How many there are.
    folder
        A folder that is theirs alone.
    """

    index: int
    count: int
    folder: Path

    @property
    def socket(self) -> Path:
        """Where writes are taken."""
        return self.folder / "writes"

    def open(self, url: str) -> Store:
        """Open the store as this worker may: to write, or by way of the one who does."""
        if self.index == 0:
            return open_store(url)
        if not wait_for_writer(self.socket, _START):
            raise StoreError("the worker that writes didn't begin; see its log.")
        settings = StoreSettings()
        return SharedStore(database_of(url, settings), self.socket, settings)

    def serve_writes(self, store: Store) -> WriteServer | None:
        """Take the writes of the others, in the worker that writes."""
        return WriteServer(store, self.socket) if self.index == 0 else None


def supervise(count: int, work: Callable[[WorkerRole], int], say: Callable[[str], None]) -> int:
    """Run workers until a signal ends them; return the exit code.

    Parameters
    ----------
    count
        How many, at least 2.
    work
        What a worker does, in a process of its own; returns its exit code.
    say
        Takes sentences for the log.

    Raises
    ------
    ArgumentError
        On systems that can't fork processes.
    """
    if not hasattr(os, "fork"):
        raise ArgumentError("workers: several need a system that forks processes, such as Linux.")
    with temporary_folder() as folder:
        return _Supervisor(count, work, say, folder).run()


class _Supervisor:
    """The process above the workers."""

    def __init__(
        self,
        count: int,
        work: Callable[[WorkerRole], int],
        say: Callable[[str], None],
        folder: Path,
    ) -> None:
        self._count, self._work, self._say, self._folder = count, work, say, folder
        self._running: dict[int, int] = {}  # process -> index
        self._ends: list[float] = []
        self._stopping = False

    def run(self) -> int:
        """Start the workers, and start again those that end."""
        for one in _ENDING:
            signal.signal(one, self._stop)
        for index in range(self._count):
            self._launch(index)
        code = 0
        while self._running:
            process, status = os.wait()
            if process not in self._running:
                continue
            index = self._running.pop(process)
            if self._stopping:
                continue
            ended = os.waitstatus_to_exitcode(status)
            self._ends = [at for at in self._ends if time.monotonic() - at < 60]
            self._ends.append(time.monotonic())
            # A code is a decision of the worker's: a port or a model that can't be had.
            if ended >= 0 or len(self._ends) >= _BROKEN:
                code = ended if ended > 0 else 1
                self._say(f"worker {index} ended with code {ended}; stopping")
                self._stop()
                continue
            self._say(f"worker {index} was ended by signal {-ended}; starting it again")
            time.sleep(_AGAIN)
            self._launch(index)
        return code

    def _launch(self, index: int) -> None:
        """Start a worker, unless all is to end."""
        parent = os.getpid()
        # A signal between the fork and what has to be known of it would be lost on the worker, and
        # so waited for without end.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            process = 0 if self._stopping else os.fork()
            if self._stopping:
                return
            if process:
                self._running[process] = index
                return
            self._run_worker(index, parent, before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _run_worker(self, index: int, parent: int, mask: set[int]) -> NoReturn:
        """Work in the new process, and end it."""
        code = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signals.take()
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            signals.end_with(parent, lambda: os.kill(os.getpid(), signal.SIGTERM))
            code = self._work(WorkerRole(index, self._count, self._folder))
        except CofactorError as error:
            print(f"cofactor: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            code = 0
        except signals.Terminated:  # not by a decision of its own, which would end the others too
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)
        finally:
            signals.ignore()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for process in list(self._running):
            try:
                os.kill(process, signal.SIGTERM)
            except ProcessLookupError:
                continue
