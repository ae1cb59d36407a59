"""Events of the store: order, retries, conflicts, undo, erasure; the same on both databases."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cofactor.base.errors import ArgumentError
from cofactor.store import (
    Ack,
    ConflictError,
    Event,
    Impression,
    Item,
    Store,
    StoreFormatError,
    StoreSettings,
    StoreUnavailableError,
    UnknownEventError,
    export_events,
    import_events,
    impression_line,
    open_store,
)
from cofactor.store.shared import SharedStore, WriteServer
from store.places import event

NOW = 1_700_000_000


def test_history_is_ordered_by_time_and_equal_times_by_arrival(store: Store) -> None:
    store.append(
        [event(item="late", time=30), event(item="first", time=10), event(item="same1", time=20)]
    ).result()
    store.append(
        [event(item="same2", time=20, kind="rating", value=4.5), event("other", "x")]
    ).result()
    found = store.history("u")
    assert found.item_ids == ("first", "same1", "same2", "late")
    assert found.times == (10, 20, 20, 30)
    assert found.values == (None, None, 4.5, None)
    assert found.kinds == ("view", "view", "rating", "view")
    assert found.seqs == (2, 3, 4, 1)


def test_history_with_a_limit_gives_the_newest(store: Store) -> None:
    store.append([event(item=i, time=i) for i in range(20)]).result()
    assert store.history("u", limit=3).item_ids == ("17", "18", "19")
    assert len(store.history("nobody")) == 0


def test_integers_are_ids_by_their_decimal_text(store: Store) -> None:
    store.append([event(7, 42)]).result()
    assert store.history("7").item_ids == ("42",) == store.history(7).item_ids


def test_ids_of_users_and_items_follow_the_rule_for_all_input(store: Store) -> None:
    store.append([event(" ada\u200b", "\xa042", event_id=" e "), event("ada", '="7"')]).result()
    assert store.history("ada\t").item_ids == ("42", "7") == store.history("ada").item_ids
    assert store.event(" e ").user_id == "ada"  # type: ignore[union-attr]
    assert store.event("e") is None  # compared as it is
    assert store.counts().users == 1
    store.put_items([Item(item_id=" 42", title="x")]).result()
    assert store.hide_items(["42 ", np.int64(7)]).result().changed == 2
    assert store.unseen_items() == {"42": "hidden", "7": "hidden"}
    assert store.item(" 42").title == "x" == store.items(["42"])["42"].title  # type: ignore[union-attr]
    shown = {"user_id": " ada", "version": "v", "source": "s", "items": (" 42",)}
    lists = [Impression(request_id=n, **shown, probabilities=(1.0,), time=1) for n in ("r", "r2")]
    store.log_impressions(lists[:1]).result()
    assert next(store.impressions()).items == ("42",)
    store.log_lines([impression_line(lists[1])]).result()
    assert store.erase_user(" ada ").result().changed == 2
    assert (store.user_events("ada"), list(store.impressions())) == ([], [])
    for user in ("NULL", " ", "[1]", 10**5000, True):
        with pytest.raises(ArgumentError, match="user_id must"):
            store.append([event(user)])
        with pytest.raises(ArgumentError, match="user_id must"):
            store.history(user)  # type: ignore[arg-type]


def test_time_left_open_is_the_moment_of_arrival(
    store_url: str, opened: Callable[..., Store]
) -> None:
    store = opened(store_url, settings=StoreSettings(now=lambda: NOW + 0.9))
    store.append([event(time=None, event_id="a")]).result()
    assert store.event("a").time == NOW == store.event("a").received  # type: ignore[union-attr]


def test_a_clock_before_1970_stores_what_can_be_read_again(
    store_url: str, opened: Callable[..., Store], tmp_path: Path
) -> None:
    store = opened(store_url, settings=StoreSettings(now=lambda: -1e9))
    ack = store.append([event(time=None), event(item="j", time=7, event_id="e")]).result()
    store.undo([ack.event_ids[1]]).result()
    assert [(one.time, one.received) for one in store.events()] == [(0, 0), (7, 0)]
    export_events(store, tmp_path / "events.jsonl")
    with open_store(f"sqlite:///{tmp_path}/again.db") as again:
        assert import_events(again, tmp_path / "events.jsonl").changed == 2


def test_a_retry_changes_nothing_and_says_so(store: Store) -> None:
    batch = [event(event_id="a"), event(item="j", event_id="b", value=2, time=None)]
    first = store.append(batch).result()
    assert first == Ack(changed=2, unchanged=0, seq=2, event_ids=("a", "b"))
    assert store.append(batch).result() == Ack(changed=0, unchanged=2, seq=2, event_ids=("a", "b"))
    more = store.append([*batch, event(item="k", event_id="c")]).result()
    assert (more.changed, more.unchanged) == (1, 2)
    assert store.counts().events == 3
    assert [one.event_id for one in store.events()] == ["a", "b", "c"]


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
def test_a_retry_is_one_though_the_clock_went_back(tmp_path: Path, shared: bool) -> None:
    now, socket = [NOW], tmp_path / "writes"
    settings = StoreSettings(now=lambda: now[0])
    with open_store(f"sqlite:///{tmp_path}/e.db", settings=settings) as one:
        server = WriteServer(one, socket)
        other = SharedStore(one.database, socket, settings)
        store = other if shared else one
        first = Event(user_id="u", item_id="i", time=NOW, event_id="e")
        store.append([first]).result()
        now[0] = NOW - 3 * 86_400
        assert store.append([first]).result().unchanged == 1
        new = Event(user_id="u", item_id="j", time=NOW, event_id="f")
        with pytest.raises(ArgumentError, match=r"events\[1\]: time must be .* a day ahead"):
            store.append([first, new]).result()
        assert store.counts().events == 1
        with pytest.raises(ArgumentError, match=r"events\[0\]: time must be .* a day ahead"):
            store.append([Event(user_id="u", item_id="i", time=10**30)]).result()
        other.close()
        server.close()


@pytest.mark.parametrize(
    "other",
    [{"user": "v"}, {"item": "j"}, {"kind": "click"}, {"value": 1.0}, {"time": 101}],
    ids=lambda d: next(iter(d)),
)
def test_another_content_under_a_stored_id_is_a_conflict_that_names_it_and_stores_nothing(
    store: Store, other: dict
) -> None:
    store.append([event(event_id="a")]).result()
    with pytest.raises(
        ConflictError, match="the event ids 'a' are stored already with another content"
    ) as caught:
        store.append(
            [event(item="new", event_id="b"), event(**{"event_id": "a", **other})]
        ).result()
    assert caught.value.event_ids == ("a",)
    assert store.event("b") is None
    assert store.counts().events == 1


def test_an_event_twice_in_a_request_is_stored_once_and_a_contradiction_refused(
    store: Store,
) -> None:
    ack = store.append([event(event_id="a"), event(event_id="a")]).result()
    assert (ack.changed, ack.unchanged) == (1, 1)
    with pytest.raises(ConflictError, match="'b' occurs twice in the request"):
        store.append([event(event_id="b"), event(event_id="b", kind="click")]).result()
    assert store.event("b") is None


def test_a_refused_request_takes_none_of_its_neighbours_in_the_commit_with_it(store: Store) -> None:
    store.append([event(event_id="a")]).result()
    futures = []
    for number in range(60):
        bad = number % 3 == 0
        futures.append(
            store.append(
                [
                    event(number, event_id=f"n{number}"),
                    event(kind="click" if bad else "view", event_id="a"),
                ]
            )
        )
    for number, future in enumerate(futures):
        assert (future.exception() is None) == (number % 3 != 0)
        assert (store.event(f"n{number}") is not None) == (number % 3 != 0)
    assert (store.counts().events, store.counts().users) == (41, 41)


def test_undone_events_count_no_longer_and_a_retry_does_not_bring_them_back(store: Store) -> None:
    store.append([event(event_id="a"), event(item="j", event_id="b")]).result()
    assert store.undo(["a"]).result().changed == 1
    again = store.undo(["a"]).result()
    assert (again.changed, again.unchanged) == (0, 1)
    assert store.history("u").item_ids == ("j",)
    assert store.append([event(event_id="a")]).result().unchanged == 1
    assert store.history("u").item_ids == ("j",)
    assert (store.counts().events, store.counts().undone, store.counts().users) == (1, 1, 1)
    store.undo(["b"]).result()
    assert (store.counts().events, store.counts().undone, store.counts().users) == (0, 2, 0)


def test_undo_of_unknown_or_foreign_events_names_them_and_undoes_nothing(store: Store) -> None:
    store.append([event(event_id="a"), event("v", event_id="b")]).result()
    with pytest.raises(UnknownEventError, match="'x', 'y' are unknown") as caught:
        store.undo(["a", "x", "y"]).result()
    assert caught.value.event_ids == ("x", "y")
    with pytest.raises(UnknownEventError, match="'b'"):
        store.undo(["a", "b"], user_id="u").result()
    assert store.counts().undone == 0


def test_erasure_removes_all_of_a_user_and_logs_no_id(store: Store) -> None:
    store.append(
        [
            event("erased-person", "i", event_id="secret-event"),
            event("erased-person", "j"),
            event("kept"),
        ]
    ).result()
    store.undo(["secret-event"]).result()
    assert store.erase_user("erased-person").result().changed == 2
    assert store.user_events("erased-person") == []
    assert [one.user_id for one in store.events()] == ["kept"]
    counts = store.counts()
    assert (counts.events, counts.undone, counts.users, counts.last_seq) == (1, 0, 1, 3)
    with store.snapshot() as session:
        assert session.rows("SELECT events FROM erasures") == [(2,)]


def test_places_are_never_used_twice_even_after_an_erasure(store: Store) -> None:
    store.append([event(), event(item="j")]).result()
    store.erase_user("u").result()
    assert store.append([event()]).result().seq == 3


def test_erased_content_is_gone_from_the_files(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/e.db") as store:
        store.append([event(f"unforgettable-{n % 2}", f"i{n}") for n in range(500)]).result()
        assert any(b"unforgettable-1" in path.read_bytes() for path in tmp_path.iterdir())
        store.erase_user("unforgettable-1").result()
        assert not any(b"unforgettable-1" in path.read_bytes() for path in tmp_path.iterdir())
        assert len(store.history("unforgettable-0")) == 250


def test_an_erasure_waits_for_no_long_read_and_is_made_good_after_it(tmp_path: Path) -> None:
    with open_store(
        f"sqlite:///{tmp_path}/e.db", settings=StoreSettings(probe_seconds=0.01, busy_seconds=100)
    ) as store:
        store.append([event("unforgettable", n) for n in range(200)]).result()
        with store.snapshot() as session:
            assert session.rows("SELECT count(*) FROM events") == [(200,)]
            began = time.monotonic()
            store.erase_user("unforgettable").result()
            store.append([event("next")]).result()
            assert time.monotonic() - began < 60  # waiting takes a hundred
            assert session.rows("SELECT count(*) FROM events") == [(200,)]
        deadline = time.monotonic() + 300
        while (
            any(b"unforgettable" in path.read_bytes() for path in tmp_path.iterdir())
            and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        assert not any(b"unforgettable" in path.read_bytes() for path in tmp_path.iterdir())


def test_export_of_a_user_holds_undone_events_too(store: Store) -> None:
    store.append(
        [event(event_id="b", time=5), event("v"), event(event_id="a", value=-0.0)]
    ).result()
    store.undo(["b"]).result()
    found = store.user_events("u")
    assert [(one.event_id, one.undone is not None) for one in found] == [("b", True), ("a", False)]


def test_events_come_in_pages_in_the_order_of_arrival(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cofactor.store.paging.PAGE", 7)
    store.append([event(n, time=1000 - n) for n in range(40)]).result()
    assert [one.seq for one in store.events()] == list(range(1, 41))
    assert [one.seq for one in store.events(after=30, limit=9)] == list(range(31, 40))
    assert list(store.events(after=40)) == []
    assert list(store.events(limit=0)) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"user_id": ""}, r"events\[1\]: user_id must have 1 to 200 characters, not 0"),
        ({"user_id": "x" * 201}, "user_id must have 1 to 200 characters, not 201"),
        ({"item_id": "a\nb"}, "item_id must have no control characters"),
        ({"item_id": "\ud800"}, "item_id must have no control characters"),
        ({"item_id": 1.5}, "item_id must be text or an integer, not float"),
        ({"item_id": True}, "item_id must be text or an integer, not bool"),
        ({"kind": "View"}, "kind must be 1 to 32 lower-case letters"),
        ({"kind": ""}, "kind must be 1 to 32"),
        (
            {"value": float("nan")},
            "value must be a finite number in -1.8e[+]19..1.8e[+]19, not nan",
        ),
        ({"value": 1e39}, "value must be a finite number"),
        ({"value": "3"}, "value must be a finite number"),
        ({"time": -1}, "time must be an integer at least 0, not -1"),
        ({"time": 1.5}, "time must be an integer"),
        ({"time": NOW * 1000}, "at most a day ahead, not 1700000000000; check the unit"),
        ({"time": 20190105}, "not the date 20190105"),
        ({"event_id": ""}, "event_id must have 1 to 200 characters"),
    ],
)
def test_events_beyond_the_limits_are_refused_with_the_place_and_the_reason(
    tmp_path: Path, wrong: dict, message: str
) -> None:
    good = {"user_id": "u", "item_id": "i"}
    with open_store(f"sqlite:///{tmp_path}/e.db", settings=StoreSettings(now=lambda: NOW)) as store:
        with pytest.raises(ArgumentError, match=message):
            store.append([Event(**good), Event(**{**good, **wrong})]).result()
        assert store.counts().events == 0


def test_empty_and_giant_requests_are_refused(store: Store) -> None:
    with pytest.raises(ArgumentError, match="events must be 1 to 10,000 in one request, not 0"):
        store.append([])
    with pytest.raises(ArgumentError, match="not 10,001"):
        store.append([event()] * 10_001)
    with pytest.raises(ArgumentError, match=r"events\[1\] must be of Event, not dict"):
        store.append([event(), {"user_id": "u", "item_id": "i"}])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match="event_ids must be a list, not str"):
        store.undo("abc")


def test_a_place_that_cannot_be_a_store_is_refused_with_the_reason(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    with pytest.raises(StoreUnavailableError, match="there is no event store at"):
        open_store(f"sqlite:///{tmp_path}/none.db", read_only=True)
    (tmp_path / "text.db").write_text(
        "this is no database, and long enough to be seen as none " * 20
    )
    with pytest.raises(StoreFormatError, match="damaged or no SQLite database"):
        open_store(f"sqlite:///{tmp_path}/text.db")
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE customers (id)")
    with pytest.raises(
        StoreFormatError, match="isn't an event store: it holds the tables customers"
    ):
        open_store(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(ArgumentError, match="a store's URL must be like"):
        open_store("mysql://host/db")


def test_a_store_of_0_1_is_read_as_it_is_and_migrated_when_it_is_written(
    store_url: str, opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.store import schema

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with open_store(store_url) as store:
            store.append([event(event_id="a")]).result()
    with open_store(store_url, read_only=True) as store:
        assert (store.counts().events, store.counts().impressions) == (1, 0)
        assert list(store.impressions()) == list(store.impressions(experiment="x")) == []
        assert store.user_impressions("u") == store.impressions_by_id(["r"]) == []
    with open_store(store_url) as store:
        assert store.erase_user("u").result().changed == 1


def test_a_later_schema_is_refused_and_an_earlier_one_migrated_with_its_content(
    store_url: str, opened: Callable[..., Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cofactor.store import schema

    with open_store(store_url) as store:
        store.append([event(event_id="a")]).result()
    with monkeypatch.context() as patch:
        patch.setattr(
            schema,
            "MIGRATIONS",
            (*schema.MIGRATIONS, ["ALTER TABLE items ADD COLUMN extra {text}"]),
        )
        with open_store(store_url) as store:
            assert store.event("a") is not None
            with store.snapshot() as session:
                assert session.rows("SELECT extra FROM items") == []
                assert session.rows("SELECT value FROM store_meta WHERE name = 'schema'") == [
                    ("3",)
                ]
    with pytest.raises(
        StoreFormatError, match="written by a later version of Cofactor: its schema is 3"
    ):
        open_store(store_url)
