"""One key makes nobody wait but itself: filters, rules and searches have a budget, and where work
waits, keys take turns.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cofactor.service.answering import budget, item_search, scoring
from cofactor.service.answering.items import ItemView
from cofactor.service.answering.turns import SlowLane, Turns, asking
from cofactor.service.http.context import Context
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from service.http.scenes import CALM, Start, in_loop, some_turns, until

KEYS = Keys({hashed(one): Key("read", hashed(one)) for one in ("one", "two")})


def by(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_lines_take_turns_and_one_leaves_room() -> None:
    turns: Turns[str] = Turns(8)
    assert [turns.add("a", f"a{n}") for n in range(7)] == [True] * 6 + [False]
    assert [turns.add("b", "b0"), turns.add("c", "c0"), turns.add("d", "d0")] == [True, True, False]
    assert [turns.take() for _ in range(8)] == ["a0", "b0", "c0", "a1", "a2", "a3", "a4", "a5"]
    alone: Turns[int] = Turns(4)  # without keys there is one line, which may have all places
    assert [alone.add("", n) for n in range(5)] == [True] * 4 + [False]


def test_a_lane_runs_what_waits_in_turn_and_what_fails_fails_alone() -> None:
    lane, go_on, order = SlowLane("test", 1, 16), threading.Event(), list[str]()

    def submit(who: str, call: Any) -> Any:
        token = asking.set(who)
        try:
            return lane.submit(call)
        finally:
            asking.reset(token)

    first = submit("a", lambda: go_on.wait(300))
    given_up = submit("a", lambda: order.append("given up"))
    waiting = [submit("a", lambda n=n: order.append(f"a{n}")) for n in range(4)]
    waiting += [submit("b", lambda: order.append("b")), submit("c", lambda: 1 / 0)]
    given_up.cancel()
    go_on.set()
    assert first.result(300)
    for one in waiting[:-1]:
        one.result(300)
    assert isinstance(waiting[-1].exception(300), ZeroDivisionError)
    assert order == ["b", "a0", "a1", "a2", "a3"]
    lane.close()


@pytest.fixture
def go_on(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Filters take 30 ms at the least, and wait while this isn't set."""
    real, made = ItemView.where, threading.Event()

    def slowly(view: ItemView, condition: str) -> np.ndarray:
        time.sleep(0.03)
        assert made.wait(300)
        return real(view, condition)

    monkeypatch.setattr(ItemView, "where", slowly)
    return made


def waiting(context: Context) -> int:
    """How many requests wait for their turn, or had none."""
    return len(context.scorer._alone_waiting) + len(context._slow._turns) + context.scorer.shed


@pytest.mark.parametrize(
    "path", ["/v1/users/u/recommendations?where=year>{}", "/v1/items?where=year>{}"]
)
def test_filters_of_another_key_have_their_turn(
    folder: Path, events: str, path: str, go_on: threading.Event
) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> list[str]:
        order: list[str] = []

        async def ask(key: str, n: int) -> None:
            answer = await client.get(path.format(1900 + n), headers=by(key))
            assert answer.status_code == 200, answer.text
            order.append(key)

        many = [asyncio.create_task(ask("one", n)) for n in range(20)]
        await until(lambda: waiting(context) > 15)
        await some_turns()
        before = waiting(context)
        many.append(asyncio.create_task(ask("two", 0)))
        await until(lambda: waiting(context) > before)
        go_on.set()
        await asyncio.gather(*many)
        return order

    order = in_loop(folder, events, Settings(**CALM), play, KEYS)
    # Behind those that were under way, and one batch of the other key's.
    assert order.index("two") <= 6


def test_what_filters_cost_refuses_no_plain_request(
    folder: Path, events: str, go_on: threading.Event
) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        before = context.admission.cost
        go_on.set()
        path = "/v1/users/u/recommendations"
        for n in range(3):
            many = [client.get(f"{path}?where=year>{n}{m}", headers=by("one")) for m in range(8)]
            await asyncio.gather(*many)
        assert context.admission.cost <= 2 * before
        go_on.clear()
        tasks = [
            asyncio.create_task(client.get(f"{path}?where=year>{n}", headers=by("one")))
            for n in range(20)
        ]
        await until(lambda: waiting(context) > 15)
        await some_turns()
        assert context.admission.scored == 0
        go_on.set()
        assert (await client.get(path, headers=by("two"))).status_code == 200
        await asyncio.gather(*tasks)
        assert context.admission.scored == 0

    in_loop(folder, events, Settings(**CALM), play, KEYS)


