"""Experiments without a service: arms, the file, attribution by hand, results on simulations."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.service.experiments.attribution import attribute, outcomes, worth_of
from cofactor.service.experiments.experiment import (
    Arm,
    AttributionRules,
    Experiment,
    Experiments,
    parse_arms,
    parse_rewards,
)
from cofactor.service.experiments.logged import SHADOW
from cofactor.service.experiments.results import Results, results
from cofactor.service.versions.versions import Folder
from cofactor.store import (
    Event,
    Impression,
    Store,
    StoredEvent,
    StoredImpression,
    impression_line,
    open_store,
)

DAY = 86_400


def experiment(**given: Any) -> Experiment:
    arms = [Arm(version="v1", share=0.5), Arm(version="v2", share=0.5)]
    fields = {"name": "e", "kind": "ab", "arms": arms, "salt": "s", "started": 0, **given}
    return Experiment(**fields)


def test_arms_and_rewards_are_read() -> None:
    assert parse_arms("v3:50, v4~slots=0.1+new=0.05:12.5") == [
        Arm(version="v3", share=0.5),
        Arm(version="v4", share=0.125, explore="slots=0.1+new=0.05"),
    ]
    assert parse_rewards("click=1,purchase=5") == {"click": 1.0, "purchase": 5.0}
    for text in ("v3", "v3:50", "v3:60,v4:60", "v3:50,v3:50", "v3:0,v4:50", "v3~x:5,v4:5"):
        with pytest.raises(ArgumentError):
            parse_arms(text)
    for text in ("", "click", "click=x", "click=1,click=2"):
        with pytest.raises(ArgumentError, match="rewards must be like"):
            parse_rewards(text)


def test_users_stay_in_their_arm_and_arms_have_their_shares() -> None:
    one = experiment(arms=[Arm(version="v1", share=0.3), Arm(version="v2", share=0.5)])
    arms = [one.arm_of(f"user {n}") for n in range(20_000)]
    assert arms == [one.arm_of(f"user {n}") for n in range(20_000)]
    shares = {v: np.mean([a is not None and a.version == v for a in arms]) for v in ("v1", "v2")}
    assert shares["v1"] == pytest.approx(0.3, abs=0.015)
    assert shares["v2"] == pytest.approx(0.5, abs=0.015)
    # Another salt is another draw, independent of the first.
    other = experiment(salt="t")
    both = np.mean(
        [one.share_of(f"{n}") < 0.5 and other.share_of(f"{n}") < 0.5 for n in range(9999)]
    )
    assert both == pytest.approx(0.25, abs=0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    for version in ("v1", "v2"):
        (tmp_path / "models" / version).mkdir(parents=True)
        (tmp_path / "models" / version / "manifest.json").write_text("{}")
    return Folder(tmp_path / "models")


def test_the_file_keeps_experiments_one_running_at_a_time(folder: Folder) -> None:
    experiments, arms = Experiments(folder), parse_arms("v1:50,v2:50")
    assert experiments.all() == []
    begun = experiments.start("first", "ab", arms, AttributionRules())
    assert experiments.running() == [begun]
    with pytest.raises(ArgumentError, match="'first' is running"):
        experiments.start("second", "interleave", arms, AttributionRules())
    experiments.start("beside", "shadow", arms, AttributionRules())
    assert experiments.stop("first", "v2").rolled_out == "v2"
    assert [one.name for one in experiments.running()] == ["beside"]
    with pytest.raises(ArgumentError, match="already"):
        experiments.start("first", "ab", arms, AttributionRules())
    with pytest.raises(ArgumentError, match="has ended"):
        experiments.stop("first")
    with pytest.raises(ArgumentError, match="no version 'v9'"):
        experiments.start("third", "ab", parse_arms("v1:50,v9:50"), AttributionRules())
    with pytest.raises(ArgumentError, match="without exploration"):
        experiments.start(
            "third", "interleave", parse_arms("v1:50,v2~slots=0.1:50"), AttributionRules()
        )
    with pytest.raises(ArgumentError, match="there is no experiment 'none'"):
        experiments.get("none")


def shown(seq: int, time: int, items: str, **given: Any) -> StoredImpression:
    fields = {
        "seq": seq,
        "request_id": f"r{seq}",
        "user_id": "u",
        "version": "v1",
        "source": "personal",
        "items": tuple(items),
        "probabilities": (1.0,) * len(items),
        "experiment": "e",
        "arm": "v1",
        "time": time,
        **given,
    }
    return StoredImpression(**fields)


def event(seq: int, time: int, item: str, kind: str = "click", **given: Any) -> StoredEvent:
    return StoredEvent(
        **{
            "seq": seq,
            "event_id": str(seq),
            "user_id": "u",
            "item_id": item,
            "kind": kind,
            "value": None,
            "time": time,
            "received": time,
            **given,
        }
    )


def test_events_count_by_the_written_rules() -> None:
    rules = AttributionRules(rewards={"click": 1.0, "purchase": 5.0}, window=100)
    lists = [shown(1, 10, "ab"), shown(2, 50, "bc"), shown(3, 60, "ad", shown=False)]
    events = [
        event(1, 20, "b"),  # the first list's
        event(2, 55, "b"),  # the second's: the latest that holds it
        event(3, 56, "b"),  # again: counts once for a list, item and kind
        event(4, 57, "b", "purchase"),  # another kind
        event(5, 9, "a"),  # before it was shown
        event(6, 111, "a"),  # after the window; the shadow list, later, was never shown
        event(7, 70, "c", "skip"),  # worth nothing
        event(8, 71, "c", undone=80),
        event(9, 72, "z"),  # never shown
        event(10, 73, "c", user_id="other"),
    ]
    first, second = attribute(lists, events, rules)
    assert first.rewards == [0.0, 1.0]
    assert second.rewards == [6.0, 0.0]


def test_any_other_kind_counts_if_it_is_positive() -> None:
    rewards = {"*": 1.0, "purchase": 5.0}
    kinds = ("view", "purchase", "dislike", "impression")
    assert [worth_of(kind, rewards) for kind in kinds] == [1.0, 5.0, 0.0, 0.0]
    assert worth_of("view", {"click": 1.0}) == 0.0


def test_an_outcome_is_of_the_first_days_and_complete_after_them() -> None:
    rules = AttributionRules(rewards={"click": 1.0}, window=10, horizon=100)
    one = experiment(rules=rules)
    lists = [shown(1, 1_000, "a"), shown(2, 1_099, "b"), shown(3, 1_100, "c")]
    events = [event(1, 1_001, "a"), event(2, 1_105, "b"), event(3, 1_101, "c")]
    (found,) = outcomes(one, attribute(lists, events, rules))
    assert (found.reward, found.first, found.complete, found.arm) == (2.0, 1_000, 1_110, "v1")
    mixed = experiment(kind="interleave", rules=rules)
    lists = [shown(1, 1_000, "abc", item_arms=("v2", "v1", "v2"))]
    events = [event(n, 1_001, item) for n, item in enumerate("abc")]
    assert outcomes(mixed, attribute(lists, events, rules))[0].reward == 1.0


def simulated(store: Store, one: Experiment, rates: dict[str, float], n_users: int) -> Results:
    """Users who come evenly over ten days, get a list, and click by their arm's rate."""
    rng = np.random.default_rng(8)
    lists, events = [], []
    for n in range(n_users):
        user, time = f"user {n}", int(n / n_users * 10 * DAY)
        arm = one.arm_of(user)
        assert arm is not None
        lists.append(
            Impression(
                request_id=user,
                user_id=user,
                version=arm.version,
                source="personal" if arm.version == "v1" else "popularity",
                items=("a",),
                probabilities=(1.0,),
                experiment="e",
                arm=arm.name,
                ms=1.0 if arm.version == "v1" else 20.0,
                time=time,
            )
        )
        if rng.random() < rates[arm.version]:
            events.append(Event(user_id=user, item_id="a", kind="click", time=time + 5))
    store.log_impressions(lists).result()
    store.append(events).result()
    return results(one, store, 12 * DAY)


