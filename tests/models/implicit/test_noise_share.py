"""The share of the noise that logistic MF's regularization is for follows the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cofactor.base.errors import TrainingError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.implicit import logistic_mf, noise_share
from cofactor.models.implicit.logistic_mf import LogisticMF

RUN = Run(threads=1)


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=300, n_items=120, seed=1)


def choose(data: Interactions, good: set[float]) -> tuple[float, list[float]]:
    """The share chosen where a good one gives item kNN and any other popularity; what was tried."""
    tried = []

    def fit(some: Interactions, share: float, run: Run) -> Any:
        tried.append(share)
        return registry.create("item_knn" if share in good else "popularity").fit(some, run=run)

    return noise_share.choose_share(fit, data, 0.5, RUN), tried


@pytest.mark.parametrize(
    ("good", "chosen", "tried"),
    [
        ({0.5}, 0.5, [0.5, 0.25, 1.0]),
        (set(), 0.5, [0.5, 0.25, 1.0]),
        ({0.25}, 0.25, [0.5, 0.25, 0.125]),
        ({1.0}, 1.0, [0.5, 0.25, 1.0, 2.0]),
    ],
)
def test_another_share_is_taken_if_it_ranks_held_out_interactions_better(
    data: Interactions, good: set[float], chosen: float, tried: list[float]
) -> None:
    assert choose(data, good) == (chosen, tried)


def test_few_users_choose_nothing(data: Interactions) -> None:
    assert choose(data.where(data.user_rows < 90), {0.25}) == (0.5, [])


def test_candidates_are_fitted_on_a_sample(data: Interactions, monkeypatch: Any) -> None:
    sizes: list[int] = []

    def fit(some: Interactions, share: float, run: Run) -> Any:
        sizes.append(len(some))
        return registry.create("popularity").fit(some, run=run)

    monkeypatch.setattr(noise_share, "MOST", len(data) // 2)
    noise_share.choose_share(fit, data, 0.5, RUN)
    assert max(sizes) < 0.55 * len(data)


def test_training_that_diverges_leaves_the_usual_share(data: Interactions) -> None:
    def fit(some: Interactions, share: float, run: Run) -> Any:
        raise TrainingError("diverged")

    assert noise_share.choose_share(fit, data, 0.5, RUN) == 0.5


@pytest.fixture
def quarter(monkeypatch: Any) -> list[float]:
    asked: list[float] = []

    def choose_share(fit: Any, data: Interactions, usual: float, run: Run) -> float:
        asked.append(usual)
        return 0.25

    monkeypatch.setattr(logistic_mf, "choose_share", choose_share)
    return asked


def test_the_share_is_used_kept_and_loaded(data: Interactions, quarter: list[float]) -> None:
    model = LogisticMF(factors=4, epochs=1).fit(data, run=RUN)
    loaded = LogisticMF.from_state(model.config, model.state(), data)
    older = {name: one for name, one in model.state().items() if name != "noise_share"}
    usual = LogisticMF.from_state(model.config, older, data)
    assert model._l2 == loaded._l2 == pytest.approx(usual._l2 / 2)
    np.testing.assert_array_equal(model.state()["noise_share"], [0.25])


def test_nothing_is_chosen_where_regularization_is_given_or_time_is_short(
    data: Interactions, quarter: list[float]
) -> None:
    assert LogisticMF(factors=4, epochs=1, regularization=3.0).fit(data, run=RUN)._l2 == 3.0
    LogisticMF(factors=4, epochs=1).fit(data, run=RUN, max_time=5.0)
    assert quarter == []


def test_an_update_keeps_the_share(data: Interactions, quarter: list[float]) -> None:
    from cofactor.data.events import Events

    data = replace(data, values=None, times=None)
    model = LogisticMF(factors=4, epochs=1).fit(data, run=RUN)
    new = Events(data.users.take(np.array([0])), data.items.take(np.array([5])))
    model.update(new, run=RUN)
    assert (model.noise_share, len(quarter)) == (0.25, 1)
