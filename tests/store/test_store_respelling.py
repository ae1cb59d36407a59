"""Stores that an earlier version wrote, under another rule for ids."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import cofactor
from cofactor.data.id_text import RULE, clean_one
from cofactor.store import Event, Impression, Item, Store, open_store
from cofactor.store.opening import database_of
from cofactor.store.records import StoreSettings

# As it was stored -> as it is asked for now.
_OLD = {"u1": "'00123", "u2": " 2", "i1": '="007"', "i2": "'5", "i3": "i3\u200b", "u4": "NULL"}


def _spell_as_before(url: str) -> None:
    """Write a store's ids as a version wrote them that knew no rule."""
    session = database_of(url, StoreSettings()).writer()
    session.begin()
    for new, old in _OLD.items():
        for table, column in (
            ("events", "user_id"),
            ("events", "item_id"),
            ("impressions", "user_id"),
            ("items", "item_id"),
            ("item_changes", "item_id"),
        ):
            session.run(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (old, new))
    session.run("DELETE FROM store_meta WHERE name = 'ids'")
    session.commit()
    session.close()


@pytest.fixture
def old(store_url: str, opened: Callable[..., Store]) -> Store:
    """A store that was written under no rule, opened now."""
    with open_store(store_url) as store:
        store.append(
            [
                Event(user_id="u1", item_id="i1", event_id="a", time=1),
                Event(user_id="u2", item_id="i2", event_id="b", time=2),
                Event(user_id="2", item_id="i3", event_id="c", time=3),
                Event(user_id="u4", item_id="x", event_id="d", time=4),
            ]
        ).result()
        store.undo(["d"]).result()
        shown = Impression(
            request_id="r",
            user_id="u1",
            version="v",
            source="personal",
            items=("x",),
            probabilities=(1.0,),
        )
        store.log_impressions([shown]).result()
        store.put_items(
            [Item(item_id="i1", title="one"), Item(item_id="5", title="later")]
        ).result()
        store.hide_items(["i2", "i3"]).result()
    _spell_as_before(store_url)
    return opened(store_url)


def test_what_was_stored_under_another_spelling_is_found(old: Store) -> None:
    for asked in ("'00123", "00123", " 00123 "):
        assert [event.item_id for event in old.user_events(asked)] == ["007"]
        assert len(old.user_impressions(asked)) == 1
    assert [event.event_id for event in old.user_events("2")] == ["b", "c"]
    assert old.item("007").title == "one"  # type: ignore[union-attr]
    assert [change.action for change in old.item_history('="007"')] == ["put"]
    # Hidden under one spelling, it is so under the other.
    assert old.unseen_items() == {"5": "hidden", "i3": "hidden"}
    assert old.item("5").title is None or old.item("5").title == "later"  # type: ignore[union-attr]


def test_counters_are_those_of_the_new_spellings(old: Store) -> None:
    counts = old.counts()
    assert (counts.events, counts.undone, counts.users) == (3, 1, 2)
    assert (counts.items, counts.hidden) == (3, 2)


def test_a_retry_of_an_event_is_one_under_its_old_spelling(old: Store) -> None:
    again = old.append([Event(user_id="'00123", item_id='="007"', event_id="a", time=1)]).result()
    assert (again.changed, again.unchanged) == (0, 1)


def test_a_user_is_erased_under_the_old_spelling(old: Store) -> None:
    assert old.erase_user("'00123").result().changed == 1
    assert old.user_events("00123") == old.user_impressions("00123") == []


def test_a_store_is_looked_through_once(old: Store, store_url: str) -> None:
    old.close()
    _spell_as_before(store_url)
    session = database_of(store_url, StoreSettings()).writer()
    session.begin()
    session.run("INSERT INTO store_meta (name, value) VALUES ('ids', ?)", (RULE,))
    session.commit()
    session.close()
    with open_store(store_url) as again:
        assert again.unseen_items().keys() >= {"i3\u200b"}


def test_what_is_read_of_an_old_store_is_the_same_before_and_after(
    old: Store, store_url: str
) -> None:
    after = cofactor.read(store_url)
    old.close()
    _spell_as_before(store_url)
    before = cofactor.read(store_url)
    assert after.users.to_pylist() == before.users.to_pylist()
    assert after.items.to_pylist() == before.items.to_pylist()


def test_the_number_of_the_rule_grows_with_it() -> None:
    texts = (" a", "a\u200b", "'007", '="a"', "np.int64(5)", '{"$oid": "a"}', "[1]", "NULL", "'90s")
    made = [clean_one(text) for text in texts]
    assert (RULE, made) == ("1", ["a", "a", "007", "a", "5", "a", None, None, "'90s"])
