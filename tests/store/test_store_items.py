"""Items of the store: descriptions, hiding, deletion, and the history of changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cofactor.base.errors import ArgumentError
from cofactor.store import Item, Store, open_store


def test_a_description_replaces_what_was_known_and_an_equal_one_changes_nothing(
    store: Store,
) -> None:
    first = Item(
        item_id="a", title="Old", text="long", features={"year": 1999, "genre": ["x", "y"]}
    )
    assert store.put_items([first]).result().changed == 1
    same = Item(item_id="a", title="Old", text="long", features={"genre": ["x", "y"], "year": 1999})
    assert store.put_items([same]).result().unchanged == 1
    store.put_items([Item(item_id="a", title="New")]).result()
    found = store.item("a")
    assert found is not None
    assert (found.title, found.text, found.features, found.state) == ("New", None, None, "visible")
    assert [(c.action, c.title, c.features) for c in store.item_history("a")] == [
        ("put", "Old", {"genre": ["x", "y"], "year": 1999}),
        ("put", "New", None),
    ]


def test_hidden_stays_hidden_through_a_new_description_until_it_is_shown(store: Store) -> None:
    store.put_items([Item(item_id="a", title="A"), Item(item_id="b", hidden=True)]).result()
    store.hide_items(["a", "never described"]).result()
    store.put_items([Item(item_id="a", title="B")]).result()
    assert store.unseen_items() == {"a": "hidden", "b": "hidden", "never described": "hidden"}
    assert store.item("a").title == "B"  # type: ignore[union-attr]
    ack = store.show_items(["a", "b", "unknown"]).result()
    assert (ack.changed, ack.unchanged) == (2, 1)
    assert store.put_items([Item(item_id="b", hidden=True)]).result().changed == 1
    assert store.unseen_items() == {"b": "hidden", "never described": "hidden"}
    assert (store.counts().items, store.counts().hidden) == (3, 2)


def test_deleted_items_keep_nothing_but_their_id_and_come_back_by_a_description_alone(
    store: Store,
) -> None:
    store.put_items(
        [Item(item_id="a", title="A", text="t", features={"f": 1.5}), Item(item_id="c")]
    ).result()
    store.delete_items(["a", "unknown"]).result()
    assert store.unseen_items() == {"a": "deleted", "unknown": "deleted"}
    found = store.item("a")
    assert found is not None
    assert (found.title, found.text, found.features, found.state) == (None, None, None, "deleted")
    assert store.show_items(["a"]).result().changed == 0
    assert store.hide_items(["a"]).result().changed == 0
    assert (store.counts().items, store.counts().hidden) == (1, 0)
    store.put_items([Item(item_id="a", title="Again")]).result()
    assert store.item("a").state == "visible"  # type: ignore[union-attr]
    assert [change.action for change in store.item_history("a")] == ["put", "delete", "put"]


def test_changes_come_in_order_for_those_who_keep_a_copy(store: Store) -> None:
    store.put_items([Item(item_id=n) for n in range(5)]).result()
    store.hide_items([3, 1]).result()
    changes = store.item_changes(after=4)
    assert [(c.seq, c.action, c.item_id, c.state) for c in changes] == [
        (5, "put", "4", "visible"),
        (6, "hide", "3", "hidden"),
        (7, "hide", "1", "hidden"),
    ]
    assert store.counts().last_change == 7
    assert [c.seq for c in store.item_changes(after=0, limit=2)] == [1, 2]
    assert [item.item_id for item in store.all_items()] == ["0", "1", "2", "3", "4"]


def test_of_an_id_that_repeats_in_a_request_the_last_counts(store: Store) -> None:
    store.put_items([Item(item_id=1, title="first"), Item(item_id="1", title="last")]).result()
    assert [item.title for item in store.all_items()] == ["last"]
    assert store.counts().items == 1


def test_many_items_are_asked_for_at_once(store: Store) -> None:
    store.put_items([Item(item_id=n, title=str(n)) for n in range(3000)]).result()
    found = store.items([*range(2990, 3010), "x"])
    assert sorted(found) == [str(n) for n in range(2990, 3000)]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"title": "x" * 1001}, r"items\[1\]: title must be text of at most 1,000 characters"),
        ({"text": "x" * 20_001}, "text must be text of at most 20,000 characters"),
        ({"text": "a\0b"}, "text must have no NUL"),
        ({"title": 5}, "title must be text"),
        ({"features": [1]}, "features must be an object of names and values, not list"),
        (
            {"features": {"a": {"b": 1}}},
            "feature 'a' must be text, a finite number, true, false, null or a list of texts",
        ),
        ({"features": {"a": float("inf")}}, "feature 'a' must be text, a finite number"),
        ({"features": {"a": 2**64}}, "feature 'a' must be text, a finite number"),
        ({"features": {"": 1}}, "a feature's name must be text"),
        (
            {"features": {"a": "x" * 20_000}},
            "features must be at most 20,000 bytes of JSON, not 20,0",
        ),
        ({"hidden": 1}, "hidden must be True or False"),
        ({"item_id": ""}, "item_id must have 1 to 200 characters"),
    ],
)
def test_items_beyond_the_limits_are_refused_with_the_place_and_the_reason(
    tmp_path: Path, wrong: dict[str, Any], message: str
) -> None:
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        with pytest.raises(ArgumentError, match=message):
            store.put_items([Item(item_id="good"), Item(**{"item_id": "i", **wrong})])
        assert store.counts().items == 0


@pytest.mark.parametrize("nothing", ["", "  ", "NULL", "nan"])
def test_a_title_that_says_nothing_is_none_as_in_a_catalogue(store: Store, nothing: str) -> None:
    store.put_items([Item(item_id="a", title=nothing), Item(item_id="b", title=" B")]).result()
    assert store.item("a").title is None  # type: ignore[union-attr]
    assert store.item("b").title == " B"  # type: ignore[union-attr]


@pytest.mark.parametrize("nothing", ["", " \n", "NULL", "nan", "\\N"])
def test_a_text_that_says_nothing_is_none_as_in_a_catalogue(store: Store, nothing: str) -> None:
    store.put_items([Item(item_id="a", text=nothing), Item(item_id="b", text="NA")]).result()
    assert store.item("a").text is None  # type: ignore[union-attr]
    assert store.item("b").text == "NA"  # type: ignore[union-attr]
