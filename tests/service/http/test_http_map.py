"""The map of items follows what is hidden and shown after it was made."""

from __future__ import annotations

import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from service.http.scenes import TestClient, some_items


@pytest.fixture
def events_url(events: str) -> str:
    """One database: what these tests look at, the store has no part in."""
    return events


@pytest.mark.parametrize("column", ["similar items", "genres"])
def test_a_map_made_before_names_no_group_by_a_hidden_item(
    service: TestClient, shop_data: Interactions, column: str
) -> None:
    path = f"/v1/map?column={column}"
    before = service.get(path).json()
    named = {before["groups"][n] for n in range(len(before["item_ids"]))}
    assert all(before["group_names"][group] for group in named)
    firsts = [before["groups"].index(group) for group in named]
    service.post("/v1/items/hide", json={"item_ids": [before["item_ids"][n] for n in firsts]})
    after = service.get(path).json()
    gone = {before["titles"][n] for n in firsts}
    assert gone.isdisjoint(after["titles"])
    assert not any(title in name for title in gone for name in after["group_names"])
    empty = set(range(len(after["group_names"]) - 1)) - set(after["groups"])
    assert {after["group_names"][group] for group in empty} <= {""}


def test_a_map_made_before_has_items_that_are_shown_again(
    service: TestClient, shop_data: Interactions
) -> None:
    (item,) = some_items(shop_data, int(np.argmax(shop_data.item_counts)))
    service.post("/v1/items/hide", json={"item_ids": [item]})
    before = service.get("/v1/map?limit=9").json()["item_ids"]
    assert item not in before
    service.post("/v1/items/show", json={"item_ids": [item]})
    assert service.get("/v1/map?limit=9").json()["item_ids"] == [item, *before[:8]]
