"""Feeds and pages: what is trending, popular in a category, like what was liked; nothing twice."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from cofactor.service.answering.cursors import _opened
from service.http.scenes import Start, TestClient, ids_of, some_items


def happen(client: TestClient, *events: tuple[str, Any, str, int]) -> list[str]:
    sent = [
        {"user_id": user, "item_id": item, "kind": kind, "time": at}
        for user, item, kind, at in events
    ]
    answer = client.post("/v1/events", json={"events": sent})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["event_ids"])


def all_pages(client: TestClient, address: str, k: int, between: Any = lambda: None) -> list[list]:
    pages: list[list] = []
    separator = "&" if "?" in address else "?"
    answer = client.get(f"{address}{separator}k={k}")
    while True:
        pages.append(ids_of(answer))
        cursor = answer.json().get("next")
        if cursor is None:
            return pages
        between()
        answer = client.get(f"{address}{separator}k={k}&cursor={cursor}")


def test_trending_counts_users_once_and_decays(start: Start, shop_data: Interactions) -> None:
    client, now = start(), int(time.time())
    a, b, c, d = some_items(shop_data, 1, 2, 3, 4)
    happen(
        client,
        *[("loud", a, "view", now - n) for n in range(9)],
        ("u1", b, "view", now),
        ("u2", b, "purchase", now),
        ("u1", c, "view", now - 48 * 3600),
        ("u2", c, "view", now - 48 * 3600),
        ("u3", c, "view", now - 48 * 3600),
        ("u1", d, "dislike", now),
        ("u2", d, "impression", now),
    )
    answer = client.get("/v1/feeds/trending?k=10&half_life=24")
    assert ids_of(answer) == [b, a, c]
    assert [i["score"] for i in answer.json()["items"]] == pytest.approx([2, 1, 0.75])
    assert answer.json()["source"] == "trending"
    # With a slow decay three users of two days ago are more than two of now.
    assert ids_of(client.get("/v1/feeds/trending?half_life=10000"))[0] == c
    client.post("/v1/items/hide", json={"item_ids": [b]})
    assert ids_of(client.get("/v1/feeds/trending?half_life=24")) == [a, c]


def test_trending_knows_new_items_that_the_model_does_not(start: Start) -> None:
    client, now = start(), int(time.time())
    client.post("/v1/items", json={"items": [{"item_id": "brand-new", "title": "Brand new"}]})
    happen(client, ("u1", "brand-new", "view", now), ("u1", "never-described", "view", now))
    items = client.get("/v1/feeds/trending").json()["items"]
    assert [(i["item_id"], i["title"]) for i in items] == [("brand-new", "Brand new")]


def test_pages_of_the_trending_feed_are_of_one_moment(
    start: Start, shop_data: Interactions
) -> None:
    client, now = start(), int(time.time())
    items = some_items(shop_data, *range(20))
    ids = happen(
        client,
        *[(f"u{u}", item, "view", now) for n, item in enumerate(items) for u in range(25 - n)],
    )
    client.post("/v1/items", json={"items": [{"item_id": "fresh", "title": "Fresh"}]})
    order = ids_of(client.get("/v1/feeds/trending?k=20"))
    assert order == items
    turn = iter(range(10))

    def between() -> None:
        # The last becomes the first, one is undone, one is hidden and shown again.
        n = next(turn)
        happen(client, *[(f"x{n}-{u}", items[-1 - n], "view", now) for u in range(60)])
        client.post("/v1/events/undo", json={"event_ids": ids[:20]})
        client.post("/v1/items/hide", json={"item_ids": [items[0]]})
        client.post("/v1/items/show", json={"item_ids": [items[0]]})

    pages = all_pages(client, "/v1/feeds/trending", 6, between)
    assert [item for page in pages for item in page] == items
    assert [len(page) for page in pages] == [6, 6, 6, 2]


@pytest.mark.parametrize("mixed", [False, True])
def test_pages_of_a_persons_list_never_repeat_and_stay_the_same_list(
    start: Start, shop_data: Interactions, mixed: bool
) -> None:
    client, now = start(), int(time.time())
    user = shop_data.users.ids([4])[0] if not mixed else "newly-here"
    if mixed:
        happen(client, (user, some_items(shop_data, 2)[0], "view", now))
    whole = ids_of(client.get(f"/v1/users/{user}/recommendations?k=30"))
    later = iter(whole[:24:-1])

    def between() -> None:
        item = next(later, None)
        if item is not None:
            happen(client, (user, item, "purchase", now))
            gone.add(item)

    gone: set[Any] = set()
    pages = all_pages(client, f"/v1/users/{user}/recommendations?paged=true", 5, between)
    shown = [item for page in pages for item in page]
    assert len(shown) == len(set(shown))
    assert shown[:20] == whole[:20]
    # What was bought meanwhile isn't shown behind the purchase.
    assert not gone & set(shown)
    # Everything that may be recommended was shown.
    history = client.get(f"/v1/users/{user}/history?limit=1000").json()["events"]
    had = {event["item_id"] for event in history}
    assert set(shown) == set(shop_data.items.ids(np.arange(53))) - had
    assert len(pages[-1]) < 5 or "next" not in pages


def test_a_list_goes_on_in_its_own_version_after_a_promotion(
    start: Start, shop_data: Interactions
) -> None:
    client = start()
    user = shop_data.users.ids([4])[0]
    address = f"/v1/users/{user}/recommendations"
    whole = ids_of(client.get(f"{address}?k=20"))
    first = client.get(f"{address}?k=10&paged=true").json()
    client.post("/v1/model/promote", json={"version": "v3", "force": True})
    assert client.get(f"{address}?k=10").json()["model"]["version"] == "v3"
    second = client.get(f"{address}?k=10&paged=true&cursor={first['next']}")
    assert second.json()["model"]["version"] == "v1"
    assert ids_of(second) == whole[10:]


def test_cursors_of_other_requests_and_broken_ones_are_refused(
    start: Start, shop_data: Interactions
) -> None:
    client = start()
    one, two = shop_data.users.ids([4, 5])
    cursor = client.get(f"/v1/users/{one}/recommendations?paged=true").json()["next"]
    for address in (
        f"/v1/users/{two}/recommendations?cursor={cursor}",
        f"/v1/users/{one}/recommendations?where=year > 0&cursor={cursor}",
        f"/v1/feeds/trending?cursor={cursor}",
        f"/v1/users/{one}/recommendations?cursor={cursor[:-9]}",
        f"/v1/users/{one}/recommendations?cursor=abc",
        f"/v1/users/{one}/recommendations?cursor=%00",
    ):
        refused = client.get(address)
        assert refused.status_code == 422, address
        assert refused.json()["error"]["field"] == "cursor"
    described = client.post("/v1/recommend", json={"text": "a", "cursor": cursor})
    assert described.status_code == 422


@pytest.mark.parametrize(
    "forged",
    [
        {"seq": 2**63},
        {"seq": -1},
        {"time": 2**63},
        {"time": -1},
        {"version": "v" * 201},
        {"ids": ("i" * 201,)},
        {"rows": b"\xff" * 4},
        {"rows": b"abc"},
    ],
    ids=str,
)
def test_a_forged_cursor_is_refused_by_every_list(start: Start, forged: dict[str, Any]) -> None:
    client = start(model="v3")
    events = [{"user_id": f"u{n}", "item_id": f"book-0{n}"} for n in range(1, 8)]
    assert client.post("/v1/events", json={"events": events}).is_success
    for address in (
        "/v1/feeds/trending?k=2",
        "/v1/feeds/popular?k=2",
        "/v1/users/u1/recommendations?k=2&paged=true",
    ):
        made = _opened(client.get(address).json()["next"])
        assert made is not None
        cursor = msgspec.structs.replace(made, **forged).text()
        refused = client.get(f"{address}&cursor={cursor}")
        assert refused.status_code == 422, (address, refused.text)
        assert refused.json()["error"]["field"] == "cursor"


def test_popular_items_of_a_category_in_pages_and_rows(
    start: Start, shop_data: Interactions
) -> None:
    client = start()
    genres = shop_data.catalogue.table.column("genres").to_pylist()
    counts = shop_data.item_counts
    rows = [n for n in np.argsort(-counts, kind="stable") if "Comedy" in genres[n]]
    wanted = list(shop_data.items.ids(np.array(rows)))
    pages = all_pages(client, "/v1/feeds/popular?column=genres&value=comedy", 3)
    assert [item for page in pages for item in page] == wanted
    best = list(shop_data.items.ids(np.argsort(-counts, kind="stable")))
    pages = all_pages(client, "/v1/feeds/popular", 20)
    assert [item for page in pages for item in page] == best
    assert client.get("/v1/feeds/popular?column=genres").json()["error"]["field"] == "value"
    found = client.get("/v1/feeds/categories?column=genres&rows=4&k=3").json()["rows"]
    assert len(found) == 4
    shown = [item["item_id"] for row in found for item in row["items"]]
    assert len(shown) == len(set(shown))
    at = {str(i): n for n, i in enumerate(shop_data.items.ids(np.arange(53)))}
    assert all(
        row["value"] in genres[at[str(item["item_id"])]] for row in found for item in row["items"]
    )
    assert client.get("/v1/feeds/categories?column=genre").status_code == 422


def test_rows_because_of_what_was_liked(start: Start, shop_data: Interactions) -> None:
    client, now = start(), int(time.time())
    liked = some_items(shop_data, 3, 9, 15)
    happen(client, *[("reader", item, "view", now + n) for n, item in enumerate(liked)])
    happen(client, ("reader", liked[0], "dislike", now + 9))
    client.post("/v1/items/hide", json={"item_ids": [some_items(shop_data, 20)[0]]})
    rows = client.get("/v1/users/reader/because?rows=5&k=4").json()["rows"]
    assert [row["item_id"] for row in rows] == [liked[2], liked[1]]
    assert all(row["title"].startswith("Because you liked ") for row in rows)
    shown = [item["item_id"] for row in rows for item in row["items"]]
    assert len(shown) == len(set(shown)) == 8
    assert not {*liked, some_items(shop_data, 20)[0]} & set(shown)
    first = ids_of(client.get(f"/v1/items/{liked[2]}/similar?k=10"))
    assert [i["item_id"] for i in rows[0]["items"]] == [
        i for i in first if i not in liked and i != some_items(shop_data, 20)[0]
    ][:4]
    assert client.get("/v1/users/nobody/because").json()["rows"] == []


def test_feeds_stand_in_the_openapi_document(start: Start) -> None:
    paths = start().get("/openapi.json").json()["paths"]
    assert {
        "/v1/feeds/trending",
        "/v1/feeds/popular",
        "/v1/feeds/categories",
        "/v1/users/{user_id}/because",
    } <= set(paths)
    names = {p["name"] for p in paths["/v1/users/{user_id}/recommendations"]["get"]["parameters"]}
    assert {"rerank", "cursor", "paged"} <= names
