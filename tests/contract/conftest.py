"""Tiny data with one right answer, and every model of the registry fitted on it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from contract.cases import CASES

N_USERS, N_ITEMS = 60, 32  # the last user and the last item have no interaction


@cache
def checkerboard(ratings: bool) -> Interactions:
    """Users like items of their own parity: they took two thirds of those, and rated them 4 or 5,
    others 1 or 2.

    User ids are strings, item ids are int64 that don't count from 0; titles name the parity.
    """
    rng = np.random.default_rng(7)
    same = np.arange(N_USERS)[:, None] % 2 == np.arange(N_ITEMS) % 2
    took = same & (rng.random(same.shape) < 0.67)
    if ratings:
        took |= ~same & (rng.random(same.shape) < 0.3)
    took[-1] = False
    took[:, -1] = False
    users, items = np.nonzero(took)
    values = np.where(
        same[users, items], rng.integers(4, 6, len(users)), rng.integers(1, 3, len(users))
    ).astype(np.float32)
    made = Interactions.from_rows(
        users,
        items,
        values if ratings else None,
        rng.integers(10**9, 10**9 + 10**6, len(users)),
        users=IdMap(pa.array([f"user {u:03d} é" for u in range(N_USERS)])),
        items=IdMap(np.arange(N_ITEMS, dtype=np.int64) * 10 + 100),
    )
    titles = pa.array([f"{'even' if i % 2 == 0 else 'odd'} number {i}" for i in range(N_ITEMS)])
    object.__setattr__(
        made, "catalogue", Catalogue(pa.table({"title": titles, "size": pa.array(range(N_ITEMS))}))
    )
    return made


def data_for(name: str) -> Interactions:
    """Return ratings for models that predict them, plain interactions for the others."""
    return checkerboard(registry.get(name).traits.predicts_ratings)


def fitted_anew(name: str, *, seed: int = 3, threads: int = 1) -> Recommender:
    """Fit a model of the registry on the tiny data."""
    return registry.create(name, **CASES[name]).fit(
        data_for(name), run=Run(seed=seed, threads=threads, device="cpu")
    )


fitted_once = cache(fitted_anew)


@pytest.fixture(params=list(CASES))
def name(request: pytest.FixtureRequest) -> str:
    """Each model's name in turn."""
    return str(request.param)


@pytest.fixture
def model(name: str) -> Recommender:
    """Each model in turn, fitted once a session; tests don't change it."""
    return fitted_once(name)
