"""Ids over HTTP: spellings, large integers, and items that are hidden or deleted."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

import cofactor
from cofactor.artifact.save import save
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.service.http.app import build
from cofactor.service.http.context import Context
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import BASE, CALM, Start, TestClient, ids_of, in_loop, some_items


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

    in_loop(folder, events, Settings(**CALM), play)


def test_an_older_stores_other_spelling_shows_nothing(tmp_path: Path, events: str) -> None:
    from cofactor.store import Item

    folder = numbered(tmp_path, np.arange(30, 60))
    with open_store(events) as store:
        store.hide_items([50]).result()
        store.put_items([Item(item_id="x50", title="old")]).result()
    with contextlib.closing(sqlite3.connect(events.removeprefix("sqlite:///"))) as raw, raw:
        for table in ("items", "item_changes"):  # as a store took it that knew no rule of ids
            raw.execute(f"UPDATE {table} SET item_id = ' 50' WHERE item_id = 'x50'")

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        view = context.models.current.view
        assert not view.visible[int(view.data.items.find([50])[0])]

    in_loop(folder, events, Settings(**CALM), play)


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

    in_loop(folder, events, Settings(**CALM), play)


def test_words_for_nobody_and_bytes_that_are_no_text_are_no_ids(
    tmp_path: Path, events: str
) -> None:
    folder = numbered(tmp_path, np.array([1, 2, 3]), "popularity")

    async def play(client: httpx.AsyncClient, context: Context) -> None:
        for user in ("NULL", "undefined", "NaN", '{"a":1}', "[1]", '=""'):
            for body in ({"user_id": user, "item_id": 1}, {"user_id": "u", "item_id": user}):
                answer = await client.post("/v1/events", json={"events": [body]})
                assert answer.status_code == 422, body
                assert "must be an id" in answer.json()["error"]["message"]
        answer = await client.post("/v1/items", json={"items": [{"item_id": "NULL", "title": "x"}]})
        assert answer.status_code == 422
        for path in ("/v1/users/%ff/recommendations", "/v1/items/%fe"):
            assert (await client.get(path)).status_code == 400
        # What begins like one, and the replacement character itself, are texts.
        for user in ("NULLs", "[a", "\ufffd"):
            answer = await client.post(
                "/v1/events", json={"events": [{"user_id": user, "item_id": 1}]}
            )
            assert answer.status_code == 200
        assert (await client.get("/v1/users/%EF%BF%BD/recommendations")).status_code == 200
        assert len(cofactor.read(events)) == 3

    in_loop(folder, events, Settings(**CALM), play)


NO_IDS = ("NULL", "undefined", '{"a": 1}', '=""', "a\x00b", "\x00", "a\nb", "\x7f", " ", "x" * 201)
IDS = ("a/b", "%2F", "a\x00", "\ta", "e\u0301", "a\u2028b", "x" * 200, '{"$oid": "a"}', "007")


EVENT = {"user_id": "u", "item_id": "book-03"}
# The field that an error names, and what else tells the doors apart -> an address, or a body too.
DOORS: dict[str, tuple[str, str, Callable[[str], Any] | None]] = {
    "user_id list": ("GET", "/v1/users/{}/recommendations", None),
    "user_id history": ("GET", "/v1/users/{}/history", None),
    "user_id export": ("GET", "/v1/users/{}/export", None),
    "user_id because": ("GET", "/v1/users/{}/because", None),
    "user_id erase": ("DELETE", "/v1/users/{}", None),
    "item_id show": ("GET", "/v1/items/{}", None),
    "item_id similar": ("GET", "/v1/items/{}/similar", None),
    "item_id delete": ("DELETE", "/v1/items/{}", None),
    "user_id posted": ("POST", "/v1/recommend", lambda one: {"user_id": one}),
    "history[0]": ("POST", "/v1/recommend", lambda one: {"history": [one]}),
    "history[0].item_id": (
        "POST",
        "/v1/recommend",
        lambda one: {"history": [{"item_id": one, "value": 1}]},
    ),
    "allow[0]": ("POST", "/v1/recommend", lambda one: {"history": [], "allow": [one]}),
    "block[0]": ("POST", "/v1/similar", lambda one: {"item_id": "book-03", "block": [one]}),
    "item_id posted": ("POST", "/v1/similar", lambda one: {"item_id": one}),
    "events[0].user_id": (
        "POST",
        "/v1/events",
        lambda one: {"events": [{**EVENT, "user_id": one}]},
    ),
    "events[0].item_id": (
        "POST",
        "/v1/events",
        lambda one: {"events": [{**EVENT, "item_id": one}]},
    ),
    "user_id undo": ("POST", "/v1/events/undo", lambda one: {"event_ids": ["e"], "user_id": one}),
    "items[0].item_id": ("POST", "/v1/items", lambda one: {"items": [{"item_id": one}]}),
    "item_ids[0] hide": ("POST", "/v1/items/hide", lambda one: {"item_ids": [one]}),
    "item_ids[0] show": ("POST", "/v1/items/show", lambda one: {"item_ids": [one]}),
    "item_ids[0] delete": ("POST", "/v1/items/delete", lambda one: {"item_ids": [one]}),
}


@pytest.fixture(scope="module")
def come_by(
    tmp_path_factory: pytest.TempPathFactory, saved: Path
) -> Iterator[Callable[[str, str], httpx.Response]]:
    """Ask a service by a door with an id."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('ids') / 'events.db'}")
    with TestClient(build(saved, store, Settings(**CALM)), base_url=BASE) as client:

        def answer(door: str, one: str) -> httpx.Response:
            method, address, body = DOORS[door]
            address = address.format(quote(one, safe=""))
            return client.request(method, address, json=None if body is None else body(one))

        yield answer


@pytest.mark.parametrize("one", NO_IDS, ids=ascii)
def test_what_is_no_id_is_refused_by_every_route(
    come_by: Callable[[str, str], httpx.Response], one: str
) -> None:
    for door in DOORS:
        answer = come_by(door, one)
        assert answer.status_code == 422, (door, answer.text)
        assert answer.json()["error"]["field"] == door.split()[0], door


@pytest.mark.parametrize("one", IDS, ids=ascii)
def test_what_is_an_id_is_taken_by_every_route(
    come_by: Callable[[str, str], httpx.Response], one: str
) -> None:
    for door in DOORS:
        assert come_by(door, one).status_code in (200, 404), door  # 404: the model lacks it


def test_a_slash_in_an_id_ends_no_id(folder: Path, events: str) -> None:
    """`x%2Fsimilar` is the item `x/similar`, not what is similar to `x`."""

    async def play(client: httpx.AsyncClient, _: Any) -> None:
        item = (await client.get("/v1/items?limit=1")).json()["items"][0]["item_id"]
        odd = [f"{item}/similar", "a/history", "b/similar/similar", "/c", "d/"]
        stored = [{"item_id": one, "title": one} for one in odd]
        assert (await client.post("/v1/items", json={"items": stored})).status_code == 200
        for one in odd:
            found = await client.get(f"/v1/items/{quote(one, safe='')}")
            assert found.json().get("title") == one, one
        assert (await client.get(f"/v1/items/{item}/similar")).json()["item_id"] == item
        assert (await client.get(f"/v1/items/{item}/%73imilar")).json()["item_id"] == item
        for end in ("export", "history", "recommendations", "because"):
            assert (await client.get(f"/v1/users/u%2F{end}")).status_code == 405
            found = await client.get(f"/v1/users/u%2F{end}/history")
            assert found.json()["user_id"] == f"u/{end}"

    in_loop(folder, events, Settings(**CALM), play)
