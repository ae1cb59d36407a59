"""Properties that are computed once: threads and forked processes don't wait for each other."""

from __future__ import annotations

import os
import threading
import time

import pytest

from cofactor.base.cached import cached_property


class Slow:
    def __init__(self, begun: threading.Event, go: threading.Event) -> None:
        self.begun, self.go, self.times = begun, go, 0

    @cached_property
    def value(self) -> int:
        """What it holds."""
        self.begun.set()
        self.times += 1
        assert self.go.wait(300)
        return 7


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_property_that_a_thread_computes_is_computed_in_others_and_in_a_forked_process() -> None:
    begun, go, open_gate = threading.Event(), threading.Event(), threading.Event()
    open_gate.set()
    busy = threading.Thread(target=lambda: Slow(begun, go).value)
    busy.start()
    assert begun.wait(300)
    child = os.fork()
    if child == 0:
        os._exit(Slow(begun, open_gate).value)
    end = time.monotonic() + 300
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < end:
        time.sleep(0.005)
    if found == (0, 0):
        os.kill(child, 9)
        os.waitpid(child, 0)
    go.set()
    busy.join()
    assert os.waitstatus_to_exitcode(found[1]) == 7


def test_it_is_computed_once_and_described() -> None:
    gate = threading.Event()
    gate.set()
    one = Slow(threading.Event(), gate)
    assert (one.value, one.value, one.times) == (7, 7, 1)
    assert "value" in vars(one)
    assert Slow.value.__doc__ == "What it holds."
