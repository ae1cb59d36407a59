"""A model with content: described items are placed at once, and new ones can be recommended as
soon as they are acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cofactor import Run
from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.models import registry
from cofactor.models.recommender import Recommender
from cofactor.service.http.app import build
from cofactor.service.settings import Settings
from cofactor.store import Item, open_store
from cofactor.store.beside import open_beside, serve_beside
from service.http.scenes import BASE, CALM, TestClient, ids_of


@pytest.fixture(scope="module", params=["content_knn", "content_blend"])
def content(shop_data: Interactions, request: pytest.FixtureRequest) -> Recommender:
    settings = {"ials_settings": ("factors=8",)} if request.param == "content_blend" else {}
    return registry.create(request.param, **settings).fit(shop_data, run=Run(threads=1))


@pytest.fixture
def service(content: Recommender, tmp_path: Path) -> Iterator[TestClient]:
    save(content, tmp_path / "model")
    app = build(tmp_path / "model", open_store(f"sqlite:///{tmp_path / 'e.db'}"), Settings(**CALM))
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def test_described_item_gets_the_neighbours_that_the_model_gives(
    service: TestClient, content: Recommender
) -> None:
    assert service.get("/v1/model").json()["can"]["described_items"] is True
    words = content.data.catalogue.row(4)["description"]
    answer = service.post("/v1/similar", json={"text": words, "k": 5})
    assert ids_of(answer) == content.similar_to(words, 5).ids
    assert answer.json()["source"] == "text"
    told = service.post("/v1/recommend", json={"features": {"description": words}, "k": 3})
    assert told.json()["source"] == "features"
    assert len(ids_of(told)) == 3


def test_new_item_is_recommended_as_soon_as_it_is_acknowledged(
    service: TestClient, content: Recommender
) -> None:
    row = int(np.argmax(content.data.item_counts))
    like, known = content.data.items.ids([row])[0], content.data.catalogue.row(row)
    features = {n: v for n, v in known.items() if n != content.data.catalogue.title_column}
    put = {"item_id": "new-1", "title": "Brand new", "features": features}
    assert service.post("/v1/items", json={"items": [put]}).status_code == 200
    answer = service.post(
        "/v1/recommend", json={"history": [{"item_id": like, "value": 5.0}], "k": 10}
    )
    assert "new-1" in ids_of(answer)
    assert service.get("/v1/items/new-1").json()["known_to_model"] is True
    service.post("/v1/items/hide", json={"item_ids": ["new-1"]})
    assert "new-1" not in ids_of(
        service.post("/v1/recommend", json={"history": [{"item_id": like, "value": 5.0}], "k": 50})
    )


@pytest.mark.parametrize("beside", [True, False], ids=["imported", "other process"])
def test_items_of_another_process_are_placed_without_a_request(
    shop_data: Interactions, tmp_path: Path, beside: bool
) -> None:
    """Imported beside the service, or written by another worker or replica: the second was taken
    over between two requests, but never placed.
    """
    save(registry.create("content_knn").fit(shop_data), tmp_path / "model")
    place = tmp_path / "e.db"
    store = open_store(f"sqlite:///{place}")
    app = build(tmp_path / "model", store, Settings(**CALM))
    context = app.state.context
    item = Item(item_id="new-3", title="Brand new", features={"year": 1999})

    def placed() -> bool:
        return bool(context.models.current.model.data.items.find(["new-3"])[0] >= 0)

    with TestClient(app, base_url=BASE):
        if beside:
            taking = serve_beside(store, context.followed_beside)
            assert taking is not None
            with open_beside(f"sqlite:///{place}") as other:
                other.put_items([item]).result(300)
            assert context.live.described["new-3"].title == "Brand new"  # once acknowledged
            taking.close()
        else:
            context.live.others = True
            store.put_items([item]).result(300)
        deadline = time.monotonic() + 300
        while not placed():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_new_items_are_known_again_after_a_restart(
    service: TestClient, content: Recommender, tmp_path: Path
) -> None:
    service.post(
        "/v1/items",
        json={"items": [{"item_id": "new-2", "title": "Other", "features": {"year": 1999}}]},
    )
    service.post(
        "/v1/items",
        json={"items": [{"item_id": "new-3", "title": "Third", "features": {"nonsense": ["a"]}}]},
    )
    assert service.get("/v1/items/new-2").json()["known_to_model"] is True
    assert service.get("/v1/items/new-3").json()["known_to_model"] is True


def test_words_that_carried_an_answer_are_named(service: TestClient, content: Recommender) -> None:
    ids = content.data.items.ids()
    told = service.post(
        "/v1/recommend", json={"history": [ids[4], ids[9]], "k": 3, "reasons": 2}
    ).json()["items"]
    for one in told:
        features = content.explain(item=one["item_id"], history=[ids[4], ids[9]]).features
        explained = [r for r in features if r.contribution > 0.1 * features[0].contribution][:2]
        assert [w["word"] for w in one["words"]] == [r.title for r in explained]
        assert [w["contribution"] for w in one["words"]] == pytest.approx(
            [r.contribution for r in explained], rel=1e-5
        )
    assert any(one["words"] for one in told)
    assert (
        "words"
        not in service.post("/v1/recommend", json={"history": [ids[4]], "reasons": 0}).json()[
            "items"
        ][0]
    )
    words = content.data.catalogue.row(4)["description"]
    itself = service.post("/v1/similar", json={"text": words, "k": 1}).json()["items"][0]
    assert itself["item_id"] == ids[4]
    # Word by word they add up to what the whole description has in common with the item, as far as
    # they are told.
    assert 0 < sum(w["contribution"] for w in itself["words"]) <= itself["score"] + 1e-5
    assert {w["word"].split(": ")[-1] for w in itself["words"]} <= set(
        words.lower().replace(".", " ").replace(",", " ").split()
    )