@pytest.mark.parametrize(
    "body",
    [
        {"history": [f"i{n}" for n in range(300)]},
        {"user_id": "u", "block": [f"i{n}" for n in range(300)]},
        {"history": ["book-03"], "k": 200, "reasons": 20},
    ],
    ids=["history", "block", "reasons"],
)
def test_what_long_requests_cost_refuses_no_other_key(
    folder: Path, events: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key that posted long histories had the short requests of all others refused."""
    real, go_on = scoring.Scorer._prepared, threading.Event()

    def slowly(scorer: Any, job: Any) -> Any:
        if job.request is not None and job.request.user_id != "other":
            time.sleep(0.03)
            assert go_on.wait(300)
        return real(scorer, job)

    monkeypatch.setattr(scoring.Scorer, "_prepared", slowly)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        async def ask() -> httpx.Response:
            return await client.post("/v1/recommend", json=body, headers=by("one"))

        tasks = [asyncio.create_task(ask()) for _ in range(20)]
        await until(lambda: waiting(context) > 15 or context.admission.scored > 15)
        await some_turns()
        under_way = context.admission.scored
        go_on.set()
        assert under_way == 0  # of those that are scored together, which is what refuses others
        path = "/v1/users/other/recommendations"
        assert (await client.get(path, headers=by("two"))).status_code == 200
        await asyncio.gather(*tasks)
        assert context.admission.scored == 0

    in_loop(folder, events, Settings(**CALM), play, KEYS)


def test_filters_beyond_a_second_of_ones_own_are_refused(
    folder: Path, events: str, go_on: threading.Event
) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> list[int]:
        path, alone = "/v1/users/u/recommendations?where=year>", context.scorer._alone
        go_on.set()
        await asyncio.gather(*(client.get(f"{path}{n}", headers=by("one")) for n in range(4)))
        assert alone[hashed("one")] > 0.03
        alone[hashed("one")] = 0.03  # as on a machine that does nothing else
        go_on.clear()
        asked = [client.get(f"{path}{n}", headers=by("one")) for n in range(120)]
        many = [asyncio.create_task(one) for one in asked]
        await until(lambda: waiting(context) > 115)
        await some_turns()
        go_on.set()
        found = [one.status_code for one in await asyncio.gather(*many)]
        # What they cost says nothing of what the requests of others do.
        context.scorer._alone[hashed("one")] = 9.0
        others = [client.get(f"{path}{n}", headers=by("two")) for n in range(8)]
        assert {one.status_code for one in await asyncio.gather(*others)} == {200}
        return found

    found = in_loop(folder, events, Settings(**CALM), play, KEYS)
    assert set(found) == {200, 503}
    assert 4 <= found.count(200) <= 60


def test_rules_have_the_budget_of_filters(start: Start) -> None:
    service = start(Settings(**CALM, max_filter_work=2_000))
    fine = "; ".join(f"boost=0.{n} if year > {n}" for n in range(1, 20))
    many = [f"boost=0.5 if year > {n} or year < 3 or year = 9" for n in range(1, 20)]
    assert service.post("/v1/recommend", json={"user_id": "u", "rerank": [fine]}).status_code == 200
    for body in (
        {"user_id": "u", "rerank": many},
        {"user_id": "u", "rerank": many[:9], "where": " or ".join(["year > 1"] * 20)},
    ):
        answer = service.post("/v1/recommend", json=body)
        assert answer.status_code == 422, answer.text
        assert "at most 37 comparisons" in answer.json()["error"]["message"]
    answer = service.get("/v1/users/u/recommendations", params={"rerank": "; ".join(many)})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "rerank"


def test_rules_are_no_longer_than_filters(start: Start) -> None:
    rules = [f"boost=0.5 if title = '{'x' * 900}{n}'" for n in range(20)]
    answer = start().post("/v1/recommend", json={"user_id": "u", "rerank": rules})
    assert answer.status_code == 422
    assert "at most 10,000 characters" in answer.json()["error"]["message"]


def test_a_process_over_many_candidates_has_a_budget(start: Start) -> None:
    body: dict[str, Any] = {"history": ["book-03"], "k": 1000, "rerank": ["dpp=0.5"]}
    service = start()
    assert service.post("/v1/recommend", json=body).status_code == 200
    body["rerank"] = ["dpp=0.5; candidates=10000"]
    answer = service.post("/v1/recommend", json=body)
    assert answer.status_code == 422
    assert "smaller k" in answer.json()["error"]["message"]
    body["k"] = 100
    assert service.post("/v1/recommend", json=body).status_code == 200


def test_a_search_of_many_words_has_a_budget(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    service = start(Settings(**CALM, max_filter_work=2_000))
    many = " ".join(f"w{n}" for n in range(45))
    answer = service.get("/v1/search", params={"q": many})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "q"
    title = service.get("/v1/items?limit=1").json()["items"][0]["title"]
    misspelled = max(title.split(), key=len) + "q"
    assert service.get("/v1/search", params={"q": misspelled}).json()["items"]
    monkeypatch.setattr(item_search, "_COMPARED", 1)
    assert service.get("/v1/search", params={"q": misspelled}).json()["items"]
    monkeypatch.setattr(item_search.difflib, "get_close_matches", None)
    for _ in range(2):
        answer = service.get("/v1/search", params={"q": f"{misspelled} {misspelled}x"})
        assert answer.json()["items"] == []


def test_rows_of_similar_items_are_costly(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "_COSTLY", 2_000)

    async def play(client: httpx.AsyncClient, context: Context) -> list[int]:
        context.budgets.costly[hashed("one")] = 2
        found = [
            await client.get(f"/v1/users/u/because?rows={rows}", headers=by(key))
            for key, rows in (("one", 3), ("one", 20), ("two", 20))
        ]
        return [one.status_code for one in found]

    assert in_loop(folder, events, Settings(**CALM), play, KEYS) == [
        200,
        503,
        200,
    ]


def test_the_last_costly_request_of_a_key_gives_its_place_back(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "_COSTLY", 0)
    places: list[int] = []

    class Watched(Counter[str]):
        def __setitem__(self, key: str, count: int) -> None:
            places.append(count)
            super().__setitem__(key, count)

    async def play(client: httpx.AsyncClient, context: Context) -> list[int]:
        context.budgets.costly = Watched()
        paths = ("/v1/users/u/recommendations?where=year>1", "/v1/items?where=nothing>1")
        found = [await client.get(path, headers=by("one")) for path in paths]
        await until(lambda: not any(context.budgets.costly.values()))
        return [one.status_code for one in found]

    settings = Settings(**CALM)
    assert in_loop(folder, events, settings, play, KEYS) == [200, 422]
    assert places == [1, 0, 1, 0]
