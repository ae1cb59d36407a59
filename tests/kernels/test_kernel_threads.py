"""Blocks on Python threads: each is done once, an error comes out, and callers don't hold each
other up.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cofactor.base.signals import Terminated
from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import jit
from cofactor.kernels.cpu.mf_sgd import in_rounds


@pytest.mark.parametrize("count", [0, 1, 2, 7, 300])
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_every_block_is_done_once(count: int, n_threads: int) -> None:
    done: list[int] = []
    jit.on_threads(done.append, count, n_threads)
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("count", [0, 1, 3, 8, 9, 64, 65, 1000])
def test_parts_are_the_whole_range_without_gaps(count: int) -> None:
    parts: list[tuple[int, int]] = []
    jit.on_parts(lambda first, end: parts.append((first, end)), count)
    assert [row for first, end in sorted(parts) for row in range(first, end)] == list(range(count))
    assert all(first < end for first, end in parts)


def test_one_thread_does_the_blocks_itself_and_in_order() -> None:
    done: list[tuple[int, int]] = []
    with native_threads(1):
        jit.on_threads(lambda block: done.append((block, threading.get_ident())), 9)
    assert done == [(block, threading.get_ident()) for block in range(9)]


@pytest.mark.parametrize("bad", [0, 5])
def test_an_error_in_a_block_is_raised(bad: int) -> None:
    def work(block: int) -> None:
        if block == bad:
            raise ValueError("this block")

    with pytest.raises(ValueError, match="this block"):
        jit.on_threads(work, 6, 2)


def test_callers_share_the_pool_without_waiting_for_it() -> None:
    # More callers than the pool has threads, each of which waits for all others: only their own
    # threads can get them through.
    n_callers = 12
    meeting = threading.Barrier(n_callers, timeout=600)
    done: list[int] = []

    def caller(number: int) -> None:
        first = threading.Lock()

        def work(block: int) -> None:
            if block == 0:
                with first:
                    meeting.wait()
            done.append(number)

        jit.on_threads(work, 3, 2)

    with ThreadPoolExecutor(n_callers) as pool:
        list(pool.map(caller, range(n_callers)))
    assert sorted(done) == sorted([*range(n_callers)] * 3)


@pytest.mark.parametrize(("n_rounds", "n_groups"), [(1, 1), (5, 1), (4, 3), (16, 8)])
@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_a_round_of_a_group_waits_for_those_before_that_share_with_it(
    n_rounds: int, n_groups: int, n_threads: int
) -> None:
    ended: set[tuple[int, int]] = set()
    early: list[tuple[int, int]] = []

    def work(turn: int, group: int) -> None:
        needed = {(turn - 1, group), (turn - 1, (group + 1) % n_groups)} if turn else set()
        if not needed <= ended:
            early.append((turn, group))
        time.sleep(0.0005 if group == 1 else 0)
        ended.add((turn, group))

    in_rounds(work, n_rounds, n_groups, n_threads)
    assert not early
    assert ended == {(turn, group) for turn in range(n_rounds) for group in range(n_groups)}


@pytest.mark.parametrize("n_threads", [1, 2, 4])
def test_an_error_in_a_round_ends_the_threads_that_wait_for_it(n_threads: int) -> None:
    def work(turn: int, group: int) -> None:
        if (turn, group) == (1, 2):
            raise ValueError("this walk")

    with pytest.raises(ValueError, match="this walk"):
        in_rounds(work, 8, 4, n_threads)


@pytest.mark.parametrize("ended", [KeyboardInterrupt, Terminated])
def test_a_signal_does_not_wait_for_a_block_that_never_ends(
    ended: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal while Numba handed its lock to the main thread left it locked: the other threads
    waited for it, and the command for them.
    """
    monkeypatch.setattr(jit, "_PATIENCE", 0.05)
    monkeypatch.setattr(jit, "most_threads", lambda: 2)
    main, begun, free = threading.get_ident(), threading.Event(), threading.Event()
    until = threading.Timer(20, free.set)  # so that a failure isn't a test that hangs
    until.start()

    def work(_: int) -> None:
        if threading.get_ident() != main:
            begun.set()
            free.wait()
        elif begun.wait(20):
            raise ended

    try:
        with pytest.raises(ended):
            jit.on_threads(work, 2, 2)
        assert not free.is_set()
    finally:
        free.set()
        until.cancel()
