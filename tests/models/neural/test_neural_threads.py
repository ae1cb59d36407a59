"""Models of PyTorch modules asked from many threads at once, and from a forked child."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import torch

from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from contract.cases import CASES
from contract.conftest import N_ITEMS, data_for

NAMES = ("mlp", "neumf", "collab_fnet", "lstm_rating", "two_tower")
THREADS, HISTORIES, ANSWERS = 8, 20, 80  # each history is answered four times


@cache
def _fitted(name: str) -> Recommender:
    """A model that needs little time for an answer, on one thread: many at once only wait."""
    kind = registry.get(name)
    small = {**CASES[name], "epochs": 3}
    if "fold_in_steps" in kind.Config.defaults():
        small["fold_in_steps"] = 5
    return kind(**small).fit(data_for(name), run=Run(seed=3, threads=1, device="cpu"))


@pytest.fixture(autouse=True)
def _one_thread_each() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def _histories() -> list[Histories]:
    rng = np.random.default_rng(0)
    return [
        Histories.of(
            [rng.permutation(N_ITEMS)[:n]], N_ITEMS, [rng.uniform(1, 5, n).round().tolist()]
        )
        for n in rng.integers(1, 12, HISTORIES)
    ]


def _answer(model: Recommender, history: Histories) -> bytes:
    batch = model.fold_in(history)
    return np.asarray(batch.states).tobytes() + model.score_batch(batch).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_answers_from_eight_threads_equal_serial_ones_bit_for_bit(name: str) -> None:
    model = _fitted(name)
    wanted = [_answer(model, history) for history in _histories()]
    found: list[bytes | Exception] = [b""] * ANSWERS
    turn = iter(range(ANSWERS))
    start = threading.Barrier(THREADS)

    def work() -> None:
        start.wait()
        for n in turn:
            try:
                found[n] = _answer(model, _histories()[n % HISTORIES])
            except Exception as error:
                found[n] = error

    workers = [threading.Thread(target=work) for _ in range(THREADS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [n for n in range(ANSWERS) if found[n] != wanted[n % HISTORIES]] == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("name", ["mlp", "neumf", "lstm_rating"])
def test_a_forked_child_answers_as_its_parent_after_torch_was_used(name: str) -> None:
    model, history = _fitted(name), _histories()[0]
    torch.set_num_threads(2)
    try:
        big = torch.ones(600, 600)
        _ = big @ big + big.exp()  # OpenMP's threads are there from now on
        wanted = _answer(model, history)
        context = multiprocessing.get_context("fork")
        ours, theirs = context.Pipe()
        child = context.Process(target=lambda: theirs.send_bytes(_work(model, history)))
        child.start()
        answered = ours.poll(300)
        found = ours.recv_bytes() if answered else b""
        child.kill()
        child.join()
    finally:
        torch.set_num_threads(1)
    assert answered, "the child hangs"
    np.testing.assert_allclose(
        np.frombuffer(found, np.float32), np.frombuffer(wanted, np.float32), rtol=1e-3, atol=1e-5
    )


def _work(model: Recommender, history: Histories) -> bytes:
    big = torch.ones(600, 600)
    _ = big @ big + big.exp()
    return _answer(model, history)
