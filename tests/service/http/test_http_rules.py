"""Rules that the machine tries to break: hidden means hidden, an acknowledged event counts at
once.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cofactor.data.interactions import Interactions
from service.http.scenes import CALM, TestClient, ids_of, in_loop

from cofactor.service.settings import Settings  # isort: skip

N_ITEMS = 53
SOAK = bool(os.environ.get("COFACTOR_SOAK"))
rows = st.integers(0, N_ITEMS - 1)


@pytest.fixture(autouse=True)
def items_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search ordered items, as with many of them; v3 has no vectors and takes the other path."""
    monkeypatch.setattr("cofactor.service.answering.loaded._ORDERED_FROM", 1)


change = st.one_of(
    st.tuples(
        st.sampled_from(["hide", "show", "delete", "describe"]),
        st.lists(rows, min_size=1, max_size=12, unique=True),
    ),
    st.tuples(st.just("event"), st.tuples(st.sampled_from(["ann", "bob"]), rows)),
)


def _change(
    service: TestClient, kind: str, chosen: list[str], gone: set[str], deleted: set[str]
) -> None:
    """Describe, show, hide or delete items, and keep which are gone by that."""
    if kind == "describe":
        items = [{"item_id": i, "title": "New words"} for i in chosen]
        service.post("/v1/items", json={"items": items})
        gone -= deleted & set(chosen)
        deleted -= set(chosen)
        return
    service.post(f"/v1/items/{kind}", json={"item_ids": chosen})
    if kind == "show":
        gone -= set(chosen) - deleted
    else:
        gone |= set(chosen)
        deleted |= set(chosen) if kind == "delete" else set()


@settings(
    max_examples=1500 if SOAK else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    steps=st.lists(change, min_size=1, max_size=10),
    history=st.lists(rows, max_size=6),
    version=st.sampled_from(["v1", "v3"]),
)
def test_hidden_and_deleted_never_returned_and_events_count_at_once(
    items_in_order: None,
    service: TestClient,
    shop_data: Interactions,
    steps: list[Any],
    history: list[int],
    version: str,
) -> None:
    ids = shop_data.items.ids()
    # Each example begins with everything visible and nobody having done anything.
    service.post("/v1/items", json={"items": [{"item_id": i, "hidden": False} for i in ids]})
    for user in ("ann", "bob"):
        service.delete(f"/v1/users/{user}")
    gone: set[str] = set()
    deleted: set[str] = set()
    had: dict[str, set[str]] = {"ann": set(), "bob": set()}
    for kind, what in steps:
        if kind == "event":
            user, row = what
            service.post("/v1/events", json={"events": [{"user_id": user, "item_id": ids[row]}]})
            had[user].add(ids[row])
        else:
            _change(service, kind, [ids[row] for row in what], gone, deleted)
        for user, items in had.items():
            answer = service.post(
                "/v1/recommend",
                json={"user_id": user, "k": N_ITEMS, "version": version, "reasons": 0},
            )
            # All that may come back does, and nothing else: k come back when k exist.
            assert set(ids_of(answer)) == set(ids) - gone - items
    posted = [ids[row] for row in history]
    answer = service.post(
        "/v1/recommend",
        json={"history": posted, "k": N_ITEMS, "version": version, "exclude_seen": False},
    )
    assert set(ids_of(answer)) == set(ids) - gone


def test_no_read_your_writes_violation_under_concurrency(
    folder: Path, events_url: str, shop_data: Interactions
) -> None:
    import asyncio

    ids = shop_data.items.ids()
    users, steps = (200, 50) if SOAK else (12, 8)

    async def play(client: Any, context: Any) -> int:
        async def person(number: int) -> int:
            order = np.random.default_rng(number).permutation(N_ITEMS)
            had: set[str] = set()
            for step in range(steps):
                item = ids[order[step]]
                sent = await client.post(
                    "/v1/events", json={"events": [{"user_id": f"p{number}", "item_id": item}]}
                )
                assert sent.status_code == 200, sent.text
                had.add(item)
                answer = await client.post(
                    "/v1/recommend", json={"user_id": f"p{number}", "k": N_ITEMS}
                )
                assert had.isdisjoint(ids_of(answer))
                assert answer.json()["history_used"] == len(had)
            return steps

        return sum(await asyncio.gather(*map(person, range(users))))

    checked = in_loop(folder, events_url, Settings(**CALM), play)
    assert checked == users * steps
