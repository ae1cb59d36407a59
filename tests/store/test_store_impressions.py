"""Impressions in the store: logged once, erased with their user, exported, backed up."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.store import (
    ConflictError,
    Event,
    Impression,
    Store,
    backup,
    export_impressions,
    impression_line,
    open_store,
    restore,
    schema,
)


def impression(request_id: str, user: str = "u", **given: Any) -> Impression:
    return Impression(
        **{
            "request_id": request_id,
            "user_id": user,
            "version": "v1",
            "source": "personal",
            "items": ("a", "b"),
            "probabilities": (1.0, 0.25),
            **given,
        }
    )


def test_impressions_are_logged_once_and_read_in_order(store: Store) -> None:
    one = impression("r1", experiment="e", arm="new", ms=1.5, time=50)
    two = impression("r2", "v", items=("c",), probabilities=(0.5,), item_arms=("old",))
    assert store.log_impressions([one, two]).result().changed == 2
    assert store.log_impressions([one]).result().unchanged == 1
    first, second = store.impressions()
    assert msgspec.structs.asdict(first) == {"seq": first.seq, **msgspec.structs.asdict(one)}
    assert (second.item_arms, second.shown) == (("old",), True)
    assert second.time > 50
    assert list(store.impressions(after=first.seq)) == [second]
    assert store.user_impressions("v") == [second]
    assert (store.counts().impressions, store.counts().events) == (2, 0)


def test_lists_by_their_lines_are_stored_the_same(store: Store) -> None:
    whole = impression(
        "r 1",
        'ü"\\',
        items=('a"b', "ä", "0", "\\n"),
        probabilities=(1.0, 0.25, 1e-7, 1 / 3),
        experiment="e",
        arm="v1~slots=0.1",
        item_arms=("x", "y", "x", "y"),
        shown=False,
        ms=1.25,
        time=77,
    )
    lists = [whole, impression("r2", items=(), probabilities=(), time=5)]
    store.log_impressions(lists).result()
    first = [msgspec.structs.replace(one, seq=0) for one in store.impressions()]
    for user in (whole.user_id, "u"):
        store.erase_user(user).result()
    assert store.log_lines([impression_line(one) for one in lists]).result().changed == 2
    assert [msgspec.structs.replace(one, seq=0) for one in store.impressions()] == first
    again = store.log_lines([impression_line(whole)]).result()
    assert (again.changed, again.unchanged, store.counts().impressions) == (0, 1, 2)
    with pytest.raises(ArgumentError, match="time must be given"):
        impression_line(impression("r3"))


def test_a_request_id_with_another_content_is_a_conflict(store: Store) -> None:
    store.log_impressions([impression("r1")]).result()
    with pytest.raises(ConflictError, match="r1"):
        store.log_impressions([impression("r2"), impression("r1", user="other")]).result()
    assert store.counts().impressions == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"probabilities": (1.0,)}, r"impressions\[0\]: probabilities must have 2 entries"),
        ({"probabilities": (1.0, 0.0)}, "probabilities must be a finite number above 0"),
        ({"probabilities": (1.0, 1.5)}, "probabilities must be"),
        ({"item_arms": ("x",)}, "item_arms must have 2 entries"),
        ({"probabilities": (1.0, float("nan"))}, "probabilities must be"),
        ({"request_id": ""}, "request_id must have 1 to 200 characters"),
        ({"user_id": "a\0b"}, "user_id"),
        ({"experiment": ""}, "experiment"),
        ({"items": ("a", "b" * 201)}, "items"),
        ({"items": ("a",) * 1_001, "probabilities": (1.0,) * 1_001}, "items must be at most 1,000"),
        ({"time": -1}, "time must be"),
    ],
)
def test_what_cannot_be_logged_is_named(store: Store, given: dict[str, Any], message: str) -> None:
    one = msgspec.structs.replace(impression("r", time=1), **given)
    with pytest.raises(ArgumentError, match=message):
        store.log_impressions([one])
    with pytest.raises(ArgumentError, match=message.partition(": ")[2] or message):
        impression_line(one)


def test_erasing_a_user_erases_what_was_shown_to_them(store: Store) -> None:
    store.append([Event(user_id="u", item_id="a")]).result()
    store.log_impressions([impression("r1"), impression("r2"), impression("r3", "kept")]).result()
    assert store.erase_user("u").result().changed == 1
    assert [one.user_id for one in store.impressions()] == ["kept"]
    assert store.counts().impressions == 1


def test_an_export_has_a_line_per_item_and_position(store: Store, tmp_path: Path) -> None:
    lists = [impression("r1", arm="A"), impression("r2", item_arms=("A", "B"))]
    store.log_impressions(lists).result()
    assert export_impressions(store, tmp_path / "shown.parquet") == 4
    table = pq.read_table(tmp_path / "shown.parquet").to_pydict()
    assert table["position"] == [0, 1, 0, 1]
    assert table["arm"] == ["A", "A", "A", "B"]
    assert table["probability"] == [1.0, 0.25, 1.0, 0.25]
    export_impressions(store, tmp_path / "shown.jsonl")
    lines = (tmp_path / "shown.jsonl").read_bytes().splitlines()
    assert msgspec.json.decode(lines[1])["item_id"] == "b"


def test_a_backup_holds_impressions(
    store: Store, store_url: str, opened: Callable[..., Store], tmp_path: Path
) -> None:
    store.log_impressions([impression("r1"), impression("r2")]).result()
    manifest = backup(store, tmp_path / "b.db")
    assert manifest.rows["impressions"] == 2
    store.close()
    restore(tmp_path / "b.db", store_url, overwrite=True)
    again = opened(store_url)
    assert [one.request_id for one in again.impressions()] == ["r1", "r2"]
    assert again.log_impressions([impression("r3")]).result().changed == 1


def test_a_store_and_a_backup_of_the_schema_before_are_taken_over(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = {name: columns for name, columns in schema.TABLES.items() if name != "impressions"}
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        old.setattr(schema, "TABLES", tables)
        with open_store(f"sqlite:///{tmp_path / 'old.db'}") as store:
            store.append([Event(user_id="u", item_id="a")]).result()
            backup(store, tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert "impressions" not in names
    with open_store(f"sqlite:///{tmp_path / 'old.db'}") as store:
        store.log_impressions([impression("r1")]).result()
        assert (store.counts().events, store.counts().impressions) == (1, 1)
    restore(tmp_path / "b.db", store_url)
    with open_store(store_url) as store:
        store.log_impressions([impression("r1")]).result()
        assert (store.counts().events, store.counts().impressions) == (1, 1)
