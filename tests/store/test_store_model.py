"""The store against a plain dictionary that does the same: whatever is asked of it, in whatever
order.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from cofactor.store import ConflictError, Event, Item, Store, UnknownEventError, open_store
from store.places import new_place

USERS = st.sampled_from(["u", "v", "ü", "7"])
ITEMS = st.sampled_from(["a", "b", "c", "δ"])
IDS = st.sampled_from([f"e{n}" for n in range(12)])
EVENTS = st.builds(
    Event,
    user_id=USERS,
    item_id=ITEMS,
    kind=st.sampled_from(["view", "rating"]),
    value=st.sampled_from([None, 0.1, -2.0]),
    time=st.integers(0, 3),
    event_id=IDS,
)
DESCRIPTIONS = st.builds(
    Item,
    item_id=ITEMS,
    title=st.sampled_from([None, "one", "two"]),
    features=st.sampled_from([None, {"x": 1}, {"y": ["z"]}]),
    hidden=st.sampled_from([None, True, False]),
)


@dataclass
class Kept:
    event: Event
    seq: int
    undone: bool = False


class Machine(RuleBasedStateMachine):
    """Does everything twice: to the store, and to dictionaries."""

    place: Any = None  # makes a new URL; set by the test

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, Kept] = {}
        self.items: dict[str, tuple[Any, Any, str]] = {}
        self.arrived = self.changes = 0

    @initialize()
    def begin(self) -> None:
        self.url = type(self).place()
        self.store: Store = open_store(self.url)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    @rule(batch=st.lists(EVENTS, min_size=1, max_size=5))
    def append(self, batch: list[Event]) -> None:
        fresh: dict[str, Event] = {}
        conflict = False
        for event in batch:
            old = self.events.get(str(event.event_id))
            conflict |= fresh.setdefault(str(event.event_id), event) != event or (
                old is not None and old.event != event
            )
        if conflict:
            with pytest.raises(ConflictError):
                self.store.append(batch).result()
            return
        new = [event for event in fresh.values() if event.event_id not in self.events]
        ack = self.store.append(batch).result()
        assert (ack.changed, ack.unchanged) == (len(new), len(batch) - len(new))
        stored = {kept.event_id: kept.seq for kept in self.store.events()}
        for event in new:
            # A refused batch leaves a gap in PostgreSQL's sequence, which no rollback takes back.
            seq = stored[str(event.event_id)]
            assert seq > self.arrived if "postgres" in self.url else seq == self.arrived + 1
            self.arrived = seq
            self.events[str(event.event_id)] = Kept(event, seq)

    @rule(ids=st.lists(IDS, min_size=1, max_size=4, unique=True), user=st.none() | USERS)
    def undo(self, ids: list[str], user: str | None) -> None:
        if any(
            one not in self.events or user not in (None, self.events[one].event.user_id)
            for one in ids
        ):
            with pytest.raises(UnknownEventError):
                self.store.undo(ids, user).result()
            return
        ack = self.store.undo(ids, user).result()
        assert ack.changed == sum(not self.events[one].undone for one in ids)
        for one in ids:
            self.events[one].undone = True

    @rule(user=USERS)
    def erase(self, user: str) -> None:
        gone = [one for one, kept in self.events.items() if kept.event.user_id == user]
        assert self.store.erase_user(user).result().changed == len(gone)
        for one in gone:
            del self.events[one]

    @rule(batch=st.lists(DESCRIPTIONS, min_size=1, max_size=3))
    def put(self, batch: list[Item]) -> None:
        before = dict(self.items)
        for item in {item.item_id: item for item in batch}.values():
            old = before.get(str(item.item_id), (None, None, "visible"))[2]
            kept = "visible" if old == "deleted" else old
            state = kept if item.hidden is None else "hidden" if item.hidden else "visible"
            self.items[str(item.item_id)] = (item.title, item.features, state)
        self._changed(self.store.put_items(batch).result().changed, before)

    @rule(
        ids=st.lists(ITEMS, min_size=1, max_size=3),
        state=st.sampled_from(["hidden", "visible", "deleted"]),
    )
    def set_state(self, ids: list[str], state: str) -> None:
        before = dict(self.items)
        for one in ids:
            title, features, was = self.items.get(one, (None, None, "none"))
            if was == "deleted" or (was == "none" and state == "visible"):
                continue
            self.items[one] = (
                (None, None, state) if state == "deleted" else (title, features, state)
            )
        call = {
            "hidden": self.store.hide_items,
            "visible": self.store.show_items,
            "deleted": self.store.delete_items,
        }[state]
        self._changed(call(ids).result().changed, before)

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.url)

    @precondition(lambda self: hasattr(self, "store"))
    @invariant()
    def same(self) -> None:
        for user in ("u", "v", "ü", "7"):
            live = [k for k in self.events.values() if k.event.user_id == user and not k.undone]
            live.sort(key=lambda kept: (kept.event.time, kept.seq))
            found = self.store.history(user)
            assert found.item_ids == tuple(k.event.item_id for k in live)
            assert found.values == tuple(k.event.value for k in live)
            assert found.seqs == tuple(k.seq for k in live)
        assert [(e.event_id, e.seq, e.undone is not None) for e in self.store.events()] == [
            (one, kept.seq, kept.undone)
            for one, kept in sorted(self.events.items(), key=lambda pair: pair[1].seq)
        ]
        assert {
            i.item_id: (i.title, i.features, i.state) for i in self.store.all_items()
        } == self.items
        counts, live = self.store.counts(), [k for k in self.events.values() if not k.undone]
        assert (counts.events, counts.undone) == (len(live), len(self.events) - len(live))
        assert counts.users == len({k.event.user_id for k in live})
        assert counts.items == sum(state != "deleted" for *_, state in self.items.values())
        assert counts.hidden == sum(state == "hidden" for *_, state in self.items.values())
        assert (counts.last_seq, counts.last_change) == (self.arrived, self.changes)

    def _changed(self, count: int, before: dict[str, Any]) -> None:
        assert count == sum(before.get(one) != now for one, now in self.items.items())
        self.changes += count


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_store_does_what_a_dictionary_does(
    kind: str, request: pytest.FixtureRequest, memory: Path
) -> None:
    folders: list[Path] = []

    def place() -> str:
        folder = Path(tempfile.mkdtemp(dir=memory))
        request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
        folders.append(folder)
        return new_place(request, kind, folder)

    made = type("Machine", (Machine,), {"place": staticmethod(place)})
    run_state_machine_as_test(
        made,
        settings=settings(
            max_examples=25 if kind == "sqlite" else 6,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            # Not shrunk: each step costs a commit, and the steps that led to a failure are few
            # enough to read.
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=[Phase.generate],
        ),
    )
    assert len(folders) >= 6, "each of the machines had a store of its own"
