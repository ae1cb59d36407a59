from __future__ import annotations

import numpy as np
import pytest

from cofactor.base.errors import TrainingError
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.evaluation.evaluate import evaluate
from cofactor.models.implicit.bpr import BPR
from cofactor.models.implicit.pairwise import learning_rate, validation_ndcg


def blocks() -> Interactions:
    generator = np.random.default_rng(2)
    users, items = np.nonzero(
        (np.arange(50)[:, None] % 2 == np.arange(34) % 2) & (generator.random((50, 34)) < 0.6)
    )
    return Interactions.from_rows(users, items, users=50, items=34)


def test_schedules_start_at_the_rate_and_fall_as_they_say() -> None:
    assert [learning_rate(0.2, "constant", x) for x in (0.0, 0.9)] == [0.2, 0.2]
    assert [learning_rate(0.2, "linear", x) for x in (0.0, 0.5)] == [0.2, 0.1]
    assert [learning_rate(0.2, "drop", x) for x in (0.0, 0.69, 0.7)] == [
        0.2,
        0.2,
        pytest.approx(0.06),
    ]


def test_validation_ndcg_equals_the_evaluators() -> None:
    cut = split(blocks(), "per-user", test=0.3, seed=1)
    model = BPR(factors=4, epochs=3).fit(cut.train, run=Run(threads=1))
    ours = validation_ndcg(model, cut.test, cut.test.user_rows, 1)
    assert ours == pytest.approx(
        evaluate(model, cut.test, "ndcg@20", resamples=0)["ndcg@20"], abs=1e-6
    )


def test_training_stops_early_and_keeps_the_best_epoch() -> None:
    cut = split(blocks(), "per-user", test=0.3, seed=1)
    settings = {
        "factors": 4,
        "learning_rate": 0.3,
        "schedule": "constant",
        "regularization": 0.0,
        "validate_every": 1,
    }
    stopped = BPR(**settings, epochs=300, patience=2).fit(
        cut.train, validation=cut.test, run=Run(threads=1)
    )
    whole = BPR(**settings, epochs=300).fit(cut.train, run=Run(threads=1))
    rows = cut.test.user_rows
    assert validation_ndcg(stopped, cut.test, rows, 1) >= validation_ndcg(whole, cut.test, rows, 1)
    assert np.abs(stopped.item_factors).max() < np.abs(whole.item_factors).max()


def test_divergence_is_an_error_that_names_the_rate() -> None:
    model = BPR(factors=16, learning_rate=50.0, regularization=1.0, schedule="constant", epochs=200)
    with pytest.raises(
        TrainingError, match=r"bpr diverged in epoch .* lower learning_rate \(50.0\)"
    ):
        model.fit(blocks(), run=Run(threads=1))
