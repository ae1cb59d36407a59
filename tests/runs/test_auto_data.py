"""What auto reads and cuts: values that don't say "liked", short histories, too little data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.runs.test_auto import RUN, groups, only, valued

from cofactor.base.errors import ArgumentError
from cofactor.data.guards import doubts
from cofactor.data.interactions import Interactions
from cofactor.runs.auto import auto
from cofactor.runs.source import Cutting, Reading


@pytest.fixture(autouse=True)
def baselines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try the baselines alone: the search ends at once."""
    only(monkeypatch, "popularity", "bias")


def test_where_every_user_has_one_interaction_the_baseline_is_chosen() -> None:
    draw = np.random.default_rng(0)
    data = Interactions.from_rows(np.arange(300), draw.integers(0, 9, 300), users=300, items=9)
    found = auto(data, budget=0.5, run=RUN)
    assert (found.chosen.model, found.result) == ("popularity", None)
    assert "none of the 300 users has two interactions" in found.chosen.sentence
    rated = auto(valued(data, draw.integers(1, 6, 300)), budget=0.5, run=RUN, metrics="rmse")
    assert rated.chosen.model == "bias"
    with pytest.raises(ArgumentError, match="time"):  # what was asked wrongly is said
        auto(data, budget=0.5, run=RUN, cutting=Cutting(how="time"))


def test_one_user_gets_the_baseline() -> None:
    """The race was run on it, and said that 1 users decided."""
    data = Interactions.from_rows(np.zeros(40, int), np.arange(40), users=1, items=40)
    found = auto(data, budget=0.5, run=RUN)
    assert (found.chosen.model, found.result) == ("popularity", None)
    assert "one user doesn't show which items go together" in found.chosen.sentence
    single = Interactions.from_rows(np.zeros(1, int), np.zeros(1, int), users=1, items=1)
    assert "1 interaction of 1 user are" in auto(single, budget=0.5, run=RUN).chosen.sentence


def test_ratings_that_are_all_equal_are_not_searched() -> None:
    """A minute went by, for an error of 0."""
    data = groups(60, 40, 8)
    found = auto(valued(data, np.full(len(data), 3)), budget=60, run=RUN, metrics="rmse")
    assert found.chosen.sentence == (
        f"bias was chosen: all {len(data):,} ratings are 3, so there is nothing to learn."
    )
    assert found.result is not None
    assert found.result["rmse"] == pytest.approx(0, abs=1e-6)


def test_an_error_of_ratings_needs_ratings() -> None:
    with pytest.raises(ArgumentError, match="rmse is an error of predicted ratings, and this data"):
        auto(groups(60, 40, 8), budget=60, run=RUN, metrics="rmse")


def test_values_without_any_above_0_are_said_to_be_so() -> None:
    data = groups(60, 40, 8)
    found = auto(valued(data, np.zeros(len(data))), budget=0.3, run=RUN)
    assert found.chosen.sentence.endswith("every interaction counts as liked here.")


@pytest.mark.parametrize("each", [2, 3, 4])
def test_short_histories_are_cut_over_all_interactions(each: int) -> None:
    # A tenth of four interactions, rounded, is none: per user nothing would be held out.
    found = auto(groups(120, 20, each), budget=0.5, run=RUN)
    assert found.result is not None
    assert "20 % of all interactions" in found.result.how.split


def test_labels_of_zero_and_negative_values_do_not_count_as_liked() -> None:
    data = groups()
    labels = np.random.default_rng(0).integers(0, 2, len(data))
    found = auto(valued(data, labels), budget=0.3, run=RUN)
    assert len(found.model.data) == labels.sum()
    assert "min_value=1" in found.chosen.sentence
    negative = auto(valued(data, 3 * labels - 1), budget=0.3, run=RUN)
    assert len(negative.model.data) == labels.sum()
    assert doubts(np.array([-2.0, 0, 0, 5]))[0].startswith("1 of 4 values are negative and 2 are 0")
    rated = auto(valued(data, labels), budget=0.3, run=RUN, metrics="rmse")
    assert len(rated.model.data) == len(data)


def test_values_that_do_not_matter_are_said_to_be_so() -> None:
    data = groups(80, 20, 10)
    plays = np.random.default_rng(0).integers(1, 900, len(data))
    data = valued(data, plays)
    said = f"Values ({plays.min()} to {plays.max()}) don't matter here"
    assert said in auto(data, budget=0.3, run=RUN).chosen.sentence
    for quiet in (valued(data, np.ones(len(data))), replace(data, values=None)):
        assert "Values" not in auto(quiet, budget=0.3, run=RUN).chosen.sentence
    assert "Values" not in auto(data, budget=0.3, run=RUN, metrics="rmse").chosen.sentence
    kept = Reading(min_value=5.0)
    assert "Values" not in auto(data, budget=0.3, run=RUN, reading=kept).chosen.sentence
