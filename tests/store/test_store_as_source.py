"""The store as a source of training data: what counts, with which values, and the catalogue."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import CofactorError, DataError, UnknownNameError
from cofactor.data.readers import read
from cofactor.store import (
    Event,
    Item,
    Store,
    export_events,
    export_items,
    open_store,
)


def rows(events: object) -> list[tuple]:
    values = [None] * len(events.users) if events.values is None else events.values.tolist()  # type: ignore[attr-defined]
    return list(
        zip(
            events.users.to_pylist(),
            events.items.to_pylist(),
            values,
            events.times.tolist(),
            strict=True,
        )
    )  # type: ignore[attr-defined]


def with_kinds(url: str, kinds: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}kinds={kinds}"


@pytest.fixture
def mixed(store: Store) -> Store:
    store.append(
        [
            Event(user_id="b", item_id="x", kind="view", time=50),
            Event(user_id="a", item_id="x", kind="rating", value=4, time=40),
            Event(user_id="a", item_id="y", kind="purchase", value=19.5, time=30),
            Event(user_id="a", item_id="y", kind="dislike", time=60),
            Event(user_id="a", item_id="z", kind="view", time=61, event_id="wrong"),
            Event(user_id="a", item_id="hidden", kind="view", time=62),
            Event(user_id="a", item_id="gone", kind="rating", value=1, time=63),
        ]
    ).result()
    store.undo(["wrong"]).result()
    store.hide_items(["hidden"]).result()
    store.delete_items(["gone"]).result()
    return store


def test_undone_events_and_those_of_hidden_and_deleted_items_and_dislikes_do_not_count(
    mixed: Store, store_url: str
) -> None:
    events = read(store_url)
    assert rows(events) == [("b", "x", None, 50), ("a", "x", None, 40), ("a", "y", None, 30)]
    assert (
        events.notes[0]
        == "event store: kinds purchase (1), rating (2), view (2); left out dislike (1)"
    )
    assert "2 of the events have no value" not in events.notes[1]
    assert (
        "1 of the events have no value, so values are left out; give ?kinds=rating"
        in events.notes[1]
    )


def test_kinds_of_the_url_choose_and_weigh(mixed: Store, store_url: str) -> None:
    assert rows(read(with_kinds(store_url, "rating"))) == [("a", "x", 4.0, 40)]
    assert rows(read(with_kinds(store_url, "view:1,purchase:5"))) == [
        ("b", "x", 1.0, 50),
        ("a", "y", 5.0, 30),
    ]
    assert rows(read(with_kinds(store_url, "dislike"))) == [("a", "y", None, 60)]
    with pytest.raises(
        UnknownNameError, match="unknown kind of event in .* 'purchases'; did you mean purchase"
    ):
        read(with_kinds(store_url, "purchases"))
    with pytest.raises(DataError, match="kinds= must be like view:1,purchase:5, not 'view:much'"):
        read(with_kinds(store_url, "view:much"))


def test_ratings_alone_are_values(store: Store, store_url: str) -> None:
    store.append(
        [Event(user_id=n, item_id=10 - n, kind="rating", value=n / 2, time=n) for n in range(1, 4)]
    ).result()
    assert rows(read(store_url)) == [(1, 9, 0.5, 1), (2, 8, 1.0, 2), (3, 7, 1.5, 3)]
    assert read(store_url, value=False).values is None
    assert read(store_url, time=False).times is None


def test_the_items_are_the_catalogue(store: Store, store_url: str) -> None:
    store.append(
        [Event(user_id="u", item_id="1", time=1), Event(user_id="u", item_id="2", time=1)]
    ).result()
    store.put_items(
        [
            Item(
                item_id="1",
                title="One",
                text="A text",
                features={"genre": ["a", "b"], "year": 1999, "odd": 5},
            ),
            Item(
                item_id="sku",
                title="Never seen",
                features={"year": 2001, "odd": "five", "title": "a clash"},
            ),
            Item(item_id="2", title="Two", hidden=True),
        ]
    ).result()
    table = read(store_url).item_table
    assert table is not None
    assert table.to_pydict() == {
        "item_id": ["1", "sku"],
        "title": ["One", "Never seen"],
        "text": ["A text", None],
        "genre": [["a", "b"], None],
        "odd": ["5", "five"],
        "feature_title": [None, "a clash"],
        "year": [1999, 2001],
    }


def test_an_empty_store_is_refused_with_the_reason(store: Store, store_url: str) -> None:
    with pytest.raises(DataError, match="the event store holds no events yet"):
        read(store_url)
    store.append([Event(user_id="u", item_id="i", kind="dislike", time=1)]).result()
    with pytest.raises(DataError, match=r"no event of the store counts: it holds dislike \(1\)"):
        read(store_url)


def test_a_model_is_trained_on_a_store(tmp_path: Path) -> None:
    from cofactor.cli.main import main

    draw = np.random.default_rng(0)
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url) as store:
        pairs = {(int(u), int(i)) for u, i in draw.integers(0, [40, 25], (600, 2))}
        store.append(
            [Event(user_id=u, item_id=i, time=1000 + n) for n, (u, i) in enumerate(sorted(pairs))]
        ).result()
        store.put_items([Item(item_id=3, title="The third")]).result()
        # While it is being written.
        assert (
            main(
                ["train", url, "--model", "popularity", "--out", str(tmp_path / "model"), "--quiet"]
            )
            == 0
        )
    import cofactor

    model = cofactor.load(tmp_path / "model")
    assert (model.data.n_users, model.data.n_items, len(model.data)) == (40, 25, len(pairs))
    assert model.data.catalogue.titles([3]) == ["The third"]


def test_events_of_nobody_in_an_older_store_are_left_out_and_counted(
    store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.store.limits.clean_one", lambda text: text)
    pairs = [("a", "x"), ("NULL", "x"), ("b", "{}"), ("b", "undefined"), ("b", "y")]
    store.append([Event(user_id=user, item_id=item, time=9) for user, item in pairs]).result()
    events = read(store_url)
    assert [row[:2] for row in rows(events)] == [("a", "x"), ("b", "y")]
    assert "left out 3 events" in " ".join(events.notes)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE store_meta SET value = 'x' WHERE name = 'schema'",
        "UPDATE store_meta SET value = x'ff' WHERE name = 'schema'",
        "UPDATE events SET user_id = x'ff'",
        "UPDATE events SET value = 'x'",
        "UPDATE events SET time = 'soon'",
        "UPDATE items SET features = '{'",
        "UPDATE items SET features = '[1]'",
        "UPDATE items SET state = 7",
        "DROP TABLE items",
    ],
)
def test_a_store_that_holds_what_none_writes_is_damaged_by_every_reader(
    tmp_path: Path, damage: str
) -> None:
    url = f"sqlite:///{tmp_path}/events.db"
    with open_store(url) as store:
        store.append([Event(user_id="a", item_id="x", time=1)]).result()
        store.put_items([Item(item_id="x", features={"year": 1})]).result()
    with closing(sqlite3.connect(tmp_path / "events.db")) as raw, raw:
        raw.execute(damage)
    doors = (
        lambda _: read(url),
        lambda store: export_events(store, tmp_path / "events.parquet"),
        lambda store: export_items(store, tmp_path / "items.parquet"),
        lambda store: store.unseen_items(),
    )
    refused = 0
    for door in doors:
        try:
            with open_store(url, read_only=True) as store:
                door(store)
        except CofactorError:  # and no other
            refused += 1
    assert refused
