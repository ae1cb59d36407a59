"""Auto's budget: a clock that models move by what they take says whether it is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from tests.runs.test_auto import RUN, groups, only, parts_of

import cofactor
from cofactor.base.run import Run
from cofactor.cli.words import in_options
from cofactor.metrics.table import parse_metric
from cofactor.runs.auto import choose
from cofactor.runs.automatic import families, forecast, race, trials
from cofactor.runs.automatic.forecast import Forecast
from cofactor.runs.automatic.race import Race
from cofactor.runs.automatic.trials import Allowance, FitTooLong, Limited


def test_compiling_costs_nothing_up_to_as_much_as_the_budget() -> None:
    """On a new machine it may take half a minute, and the choice should be the same."""
    seconds = iter([0.0, 12.0, 12.0, 30.0])
    one = Allowance(10, lambda: next(seconds))
    one.extra = 9.0
    assert one.used == 3.0
    assert one.left == 7.0
    one.extra = 25.0
    assert one.used == 20.0


def test_a_fit_is_not_ended_for_the_kernels_that_it_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a new machine a fit that compiled for longer than fits may take was left out."""
    at, compiled = [0.0], [0.0]
    now = lambda: at[0]  # noqa: E731

    @contextmanager
    def timed() -> Iterator[Callable[[], float]]:
        yield lambda: compiled[0]

    monkeypatch.setattr("cofactor.kernels.cpu.jit.compilation_timed", timed)
    clocks = SimpleNamespace(perf_counter=now, monotonic=now, process_time=now)
    monkeypatch.setattr(trials, "time", clocks)
    one = Allowance(60, now)
    limited = Limited(one, 5)
    with one.without_compiling() as taken:
        at[0] += 1
        limited.advance()
        at[0] += 8
        compiled[0] = 7.0
        limited.advance()
    assert (taken(), one.used) == (2.0, 2.0)
    at[0] += 6
    with pytest.raises(FitTooLong):
        limited.advance()


