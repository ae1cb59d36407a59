"""`cofactor ope`: from the store of a service that explored, and from a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cofactor.artifact.save import save
from cofactor.data.interactions import Interactions
from cofactor.data.synthetic import shop
from cofactor.models import registry
from cofactor.retrieval.exploration import Exploration, Pool
from cofactor.store import Event, Impression, open_store

_TIME = 1_700_000_000


@pytest.fixture
def data() -> Interactions:
    return shop(n_users=60, n_items=30, seed=4)


@pytest.fixture
def policy(tmp_path: Path, data: Interactions) -> Path:
    model = registry.create("popularity").fit(data)
    return save(model, tmp_path / "policy")


@pytest.fixture
def rows(data: Interactions) -> list[dict[str, Any]]:
    """Lists of one item that a softmax over popularity showed; even items are clicked."""
    model = registry.create("popularity").fit(data)
    batch = model.user_batch(np.arange(data.n_users, dtype=np.int32))
    best = model.topk(batch, 30, excluded=batch.seen, n_threads=1)
    rng, exploration = np.random.default_rng(0), Exploration(kind="softmax", temperature=2.0)
    users, items, made = data.users.ids(), data.items.ids(), []
    for n in range(900):
        row, count = n % data.n_users, int(best.count[n % data.n_users])
        drawn = exploration.draw(Pool(best.scores[row, :count]), 1, rng)
        shown = int(best.rows[row, drawn.places[0]])
        made.append(
            {
                "request_id": f"r{n}",
                "user_id": users[row],
                "position": 0,
                "item_id": items[shown],
                "probability": float(drawn.probabilities[0]),
                "reward": float(shown % 2 == 0),
            }
        )
    return made


@pytest.fixture
def logged(tmp_path: Path, rows: list[dict[str, Any]]) -> str:
    """The same in an event store."""
    url = f"sqlite:///{tmp_path / 'e.db'}"
    with open_store(url) as store:
        for n, row in enumerate(rows):
            store.log_impressions(
                [
                    Impression(
                        request_id=row["request_id"],
                        user_id=row["user_id"],
                        version="v1",
                        source="personal",
                        items=(row["item_id"],),
                        probabilities=(row["probability"],),
                        time=_TIME + 10 * n,
                    )
                ]
            )
            if row["reward"]:
                clicked = {"item_id": row["item_id"], "kind": "impression", "time": _TIME + 10 * n}
                store.append([Event(user_id=row["user_id"], **clicked)])
        store.append([Event(user_id="someone", item_id="else", time=_TIME)]).result()
    return url


def test_a_table_and_a_store_give_the_same_estimates(
    cofactor: Callable[..., Any],
    tmp_path: Path,
    policy: Path,
    rows: list[dict[str, Any]],
    logged: str,
) -> None:
    table = tmp_path / "logs.parquet"
    pq.write_table(pa.Table.from_pylist(rows), table)
    words = ("--policy", policy, "--explore", "softmax=1", "--json")
    first = cofactor("ope", table, *words)
    assert first.code == 0, first.err
    found = json.loads(first.out)
    assert [one["estimate"] for one in found["estimates"]] == [
        *("as shown", "ips", "clipped", "snips", "dr")
    ]
    assert (found["lists"], found["users"]) == (900, 60)
    assert all(one["low"] < one["reward a list"] < one["high"] for one in found["estimates"])
    # An event of a kind that the service counts as no sign, so that histories stay as trained.
    second = cofactor("ope", logged, *words, "--rewards", "impression=1", "--window", "5s")
    assert second.code == 0, second.err
    for one, other in zip(found["estimates"], json.loads(second.out)["estimates"], strict=True):
        assert one.pop("estimate") == other.pop("estimate")
        assert one == pytest.approx(other)


def test_what_is_not_supported_is_one_sentence(
    cofactor: Callable[..., Any], tmp_path: Path, policy: Path, rows: list[dict[str, Any]]
) -> None:
    pq.write_table(pa.Table.from_pylist(rows[:60]), tmp_path / "few.parquet")
    refused = cofactor("ope", tmp_path / "few.parquet", "--policy", policy)
    assert refused.code == 1
    assert "doesn't support this policy at position 0" in refused.sentence