def test_results_find_the_better_arm_and_breached_guardrails(tmp_path: Path) -> None:
    one = experiment(rules=AttributionRules(window=3_600, horizon=DAY))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        found = simulated(store, one, {"v1": 0.2, "v2": 0.3}, 4_000)
    (comparison,) = found.comparisons
    assert comparison.verdict == "better"
    assert comparison.low is not None
    assert comparison.high is not None
    assert comparison.low < 0.1 < comparison.high
    assert sum(arm.users for arm in found.arms) == 4_000
    assert {rail.metric for rail in found.guardrails if rail.breached} == {
        "p99_ms",
        "fallback_share",
    }
    by_day = [day for day in found.days if day.arm == "v2 - v1"]
    assert len(by_day) >= 9
    assert [day.users for day in by_day] == sorted(day.users for day in by_day)


def test_users_whom_the_end_cut_short_do_not_count(tmp_path: Path) -> None:
    one = experiment(rules=AttributionRules(window=3_600, horizon=DAY))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        simulated(store, one, {"v1": 0.2, "v2": 0.3}, 2_000)
        ended = msgspec.structs.replace(one, ended=5 * DAY)
        found = results(ended, store, 30 * DAY)
    # They came evenly over ten days; those of the first four had their whole day.
    assert sum(arm.complete for arm in found.arms) == pytest.approx(800, abs=2)


