"""Whose turn it is: work waits in a line for each key, and the lines take turns, so that one key
that sends much makes nobody wait but itself.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

Work = TypeVar("Work")
Result = TypeVar("Result")

# Who asks: the digest of the request's key; empty where no keys are required.
asking: ContextVar[str] = ContextVar("asking", default="")
_SHARE = 0.75  # of all places that one key may hold


class Turns(Generic[Work]):
    """A queue of lines, one for each key.

    Parameters
    ----------
    most
        How many may wait in all; a key may hold three quarters of the places.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[str, deque[Work]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def waiting(self, who: str) -> int:
        """Return how much of somebody waits."""
        return len(self._lines.get(who, ()))

    def add(self, who: str, work: Work) -> bool:
        """Put something at the end of somebody's line; return whether there was room."""
        share = self._most if not who else max(1, int(_SHARE * self._most))
        if self._count >= self._most or self.waiting(who) >= share:
            return False
        self._lines.setdefault(who, deque()).append(work)
        self._count += 1
        return True

    def take(self) -> Work:
        """Return what is next, of those whose turn it is; there must be something."""
        who = next(iter(self._lines))
        line = self._lines.pop(who)
        work = line.popleft()
        if line:  # behind all others
            self._lines[who] = line
        self._count -= 1
        return work


class SlowLane:
    """Threads for what takes longer than the event loop can wait.

    Parameters
    ----------
    name
        What the threads are called.
    n_threads
        How many there are.
    most
        How many calls may wait.
    """

    def __init__(self, name: str, n_threads: int, most: int) -> None:
        self._turns: Turns[tuple[Future[Any], Callable[[], Any]]] = Turns(most)
        self._changed = threading.Condition()
        self._closing = False
        for n in range(n_threads):
            threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True).start()

    def submit(self, call: Callable[[], Result]) -> Future[Result] | None:
        """Queue a call of whoever asks; return None where there is no room."""
        done: Future[Result] = Future()
        with self._changed:
            if not self._turns.add(asking.get(), (done, call)):
                return None
            self._changed.notify()
        return done

    def close(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._closing = True
            while len(self._turns):
                self._turns.take()[0].cancel()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not len(self._turns) and not self._closing:
                    self._changed.wait()
                if self._closing:
                    return
                done, call = self._turns.take()
            if not done.set_running_or_notify_cancel():  # nobody waits for it any more
                continue
            try:
                done.set_result(call())
            except BaseException as error:
                done.set_exception(error)
            del done, call  # what was answered isn't kept until the next call