@pytest.mark.parametrize(("compiled", "epochs"), [(0.0, [2, 8]), (1e-9, [2, 2, 8, 8])])
def test_a_training_is_timed_by_two_fits_only_where_the_first_compiles(
    compiled: float, epochs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, data, trained = Clock(), groups(40, 40), []
    real = cofactor.BPR._fit

    def slow(self: Any, data: Any, validation: Any, run: Run) -> None:
        trained.append(self.config.epochs)
        clock.at += 0.5
        real(self, data, validation, run)

    @contextmanager
    def timed() -> Iterator[Callable[[], float]]:
        yield lambda: compiled

    monkeypatch.setattr("cofactor.kernels.cpu.jit.compilation_timed", timed)
    monkeypatch.setattr(trials, "_LOOK_EVERY", 1e9)  # the clock goes on when it is read
    monkeypatch.setattr(cofactor.BPR, "_fit", slow)
    only(monkeypatch, "popularity", "bpr")
    found = choose(data, parts_of(data), budget=30, run=RUN, now=clock)
    assert trained[: len(epochs) + 1] == [*epochs, cofactor.BPR.Config().epochs], found.sentence


def test_a_network_is_timed_by_its_second_fit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one imports PyTorch."""
    took = iter([9.0, 1.0, 4.0])
    monkeypatch.setattr(Forecast, "_timed", lambda *_: next(took))
    one = Forecast(parts_of(groups(40, 20)), Allowance(60, Clock()), RUN)
    network = next(family for family in families.FAMILIES if family.network)
    data = one.parts.train
    assert [one._seconds(network, {}, data, RUN) for _ in range(2)] == [1.0, 4.0]
    assert one.allowance.extra == 9.0


class Clock:
    """A clock that goes on by a little whenever it is read, and by what models are made to take."""

    def __init__(self, step: float = 0.5) -> None:
        self.at, self.step = 0.0, step

    def __call__(self) -> float:
        self.at += self.step
        return self.at


def slow_fits(monkeypatch: pytest.MonkeyPatch, clock: Clock, name: str, seconds: float) -> None:
    """Make each fit of a class take some seconds."""
    kind = getattr(cofactor, name)
    real = kind._fit

    def slow(self: Any, *given: Any) -> None:
        clock.at += seconds
        real(self, *given)

    monkeypatch.setattr(kind, "_fit", slow)


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

    monkeypatch.setattr(forecast, "_PILOT", 100)
    monkeypatch.setattr(cofactor.ItemKNN, "_fit", slow)
    only(monkeypatch, "popularity", "item_knn", "graph_filter")
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert "item_knn (a fit takes too long for the budget)" in found.sentence
    assert max(fitted) < 200 < len(data)
    assert clock.at < 75


def test_time_for_the_fits_after_the_search_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data = Clock(0.1), groups(80, 40)
    only(monkeypatch, "popularity", "item_knn")
    slow_fits(monkeypatch, clock, "ItemKNN", 5.0)
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


# The class whose fits are slow, their seconds -> what is said, and of which families.
SHORT: dict[str, tuple[str, float, str, str]] = {
    "nothing but the baseline": (
        "Popularity",
        200.0,
        "The choice is worth little: in 60 s nothing but popularity could be tried.",
        "item_knn, graph_filter (no time was left)",
    ),
    "few of the families": (
        "ItemKNN",
        200.0,
        "The choice is worth little: in 60 s only 2 of 4 models could be tried.",
        "graph_filter, bpr (no time was left)",
    ),
    "the defaults alone": (
        "GraphFilter",
        50.0,
        "In 60 s there was time for the models' default settings only.",
        "",
    ),
    "all of it": ("GraphFilter", 0.0, "", ""),
}


@pytest.mark.parametrize("case", SHORT)
def test_what_the_budget_was_too_short_for_is_said(
    case: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, data = Clock(), groups(80, 40)
    name, seconds, said, left_out = SHORT[case]
    monkeypatch.setattr(trials, "_LOOK_EVERY", 1e9)  # no fit is ended, however busy the machine is
    more = ("bpr",) if name == "ItemKNN" else ()
    only(monkeypatch, "popularity", "item_knn", "graph_filter", *more)
    slow_fits(monkeypatch, clock, name, seconds)
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    cure = " Give it more time (budget=120)." if said else ""
    assert found.warning == said + cure == found.to_dict()["warning"]
    assert found.sentence.startswith(found.warning)
    assert caplog.messages == ([found.warning] if said else [])
    assert f"Left out: {left_out}." in found.sentence or not left_out


def test_the_cure_is_an_option_on_the_command_line() -> None:
    assert in_options("Give it more time (budget=120).") == "Give it more time (--budget 2m)."
    assert in_options("like slots=0.1, with +budget=100") == "like slots=0.1, with +budget=100"


def test_a_first_training_that_was_shortened_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, data = Clock(), groups(80, 40)
    only(monkeypatch, "popularity", "bpr")
    real = cofactor.BPR._fit

    def slow(self: Any, data: Any, validation: Any, run: Run) -> None:
        clock.at += 0.25 * self.config.epochs
        real(self, data, validation, run)

    monkeypatch.setattr(cofactor.BPR, "_fit", slow)
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert "Tried with less than the defaults, for lack of time: bpr." in found.sentence


def test_a_training_is_not_timed_by_one_that_is_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the eight epochs of ials, eight were tried first to know how long they take."""
    timed = []

    def seconds(_: Any, family: Any, settings: Any, *__: Any) -> float:
        timed.append(settings["epochs"])
        return 1.25 * settings["epochs"]

    monkeypatch.setattr(Forecast, "_seconds", seconds)
    one = Forecast(parts_of(groups(80, 40)), Allowance(60, Clock()), RUN)
    by_name = {family.name: family for family in families.FAMILIES}
    assert one.first_settings(by_name["ials"], {}, RUN) == {}
    assert timed == []
    monkeypatch.setattr(forecast, "_PILOT", 100)  # the more data, the more an epoch takes
    assert one.first_settings(by_name["ials"], {}, RUN) == {"epochs": 5}  # 7.2 s
    assert timed == [2]
    assert one.first_settings(by_name["bpr"], {}, RUN) is None
    assert timed == [2, 2, 8]


def test_what_takes_too_long_is_tried_with_its_quick_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`ials`, which often is the best, was left out of short searches."""
    clock, data = Clock(), groups(80, 40)
    only(monkeypatch, "popularity", "ials")
    monkeypatch.setattr(forecast, "_PILOT", 100)
    real = cofactor.IALS._fit

    def slow(self: Any, data: Any, validation: Any, run: Run) -> None:
        clock.at += 0.1 if self.config.factors == 16 else 10.0
        real(self, data, validation, run)

    monkeypatch.setattr(trials, "_LOOK_EVERY", 1e9)  # the clock goes on when it is read
    monkeypatch.setattr(cofactor.IALS, "_fit", slow)
    found = choose(data, parts_of(data), budget=60, run=RUN, now=clock)
    assert found.model == "ials"
    assert found.config.factors == 16


def test_what_is_too_long_for_one_round_waits_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was dropped, whatever time was left after that round."""
    only(monkeypatch, "popularity", "item_knn")
    real, refused = Race._affordable, []

    def affordable(self: Race, lane: Any, settings: Any, until: float) -> bool:
        if settings == {"weighting": "bm25"} and until < 0.6 * self.allowance.seconds:
            refused.append(until)
            return False
        return real(self, lane, settings, until)

    monkeypatch.setattr(Race, "_affordable", affordable)
    allowance = Allowance(60, Clock())
    one = Race(parts_of(groups(80, 40)), parse_metric("ndcg@10"), allowance, RUN)
    one.go()
    tried = [attempt.settings for lane in one.lanes for attempt in lane.attempts]
    assert len(refused) == 1
    assert tried.count({"weighting": "bm25"}) == 1


def test_a_busy_machine_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, cpu = iter([100.0, 100.0, 110.0]), iter([7.0, 10.5])
    clocks = SimpleNamespace(monotonic=lambda: next(wall), process_time=lambda: next(cpu))
    monkeypatch.setattr(trials, "time", clocks)
    one = Allowance(60, clocks.monotonic)
    assert one.busy_share == 0.35


def test_the_time_that_has_passed_and_the_best_so_far_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[int, Any]] = []
    bar = SimpleNamespace(advance=lambda steps, **facts: shown.append((steps, facts["best"])))
    progress: Any = SimpleNamespace(task=lambda *_: nullcontext(bar), say=lambda _: None)
    only(monkeypatch, "popularity", "item_knn")
    data, run = groups(80, 40), replace(RUN, progress=progress)
    found = choose(data, parts_of(data), budget=60, run=run, now=Clock())
    assert shown[0][1].startswith("popularity 0.")
    assert shown[-1][1].startswith("item_knn 0.")
    assert 20 < sum(steps for steps, _ in shown) <= found.seconds
