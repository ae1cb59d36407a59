"""What auto says of its choice: plain sentences, each of them once and true."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.runs.test_auto import RUN, groups, nothing_compiled, only, parts_of, ticking

from cofactor.metrics.table import parse_metric
from cofactor.runs.auto import choose
from cofactor.runs.automatic import race, wording
from cofactor.runs.automatic.prior import usually_better
from cofactor.runs.automatic.race import Race
from cofactor.runs.automatic.trials import Allowance
from cofactor.runs.words import listed

METRIC = parse_metric("ndcg@10")


@pytest.fixture(autouse=True)
def _kept_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cofactor.kernels.cpu.jit.compilation_timed", nothing_compiled)


def raced(budget: float = 6) -> Race:
    one = Race(parts_of(groups(60, 40)), METRIC, Allowance(budget, ticking()), RUN)
    one.go()
    return one


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(list("abc")[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


def test_a_baseline_that_is_ahead_by_chance_is_said_to_be_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was said twice: that nothing shows the choice is better, and that nothing shows the
    baseline is.
    """
    only(monkeypatch, "popularity", "item_knn")
    monkeypatch.setattr(race, "wisest", lambda found, *_, **__: found[0])
    monkeypatch.setattr(race.Race, "best", property(lambda one: one.lanes[0].best()))
    found = choose(groups(60, 40), parts_of(groups(60, 40)), budget=6, run=RUN, now=ticking())
    assert found.model == "item_knn"
    assert found.sentence.count("popularity reaches") == 1
    assert "users can't show that it is better than item_knn" in found.sentence


def test_only_what_usually_is_better_is_said_to_be_so() -> None:
    given = {"rates": False, "new_items": False}
    assert usually_better("ials", "bpr", **given)
    assert usually_better("ials", "popularity", **given)
    assert not usually_better("popularity", "bpr", **given)
    assert not usually_better("bpr", "ials", **given)


def test_the_time_for_compiling_is_said_where_it_took_much_of_the_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only(monkeypatch, "popularity", "item_knn")
    one = raced()
    assert "ompiling" not in wording.paragraph(one, None, METRIC)
    one.allowance.compiled = 4.0
    assert "Compiling kernels, once on a machine, took 4.0 s of that." in wording.paragraph(
        one, None, METRIC
    )


def test_what_was_not_tried_is_said_by_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "popularity", "transitions", "session_knn", "content_ridge", "bias")
    said = wording.paragraph(raced(), None, METRIC)
    assert "transitions, session_knn (for interactions with times)" in said
    assert "content_ridge (for items with a catalogue)" in said
    assert "bias" not in said
    assert "1 setting of 1 model was tried in" in said


def test_a_budget_that_went_into_compiling_is_worth_another_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    only(monkeypatch, "popularity", "item_knn")
    one = raced()
    for lane in one.lanes[1:]:
        lane.attempts, lane.dropped = [], "no time was left"
    assert "could be tried. Give it more time (budget=120)." in wording.warning(one)
    one.allowance.compiled = 7.0
    assert wording.warning(one).endswith(
        "could be tried, since kernels had to be compiled, once on a machine. Try again, or give it"
        " more time (budget=120)."
    )


def test_a_baseline_whose_users_have_smaller_errors_is_said_to_be_better() -> None:
    """It was said that nothing shows the choice is better (p < 1e-16)."""
    worse = np.random.default_rng(0).normal(0.1, 0.1, 400)  # of users' errors
    best: Any = SimpleNamespace(less=lambda *_: worse, family=SimpleNamespace(name="svdpp"))
    said = wording._doubt(best, best, parse_metric("rmse"))
    assert said.startswith("; in the mean over users it is better than svdpp (p ")
    worse -= 0.2
    assert wording._doubt(best, best, parse_metric("rmse")) == ""
    worse += 0.1
    assert "nothing shows that svdpp is better" in wording._doubt(best, best, parse_metric("rmse"))