def test_too_few_users_are_too_early(tmp_path: Path) -> None:
    one = experiment(rules=AttributionRules(window=3_600, horizon=DAY))
    with open_store(f"sqlite:///{tmp_path / 'e.db'}") as store:
        found = simulated(store, one, {"v1": 0.0, "v2": 1.0}, 150)
        assert [c.verdict for c in found.comparisons] == ["too_early"]
        assert found.arms[0].mean is None


@pytest.mark.parametrize("kind", ["ab", "interleave", "shadow"])
def test_results_take_memory_for_users_and_not_for_lists(tmp_path: Path, kind: str) -> None:
    """All lists were in memory together."""
    peaks = []
    for n_lists in (2_000, 10_000):
        with open_store(f"sqlite:///{tmp_path}/{n_lists}.db") as store:
            for start in range(0, n_lists, 1_000):
                lines = [impression_line(listed(n, kind)) for n in range(start, start + 1_000)]
                store.log_lines(lines).result()
            results(experiment(kind=kind), store, 12 * DAY)  # connections and their caches
            tracemalloc.start()
            found = results(experiment(kind=kind), store, 12 * DAY)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert sum(arm.lists for arm in found.arms) == n_lists * (2 if kind == "interleave" else 1)
        assert found.overlap == (0.5 if kind == "shadow" else None)
    assert peaks[1] < 2 * peaks[0]


def listed(n: int, kind: str) -> Impression:
    """Lists of a hundred users, every second one of the second arm; or of a shadow, which has half
    of the items of the one before.
    """
    arm, shadow = f"v{n % 2 + 1}", kind == "shadow" and n % 2
    first, step = (n - 1, 2) if shadow else (n, 1)
    items = tuple(f"item {(first + step * place) % 500}" for place in range(20))
    return Impression(
        request_id=f"r{n - 1}{SHADOW}" if shadow else f"r{n}",
        user_id=f"user {n % 100}",
        version=arm,
        source="personal",
        items=tuple(f"item {(n - 1 + 2 * place) % 500}" for place in range(20))
        if shadow
        else items,
        probabilities=(1.0,) * 20,
        experiment="e",
        arm=arm,
        item_arms=(arm,) * 20 if kind == "interleave" else None,
        shown=not shadow,
        time=n,
    )
