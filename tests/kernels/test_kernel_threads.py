"""Blocks on Python threads: each is done once, an error comes out, and callers don't hold each
other up.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cofactor.base.threads import native_threads
from cofactor.kernels.cpu import jit


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
    meeting = threading.Barrier(n_callers, timeout=20)
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
