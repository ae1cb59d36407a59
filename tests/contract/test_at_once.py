"""Every model from two threads at once, whatever it computes only when it is first needed, and from
a forked child.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from functools import cache
from multiprocessing.connection import Connection

import numpy as np
import pytest

from cofactor.data.histories import Histories
from cofactor.models.recommender import Recommender
from contract.cases import CASES
from contract.conftest import N_ITEMS, N_USERS, fitted_once

ROWS = np.arange(N_USERS, dtype=np.int32)
FORKED = 120  # seconds that a child may take


def _fresh(model: Recommender) -> Recommender:
    """The same model without anything that it computes later."""
    return type(model).from_state(model.config, model.state(), model.data)


def _answers(model: Recommender) -> list[np.ndarray]:
    """What it says of trained users, of histories, of ratings and of items."""
    unseen = model.fold_in(Histories.of([[3, 7, 11], [0], []], N_ITEMS, [[4, 2, 5], [3], []]))
    best = model.topk(model.user_batch(ROWS[:9]), 5, excluded=model.user_batch(ROWS[:9]).seen)
    found = [model.score_rows(ROWS), model.score_batch(unseen), best.rows, best.scores]
    if model.traits.predicts_ratings:
        found.append(model.predict_rows(ROWS, ROWS % N_ITEMS))
    if model.traits.finds_similar:
        found.append(model.similar_item_rows(ROWS[:6], 4).rows)
    if model.traits.explains:
        found.append(model.explain_rows(model.user_batch(ROWS[:1]), ROWS[:3]).added)
    return [np.asarray(one) for one in found]


def _check_equal(found: list[np.ndarray] | Exception, wanted: list[np.ndarray]) -> None:
    """But for the rounding of libraries that divide work by how many threads are free."""
    assert not isinstance(found, Exception), found
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@cache
def _alone(name: str) -> list[np.ndarray]:
    return _answers(_fresh(fitted_once(name)))


def test_two_threads_on_a_fresh_model_get_what_one_gets(name: str) -> None:
    shared = _fresh(fitted_once(name))
    found: list[list[np.ndarray] | Exception] = [[], []]
    start = threading.Barrier(2)

    def work(number: int) -> None:
        start.wait()
        try:
            found[number] = _answers(shared)
        except Exception as error:
            found[number] = error

    workers = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one in found:
        _check_equal(one, _alone(name))


def _tell(ends: Connection) -> None:
    for name in CASES:
        ends.send(_answers(fitted_once(name)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_gets_what_its_parent_got() -> None:
    wanted = {name: _alone(name) for name in CASES}
    forking = multiprocessing.get_context("fork")
    here, there = forking.Pipe()
    child = forking.Process(target=_tell, args=(there,), daemon=True)
    child.start()
    try:
        for name in CASES:
            assert here.poll(FORKED), f"the child never answers by {name}"
            _check_equal(here.recv(), wanted[name])
    finally:
        child.kill()
        child.join()
