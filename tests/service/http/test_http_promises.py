"""What the service says of itself, under faults: a write is stored, refused or unknown, and a retry
never doubles it; what is hidden stands nowhere; a filter knows what was acknowledged.
"""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest

from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.answering import items as items_module
from cofactor.service.http.context import Context
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from cofactor.store import StoreUnavailableError, open_store
from service.http.scenes import CALM, Start, TestClient, TimeLimit, ids_of, in_loop, until


class Stalled:
    """A disk that waits from now on."""

    def __init__(self, context: Context) -> None:
        self._begun, self._go_on, writer = (
            threading.Event(),
            threading.Event(),
            context.store._writer,
        )
        assert writer is not None
        real = writer._commit

        def stalled(jobs: Any) -> Any:
            self._begun.set()
            assert self._go_on.wait(300)
            return real(jobs)

        writer._commit = stalled  # type: ignore[method-assign]

    async def under_way(self) -> None:
        """Wait until something is being written."""
        await until(self._begun.is_set)

    def go_on(self) -> None:
        """Write what waits."""
        self._go_on.set()


def test_an_event_under_way_when_the_disk_stalls_is_unknown_and_a_retry_stores_it_once(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = TimeLimit(monkeypatch)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        disk = Stalled(context)
        body = {"events": [{"user_id": "u", "item_id": "i"}, {"user_id": "u", "item_id": "j"}]}
        asked = asyncio.create_task(client.post("/v1/events", json=body))
        await disk.under_way()
        limit.is_over()
        answer = await asked
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert (error["code"], error["outcome"]) == ("unknown", "unknown")
        assert len(error["event_ids"]) == 2
        # One that hasn't begun is taken back, and says so.
        body["events"][0]["user_id"] = body["events"][1]["user_id"] = "v"
        asked = asyncio.create_task(client.post("/v1/events", json=body))
        await until(lambda: context.store.health().queued == 4)
        limit.is_over()
        assert (await asked).json()["error"]["outcome"] == "refused"
        disk.go_on()
        retried = [
            {**one, "user_id": "u", "event_id": name}
            for one, name in zip(body["events"], error["event_ids"], strict=True)
        ]
        again = await client.post("/v1/events", json={"events": retried})
        assert again.json()["outcome"] == "stored"
        assert again.json()["unchanged"] == 2
        assert len(context.store.user_events("u")) == 2
        assert context.store.user_events("v") == []

    in_loop(folder, events, Settings(**CALM), play)


def test_a_request_id_makes_a_retry_harmless_without_any_answer(service: TestClient) -> None:
    body = {
        "request_id": "upload-7",
        "events": [{"user_id": "u", "item_id": "i"}, {"user_id": "u", "item_id": "j"}],
    }
    first, second = (service.post("/v1/events", json=body).json() for _ in range(2))
    assert (first["changed"], second["changed"], second["unchanged"]) == (2, 0, 2)
    assert first["event_ids"] == second["event_ids"] == ["upload-7/0", "upload-7/1"]


def test_an_id_that_a_request_id_makes_too_is_refused(service: TestClient) -> None:
    own = {"user_id": "u", "item_id": "i", "event_id": "upload-7/1"}
    body = {"request_id": "upload-7", "events": [own, {"user_id": "u", "item_id": "i"}]}
    answer = service.post("/v1/events", json=body)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["field"] == "events[0].event_id"
    assert error["message"].startswith("events[0].event_id is 'upload-7/1', the id that events[1]")
    assert service.get("/v1/users/u/history").json()["events"] == []
    # A retry with the ids that the response named is no such case.
    own["event_id"] = "upload-7/0"
    assert service.post("/v1/events", json=body).json()["changed"] == 2


def test_a_refused_event_says_that_it_is_refused(folder: Path, events: str) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        context.admission.ingested = 10_000
        answer = await client.post(
            "/v1/events", json={"events": [{"user_id": "u", "item_id": "i"}]}
        )
        context.admission.ingested = 0
        assert answer.status_code == 503
        assert answer.json()["error"]["outcome"] == "refused"
        # Reading stores nothing either way.
        context.admission.scored = 10_000
        answer = await client.post("/v1/recommend", json={"user_id": "u"})
        context.admission.scored = 0
        assert answer.status_code == 503
        assert "outcome" not in answer.json()["error"]

    in_loop(folder, events, Settings(**CALM), play)


def test_hiding_needs_no_room_among_searches(folder: Path, events: str) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        items = ids_of(await client.get("/v1/items?limit=20"))
        context._slow._turns._most = 0  # the lane of searches is full
        answers = await asyncio.gather(
            *(client.post("/v1/items/hide", json={"item_ids": [one]}) for one in items)
        )
        context._slow._turns._most = 32
        assert {one.status_code for one in answers} == {200}
        shown = ids_of(await client.get("/v1/items?limit=60"))
        assert not set(items) & set(shown)

    in_loop(folder, events, Settings(**CALM), play)


def test_what_was_hidden_is_gone_though_the_request_was_given_up(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = TimeLimit(monkeypatch)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        item = ids_of(await client.get("/v1/items?limit=1"))[0]
        disk = Stalled(context)
        asked = asyncio.create_task(client.post("/v1/items/hide", json={"item_ids": [item]}))
        await disk.under_way()
        limit.is_over()
        assert (await asked).json()["error"]["outcome"] == "unknown"
        disk.go_on()
        await until(lambda: context.live.state(item) == "hidden" and not context.live.owes)
        assert item not in ids_of(await client.get("/v1/items?limit=60"))

    in_loop(folder, events, Settings(**CALM), play)


def test_a_copy_that_could_not_follow_tries_again(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        item = ids_of(await client.get("/v1/items?limit=1"))[0]
        real = context.store.items
        monkeypatch.setattr(
            context.store,
            "items",
            lambda ids: (_ for _ in ()).throw(StoreUnavailableError("no reading now")),
        )
        answer = await client.post("/v1/items/hide", json={"item_ids": [item]})
        assert answer.json()["error"]["outcome"] == "unknown"
        monkeypatch.setattr(context.store, "items", real)
        await until(lambda: context.live.state(item) == "hidden" and not context.live.owes)

    in_loop(folder, events, Settings(**CALM), play)


def test_an_acknowledged_attribute_counts_in_a_filter_that_looks_at_the_same_time(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race by hand: a filter is evaluated in the middle of a change."""

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        item = ids_of(await client.get("/v1/items?limit=1"))[0]
        body = {"items": [{"item_id": item, "title": "T", "features": {"year": 1900}}]}
        await client.post("/v1/items", json=body)
        view = context.models.current.view
        row = int(view.data.items.find([item])[0])
        real = items_module.ItemView.update

        def interrupted(self: Any, item_ids: list[str]) -> None:
            self.where("year >= 1000")
            real(self, item_ids)

        monkeypatch.setattr(items_module.ItemView, "update", interrupted)
        body["items"][0]["features"] = {"year": 2500}  # type: ignore[index]
        await client.post("/v1/items", json=body)
        assert view.where("year = 2500")[row]
        assert not view.where("year = 1900")[row]

    in_loop(folder, events, Settings(**CALM), play)


def test_a_filter_has_a_budget(start: Start) -> None:
    service = start(Settings(**CALM, max_filter_work=2_000))
    fine = " or ".join(["year > 1"] * 20)
    assert service.get("/v1/users/u/recommendations", params={"where": fine}).status_code == 200
    answer = service.get(
        "/v1/users/u/recommendations", params={"where": " or ".join(["year > 1"] * 60)}
    )
    assert answer.status_code == 422
    assert "at most 37 comparisons" in answer.json()["error"]["message"]


def test_costly_filters_of_one_key_leave_room_for_others(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.service.answering import budget
    from cofactor.service.http.app import build

    monkeypatch.setattr(budget, "_COSTLY", 10)
    keys = Keys({hashed(k): Key("read", hashed(k)) for k in ("one", "two")})
    app = build(folder, open_store(events), Settings(**CALM), keys)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        costly = app.state.context.budgets.costly
        costly[hashed("one")] = 2
        found = [
            client.get(
                "/v1/users/u/recommendations?where=year>1",
                headers={"authorization": f"Bearer {key}"},
            ).status_code
            for key in ("one", "two")
        ]
        assert found == [503, 200]
        assert costly[hashed("two")] == 0


@pytest.mark.parametrize(
    "features",
    [
        {"genres": [["a"]]},
        {"genres": {"a": 1}},
        {"genres": ["a", 1]},
        {"year": 2**70},
        {"year": [2**70]},
        {"year": [[[[1]]]]},
        {"genres": [None, {"a": []}]},
    ],
)
@pytest.mark.parametrize("path", ["/v1/recommend", "/v1/similar"])
def test_features_that_no_column_holds_are_refused(
    tmp_path: Path, events: str, shop_data: Interactions, path: str, features: dict[str, Any]
) -> None:
    save(registry.create("content_knn").fit(shop_data), tmp_path / "content")

    async def play(client: httpx.AsyncClient, _: Context) -> None:
        answer = await client.post(path, json={"features": features})
        assert answer.status_code == 422, answer.text

    in_loop(tmp_path / "content", events, Settings(**CALM), play)


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_map_of_one_item_is_a_map(start: Start, version: str, limit: int) -> None:
    answer = start(model=version).get(f"/v1/map?limit={limit}")
    assert answer.status_code == 200
    assert len(answer.json()["item_ids"]) == limit


def test_deleting_what_is_read_deletes_nothing(service: TestClient) -> None:
    service.post("/v1/events", json={"events": [{"user_id": "x/export", "item_id": "i"}]})
    for path in ("/v1/users/x/export", "/v1/items/book-03/similar", "/v1/users/x/history"):
        assert service.delete(path).status_code == 405
    assert service.delete("/v1/users/x%2Fexport").json()["changed"] == 1


def test_what_is_asked_wrongly_names_what_there_is(service: TestClient) -> None:
    wrong = service.get("/v1/users/x/recomendations").json()["error"]["message"]
    assert wrong == (
        "/v1/users/x/recomendations answers DELETE, not GET; /openapi.json lists what there is."
    )
    alone = service.post("/v1/events", json={"user_id": "x", "item_id": "i"})
    assert (alone.status_code, alone.json()["error"]["message"]) == (
        422,
        "Object contains unknown field `user_id`; its fields are events, request_id.",
    )


def test_a_redirect_never_repeats_a_foreign_host(service: TestClient) -> None:
    answer = service.get("/v1/items/", headers={"host": "evil.example"}, follow_redirects=False)
    assert "evil.example" not in answer.headers.get("location", "")
    assert answer.status_code in (404, 421)


def test_answers_are_not_sniffed_and_same_site_pages_change_nothing(service: TestClient) -> None:
    for path in ("/health", "/v1/items/nowhere", "/openapi.json", "/metrics", "/docs"):
        assert service.get(path).headers.get_list("x-content-type-options") == ["nosniff"]
    answer = service.post(
        "/v1/events",
        json={"events": [{"user_id": "u", "item_id": "i"}]},
        headers={"sec-fetch-site": "same-site"},
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("host", ["127.evil.example", "0.0.0.0", "127.0.0.1.example"])
def test_names_that_only_begin_like_the_loopback_ask_for_keys(host: str) -> None:
    assert Settings(host=host).beyond_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_the_loopback_asks_for_no_keys(host: str) -> None:
    assert not Settings(host=host).beyond_loopback


def test_a_new_key_after_a_line_without_an_end_is_known(tmp_path: Path) -> None:
    from cofactor.service.http.keys import new_key

    path = tmp_path / "keys.txt"
    first = new_key(path, "read")
    path.write_text(path.read_text().rstrip("\n"))
    path.chmod(0o644)
    second = new_key(path, "write")
    known = Keys.read(path)
    for key, scope in ((first, "read"), (second, "write")):
        assert known.check(f"Bearer {key}", scope) is not None
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_is_answered_as_its_store_reports_it() -> None:
    write: Future[Any] = Future()
    write.set_exception(StoreUnavailableError("the disk is gone", unknown=True))
    from cofactor.service.errors import of_error

    error = of_error(write.exception())  # type: ignore[arg-type]
    assert (error.status, error.outcome) == (503, "unknown")


def test_places_of_files_are_shown_to_nobody(
    start: Start, folder: Path, fitted: dict[str, Recommender]
) -> None:
    facts = {"seed": 3, "reading": {"items": "/home/somebody/catalogue.csv"}}
    save(fitted["v1"], folder / "v1", overwrite=True, run=facts)
    told = start().get("/v1/model")
    run = told.json()["current"]["run"]
    assert run["seed"] == 3
    assert "reading" not in run
    assert "somebody" not in told.text


def test_kinds_without_end_make_no_series_without_end(service: TestClient) -> None:
    events = [
        {"user_id": f"u{n}", "item_id": "book-03", "kind": f"kind-{n % 90}"} for n in range(900)
    ]
    events += [{"user_id": "u", "item_id": "book-03", "kind": "purchase"}] * 50
    assert service.post("/v1/events", json={"events": events}).status_code == 200
    found = service.get("/v1/series?span=day").json()["events"]
    assert len(found) <= 31
    assert "purchase" in found
    assert sum(map(sum, found.values())) == 950
