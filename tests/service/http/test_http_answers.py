"""What the service answers: from histories, with filters, with reasons, and with what was said a
moment ago.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.settings import Settings
from service.http.scenes import CALM, Start, TestClient, ids_of, in_loop, some_items


@pytest.fixture
def events_url(events: str) -> str:
    """One database: what these tests look at, the store has no part in."""
    return events


def test_trained_user_gets_what_the_model_gives(
    service: TestClient, fitted: dict[str, Recommender]
) -> None:
    user = fitted["v1"].data.users.ids([3])[0]
    answer = service.get(f"/v1/users/{user}/recommendations", params={"k": 7})
    table = fitted["v1"].recommend(user, k=7)
    assert ids_of(answer) == table.ids
    assert [i["score"] for i in answer.json()["items"]] == pytest.approx(table.scores, rel=1e-4)
    assert answer.json()["source"] == "personal"
    assert answer.json()["model"] == {"name": "ials", "version": "v1"}


def test_posted_history_is_folded_in(
    service: TestClient, fitted: dict[str, Recommender], shop_data: Interactions
) -> None:
    history = some_items(shop_data, 4, 9, 17)
    answer = service.post(
        "/v1/recommend", json={"history": [{"item_id": i, "value": 4.0} for i in history], "k": 5}
    )
    assert ids_of(answer) == fitted["v1"].recommend(history=dict.fromkeys(history, 4.0), k=5).ids
    assert answer.json()["history_used"] == 3


def test_reasons_are_past_items_and_agree_with_explain(
    service: TestClient, fitted: dict[str, Recommender], shop_data: Interactions
) -> None:
    history = dict.fromkeys(some_items(shop_data, 4, 9, 17, 30), 5.0)
    body = {
        "history": [{"item_id": i, "value": v} for i, v in history.items()],
        "k": 3,
        "reasons": 2,
    }
    items = service.post("/v1/recommend", json=body).json()["items"]
    assert len(items) == 3
    assert any(item["reasons"] for item in items)
    for item in items:
        told = fitted["v1"].explain(item=item["item_id"], history=history)
        expected = [
            (r.id, pytest.approx(r.contribution, rel=1e-3, abs=1e-6))
            for r in told.reasons[:2]
            if r.contribution > 0
        ]
        assert [(r["item_id"], r["contribution"]) for r in item["reasons"]] == expected


def test_unseen_user_gets_popularity_and_a_note_says_so(
    service: TestClient, shop_data: Interactions
) -> None:
    answer = service.get("/v1/users/nobody/recommendations?k=4")
    counts = shop_data.item_counts
    best = np.argsort(-counts, kind="stable")[:4]
    assert ids_of(answer) == shop_data.items.ids(best)
    assert answer.json()["source"] == "popularity"
    assert "nothing is known" in answer.json()["note"]


@pytest.mark.parametrize("name", ["popularity", "biased_mf"])
def test_unseen_user_is_answered_by_models_of_ratings(
    name: str, folder: Path, start: Start, shop_data: Interactions
) -> None:
    """It was a 500: the profile of nobody had no values, where others' have."""
    values = np.resize(np.float32([3, 5, 4]), len(shop_data))
    save(registry.create(name).fit(replace(shop_data, values=values)), folder / "rated")
    service = start(model="rated")
    assert len(ids_of(service.get("/v1/users/nobody/recommendations?k=4"))) == 4
    assert len(ids_of(service.post("/v1/recommend", json={"history": [], "k": 4}))) == 4


def test_acknowledged_event_counts_in_the_next_answer(service: TestClient) -> None:
    before = ids_of(service.get("/v1/users/new/recommendations?k=5"))
    ack = service.post(
        "/v1/events", json={"events": [{"user_id": "new", "item_id": before[0], "event_id": "e1"}]}
    )
    assert ack.json()["changed"] == 1
    after = service.get("/v1/users/new/recommendations?k=52")
    assert after.json()["source"] == "personal"
    assert before[0] not in ids_of(after)
    assert ids_of(after)[:5] != before
    service.post("/v1/events/undo", json={"event_ids": ["e1"], "user_id": "new"})
    assert ids_of(service.get("/v1/users/new/recommendations?k=5")) == before


