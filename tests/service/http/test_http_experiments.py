"""Experiments in a running service: who gets what, what is logged, and what happens on a broken
disk.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.models.recommender import Recommender
from cofactor.service.experiments import impression_log
from cofactor.service.experiments.experiment import AttributionRules, Experiments, parse_arms
from cofactor.service.experiments.results import results
from cofactor.service.settings import Settings
from cofactor.service.versions.versions import Folder
from cofactor.store import StoreUnavailableError
from service.http.scenes import CALM, Start, TestClient, ids_of, in_loop, until

USERS = [f"reader-{n:02d}" for n in range(1, 61)]


def begin(client: TestClient, folder: Path, kind: str, arms: str, name: str = "e") -> Any:
    """Start an experiment and wait until the service has noticed."""
    one = Experiments(Folder(folder)).start(
        name, kind, parse_arms(arms), AttributionRules(horizon=3_600)
    )
    traffic = client.app.state.context.traffic  # type: ignore[attr-defined]
    deadline = time.monotonic() + 300
    while one not in (traffic.live, traffic.shadow):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return one


def logged(client: TestClient) -> list[Any]:
    context = client.app.state.context  # type: ignore[attr-defined]
    assert client.portal is not None
    assert client.portal.call(context.traffic.flush)
    return list(context.store.impressions())


def recommended(client: TestClient, user: str, k: int = 5) -> Any:
    answer = client.get(f"/v1/users/{user}/recommendations?k={k}&reasons=0")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_users_get_their_arm_and_each_list_is_logged(service: TestClient, folder: Path) -> None:
    one = begin(service, folder, "ab", "v1:40,v3:40")
    versions = Counter()
    for user in USERS:
        answer, arm = recommended(service, user), one.arm_of(user)
        assert answer["model"]["version"] == (arm.version if arm else "v1")
        assert answer.get("arm") == (arm.name if arm else None)
        assert ("request_id" in answer) == (arm is not None)
        versions[arm and arm.version] += 1
    assert min(versions.values()) > 3
    shown = logged(service)
    assert len(shown) == versions["v1"] + versions["v3"]
    first = shown[0]
    answer = recommended(service, first.user_id)
    assert first.items == tuple(item["item_id"] for item in answer["items"])
    assert first.probabilities == (1.0,) * 5
    assert first.ms > 0
    # A version of the caller's own choice, and a posted history, are no part of it.
    plain = service.get(f"/v1/users/{first.user_id}/recommendations?version=v2").json()
    assert "arm" not in plain
    assert "request_id" not in plain
    found = service.get("/v1/experiments").json()
    assert [arm["lists"] > 0 for arm in found["results"]["arms"]] == [True, True]
    assert "salt" not in found["experiments"][0]
    assert service.get("/v1/experiments?name=none").status_code == 404


def test_the_end_of_an_experiment_is_noticed(service: TestClient, folder: Path) -> None:
    begin(service, folder, "ab", "v1:50,v3:50")
    Experiments(Folder(folder)).stop("e")
    deadline = time.monotonic() + 300
    while service.app.state.context.traffic.live is not None:  # type: ignore[attr-defined]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert {recommended(service, user)["model"]["version"] for user in USERS[:20]} == {"v1"}
    assert logged(service) == []


def test_interleaved_lists_hold_both_arms_items(
    service: TestClient, folder: Path, fitted: dict[str, Recommender]
) -> None:
    begin(service, folder, "interleave", "v1:50,v3:50")
    for user in USERS[:15]:
        answer = recommended(service, user, 6)
        ids = [item["item_id"] for item in answer["items"]]
        shown = logged(service)[-1]
        assert (tuple(ids), len(set(ids)), answer["arm"]) == (shown.items, 6, "interleaved")
        assert Counter(shown.item_arms) == {"v1": 3, "v3": 3}
        best = {v: fitted[v].recommend(user, k=6).ids for v in ("v1", "v3")}
        assert all(item in best[arm] for item, arm in zip(ids, shown.item_arms, strict=True))


def test_a_shadow_answers_unseen(service: TestClient, folder: Path) -> None:
    begin(service, folder, "shadow", "v1:50,v3:50")
    for user in USERS[:10]:
        assert recommended(service, user)["model"]["version"] == "v1"
    deadline = time.monotonic() + 300
    while sum(not one.shown for one in logged(service)) < 10:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    results = service.get("/v1/experiments").json()["results"]
    assert 0 < results["overlap"] < 1
    assert [(arm["arm"], arm["lists"]) for arm in results["arms"]] == [("v1", 10), ("v3", 10)]


def test_a_shadow_beside_a_test_is_compared_with_what_the_test_showed(
    service: TestClient, folder: Path
) -> None:
    begin(service, folder, "ab", "v1:50,v2:50", "test")
    begin(service, folder, "shadow", "v1:50,v3:50")
    answers = [recommended(service, user) for user in USERS[:12]]
    deadline = time.monotonic() + 300
    while sum(not one.shown for one in logged(service)) < 12:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    control = sum(one["model"]["version"] == "v1" for one in answers)
    results = service.get("/v1/experiments").json()["results"]
    assert 0 < results["overlap"] < 1
    lists = [(arm["arm"], arm["lists"]) for arm in results["arms"]]
    assert lists == [("v1", control), ("v3", 12)]
    assert 0 < control < 12


@pytest.mark.parametrize("explore", ["slots=0.5", "softmax=0.5", "slots=0.2+new=0.2"])
def test_explored_lists_carry_their_probabilities(start: Start, explore: str) -> None:
    client = start(Settings(**CALM, explore=explore))
    usual = recommended(client, USERS[0])
    for _ in range(5):
        answer = recommended(client, USERS[0])
        shown = logged(client)[-1]
        assert shown.request_id == answer["request_id"]
        assert shown.probabilities == tuple(item["probability"] for item in answer["items"])
        assert len(set(shown.items)) == 5
        assert all(0 < p <= 1 for p in shown.probabilities)
    # A third of the lists have no drawn item at the least; twenty more in a row never do.
    first = shown.items
    others = (recommended(client, USERS[0]) and logged(client)[-1].items for _ in range(20))
    assert any(items != first for items in others)
    assert usual["source"] == "personal"
    # Who is unknown gets popular items, drawn in the same way.
    assert recommended(client, "unknown")["source"] == "popularity"
    assert min(logged(client)[-1].probabilities) < 1


def test_thompson_needs_a_posterior_and_says_so_before_users_come(
    start: Start, folder: Path
) -> None:
    """The service and the experiment began, and then every user of theirs got a 409."""
    with pytest.raises(ArgumentError, match="v1 is a model of ials, which has no posterior"):
        start(Settings(**CALM, explore="thompson"))
    with pytest.raises(ArgumentError, match="v3 is a model of ease, which has no posterior"):
        Experiments(Folder(folder)).start(
            "t", "ab", parse_arms("v1:50,v3~thompson:50"), AttributionRules()
        )


def test_new_items_are_shown_until_their_budget_is_spent(
    start: Start, folder: Path, fitted: dict[str, Recommender]
) -> None:
    import numpy as np

    from cofactor.artifact.save import save
    from cofactor.data.interactions import Interactions
    from cofactor.models import registry

    data = fitted["v1"].data
    kept = data.item_rows != 7
    # An item that is in the catalogue and that nobody had.
    cold = Interactions.from_rows(
        data.user_rows[kept],
        data.item_rows[kept],
        data.values[kept],
        data.times[kept],
        users=data.users,
        items=data.items,
    )
    save(registry.create("ials", factors=8, regularization=0.01).fit(cold), folder / "cold")
    Folder(folder).promote("cold")
    new = str(data.items.ids(np.array([7]))[0])
    client = start(Settings(**CALM, explore="slots=0+new=0.3+budget=6+pool=10"))
    context = client.app.state.context  # type: ignore[attr-defined]
    for n in range(60):
        recommended(client, USERS[n % 60])
        for explorer in context.traffic._explorers.values():
            explorer._fresh.clear()  # rather than wait a second
    shown = sum(new in one.items for one in logged(client))
    assert shown == 6


def test_a_store_that_fails_takes_no_answers_along(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impression_log, "_PATIENCE", 60.0)  # in which a slow disk has written it
    client = start(Settings(**CALM, log_impressions=True, durable_impressions=True))
    assert "request_id" in recommended(client, USERS[0])
    store = client.app.state.context.store  # type: ignore[attr-defined]
    failing: Future[Any] = Future()
    failing.set_exception(StoreUnavailableError("the disk is full."))
    monkeypatch.setattr(store, "log_impressions", lambda _: failing)
    assert "request_id" not in recommended(client, USERS[0])
    monkeypatch.setattr(impression_log, "_PATIENCE", 0.1)
    monkeypatch.setattr(store, "log_impressions", lambda _: Future())  # a disk that never answers
    assert "request_id" not in recommended(client, USERS[0])
    assert 'outcome="unlogged"} 2.0' in client.get("/metrics").text


def test_erasing_and_exporting_a_user_covers_what_was_shown(start: Start) -> None:
    client = start(Settings(**CALM, log_impressions=True))
    shown = ids_of(client.get(f"/v1/users/{USERS[0]}/recommendations?k=3"))
    export = client.get(f"/v1/users/{USERS[0]}/export").json()
    assert [list(one["items"]) for one in export["impressions"]] == [shown]
    client.delete(f"/v1/users/{USERS[0]}")
    assert logged(client) == []


def test_thompson_sampling_draws_by_the_posterior(
    start: Start, folder: Path, fitted: dict[str, Recommender]
) -> None:
    from cofactor.artifact.save import save
    from cofactor.base.run import Run
    from cofactor.models import registry

    model = registry.create("bayesian_mf", factors=3, sweeps=20, burn_in=5, samples=10)
    save(model.fit(fitted["v1"].data, run=Run(threads=1)), folder / "bayes")
    Folder(folder).promote("bayes")
    client = start(Settings(**CALM, explore="thompson"))
    for user in USERS[:8]:
        assert recommended(client, user)["source"] == "personal"
    chances = [p for one in logged(client) for p in one.probabilities]
    # Each is a number of the ten draws.
    assert all(abs(p * 10 - round(p * 10)) < 1e-9 for p in chances)
    assert 0 < min(chances) < 1
    assert len({one.items for one in logged(client)}) == 8
    # A version without a posterior that is promoted later shows its ranking.
    assert (
        client.post("/v1/model/promote", json={"version": "v1", "force": True}).status_code == 200
    )
    plain = recommended(client, USERS[0])
    assert (plain["source"], plain["items"][0]["probability"]) == ("personal", 1.0)


def test_results_are_computed_once_for_all_who_ask_meanwhile(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each request computed its own, in both threads that searches and exports have."""
    from cofactor.service.http.handlers import experiments

    go_on, began = threading.Event(), []

    def slowly(one: Any, *given: Any) -> Any:
        began.append(one.name)
        assert go_on.wait(300)
        return results(one, *given)

    monkeypatch.setattr(experiments, "results", slowly)
    for name in ("first", "second"):
        arms = parse_arms("v1:50,v3:50")
        Experiments(Folder(folder)).start(name, "ab", arms, AttributionRules(horizon=3_600))
        Experiments(Folder(folder)).stop(name)

    async def play(client: httpx.AsyncClient, context: Any) -> None:
        names = ["first"] * 3 + ["second"] * 2
        asked = [asyncio.create_task(client.get(f"/v1/experiments?name={name}")) for name in names]
        await until(lambda: len(context.results) == 2)
        assert (await client.get("/v1/search?q=a")).status_code == 200  # there is a thread left
        asked[0].cancel()  # whoever began it and has gone takes it from nobody
        assert began == ["first"]
        go_on.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        found = [one.json()["results"]["name"] for one in answers[1:]]  # type: ignore[union-attr]
        assert (found, began) == (names[1:], ["first", "second"])

    in_loop(folder, events, Settings(**CALM), play)


@pytest.mark.parametrize(("times", "computed"), [(1e9, 1), (0.0, 2)])
def test_results_that_took_long_are_shown_longer(
    start: Start,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    times: float,
    computed: int,
) -> None:
    """Whoever asked for one after the other kept the thread that computes them busy."""
    from cofactor.service.http.handlers import experiments

    began = []

    def counted(one: Any, *given: Any) -> Any:
        began.append(one.name)
        return results(one, *given)

    monkeypatch.setattr(experiments, "results", counted)
    monkeypatch.setattr(experiments, "_KEPT", 0.0)
    monkeypatch.setattr(experiments, "_TIMES", times)
    Experiments(Folder(folder)).start("e", "ab", parse_arms("v1:50,v3:50"), AttributionRules())
    client = start()
    for _ in range(2):
        assert client.get("/v1/experiments?name=e").status_code == 200
    assert len(began) == computed
