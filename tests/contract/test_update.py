"""What every model that learns new events by a warm start promises: it goes on from what it has
learned, knows the new ids, and comes close to a fit on everything.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.errors import ArgumentError, TraitError
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.sessions import extended
from cofactor.models import registry
from contract.cases import CASES
from contract.conftest import N_ITEMS, N_USERS, data_for, fitted_once

RUN = Run(seed=3, threads=1, device="cpu")
# What these read beside ids has dimensions of its own, learned anew by each fit.
REFUSING = ("two_tower",)
STARTING = [name for name in CASES if registry.get(name).iterative and name not in REFUSING]


def new_events(name: str) -> Events:
    """Two new users, one of each parity, and a new even item that the even one takes too."""
    even = list(range(100, 100 + 10 * N_ITEMS, 20))
    odd = [item + 10 for item in even]
    even = [*even, 10_000]
    users = ["user 100 é"] * len(even) + ["user 101 é"] * len(odd)
    values = None
    if data_for(name).values is not None:
        values = np.tile([4.0, 5.0], len(users))[: len(users)].astype(np.float32)
    return Events(
        pa.chunked_array([pa.array(users)]),
        pa.chunked_array([pa.array(even + odd)]),
        values=values,
        times=np.arange(2 * 10**9, 2 * 10**9 + len(users)),
    )


def fitted(name: str, data: Interactions, **settings: Any) -> Any:
    return registry.create(name, **{**CASES[name], **settings}).fit(data, run=RUN)


def fitted_copy(name: str) -> Any:
    """A copy of the model that the whole suite shares, on the same data."""
    shared = fitted_once(name)
    return deepcopy(shared, {id(shared.data): shared.data})


@pytest.mark.parametrize("name", STARTING)
def test_an_update_goes_on_from_what_was_learned_and_comes_close_to_a_refit(name: str) -> None:
    model = fitted_copy(name)
    before, epochs = model.score_rows(np.arange(N_USERS - 1)), model.config.epochs
    assert model.update(new_events(name), run=RUN) is model
    assert model.config.epochs == epochs
    assert len(model.curve) == max(1, epochs // 4)
    whole = extended(data_for(name), new_events(name))
    assert model.data.items == whole.items
    assert model.data.users == whole.users
    refit = fitted(name, whole)
    assert model.curve.loss[0] < refit.curve.loss[0]
    # Ids stay in ascending order, so the old rows come first here.
    after = model.score_rows(np.arange(N_USERS + 2))
    kept = [np.corrcoef(a, b[:N_ITEMS])[0, 1] for a, b in zip(before, after, strict=False)]
    assert np.mean(kept) > 0.8
    anew = refit.score_rows(np.arange(N_USERS + 2))
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(after, anew, strict=True)]
    assert np.mean(alike) > 0.8
    new = after[N_USERS : N_USERS + 2, : N_ITEMS - 1]
    assert new[0, ::2].mean() > new[0, 1::2].mean()
    assert new[1, 1::2].mean() > new[1, ::2].mean()


@pytest.mark.parametrize("name", STARTING)
def test_an_update_without_events_or_with_an_error_changes_nothing(name: str) -> None:
    model = fitted(name, data_for(name), epochs=2)
    before = model.score_rows(np.arange(5))
    nothing = Events(pa.chunked_array([pa.array([], pa.string())]), pa.chunked_array([[0]])[:0])
    model.update(nothing, run=RUN)
    with pytest.raises(ArgumentError, match="events must be Events .* a path.*, not int"):
        model.update(7, run=RUN)
    with pytest.raises(ArgumentError, match="events must have outside ids"):
        model.update(model.data, run=RUN)

    def fail(epoch: int, facts: Any, seen: Any) -> None:
        raise RuntimeError("stopped")

    model.on_epoch_end(fail)
    with pytest.raises(RuntimeError, match="stopped"):
        model.update(new_events(name), run=RUN)
    np.testing.assert_array_equal(model.score_rows(np.arange(5)), before)
    assert model.config.epochs == 2
    assert model.data.n_users == N_USERS


@pytest.mark.parametrize("name", REFUSING)
def test_models_that_cannot_go_on_say_so(name: str) -> None:
    model = fitted(name, data_for(name), epochs=2)
    with pytest.raises(TraitError, match="can't go on from what it has learned; fit it on all"):
        model.update(new_events(name), run=RUN)
