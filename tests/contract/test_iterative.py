"""What every model that is trained in epochs promises: a curve, early stopping, callbacks, budgets,
and exact resume.
"""

from __future__ import annotations

from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.split import Part
from cofactor.models import registry
from cofactor.models.iterative import IterativeModel
from contract.cases import CASES
from contract.conftest import data_for

RUN = Run(seed=3, threads=1, device="cpu")
ITERATIVE = [name for name in CASES if registry.get(name).iterative]
EPOCHS = 6


class Interrupted(Exception):
    pass


def small(name: str, **settings: Any) -> Any:
    """A model of few epochs, measured after each."""
    case = {**CASES[name], "epochs": EPOCHS, "validate_every": 1, "patience": 0}
    return registry.create(name, **{**case, **settings})


@cache
def whole(name: str) -> Any:
    """A model of all epochs; tests don't change it."""
    return small(name).fit(data_for(name), run=RUN)


@pytest.fixture(params=ITERATIVE)
def iterative(request: pytest.FixtureRequest) -> str:
    """Each iterative model's name in turn."""
    return str(request.param)


def test_which_models_are_iterative_is_said_by_the_class() -> None:
    assert len(ITERATIVE) >= 13
    for name in CASES:
        assert issubclass(registry.get(name), IterativeModel) == (name in ITERATIVE)


def test_the_curve_has_every_epoch_and_is_saved_with_the_model(iterative: str) -> None:
    model = whole(iterative)
    assert len(model.curve) == EPOCHS
    assert np.isfinite(model.curve.loss).all()
    assert model.curve.best_epoch == -1
    again = type(model).from_state(model.config, model.state(), model.data)
    assert again.curve.loss == model.curve.loss


def test_the_best_epoch_by_a_metric_is_kept_and_patience_ends_training(iterative: str) -> None:
    data, values = data_for(iterative), iter([1.0, 3.0, 2.0, 2.5, 9.0, 9.0])
    scores: list[np.ndarray] = []

    def measure(model: Any, held_out: Part) -> float:
        scores.append(model.score_rows(np.arange(5)))
        return next(values)

    model = small(iterative, patience=2).monitor("m", measure, higher_is_better=True)
    model.fit(data, validation=Part(data, data), run=RUN)
    assert (len(model.curve), model.curve.best_epoch) == (4, 1)
    assert model.refit_config.epochs == 2
    np.testing.assert_allclose(model.score_rows(np.arange(5)), scores[1], rtol=2e-2, atol=2e-3)
    assert np.abs(scores[3] - scores[1]).max() > 1e-5


def test_the_models_own_metric_is_measured(iterative: str) -> None:
    data = data_for(iterative)
    model = small(iterative).fit(data, validation=Part(data, data), run=RUN)
    first = next(iter(model.curve.metrics))
    assert first == ("rmse" if model.traits.predicts_ratings else first)
    assert first.startswith(("rmse", "ndcg@"))
    assert np.isfinite(model.curve.metrics[first]).all()
    assert model.curve.best_epoch >= 0


def test_callbacks_hear_each_epoch_with_a_model_that_answers(iterative: str) -> None:
    heard: list[int] = []
    kept: list[Any] = []

    def listen(epoch: int, facts: Any, seen: Any) -> bool:
        assert np.isfinite(seen.score_rows(np.arange(3))).all()
        assert np.isfinite(facts["loss"])
        heard.append(epoch)
        kept.extend((copy(seen), seen.score_rows(np.arange(3)).copy()) if epoch == 0 else ())
        return epoch < 2

    model = small(iterative).on_epoch_end(listen)
    model.fit(data_for(iterative), run=RUN)
    assert heard == [0, 1, 2]
    # A copy of the model of an epoch stays as it was.
    np.testing.assert_array_equal(kept[0].score_rows(np.arange(3)), kept[1])
    assert len(model.curve) == 3
    assert np.isfinite(model.score_rows(np.arange(3))).all()


def test_a_time_budget_ends_training_after_an_epoch_at_the_earliest(iterative: str) -> None:
    model = small(iterative, epochs=5000)
    model.fit(data_for(iterative), run=RUN, max_time=0.001)
    assert 1 <= len(model.curve) < 1000
    assert model.refit_config.epochs == len(model.curve)


def test_an_interrupted_fit_goes_on_bit_for_bit(iterative: str, tmp_path: Path) -> None:
    def fail(epoch: int, facts: Any, model: Any) -> None:
        if epoch == 3:
            raise Interrupted

    data = data_for(iterative)
    expected = whole(iterative).state()
    with pytest.raises(Interrupted):
        small(iterative).checkpoint_to(tmp_path / "run").on_epoch_end(fail).fit(data, run=RUN)
    resumed = small(iterative).checkpoint_to(tmp_path / "run").fit(data, run=RUN).state()
    assert set(expected) == set(resumed)
    for name, array in expected.items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


def test_max_time_of_a_model_without_epochs_is_refused() -> None:
    with pytest.raises(ArgumentError, match="popularity isn't trained in epochs"):
        registry.create("popularity").fit(data_for("popularity"), run=RUN, max_time=5.0)
