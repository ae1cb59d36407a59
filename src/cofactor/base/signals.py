"""Signals that end a command, as exceptions that get through.

A handler's exception appears at any place: in a callback from C, where Python only prints it; in a
library that catches everything; in a module that is being loaded, which then fails for another
reason. So what was raised and lost is raised again, and `heard` says afterwards that a signal came.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

TOGETHER = 2.0  # seconds in which signals count as one: a second Ctrl-C doesn't end the tidying up
AGAIN = 0.05  # seconds until a lost one is raised again, by when a callback has returned
_LOOK = 0.5  # seconds between two looks at whether a parent is still there
_AT_EXIT: list[Callable[[], None]] = []


class Terminated(BaseException):
    """SIGTERM: whoever holds something half written removes it, as after Ctrl-C."""


class _Came:
    """What came last, when, whether nobody has acted on it yet, and whether it got lost."""

    number = 0
    at = -math.inf
    open = lost = False


class _Lost:
    """Beside an exception: raises its signal again if it goes before anybody has acted on it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        if _Came.open and _Came.number == self.number and not sys.is_finalizing():
            _Came.lost = True
            timer = threading.Timer(AGAIN, _send, [self.number])
            timer.daemon = True
            timer.start()


def take() -> None:
    """Turn Ctrl-C into KeyboardInterrupt and SIGTERM into Terminated; SIGHUP, when a terminal is
    closed, is a SIGTERM. Those that somebody else handles, or that whoever started us has ignored,
    stay as they are.
    """
    _Came.at, _Came.open, _Came.lost = -math.inf, False, False
    for name, usual, handler in (
        ("SIGINT", signal.default_int_handler, _arrived),
        ("SIGTERM", signal.SIG_DFL, _arrived),
        ("SIGHUP", signal.SIG_DFL, lambda *_: signal.raise_signal(signal.SIGTERM)),
    ):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is usual:
            signal.signal(number, handler)
    sys.unraisablehook = _unseen
    sys.excepthook = _printed


def heard() -> int:
    """Return which signal came, 0 if none, and forget it: who asks acts on it."""
    number = _Came.number if _Came.open else 0
    _Came.open = False
    return number


def at_exit(call: Callable[[], None]) -> None:
    """Have something called when the process ends, also where a signal ends it without Python's own
    way out; see `tidy`.
    """
    atexit.register(call)
    _AT_EXIT.append(call)


def tidy() -> None:
    """Do what `at_exit` was given; for those who are about to end the process at once."""
    for call in _AT_EXIT:
        call()


def end_with(parent: int, end: Callable[[], None]) -> None:
    """Have ``end`` called, in a thread of its own, once the parent of this process has ended: it
    may have been killed. Windows has no such parents.
    """

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK)
        end()

    if sys.platform != "win32":
        threading.Thread(target=wait, name="cofactor-parent", daemon=True).start()


def ignore() -> None:
    """Let no signal change an end that is decided: the exit code tells of the work."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


def _arrived(number: int, _: object) -> None:
    now = time.monotonic()
    again = _Came.open or number == _Came.number
    if again and not _Came.lost and now - _Came.at < TOGETHER:
        return
    _Came.number, _Came.at, _Came.open, _Came.lost = number, now, True, False
    raise _raised(number)  # without a name here: its traceback would keep it for ever


def _raised(number: int) -> BaseException:
    made = KeyboardInterrupt() if number == signal.SIGINT else Terminated()
    made.__dict__["lost"] = _Lost(number)
    return made


def _send(number: int) -> None:
    if not (_Came.open and _Came.lost and _Came.number == number):  # acted on meanwhile
        return
    if hasattr(signal, "pthread_kill") and (main := threading.main_thread().ident) is not None:
        signal.pthread_kill(main, number)  # which a waiting main thread wakes up for
    else:
        signal.raise_signal(number)


def _printed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What compiled modules print of an exception for which they raise another one (NumPy's
    ``import_array``). A signal's isn't printed, nor kept as the last one, which it would live in.
    """
    if not (_Came.open and issubclass(kind, (KeyboardInterrupt, Terminated))):
        sys.__excepthook__(kind, error, trace)
        return
    for name in ("last_exc", "last_type", "last_value", "last_traceback"):
        sys.__dict__.pop(name, None)


def _unseen(of: sys.UnraisableHookArgs) -> None:
    """Python's report of an exception that nobody can catch; a signal's is raised again instead."""
    if not (_Came.open and issubclass(of.exc_type, (KeyboardInterrupt, Terminated))):
        sys.__unraisablehook__(of)
