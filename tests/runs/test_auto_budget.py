"""Auto's budget: a clock that models move by what they take says whether it is kept."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from tests.runs.test_auto import RUN, groups, parts_of

import cofactor
from cofactor.base.run import Run
from cofactor.runs.auto import choose
from cofactor.runs.automatic import families, race, trials
from cofactor.runs.automatic.trials import Allowance


def test_compiling_costs_nothing_up_to_half_of_the_budget() -> None:
    seconds = iter([0.0, 7.0, 7.0, 30.0])
    one = Allowance(10, lambda: next(seconds))
    one.extra = 5.0
    assert one.used == 2.0
    assert one.left == 8.0
    one.extra = 25.0
    assert one.used == 25.0


class Clock:
    """A clock that goes on by a little whenever it is read, and by what models are made to take."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        self.at += 0.5
        return self.at


def only(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(race, "FAMILIES", [f for f in families.FAMILIES if f.name in names])


def test_a_fit_that_never_ends_is_stopped_and_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data = Clock(), groups()

    def endless(self: Any, data: Any, validation: Any, run: Run) -> None:
        with run.progress.task("endless", None) as task:
            for _ in range(10_000):
                clock.at += 1.0
                task.advance()

    monkeypatch.setattr(trials, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(cofactor.GraphFilter, "_fit", endless)
    only(monkeypatch, "popularity", "item_knn", "graph_filter")
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert "graph_filter (a fit takes too long for the budget)" in found.sentence
    assert found.value is not None
    assert clock.at < 66


def test_the_budget_ends_a_fit_wherever_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data, real = Clock(), groups(), cofactor.GraphFilter._fit
    fits = count()

    def slower(self: Any, data: Any, validation: Any, run: Run) -> None:
        with run.progress.task("slower each time", None) as task:
            for _ in range(10 ** min(next(fits), 4)):
                clock.at += 0.5
                task.advance()
        real(self, data, validation, run)

    monkeypatch.setattr(trials, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(race, "_LATER_SHARE", 9.0)
    for name in ("GraphFilter", "ItemKNN", "EASE"):
        monkeypatch.setattr(getattr(cofactor, name), "_fit", slower)
    assert choose(data, parts_of(data), budget=60, run=RUN, now=clock).value is not None
    assert clock.at < 70


def test_a_fit_that_cannot_be_ended_is_timed_on_some_users_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, data, fitted = Clock(), groups(), []
    real = cofactor.ItemKNN._fit

    def slow(self: Any, data: Any, validation: Any, run: Run) -> None:
        fitted.append(len(data))
        clock.at += 0.05 * len(data)
        real(self, data, validation, run)

    monkeypatch.setattr(race, "_PILOT", 100)
    monkeypatch.setattr(cofactor.ItemKNN, "_fit", slow)
    only(monkeypatch, "popularity", "item_knn", "graph_filter")
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert "item_knn (a fit takes too long for the budget)" in found.sentence
    assert max(fitted) < 200 < len(data)
    assert clock.at < 75


def test_time_for_the_fits_after_the_search_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data = Clock(), groups()
    real = cofactor.ItemKNN._fit

    def slow(self: Any, *given: Any) -> None:
        clock.at += 5.0
        real(self, *given)

    only(monkeypatch, "popularity", "item_knn")
    monkeypatch.setattr(cofactor.ItemKNN, "_fit", slow)
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert found.model == "item_knn"
    for _ in range(2):
        found.create().fit(data, run=RUN)
    assert clock.at < 60


def test_a_budget_that_nothing_keeps_gives_the_baseline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one fit took longer than the whole budget, no model was chosen, without a reason."""
    clock, data, real = Clock(), groups(), cofactor.Popularity._fit

    def slow(self: Any, data: Any, validation: Any, run: Run) -> None:
        with run.progress.task("slow", None) as task:
            clock.at += 100.0
            task.advance()
        real(self, data, validation, run)

    monkeypatch.setattr(trials, "_LOOK_EVERY", 0.0)
    monkeypatch.setattr(cofactor.Popularity, "_fit", slow)
    only(monkeypatch, "popularity", "item_knn")
    found = choose(data, parts_of(data), budget=4, run=RUN, now=clock)
    assert found.model == "popularity"
    assert "item_knn (no time was left)" in found.sentence
