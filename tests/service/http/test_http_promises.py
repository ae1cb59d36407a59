"""What the service says of itself, under faults: a write is stored, refused or unknown, and a retry
never doubles it; what is hidden stands nowhere; a filter knows what was acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.answering import items as items_module
from cofactor.service.http.context import Context
from cofactor.service.http.keys import Key, Keys, hashed
from cofactor.service.settings import Settings
from cofactor.store import StoreUnavailableError, open_store
from service.http.scenes import Start, TestClient, ids_of, in_loop, some_items

IMPATIENT = Settings(max_waiting=60.0, timeout=0.4)


@pytest.fixture
def events(tmp_path: Path) -> str:
    """Where the events go; which database it is makes no difference here."""
    return f"sqlite:///{tmp_path}/events.db"


def stall(context: Context) -> threading.Event:
    """Make the disk wait from now on; set the event to let it go on."""
    go_on, writer = threading.Event(), context.store._writer
    assert writer is not None
    real = writer._commit

    def stalled(jobs: Any) -> Any:
        go_on.wait(20)
        return real(jobs)

    writer._commit = stalled  # type: ignore[method-assign]
    return go_on


async def until(condition: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.02)
    assert condition()


def test_an_event_under_way_when_the_disk_stalls_is_unknown_and_a_retry_stores_it_once(
    folder: Path, events: str
) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        go_on = stall(context)
        body = {"events": [{"user_id": "u", "item_id": "i"}, {"user_id": "u", "item_id": "j"}]}
        answer = await client.post("/v1/events", json=body)
        assert answer.status_code == 503
        error = answer.json()["error"]
        assert (error["code"], error["outcome"]) == ("unknown", "unknown")
        assert len(error["event_ids"]) == 2
        # One that hasn't begun is taken back, and says so.
        later = await client.post("/v1/events", json={"events": [{"user_id": "v", "item_id": "i"}]})
        assert later.json()["error"]["outcome"] == "refused"
        go_on.set()
        retried = [
            {**one, "event_id": name}
            for one, name in zip(body["events"], error["event_ids"], strict=True)
        ]
        again = await client.post("/v1/events", json={"events": retried})
        assert again.json()["outcome"] == "stored"
        assert again.json()["unchanged"] == 2
        assert len(context.store.user_events("u")) == 2
        assert context.store.user_events("v") == []

    in_loop(folder, events, IMPATIENT, play)


def test_a_request_id_makes_a_retry_harmless_without_any_answer(service: TestClient) -> None:
    body = {
        "request_id": "upload-7",
        "events": [{"user_id": "u", "item_id": "i"}, {"user_id": "u", "item_id": "j"}],
    }
    first, second = (service.post("/v1/events", json=body).json() for _ in range(2))
    assert (first["changed"], second["changed"], second["unchanged"]) == (2, 0, 2)
    assert first["event_ids"] == second["event_ids"] == ["upload-7/0", "upload-7/1"]


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

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def test_hiding_needs_no_room_among_searches(folder: Path, events: str) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        items = ids_of(await client.get("/v1/items?limit=20"))
        context._slow_count = 1_000  # the lane of searches is full
        answers = await asyncio.gather(
            *(client.post("/v1/items/hide", json={"item_ids": [one]}) for one in items)
        )
        context._slow_count = 0
        assert {one.status_code for one in answers} == {200}
        shown = ids_of(await client.get("/v1/items?limit=60"))
        assert not set(items) & set(shown)

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def test_what_was_hidden_is_gone_though_the_request_was_given_up(folder: Path, events: str) -> None:
    async def play(client: httpx.AsyncClient, context: Context) -> None:
        item = ids_of(await client.get("/v1/items?limit=1"))[0]
        go_on = stall(context)
        answer = await client.post("/v1/items/hide", json={"item_ids": [item]})
        assert answer.json()["error"]["outcome"] == "unknown"
        go_on.set()
        await until(lambda: context.live.state(item) == "hidden")
        assert item not in ids_of(await client.get("/v1/items?limit=60"))

    in_loop(folder, events, IMPATIENT, play)


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
        await until(lambda: context.live.state(item) == "hidden")
        assert not context.live.owes

    in_loop(folder, events, Settings(max_waiting=60.0), play)


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

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def numbered(tmp_path: Path, ids: np.ndarray, model: str = "item_knn") -> Path:
    """A model over items with integer ids."""
    chance = np.random.default_rng(5)
    pairs = np.unique(
        np.column_stack([chance.integers(0, 40, 500), chance.integers(0, len(ids), 500)]), axis=0
    )
    data = Interactions.from_rows(pairs[:, 0], pairs[:, 1], users=40, items=IdMap(ids))
    save(registry.create(model).fit(data), tmp_path / "numbered")
    return tmp_path / "numbered"


@pytest.mark.parametrize("spelling", [" 50", "50 ", "\u00a050"])
def test_another_spelling_of_an_id_is_the_same_item(
    tmp_path: Path, events: str, spelling: str
) -> None:
    folder = numbered(tmp_path, np.arange(30, 60))

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        assert (await client.post("/v1/items/hide", json={"item_ids": [50]})).status_code == 200
        described = {"items": [{"item_id": spelling, "title": "back"}]}
        assert (await client.post("/v1/items", json=described)).status_code == 200
        assert context.store.unseen_items() == {"50": "hidden"}
        for user in range(10):
            found = await client.get(f"/v1/users/{user}/recommendations?k=30&exclude_seen=false")
            assert 50 not in ids_of(found)
        assert (await client.post("/v1/similar", json={"item_id": spelling})).status_code == 404
        assert (await client.post("/v1/items/delete", json={"item_ids": [spelling]})).is_success
        assert (await client.get("/v1/items/50")).status_code == 404

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def test_an_older_stores_other_spelling_shows_nothing(tmp_path: Path, events: str) -> None:
    from cofactor.store import Item

    folder = numbered(tmp_path, np.arange(30, 60))
    with open_store(events) as store:
        store.hide_items([50]).result()
        store.put_items([Item(item_id=" 50", title="old")]).result()

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        view = context.models.current.view
        assert not view.visible[int(view.data.items.find([50])[0])]

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def test_hidden_and_deleted_items_stand_in_no_reason_history_or_neighbourhood(
    start: Start, shop_data: Interactions
) -> None:
    service = start(model="v3")
    items = some_items(shop_data, 4, 9, 17, 30)
    events = [{"user_id": "u", "item_id": one} for one in items]
    service.post("/v1/events", json={"events": events})
    user = shop_data.users.ids([3])[0]
    trained = some_items(shop_data, *shop_data.item_rows[shop_data.indptr[3] : shop_data.indptr[4]])
    gone = {items[0], items[1], trained[0], trained[1]}
    service.post("/v1/items/hide", json={"item_ids": [items[0], trained[0]]})
    service.post("/v1/items/delete", json={"item_ids": [items[1], trained[1]]})
    for body in (
        {"user_id": "u", "k": 40, "reasons": 50},
        {"user_id": user, "k": 40, "reasons": 50},
        {"history": items, "k": 40, "reasons": 50},
    ):
        answer = service.post("/v1/recommend", json=body).json()
        named = {r["item_id"] for one in answer["items"] for r in one.get("reasons", [])}
        assert named
        assert not named & gone
    for one in (items[0], items[1]):
        assert service.get(f"/v1/items/{one}/similar").status_code == 404
    for who in ("u", user):
        history = service.get(f"/v1/users/{who}/history?limit=1000").json()["events"]
        assert history
        assert not {one["item_id"] for one in history} & gone
    # An export is for the person, and holds what is stored.
    exported = service.get("/v1/users/u/export").json()["events"]
    assert {one["item_id"] for one in exported} == set(items)


def test_ids_beyond_2_to_the_53_go_out_as_texts(tmp_path: Path, events: str) -> None:
    wide = [1, 2**53, 2**53 + 1, 9148955329465709066, -(2**53) - 1]
    folder = numbered(tmp_path, np.array(sorted(wide)), "popularity")

    async def play(client: httpx.AsyncClient, _: Context) -> None:
        found = ids_of(await client.get("/v1/items?limit=10"))
        assert set(map(str, found)) == set(map(str, wide))
        assert {type(one) for one in found if abs(int(one)) > 2**53} == {str}
        assert {type(one) for one in found if abs(int(one)) <= 2**53} == {int}
        # They are taken back as they came.
        assert (await client.get("/v1/items/9148955329465709066")).json()["item_id"] == (
            "9148955329465709066"
        )

    in_loop(folder, events, Settings(max_waiting=60.0), play)


def test_a_promotion_that_takes_longer_than_a_request_goes_on(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.service.versions import reload

    def slowly(*_: Any) -> str:
        time.sleep(1.0)
        return "compared slowly"

    monkeypatch.setattr(reload, "compared", slowly)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        answer = await client.post("/v1/model/promote", json={"version": "v2"})
        assert (answer.status_code, answer.json()["status"]) == (202, "checking")
        told = (await client.get("/v1/model")).json()
        assert told["promotion"] == {"version": "v2", "status": "checking"}
        assert told["current"]["version"] == "v1"
        other = await client.post("/v1/model/promote", json={"version": "v3"})
        assert (other.status_code, other.json()["error"]["code"]) == (409, "promoting")
        # What is hidden meanwhile waits for nothing.
        hidden = await client.post("/v1/items/hide", json={"item_ids": ["book-03"]})
        assert hidden.status_code == 200
        await until(lambda: context.models.current.version == "v2")
        await asyncio.sleep(0)
        told = (await client.get("/v1/model")).json()
        assert told["promotion"] == {"version": "v2", "status": "promoted"}

    in_loop(folder, events, IMPATIENT, play)


def test_a_promotion_that_fails_later_says_why(
    folder: Path, events: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.service.errors import RequestError
    from cofactor.service.versions import reload

    def worse(*_: Any) -> str:
        time.sleep(0.6)
        raise RequestError(409, "worse", "much worse", "version")

    monkeypatch.setattr(reload, "compared", worse)

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        assert (await client.post("/v1/model/promote", json={"version": "v2"})).status_code == 202
        await until(lambda: context.models.promotion.status == "failed")  # type: ignore[union-attr]
        told = (await client.get("/v1/model")).json()
        assert told["promotion"]["problem"] == "much worse"
        assert told["current"]["version"] == "v1"

    in_loop(folder, events, IMPATIENT, play)


def test_a_filter_has_a_budget(start: Start) -> None:
    service = start(Settings(max_waiting=60.0, max_filter_work=2_000))
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
    from cofactor.service.http import context as context_module
    from cofactor.service.http.app import build

    monkeypatch.setattr(context_module, "_COSTLY", 10)
    keys = Keys({hashed(k): Key("read", k, hashed(k)) for k in ("one", "two")})
    app = build(folder, open_store(events), Settings(max_waiting=60.0), keys)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        context = app.state.context
        context._costly[hashed("one")] = 2
        found = [
            client.get(
                "/v1/users/u/recommendations?where=year>1",
                headers={"authorization": f"Bearer {key}"},
            ).status_code
            for key in ("one", "two")
        ]
        assert found == [503, 200]
        assert context._costly[hashed("two")] == 0


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

    in_loop(tmp_path / "content", events, Settings(max_waiting=60.0), play)


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


def test_a_redirect_never_repeats_a_foreign_host(service: TestClient) -> None:
    answer = service.get("/v1/items/", headers={"host": "evil.example"}, follow_redirects=False)
    assert "evil.example" not in answer.headers.get("location", "")
    assert answer.status_code in (404, 421)


def test_answers_are_not_sniffed_and_same_site_pages_change_nothing(service: TestClient) -> None:
    assert service.get("/health").headers["x-content-type-options"] == "nosniff"
    assert service.get("/v1/items/none").headers["x-content-type-options"] == "nosniff"
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


def test_a_write_that_fails_is_told_as_its_store_tells_it() -> None:
    write: Future[Any] = Future()
    write.set_exception(StoreUnavailableError("the disk is gone", unknown=True))
    from cofactor.service.errors import of_error

    error = of_error(write.exception())  # type: ignore[arg-type]
    assert (error.status, error.outcome) == (503, "unknown")


def test_a_version_that_knows_a_tenth_is_refused_unless_forced(
    start: Start, folder: Path, shop_data: Interactions
) -> None:
    few = shop_data.where(shop_data.user_rows < 9).compact()
    save(registry.create("ials", factors=4).fit(few), folder / "v9")
    service = start()
    answer = service.post("/v1/model/promote", json={"version": "v9"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "knows_less")
    assert "10% of the current version's users" in answer.json()["error"]["message"]
    forced = service.post("/v1/model/promote", json={"version": "v9", "force": True})
    assert forced.status_code == 200


def test_versions_are_not_compared_on_what_they_were_fitted_on(
    start: Start, shop_data: Interactions
) -> None:
    service = start(Settings(max_waiting=60.0, timeout=60.0))
    events: list[dict[str, Any]] = []
    for user in range(70):
        span = shop_data.item_rows[shop_data.indptr[user] : shop_data.indptr[user + 1]]
        if len(span) < 2:
            continue
        name = shop_data.users.ids([user])[0]
        events += [{"user_id": name, "item_id": i} for i in some_items(shop_data, *span[:2])]
    service.post("/v1/events", json={"events": events})
    answer = service.post("/v1/model/promote", json={"version": "v2"})
    assert answer.status_code == 200, answer.text
    told = answer.json()["checks"][-1]
    assert told.startswith("stored events of 0 users")
    assert "left out: fitted on them" in told


def test_a_version_whose_offsets_wrap_around_answers_nobody_and_ends_nothing(
    start: Start, folder: Path
) -> None:
    from safetensors.numpy import load_file, save_file

    from cofactor.artifact import format as fmt

    bad = folder / "v2"
    arrays = load_file(bad / fmt.TENSORS)
    offsets = arrays["history.indptr"]
    offsets[1:4] = [2**62, -(2**63), -(2**62)]
    offsets[4:] = offsets[-1]
    save_file(arrays, bad / fmt.TENSORS)
    manifest = json.loads((bad / fmt.MANIFEST).read_text())
    facts = fmt.file_facts(bad / fmt.TENSORS)
    manifest["files"][fmt.TENSORS] = {"bytes": facts.bytes, "sha256": facts.sha256}
    (bad / fmt.MANIFEST).write_text(json.dumps(manifest))
    service = start()
    for answer in (
        service.get("/v1/users/reader-02/recommendations?version=v2"),
        service.post("/v1/model/promote", json={"version": "v2"}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "bad_model")
    assert service.get("/v1/users/reader-02/recommendations").status_code == 200


def test_places_of_files_are_told_to_nobody(
    start: Start, folder: Path, fitted: dict[str, Recommender]
) -> None:
    facts = {"seed": 3, "reading": {"items": "/home/somebody/catalogue.csv"}}
    save(fitted["v1"], folder / "v1", overwrite=True, run=facts)
    told = start().get("/v1/model")
    assert told.json()["current"]["run"] == {"seed": 3}
    assert "somebody" not in told.text
