"""Rating models don't depend on the scale of the ratings: predictions follow an affine change."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models import registry

N_USERS, N_ITEMS = 60, 50
SETTINGS = {
    "bias": {},
    "biased_mf": {"factors": 8, "epochs": 15},
    "biased_mf als": {"solver": "als", "factors": 4, "epochs": 5, "regularization": 0.1},
    "svdpp": {"factors": 8, "epochs": 15},
    "bayesian_mf": {"factors": 4, "sweeps": 30, "burn_in": 10},
    "latent_factor": {"factors": 8, "epochs": 8, "batch_size": 512},
    "mlp": {"factors": 8, "epochs": 4, "batch_size": 512, "dropout": 0.0},
    "mlp pretrained": {"factors": 8, "epochs": 4, "batch_size": 512, "pretrain_epochs": 4},
    "dense_net": {"factors": 8, "epochs": 4, "batch_size": 512},
    "collab_fnet": {"factors": 8, "epochs": 4, "batch_size": 512},
    "neumf": {"factors": 8, "epochs": 4, "batch_size": 512, "loss": "squared"},
    "lstm_rating": {"factors": 8, "hidden": 8, "epochs": 3, "pretrain_epochs": 4},
}
SCALES = [(100.0, 0.0), (1.0, 50.0), (5.0, -15.0), (0.01, 0.0)]


def rated(times: float = 1.0, plus: float = 0.0) -> Interactions:
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((N_USERS, N_ITEMS)) < 0.4)
    p, q = rng.standard_normal((N_USERS, 3)), rng.standard_normal((N_ITEMS, 3))
    values = np.clip(np.rint(3 + 0.6 * (p[users] * q[items]).sum(1)), 1, 5)
    values = (times * values + plus).astype(np.float32)
    return Interactions.from_rows(users, items, values, users=N_USERS, items=N_ITEMS)


def fitted_anew(name: str, times: float = 1.0, plus: float = 0.0) -> Any:
    kind = name.partition(" ")[0]
    run = Run(seed=1, threads=1)
    return registry.create(kind, **SETTINGS[name]).fit(rated(times, plus), run=run)


# Tests of a model that don't change it share one.
fitted = cache(fitted_anew)


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("times", "plus"), SCALES)
def test_predictions_follow_the_scale(name: str, times: float, plus: float) -> None:
    plain, scaled = fitted(name), fitted(name, times, plus)
    pairs = np.repeat(np.arange(N_USERS), 5), np.tile(np.arange(5), N_USERS)
    expected = times * plain.predict_rows(*pairs) + plus
    np.testing.assert_allclose(scaled.predict_rows(*pairs), expected, atol=2e-3 * times)


@pytest.mark.parametrize("name", SETTINGS)
def test_new_users_follow_the_scale(name: str) -> None:
    plain, scaled = fitted(name), fitted(name, 100.0, 0.0)
    items, which = np.arange(N_ITEMS), np.zeros(N_ITEMS, np.int64)
    one = [np.array([3, 9, 20])]
    known = plain.fold_in(Histories.of(one, N_ITEMS, [[5.0, 1.0, 4.0]]))
    same = scaled.fold_in(Histories.of(one, N_ITEMS, [[500.0, 100.0, 400.0]]))
    expected = 100 * plain.predict_batch(known, which, items)
    np.testing.assert_allclose(scaled.predict_batch(same, which, items), expected, atol=2.0)


@pytest.mark.parametrize("name", ["biased_mf", "latent_factor", "mlp", "lstm_rating"])
def test_an_update_follows_the_scale(name: str) -> None:
    found = []
    for times in (1.0, 100.0):
        model = fitted_anew(name, times)
        data = model.data
        news = Events(
            pa.chunked_array([data.users.take(np.arange(5))]),
            pa.chunked_array([data.items.take(np.arange(5))]),
            values=np.full(5, 5 * times, np.float32),
        )
        model.update(news, run=Run(seed=1, threads=1))
        found.append(model.predict_rows(np.repeat(np.arange(N_USERS), 2), np.tile([0, 1], N_USERS)))
    np.testing.assert_allclose(found[1], 100 * found[0], atol=2.0)


@pytest.mark.parametrize("name", ["biased_mf", "svdpp"])
def test_ratings_that_differ_by_less_than_float32_holds_are_all_the_same(name: str) -> None:
    data = rated(times=1e-42)
    assert data.values is not None
    model = registry.create(name, **SETTINGS[name]).fit(data, run=Run(threads=1))
    predicted = model.predict_rows(data.user_rows, data.item_rows)
    assert (np.abs(predicted) <= 1e-41).all()
