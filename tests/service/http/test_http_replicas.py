"""Two replicas of the service on one PostgreSQL store, behind a balancer that takes them in turn:
what one has acknowledged, the other's next answer knows.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cofactor.data.interactions import Interactions
from service.http.processes import client, serving
from service.http.scenes import ids_of
from store.places import new_place

N_USERS, ROUNDS = 6, 25


class Balancer:
    """Sends every request to the next of its replicas."""

    def __init__(self, urls: list[str]) -> None:
        self.clients = [client(base_url=url, timeout=30) for url in urls]
        self.turns = itertools.cycle(self.clients)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = next(self.turns).post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer


@pytest.fixture
def balancer(request: pytest.FixtureRequest, folder: Path, tmp_path: Path) -> Iterator[Balancer]:
    """Two processes of `cofactor serve` on the same versions and the same store."""
    store = new_place(request, "postgres", tmp_path)
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(serving(folder, store))[1] for _ in range(2)]
        made = Balancer(urls)
        for client in made.clients:
            stack.enter_context(client)
        yield made


def test_what_one_replica_acknowledged_the_next_answer_of_the_other_knows(
    balancer: Balancer, shop_data: Interactions
) -> None:
    ids = list(shop_data.items.ids())
    draw = np.random.default_rng(3)
    had: dict[str, set[str]] = {f"new-{n}": set() for n in range(N_USERS)}
    hidden: set[str] = set()
    for step in range(ROUNDS):
        user, item = f"new-{step % N_USERS}", ids[int(draw.integers(len(ids)))]
        balancer.post("/v1/events", {"events": [{"user_id": user, "item_id": item}]})
        had[user].add(item)
        # The balancer has gone on, so the other replica answers.
        answer = balancer.post("/v1/recommend", {"user_id": user, "k": len(ids), "reasons": 0})
        assert set(ids_of(answer)) == set(ids) - had[user] - hidden
        if step % 5 == 0:
            gone = ids[int(draw.integers(len(ids)))]
            balancer.post("/v1/items/hide", {"item_ids": [gone]})
            hidden.add(gone)
            for _ in range(2):
                answer = balancer.post("/v1/recommend", {"user_id": user, "k": len(ids)})
                assert gone not in ids_of(answer)
        # An odd number of requests a round, so that each replica writes and each reads.
        balancer.post("/v1/recommend", {"history": [item], "k": 3})
