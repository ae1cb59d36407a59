"""Ctrl-C and SIGTERM end a command, whatever Python or a library makes of their exceptions."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from cofactor.base import signals
from cofactor.base.signals import Terminated


@pytest.fixture(autouse=True)
def taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Signals as the command line takes them; afterwards as they were."""
    numbers = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)]
    before = {number: signal.getsignal(number) for number in numbers}
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for number in numbers:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
    signals.take()
    try:
        yield
    finally:
        signals.heard()
        for number, handler in before.items():
            signal.signal(number, handler)


def ended_by(*calls: Callable[[], object]) -> tuple[type[BaseException], int]:
    """What the calls raise, and the signal that is acted on by that."""
    try:
        for call in calls:
            call()
    except (KeyboardInterrupt, Terminated) as error:
        return type(error), signals.heard()
    raise AssertionError("nothing was raised")


def send(number: int) -> Callable[[], object]:
    return lambda: signal.raise_signal(number)


def wait() -> None:
    end = time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.005)


class Dropped:
    """Raises a signal where an exception can't be caught."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def in_a_callback() -> None:
    ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))()


def in_a_finalizer() -> None:
    Dropped()


def in_a_library_that_catches_everything() -> None:
    with contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGINT)


def in_a_library_that_prints_it() -> None:
    """As compiled modules do that need NumPy: then an import of theirs fails, and may be caught."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as error:
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        sys.excepthook(type(error), error, error.__traceback__)


@pytest.mark.parametrize(
    "lose",
    [
        in_a_callback,
        in_a_finalizer,
        in_a_library_that_catches_everything,
        in_a_library_that_prints_it,
    ],
)
def test_a_signal_that_got_lost_is_raised_again_without_a_word(
    lose: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_by(lose, wait) == (KeyboardInterrupt, signal.SIGINT)
    assert capsys.readouterr().err == ""


def test_a_second_one_at_once_does_not_disturb_the_tidying_up() -> None:
    tidied = []

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
            tidied.append(True)

    assert ended_by(work) == (KeyboardInterrupt, signal.SIGINT)
    assert tidied


def test_a_second_one_later_is_a_signal_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(signals, "time", SimpleNamespace(monotonic=lambda: now))
    assert ended_by(send(signal.SIGINT)) == (KeyboardInterrupt, signal.SIGINT)
    signal.raise_signal(signal.SIGINT)  # pressed twice
    now += signals.TOGETHER
    assert ended_by(send(signal.SIGINT)) == (KeyboardInterrupt, signal.SIGINT)


def test_sigterm_ends_what_goes_on_after_ctrl_c() -> None:
    """As a search does, which keeps what it has found."""
    assert ended_by(send(signal.SIGINT)) == (KeyboardInterrupt, signal.SIGINT)
    assert ended_by(send(signal.SIGTERM)) == (Terminated, signal.SIGTERM)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_closed_terminal_is_a_signal_to_tidy_up() -> None:
    assert ended_by(send(signal.SIGHUP)) == (Terminated, signal.SIGTERM)


def test_what_was_acted_on_does_not_come_again() -> None:
    assert ended_by(send(signal.SIGINT)) == (KeyboardInterrupt, signal.SIGINT)
    time.sleep(2 * signals.AGAIN)
    assert signals.heard() == 0


def test_what_others_handle_or_ignore_stays_so() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as `nohup` does with SIGHUP
    signals.take()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
