"""BPR, WARP and logistic MF: what they promise beyond the contract of all models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cofactor.base.errors import TrainingError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.models import registry
from cofactor.models.implicit.bpr import BPR, BPRConfig
from cofactor.models.implicit.logistic_mf import biases_at_start
from cofactor.models.validation import ndcg

RUN = Run(threads=1)


def blocks() -> Interactions:
    generator = np.random.default_rng(2)
    users, items = np.nonzero(
        (np.arange(50)[:, None] % 2 == np.arange(34) % 2) & (generator.random((50, 34)) < 0.6)
    )
    return Interactions.from_rows(users, items, users=50, items=34)


def test_training_stops_early_and_keeps_the_best_epoch() -> None:
    cut = split(blocks(), "per-user", test=0.3, seed=1)
    settings: dict[str, Any] = {
        "factors": 4,
        "learning_rate": 0.3,
        "schedule": "constant",
        "regularization": 0.0,
        "validate_every": 1,
    }
    stopped = BPR(**settings, epochs=300, patience=2).fit(cut.train, validation=cut.test, run=RUN)
    whole = BPR(**settings, epochs=300).fit(cut.train, run=RUN)
    rows = cut.test.user_rows
    best = stopped.curve.metrics["ndcg@20"][stopped.curve.best_epoch]
    assert (
        ndcg(stopped, cut.test, rows, 20)
        == pytest.approx(best)
        == max(stopped.curve.metrics["ndcg@20"])
    )
    assert best >= ndcg(whole, cut.test, rows, 20)
    assert len(stopped.curve) == stopped.curve.best_epoch + 3 < 300


def test_divergence_is_an_error_that_names_the_rate() -> None:
    model = BPR(factors=16, learning_rate=50.0, regularization=1.0, schedule="constant", epochs=200)
    with pytest.raises(
        TrainingError, match=r"bpr diverged in epoch .* lower learning_rate \(now 50\)"
    ):
        model.fit(blocks(), run=RUN)


@pytest.mark.parametrize("name", ["bpr", "warp", "logistic_mf"])
def test_settings_of_older_models_are_read(name: str) -> None:
    kind = registry.get(name).Config
    older = {"schedule": "drop", "factors": 5}
    config = kind.from_dict(older)
    assert (config.schedule, config.drop_every, config.drop_factor) == ("step", 0.7, 0.3)
    assert config.rates().rate(69, 100, 69, 100) == pytest.approx(config.learning_rate)
    assert config.rates().rate(70, 100, 70, 100) == pytest.approx(0.3 * config.learning_rate)


def test_the_older_name_of_negative_sampling_is_read() -> None:
    config = BPRConfig.from_dict({"negative_law": "popularity", "negative_power": 0.7})
    assert (config.negative_sampling, config.negative_power) == ("popularity", 0.7)


def test_logistic_biases_start_where_counts_are_explained() -> None:
    data = blocks()
    users, items = biases_at_start(data, 5.0)
    odds = np.exp(users[:, None] + items)
    # What alpha r = (1 + alpha r) σ says of a row's sum, to first order in the odds.
    np.testing.assert_allclose(odds.sum(0), 5.0 * data.item_counts, rtol=1e-5)
    np.testing.assert_allclose(odds.sum(1), 5.0 * data.user_counts, rtol=1e-5)
    empty = Interactions.from_rows(np.array([0]), np.array([0]), users=3, items=2)
    assert all(np.isfinite(biases).all() for biases in biases_at_start(empty, 5.0))
