"""A model that was fitted on what it shall predict isn't measured, and isn't compared on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

import cofactor
from cofactor.base.errors import ArgumentError
from cofactor.data.held_out import fitted_share
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.data.splits import split
from cofactor.data.synthetic import shop
from cofactor.evaluation.next_item import evaluate_next


@pytest.fixture(scope="module")
def data() -> Interactions:
    return shop(n_users=80, n_items=40, seed=3)


def halves(data: Interactions) -> tuple[Interactions, Interactions]:
    first = np.arange(len(data)) % 4 > 0
    return data.where(first), data.where(~first)


def test_a_model_fitted_on_all_of_it_is_refused(data: Interactions) -> None:
    train, test = halves(data)
    part = Part(truth=test, history=train)
    cofactor.evaluate(cofactor.Popularity().fit(train), part)
    with pytest.raises(ArgumentError, match=r"fitted on 100\.0% of the held-out interactions"):
        cofactor.evaluate(cofactor.Popularity().fit(data), part)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cofactor.BPR(epochs=2),
        lambda: cofactor.EASE(),
        lambda: cofactor.Blend(models=("item_knn", "popularity")),
    ],
)
def test_a_fit_on_its_own_validation_part_is_refused(
    data: Interactions, make: Callable[[], cofactor.Recommender]
) -> None:
    """Early stopping, weights and comparisons would follow what was learned by heart."""
    train, held = halves(data)
    part = Part(truth=held, history=train)
    make().fit(train, validation=part)
    with pytest.raises(ArgumentError, match=r"fitted on 100\.0% of the validation part"):
        make().fit(data, validation=part)


@pytest.mark.parametrize("how", ["sessions", "next"])
def test_questions_are_known_by_whose_events_they_are(data: Interactions, how: str) -> None:
    """The prefixes of a sequence have numbers of their own, which no model was fitted on."""
    parts = split(data, how, test=0.2)
    measured = {"metrics": "hit@10", "resamples": 0}
    evaluate_next(cofactor.Transitions().fit(parts.train), parts, **measured)
    with pytest.raises(ArgumentError, match="of the held-out interactions"):
        evaluate_next(cofactor.Transitions().fit(data), parts, **measured)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cofactor.BPR(epochs=2),
        lambda: cofactor.Blend(models=("item_knn", "popularity")),
    ],
)
def test_a_model_that_the_test_part_chose_is_not_measured_on_it(
    data: Interactions, make: Callable[[], cofactor.Recommender]
) -> None:
    parts = split(data, "random", test=0.2, validation=0.2)
    cofactor.evaluate(make().fit(parts.train, validation=parts.validation), parts, resamples=0)
    model = make().fit(parts.train, validation=parts.test)
    with pytest.raises(ArgumentError, match="chosen, by this split's test part"):
        cofactor.evaluate(model, parts, resamples=0)
    # A part alone may well be that which chooses; and a second fit forgets the first.
    cofactor.evaluate(model, parts.test, resamples=0)
    cofactor.evaluate(model.fit(parts.train), parts, resamples=0)


def test_features_are_not_compared_on_what_was_fitted(data: Interactions) -> None:
    train, held = halves(data)
    part = Part(truth=held, history=train)
    assert cofactor.ContentKNN().fit(train).compare_without_features(part) is not None
    with pytest.raises(ArgumentError, match="part to compare on"):
        cofactor.ContentKNN().fit(data).compare_without_features(part)


def test_a_part_of_the_test_pairs_is_found_by_number(data: Interactions) -> None:
    train, test = halves(data)
    some = np.zeros(len(data), bool)
    some[np.arange(len(data)) % 4 > 0] = True
    held = np.flatnonzero(~some)
    some[held[: len(held) // 3]] = True
    share = fitted_share(data.where(some), Part(truth=test, history=train))
    assert share == pytest.approx((len(held) // 3) / len(held))


def test_users_are_compared_by_their_ids(data: Interactions) -> None:
    train, test = halves(data)
    part = Part(truth=test, history=train, fold_in=True)
    # The same people under other rows, and other people under the same rows.
    order = np.random.default_rng(1).permutation(data.n_users)
    same = Interactions.from_rows(
        np.argsort(order)[test.user_rows],
        test.item_rows,
        users=IdMap(data.users.take(order)),
        items=data.items,
    )
    others = replace(test, users=IdMap([f"another-{n}" for n in range(data.n_users)]))
    assert fitted_share(same, part) == 1.0
    assert fitted_share(others, part) == 0.0


def test_pairs_that_the_history_holds_too_are_no_secret(data: Interactions) -> None:
    """Where items may come back, a pair stands in the history and in the truth."""
    train, _ = halves(data)
    again = replace(train, source="the same again")
    assert fitted_share(again, Part(truth=train, history=train)) == 0.0


def test_the_look_up_costs_little() -> None:
    chance = np.random.default_rng(2)
    data = Interactions.from_rows(
        chance.integers(0, 50_000, 1_000_000),
        chance.integers(0, 5_000, 1_000_000),
        users=50_000,
        items=5_000,
    )
    train, test = halves(data)
    began = time.process_time()
    assert fitted_share(replace(train, source="again"), Part(truth=test, history=train)) == 0.0
    assert time.process_time() - began < 3
