"""Values of settings are chosen on held-out training interactions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from benchmarks.panel import simulated

from cofactor.base.engine import Local
from cofactor.base.errors import TrainingError
from cofactor.base.run import Run
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions
from cofactor.data.splits import split
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.models.implicit import held_out_choice
from cofactor.models.implicit.bpr import BPR
from cofactor.models.implicit.held_out_choice import Usual
from cofactor.models.implicit.ials import IALS
from cofactor.models.implicit.ials_defaults import NOISE_SHARE
from cofactor.models.implicit.logistic_mf import LogisticMF
from cofactor.models.implicit.normal_equations import NormalEquations
from cofactor.models.validation import ndcg

RUN = Run(threads=1)
USUAL = Usual(0.5, 2.0)


class Unused(Local):
    """An engine that nothing may be called on."""

    def call(self, *_: Any, **__: Any) -> Any:
        raise AssertionError


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=300, n_items=120, seed=1)


def choose(data: Interactions, good: set[float]) -> tuple[float, list[float]]:
    """The share chosen where a good one gives item kNN and any other popularity; what was tried."""
    tried = []

    def fit(some: Interactions, share: float, run: Run) -> Any:
        tried.append(share)
        return registry.create("item_knn" if share in good else "popularity").fit(some, run=run)

    return held_out_choice.choose_value(fit, data, USUAL, RUN), tried


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


def test_candidates_are_fitted_on_a_sample(data: Interactions) -> None:
    sizes: list[int] = []

    def fit(some: Interactions, share: float, run: Run) -> Any:
        sizes.append(len(some))
        return registry.create("popularity").fit(some, run=run)

    held_out_choice.choose_value(fit, data, USUAL, RUN, most=len(data) // 2)
    assert max(sizes) < 0.55 * len(data)


def test_training_that_diverges_leaves_the_usual_share(data: Interactions) -> None:
    def fit(some: Interactions, share: float, run: Run) -> Any:
        raise TrainingError("diverged")

    assert held_out_choice.choose_value(fit, data, USUAL, RUN) == 0.5


@pytest.fixture
def quarter(monkeypatch: Any) -> list[float]:
    asked: list[float] = []

    def choose_value(fit: Any, data: Interactions, usual: Usual, run: Run) -> float:
        asked.append(usual.value)
        return 0.25

    monkeypatch.setattr(held_out_choice, "choose_value", choose_value)
    return asked


KINDS = pytest.mark.parametrize("kind", [LogisticMF, IALS, BPR])


def l2_of(model: Any) -> float:
    return model._equations.config.regularization if isinstance(model, IALS) else model._l2


@KINDS
def test_the_share_is_used_kept_and_loaded(
    kind: Any, data: Interactions, quarter: list[float]
) -> None:
    model = kind(factors=4, epochs=1).fit(data, run=RUN)
    loaded = kind.from_state(model.config, model.state(), data)
    newer = ("noise_share", "fold_in_penalties")
    older = {name: one for name, one in model.state().items() if name not in newer}
    usual = kind.from_state(model.config, older, data)
    assert l2_of(model) == l2_of(loaded) == pytest.approx(l2_of(usual) * 0.25 / quarter[0])
    np.testing.assert_array_equal(model.state()["noise_share"], [0.25])


@KINDS
def test_nothing_is_chosen_where_regularization_is_given_or_time_is_short(
    kind: Any, data: Interactions, quarter: list[float]
) -> None:
    assert l2_of(kind(factors=4, epochs=1, regularization=0.3).fit(data, run=RUN)) == 0.3
    kind(factors=4, epochs=1).fit(data, run=RUN, max_time=5.0)
    assert quarter == []


@KINDS
def test_an_update_keeps_the_share(kind: Any, data: Interactions, quarter: list[float]) -> None:
    data = replace(data, values=None, times=None)
    model = kind(factors=4, epochs=1).fit(data, run=RUN)
    new = Events(data.users.take(np.array([0])), data.items.take(np.array([5])))
    model.update(new, run=RUN)
    assert (model.noise_share[0], len(quarter)) == (0.25, 1)


def test_candidates_are_fitted_here_without_engine_and_device(data: Interactions) -> None:
    runs: list[Run] = []

    def fit(some: Interactions, share: float, run: Run) -> Any:
        runs.append(run)
        return registry.create("popularity").fit(some, run=run)

    run = Run(threads=1, device="cuda", engine=Unused())
    held_out_choice.choose_value(fit, data, USUAL, run)
    assert {(one.device, one.engine) for one in runs} == {("cpu", None)}


def test_ials_learns_more_by_the_share_that_suits_the_data() -> None:
    # Few very popular items: less to learn beside them than the usual share expects.
    parts = split(simulated(800, 500, 0.02, skew=1.5), "per-user", test=0.2, seed=0)
    chosen = IALS().fit(parts.train, run=RUN)
    usual = IALS(regularization=usual_l2(parts.train)).fit(parts.train, run=RUN)
    values = [ndcg(one, parts.test, parts.test.user_rows) for one in (chosen, usual)]
    assert chosen.noise_share[0] == pytest.approx(1.5 * NOISE_SHARE)
    assert values[0] > 1.05 * values[1]


def usual_l2(data: Interactions) -> float:
    return NormalEquations.of(IALS().config, data).config.regularization
