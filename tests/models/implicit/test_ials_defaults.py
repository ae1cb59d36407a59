"""iALS's defaults follow the data."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.models.implicit import ials_defaults
from cofactor.models.implicit.ials import IALS
from cofactor.models.implicit.normal_equations import NormalEquations
from models.implicit.dense_checks import random_pairs

RUN = Run(threads=1)


@pytest.mark.parametrize("share", [0.06, 0.2])
@pytest.mark.parametrize("settings", [{}, {"unobserved_weight": 0.05}, {"frequency_exponent": 0.5}])
def test_default_regularization_shrinks_noise_but_not_what_is_stronger(share, settings) -> None:
    noise = random_pairs(300, 200, share)
    small = {"factors": 8, "epochs": 8, "solver": "cholesky", "popularity_weight": 0.0, **settings}
    model = IALS(**small).fit(noise, run=RUN)
    scores = model.user_factors @ model.item_factors.T
    sizes = np.linalg.svd(scores, compute_uv=False)
    # One direction is left, popularity and activity; the noise behind it is small.
    assert sizes[1] < 0.45 * sizes[0]
    users, items = np.nonzero(np.arange(300)[:, None] % 4 == np.arange(200) % 4)
    keep = np.random.default_rng(1).random(len(users)) < 2 * share
    blocks = Interactions.from_rows(users[keep], items[keep], users=300, items=200)
    model = IALS(**small).fit(blocks, run=RUN)
    sizes = np.linalg.svd(model.user_factors @ model.item_factors.T, compute_uv=False)
    assert sizes[3] > 0.4 * sizes[0]
    assert sizes[4] < 0.35 * sizes[0]


def test_alpha0_and_the_regularization_are_moved_apart() -> None:
    data = random_pairs(60, 40, 0.2)
    ridges = {}
    for alpha0 in (0.1, 0.4):
        for beta0 in (None, 0.1, 0.0):
            config = IALS(
                unobserved_weight=alpha0, unobserved_regularization=beta0, regularization=0.02
            ).config
            ridges[alpha0, beta0] = NormalEquations.of(config, data).ridge(data.indptr, 40)
    np.testing.assert_array_equal(ridges[0.1, 0.1], ridges[0.4, 0.1])
    np.testing.assert_array_equal(ridges[0.1, None], ridges[0.1, 0.1])
    np.testing.assert_allclose(ridges[0.4, 0.0], 0.02 * data.user_counts, rtol=1e-6)
    assert (ridges[0.4, None] > ridges[0.1, None]).all()


def test_the_default_keeps_the_l2_where_alpha0_is_moved() -> None:
    data = random_pairs(60, 40, 0.2)
    means = [
        NormalEquations.of(IALS(unobserved_weight=a).config, data).ridge(data.indptr, 40).mean()
        for a in (0.01, 0.1, 1.0)
    ]
    np.testing.assert_allclose(means, means[0], rtol=1e-5)


def test_default_factors_grow_with_the_data_and_stay_within_the_stated_memory(monkeypatch) -> None:
    small, large = random_pairs(50, 40, 0.2), random_pairs(1500, 900, 0.08)
    assert ials_defaults.n_factors(small) == 32
    assert ials_defaults.n_factors(large) == int(np.sqrt(len(large)) / 2) // 16 * 16 > 100
    assert IALS(epochs=1).fit(small, run=RUN).item_factors.shape == (40, 32)
    monkeypatch.setattr(ials_defaults, "MOST_BYTES", 4 * 2400 * 70)
    assert ials_defaults.n_factors(large) == 64


def test_a_loaded_model_answers_by_the_same_regularization() -> None:
    data = random_pairs(60, 40, 0.2)
    model = IALS(confidence="log").fit(data, run=RUN)
    loaded = IALS.from_state(model.config, model.state(), data)
    histories = data.histories(np.arange(9))
    np.testing.assert_array_equal(model.fold_in(histories).states, loaded.fold_in(histories).states)
    assert model._equations.config.regularization == loaded._equations.config.regularization > 0


def test_an_update_keeps_the_number_of_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a few interactions more the rule gives 32 factors instead of 16."""
    monkeypatch.setattr(ials_defaults, "FEWEST", 16)
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((90, 80)) < 0.6)
    data = Interactions.from_rows(users[:4095], items[:4095], users=90, items=80)
    model = IALS(epochs=2).fit(data, run=RUN)
    new = Events(data.users.take(np.array([89, 88])), data.items.take(np.array([79, 79])))
    model.update(new, run=RUN)
    assert model.user_factors.shape[1] == 16 < ials_defaults.n_factors(model.data)
    loaded = IALS.from_state(model.config, model.state(), model.data)
    rows = np.arange(5)
    np.testing.assert_array_equal(loaded.score_rows(rows, rows), model.score_rows(rows, rows))
