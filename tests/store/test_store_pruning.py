"""Retention of impressions: old ones go, a step at a time; counters, erasure and backups agree."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cofactor.base.errors import ArgumentError
from cofactor.cli.main import main
from cofactor.store import Event, Impression, Retention, Store, open_store, prune_impressions
from cofactor.store.pruning import ahead, latest_moment
from cofactor.store.records import StoreSettings

DAY = 86_400
NOW = 1_000 * DAY


@pytest.fixture
def store(store_url: str, opened: Callable[..., Store]) -> Store:
    return opened(store_url, settings=StoreSettings(now=lambda: NOW))


def log(store: Store, count: int, age: int, name: str = "r", **given: Any) -> None:
    lists = [
        Impression(
            request_id=f"{name}{n}",
            user_id=f"u{n % 3}",
            version="v1",
            source="personal",
            items=("a", "b"),
            probabilities=(1.0, 1.0),
            time=NOW - age,
            **given,
        )
        for n in range(count)
    ]
    store.log_impressions(lists).result()


def left(store: Store) -> dict[str, int]:
    """How many lists are left by the first letter of their ids; the counter must agree."""
    names = [one.request_id[0] for one in store.impressions()]
    assert store.counts().impressions == len(names)
    return {name: names.count(name) for name in dict.fromkeys(names)}


def test_what_is_too_old_goes_in_bounded_steps(store: Store) -> None:
    log(store, 450, 100, "o")
    log(store, 30, 10, "y")
    steps = list(prune_impressions(store, Retention(seconds=50)))
    assert sum(steps) == 450
    assert max(steps) <= 200
    assert left(store) == {"y": 30}
    assert list(prune_impressions(store, Retention(seconds=50))) == []


def test_the_oldest_go_beyond_a_number(store: Store) -> None:
    log(store, 30, 10, "a")
    log(store, 30, 10, "b")
    assert sum(prune_impressions(store, Retention(most=40))) == 20
    assert left(store) == {"a": 10, "b": 30}
    assert sum(prune_impressions(store, Retention(most=40))) == 0
    assert sum(prune_impressions(store, Retention(seconds=5, most=40))) == 40


def test_lists_of_experiments_that_run_stay(store: Store) -> None:
    log(store, 220, 100, "r", experiment="runs", arm="x")
    log(store, 30, 100, "e", experiment="ended", arm="x")
    log(store, 30, 100, "o")
    assert sum(prune_impressions(store, Retention(seconds=50), {"runs"})) == 60
    assert left(store) == {"r": 220}


def test_a_late_list_of_another_time_does_not_stop_pruning(store: Store) -> None:
    log(store, 1, -10_000, "f")  # dated ahead
    log(store, 30, 100, "o")
    assert sum(prune_impressions(store, Retention(seconds=50))) == 30
    assert left(store) == {"f": 1}


def test_a_clock_that_is_years_ahead_does_not_delete_everything(
    store_url: str, opened: Callable[..., Store]
) -> None:
    now = [NOW]
    store = opened(store_url, settings=StoreSettings(now=lambda: now[0]))
    log(store, 5, 70 * DAY, "o")
    log(store, 5, 10 * DAY, "y")
    store.append([Event(user_id=1, item_id="a")]).result()
    assert latest_moment(store) == NOW  # the event's arrival
    now[0] += 3_000 * DAY
    # Ages are counted from 30 days after it.
    assert ahead(store) == 2_970 * DAY
    assert sum(prune_impressions(store, Retention(seconds=90 * DAY))) == 5
    assert left(store) == {"y": 5}
    # What was stored with that clock says that it may be right, but to whoever knew the store.
    store.append([Event(user_id=1, item_id="b")]).result()
    assert sum(prune_impressions(store, Retention(seconds=90 * DAY), latest=NOW)) == 0
    assert ahead(store) == 0
    assert sum(prune_impressions(store, Retention(seconds=90 * DAY))) == 5


def test_a_number_of_lists_is_kept_whatever_the_clock_says(
    store_url: str, opened: Callable[..., Store]
) -> None:
    now = [NOW]
    store = opened(store_url, settings=StoreSettings(now=lambda: now[0]))
    assert latest_moment(store) is None
    assert ahead(store) == 0
    log(store, 5, 10, "o")
    now[0] += 3_000 * DAY
    assert sum(prune_impressions(store, Retention(most=3))) == 2


def test_erasure_and_events_are_as_without_pruning(store: Store) -> None:
    store.append([Event(user_id="u1", item_id="a")]).result()
    log(store, 9, 100, "o")
    log(store, 9, 1, "y")
    assert sum(prune_impressions(store, Retention(seconds=50))) == 9
    store.erase_user("u1").result()
    assert left(store) == {"y": 6}
    assert store.user_impressions("u1") == []
    assert store.counts().events == 0
    # An id that went is free again, as an erased event's is.
    log(store, 1, 1, "o")
    assert left(store) == {"y": 6, "o": 1}


@pytest.mark.parametrize(
    ("given", "message"), [({"seconds": 0}, "seconds must be"), ({"most": 0}, "most must be")]
)
def test_a_retention_that_keeps_nothing_is_refused(given: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Retention(**given)


def test_the_command_prunes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url, settings=StoreSettings(now=lambda: NOW)) as store:
        log(store, 30, 100)
    words = ["events", "prune", url, "--json"]
    assert main([*words, "--max-impressions", "20"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "command": "events",
        "action": "prune",
        "deleted": 10,
        "kept": 20,
    }
    assert main(["events", "prune", url, "--keep-impressions", "90d"]) == 0
    shown = capsys.readouterr().out
    assert "0 impressions deleted, 20 kept" in shown
    assert "days ahead of what was stored last: ages are counted from 30 days after" in shown
    with open_store(url) as store:
        store.append([Event(user_id="u", item_id="a")]).result()
    assert main([*words, "--keep-impressions", "90d"]) == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 0  # of 1972
    assert main(["events", "prune", url]) == 2
    assert main(["events", "stats", url, "--max-impressions", "2"]) == 2
    assert main([*words, "--keep-impressions", "soon"]) == 1
    assert "--keep-impressions must be a number with a unit" in capsys.readouterr().err
