"""What a history without ratings counts as: the same in every model of ratings."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.models import registry
from cofactor.models.liked import liked_rating
from contract.cases import CASES
from contract.conftest import N_ITEMS, data_for

RATING_MODELS = [name for name in CASES if registry.get(name).traits.predicts_ratings]


def test_liked_rating_is_the_mean_of_those_above_the_mean_on_any_scale() -> None:
    values = np.array([1, 2, 4, 5, 5], np.float32)
    assert liked_rating(values) == pytest.approx(14 / 3)
    assert liked_rating(values * 20 - 50) == pytest.approx(14 / 3 * 20 - 50)
    assert liked_rating(np.full(3, 4, np.float32)) == 4


@pytest.mark.parametrize("name", RATING_MODELS)
def test_a_history_without_ratings_counts_as_liked_in_every_model_of_ratings(name: str) -> None:
    few = {**CASES[name], **({"epochs": 3} if registry.get(name).iterative else {})}
    run = Run(seed=3, threads=1, device="cpu")
    model, items = registry.create(name, **few).fit(data_for(name), run=run), [2, 5, 8]
    liked = float(liked_rating(data_for(name).weights))
    plain = model.fold_in(Histories.of([items], N_ITEMS))
    rated = model.fold_in(Histories.of([items], N_ITEMS, [[liked] * 3]))
    np.testing.assert_array_equal(model.score_batch(plain), model.score_batch(rated))
