"""Rules of reranking over HTTP: in a request, as the service's own, and what they never bring."""

from __future__ import annotations

import asyncio
import gc
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from cofactor.base.errors import UnknownNameError
from cofactor.data.interactions import Interactions
from cofactor.service.answering.loaded import Loaded
from cofactor.service.http.app import build
from cofactor.service.settings import Settings
from cofactor.store import open_store
from service.http.scenes import CALM, Start, ids_of, in_loop


@pytest.fixture
def events_url(events: str) -> str:
    """One database: what these tests look at, the store has no part in."""
    return events


def test_rules_of_a_request_choose_its_list(start: Start, shop_data: Interactions) -> None:
    client = start()
    user = shop_data.users.ids([3])[0]
    plain = client.get(f"/v1/users/{user}/recommendations?k=8")
    query = {"k": 8, "rerank": f"pin={ids_of(plain)[6]} at 2; mmr=0.3"}
    answer = client.get(f"/v1/users/{user}/recommendations", params=query)
    assert ids_of(answer)[1] == ids_of(plain)[6]
    assert ids_of(answer) != ids_of(plain)
    assert answer.json()["rerank"] == f"mmr=0.3; pin={ids_of(plain)[6]} at 2"
    assert "rerank" not in plain.json()
    body = {"user_id": user, "k": 8, "rerank": [f"pin={ids_of(plain)[6]} at 2", "mmr=0.3"]}
    assert ids_of(client.post("/v1/recommend", json=body)) == ids_of(answer)


def test_the_services_own_rules_hold_until_a_request_says_otherwise(
    start: Start, shop_data: Interactions
) -> None:
    user = shop_data.users.ids([3])[0]
    client = start(Settings(rerank=f"pin={shop_data.items.ids([9])[0]}", **CALM))
    pinned = shop_data.items.ids([9])[0]
    seen = {i["item_id"] for i in client.get(f"/v1/users/{user}/history").json()["events"]}
    assert pinned not in seen
    for address in (f"/v1/users/{user}/recommendations", "/v1/users/nobody-yet/recommendations"):
        answer = client.get(f"{address}?k=5")
        assert ids_of(answer)[0] == pinned
        assert answer.json()["rerank"] == f"pin={pinned} at 1"
        assert ids_of(client.get(f"{address}?k=5&rerank=none"))[0] != pinned
    # Once it is hidden, the service's own pin is left out; a request's is refused.
    assert client.post("/v1/items/hide", json={"item_ids": [pinned]}).status_code == 200
    assert pinned not in ids_of(client.get(f"/v1/users/{user}/recommendations?k=50"))
    refused = client.get(f"/v1/users/{user}/recommendations?rerank=pin={pinned}")
    assert refused.status_code == 422
    assert "are hidden, deleted or filtered out" in refused.json()["error"]["message"]
    unknown = client.get(f"/v1/users/{user}/recommendations?rerank=pin=nothing")
    assert unknown.status_code == 422
    assert unknown.json()["error"]["field"] == "rerank"
    twice = client.get(f"/v1/users/{user}/recommendations?rerank=mmr=1&rerank=fresh=1")
    assert (twice.status_code, "semicolons" in twice.json()["error"]["message"]) == (422, True)


@pytest.mark.parametrize("rule", ["cap=0 by a", "cap=1 by nothing", "mmer=1", "boost=1 if a ="])
def test_bad_rules_are_refused_and_cost_nobody_else_anything(start: Start, rule: str) -> None:
    client = start()
    refused = client.post("/v1/recommend", json={"history": [], "rerank": [rule]})
    assert refused.status_code == 422, refused.text
    assert client.post("/v1/recommend", json={"history": []}).status_code == 200


def test_own_rules_that_fit_no_item_are_refused_at_the_start(folder: Path, events_url: str) -> None:
    settings = Settings(rerank="cap=1 by nothing", **CALM)
    with open_store(events_url) as store, pytest.raises(UnknownNameError, match="nothing"):
        build(folder, store, settings)


def test_what_the_store_says_of_an_item_counts_for_rules(
    start: Start, shop_data: Interactions
) -> None:
    client = start()
    user = shop_data.users.ids([3])[0]
    plain = ids_of(client.get(f"/v1/users/{user}/recommendations?k=6"))
    items = [{"item_id": i, "features": {"author": "A. Nother"}} for i in plain[:3]]
    assert client.post("/v1/items", json={"items": items}).status_code == 200
    query = {"k": 6, "rerank": "cap=1 by author"}
    found = ids_of(client.get(f"/v1/users/{user}/recommendations", params=query))
    assert len(set(found) & set(plain[:3])) == 1


def test_exposure_is_counted_over_the_services_lists(start: Start, shop_data: Interactions) -> None:
    client = start(Settings(rerank="exposure=0.2", **CALM))
    shown: dict[str, int] = {}
    for n in range(60):
        user = shop_data.users.ids([n % 20])[0]
        for item in ids_of(client.get(f"/v1/users/{user}/recommendations?k=4")):
            shown[item] = shown.get(item, 0) + 1
    assert max(shown.values()) <= 0.2 * 60 + 10
    assert max(shown.values()) >= 10


def versions_held() -> int:
    """How many loaded versions are in memory; not by isinstance, which asks dead proxies."""
    return sum(type(one) is Loaded for one in gc.get_objects())


def test_rules_keep_no_version_in_memory_that_was_let_go(folder: Path, events: str) -> None:
    for n in range(4, 8):
        shutil.copytree(folder / "v1", folder / f"v{n}")

    async def play(client: httpx.AsyncClient, context: Any) -> int:
        for n in range(2, 8):
            body = {"user_id": "u", "version": f"v{n}", "rerank": ["cap=1 by author"]}
            assert (await client.post("/v1/recommend", json=body)).status_code == 200
        await asyncio.sleep(0.05)
        gc.collect()
        return versions_held()

    settings = Settings(**CALM, keep_versions=2)
    before = versions_held()
    assert in_loop(folder, events, settings, play) - before <= 3