def test_events_of_a_trained_user_join_the_training_history(
    service: TestClient, fitted: dict[str, Recommender]
) -> None:
    model = fitted["v1"]
    user = model.data.users.ids([3])[0]
    fresh = model.recommend(user, k=1).ids[0]
    service.post("/v1/events", json={"events": [{"user_id": user, "item_id": fresh, "value": 5.0}]})
    trained = model.data.histories(np.array([3]))
    history = dict(
        zip(model.data.items.ids(trained.item_rows), trained.values.tolist(), strict=True)
    ) | {fresh: 5.0}
    assert (
        ids_of(service.get(f"/v1/users/{user}/recommendations?k=6"))
        == model.recommend(history=history, k=6).ids
    )


def test_repeated_event_id_changes_nothing_and_another_content_is_refused(
    service: TestClient, shop_data: Interactions
) -> None:
    one, two = some_items(shop_data, 1, 2)
    event = {"user_id": "u", "item_id": one, "event_id": "once"}
    assert service.post("/v1/events", json={"events": [event]}).json()["changed"] == 1
    assert service.post("/v1/events", json={"events": [event]}).json()["changed"] == 0
    refused = service.post("/v1/events", json={"events": [{**event, "item_id": two}]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_dislike_removes_the_item_and_speaks_for_nothing(
    service: TestClient, shop_data: Interactions
) -> None:
    liked, disliked = some_items(shop_data, 3, 8)
    events = [
        {"user_id": "u", "item_id": liked, "value": 4.0},
        {"user_id": "u", "item_id": disliked, "kind": "dislike"},
    ]
    service.post("/v1/events", json={"events": events})
    answer = service.get("/v1/users/u/recommendations?k=53")
    assert {liked, disliked}.isdisjoint(ids_of(answer))
    assert answer.json()["history_used"] == 1
    assert ids_of(answer) == [
        i
        for i in ids_of(
            service.post(
                "/v1/recommend", json={"history": [{"item_id": liked, "value": 4.0}], "k": 53}
            )
        )
        if i != disliked
    ]


def test_filters_apply_before_scoring_so_k_come_back_when_k_exist(
    service: TestClient, shop_data: Interactions
) -> None:
    history = some_items(shop_data, 0)
    allow = some_items(shop_data, *range(40, 53))
    assert sorted(
        ids_of(
            service.post(
                "/v1/recommend", json={"history": history, "allow": [*allow, "unknown"], "k": 13}
            )
        )
    ) == sorted(allow)
    block = ids_of(service.post("/v1/recommend", json={"history": history, "k": 20}))
    left = ids_of(service.post("/v1/recommend", json={"history": history, "block": block, "k": 20}))
    assert len(left) == 20
    assert set(left).isdisjoint(block)
    years = {i: shop_data.catalogue.row(n)["year"] for n, i in enumerate(shop_data.items.ids())}
    late = {i for i, year in years.items() if year >= 2000} - set(history)
    assert (
        set(
            ids_of(
                service.post(
                    "/v1/recommend", json={"history": history, "where": "year >= 2000", "k": 53}
                )
            )
        )
        == late
    )
    assert set(
        ids_of(
            service.get("/v1/users/x/recommendations", params={"where": "year >= 2000", "k": 53})
        )
    ) == late | ({*history} & {i for i, y in years.items() if y >= 2000})


def test_attribute_filter_reads_what_the_store_says_of_an_item(
    service: TestClient, shop_data: Interactions
) -> None:
    (item,) = some_items(shop_data, 6)
    service.post(
        "/v1/items",
        json={"items": [{"item_id": item, "title": "Renamed", "features": {"year": 3000}}]},
    )
    assert ids_of(service.post("/v1/recommend", json={"history": [], "where": "year = 3000"})) == [
        item
    ]
    assert ids_of(
        service.post("/v1/recommend", json={"history": [], "where": "title = 'Renamed'"})
    ) == [item]
    assert service.get("/v1/search?q=renam").json()["items"][0]["item_id"] == item


def test_hidden_items_never_come_back_until_shown(
    service: TestClient, shop_data: Interactions
) -> None:
    items = some_items(shop_data, *range(53))
    hidden, deleted = items[:20], items[20:30]
    service.post("/v1/items/hide", json={"item_ids": hidden})
    service.post("/v1/items/delete", json={"item_ids": deleted})
    gone = set(hidden + deleted)
    asked = [
        service.get("/v1/users/x/recommendations?k=53"),
        service.post("/v1/recommend", json={"history": items[30:32], "k": 53}),
        service.post(
            "/v1/recommend",
            json={"history": items[30:32], "k": 53, "where": "year > 0", "allow": items},
        ),
        service.get(f"/v1/items/{items[31]}/similar?k=53"),
        service.get("/v1/items?limit=100"),
        service.get("/v1/search?q=the&limit=100"),
        service.post("/v1/recommend", json={"history": items[30:32], "k": 53, "version": "v3"}),
    ]
    for answer in asked:
        assert gone.isdisjoint(ids_of(answer))
    assert gone.isdisjoint(service.get("/v1/map").json()["item_ids"])
    service.post("/v1/items/show", json={"item_ids": hidden})
    assert set(hidden) < set(ids_of(service.get("/v1/users/x/recommendations?k=53")))
    assert service.get(f"/v1/items/{deleted[0]}").status_code == 404


def test_hidden_stays_hidden_after_a_restart_and_a_promotion(
    folder: Path, events_url: str, shop_data: Interactions
) -> None:
    (item,) = some_items(shop_data, int(np.argmax(shop_data.item_counts)))

    async def hide(client: Any, context: Any) -> None:
        await client.post("/v1/items/hide", json={"item_ids": [item]})

    async def look(client: Any, context: Any) -> None:
        for version in ("v3", "v2"):
            assert item not in ids_of(await client.get("/v1/users/x/recommendations?k=53"))
            assert (
                await client.post("/v1/model/promote", json={"version": version})
            ).status_code == 200
        assert item not in ids_of(await client.get("/v1/users/x/recommendations?k=53"))

    for scene in (hide, look):
        in_loop(folder, events_url, Settings(**CALM), scene)


def test_history_export_and_erasure(service: TestClient, fitted: dict[str, Recommender]) -> None:
    data = fitted["v1"].data
    user, item = data.users.ids([5])[0], data.items.ids([7])[0]
    service.post(
        "/v1/events", json={"events": [{"user_id": user, "item_id": item, "kind": "click"}]}
    )
    events = service.get(f"/v1/users/{user}/history?limit=500").json()["events"]
    assert [e["origin"] for e in events] == ["training"] * int(data.user_counts[5]) + ["store"]
    assert (events[-1]["item_id"], events[-1]["kind"]) == (item, "click")
    export = service.get(f"/v1/users/{user}/export").json()
    assert len(export["events"]) == 1
    assert len(export["trained_items"]) == data.user_counts[5]
    assert service.delete(f"/v1/users/{user}").json()["changed"] == 1
    assert service.get(f"/v1/users/{user}/export").json()["events"] == []


@pytest.mark.parametrize("user", ["a/b", "ü ö", "a/history", "..", "a?b#c"])
def test_ids_with_any_characters_keep_their_histories(
    service: TestClient, shop_data: Interactions, user: str
) -> None:
    from urllib.parse import quote

    (item,) = some_items(shop_data, 2)
    assert (
        service.post(
            "/v1/events", json={"events": [{"user_id": user, "item_id": item}]}
        ).status_code
        == 200
    )
    answer = service.post("/v1/recommend", json={"user_id": user, "k": 53})
    assert answer.json()["history_used"] == 1
    if user != "..":  # a client resolves that one before it is sent
        told = service.get(f"/v1/users/{quote(user, safe='')}/history").json()
        assert (told["user_id"], len(told["events"])) == (user, 1)


def test_what_a_model_cannot_is_said_not_guessed(service: TestClient) -> None:
    for path, body in (
        ("/v1/recommend", {"text": "a lighthouse"}),
        ("/v1/similar", {"text": "a lighthouse"}),
        ("/v1/recommend", {"features": {"year": 1}}),
    ):
        answer = service.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "model_cannot")
        assert "ials" in answer.json()["error"]["message"]


def test_new_item_is_found_and_counted_as_unknown_to_the_model(service: TestClient) -> None:
    service.post(
        "/v1/items",
        json={"items": [{"item_id": "new-1", "title": "Brand new thing", "text": "words"}]},
    )
    found = service.get("/v1/search?q=brand").json()["items"]
    assert [(i["item_id"], i["known_to_model"]) for i in found] == [("new-1", False)]
    assert service.get("/v1/items/new-1").json()["text"] == "words"
    service.post("/v1/events", json={"events": [{"user_id": "u", "item_id": "new-1"}]})
    answer = service.get("/v1/users/u/recommendations").json()
    assert answer["source"] == "popularity"
    assert "after the model was trained" in answer["note"]


def test_errors_have_one_shape_and_name_the_field(service: TestClient) -> None:
    cases = [
        ("post", "/v1/recommend", {"history": [], "k": 0}, 422, "k"),
        ("post", "/v1/recommend", {"history": [], "k": 5000}, 422, "k"),
        ("post", "/v1/recommend", {"history": [], "where": "year >"}, 422, None),
        ("post", "/v1/recommend", {}, 422, "user_id"),
        ("post", "/v1/recommend", {"history": [], "version": "../v1"}, 422, "version"),
        (
            "post",
            "/v1/events",
            {"events": [{"user_id": "u", "item_id": "i"}, {"user_id": "u"}]},
            422,
            "events[1]",
        ),
        (
            "post",
            "/v1/events",
            {"events": [{"user_id": "u", "item_id": "i", "time": 10**13}]},
            422,
            "events[0].time",
        ),
        ("post", "/v1/events", {"events": []}, 422, "events"),
        ("post", "/v1/events", {"events": [], "more": 1}, 422, None),
        ("get", "/v1/items/nowhere", None, 404, "item_id"),
        ("get", "/nothing", None, 404, None),
        ("get", "/v1/search?q=a&q=b", None, 422, "q"),
    ]
    for method, path, body, status, field in cases:
        given = {} if body is None else {"json": body}
        answer = service.request(method, path, **given)
        error, shown = answer.json()["error"], (path, body, answer.text)
        assert (answer.status_code, set(error) - {"field"}) == (status, {"code", "message"}), shown
        if field is not None:
            assert error["field"] == field, shown


def test_what_is_scored_in_the_event_loop_uses_the_threads_of_the_settings(
    start: Start, fitted: dict[str, Recommender], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.base import threads

    monkeypatch.setattr(threads, "most_threads", lambda: 4)
    client = start(Settings(**CALM, threads=1))
    loaded = client.app.state.context.models.current  # type: ignore[attr-defined]
    if not loaded.quick:
        pytest.skip("what takes longer has a thread of its own")
    user = fitted["v1"].data.users.ids([3])[0]
    used: list[tuple[str, int]] = []
    explain = loaded.model.explain_rows

    def noted(*given: Any) -> Any:
        used.append((threading.current_thread().name, threads.current_threads()))
        return explain(*given)

    monkeypatch.setattr(loaded.model, "explain_rows", noted)
    assert client.get(f"/v1/users/{user}/recommendations?k=3").status_code == 200
    ((name, count),) = used
    assert name != "cofactor-scorer"
    assert count == 1
