"""What goes into the store and comes out of it."""

from __future__ import annotations

import time as clock
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from cofactor.base import checks


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a user did with an item, as a caller sends it.

    Parameters
    ----------
    user_id, item_id
        Outside ids, 1 to 200 characters; integers are taken as their decimal text.
    kind
        What happened: ``view``, ``click``, ``purchase``, ``rating``, ``dislike`` ... Up to 32
        lower-case letters, digits, ``_``, ``.`` and ``-``.
    value
        A rating, a count, a price; finite; None when there is none.
    time
        Seconds since 1970 (UTC), at most a day ahead; None for the moment of arrival.
    event_id
        Makes a retry harmless: 1 to 200 characters, unique to the event; None to have one made.
    """

    user_id: str | int
    item_id: str | int
    kind: str = "view"
    value: float | None = None
    time: int | None = None
    event_id: str | None = None


class EventLike(Protocol):
    """Whatever has an event's fields: the wire's own type need not be copied into `Event`."""

    @property
    def user_id(self) -> Any:
        """Whose."""

    @property
    def item_id(self) -> Any:
        """Of what."""

    @property
    def kind(self) -> Any:
        """What happened."""

    @property
    def value(self) -> Any:
        """How much of it."""

    @property
    def time(self) -> Any:
        """When."""

    @property
    def event_id(self) -> Any:
        """What makes a retry harmless."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it stands in the store.

    Parameters
    ----------
    seq
        Its place in the order of arrival, ascending, never used twice.
    received
        When it came, seconds since 1970.
    undone
        When it was undone, or None.
    event_id, user_id, item_id, kind, value, time
        As in `Event`, with ids as text.
    """

    seq: int
    event_id: str
    user_id: str
    item_id: str
    kind: str
    value: float | None
    time: int
    received: int
    undone: int | None = None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item as a caller describes it. It replaces what was known of the item.

    Parameters
    ----------
    item_id
        1 to 200 characters.
    title
        Up to 1,000 characters; None when there is none, as `""` and words for nothing (`NULL`) are.
    text
        Up to 20,000 characters; None when there is none, likewise (but `NA` may be a code).
    features
        A flat JSON object: name -> text, number, true/false, or a list of texts; up to 20,000
        bytes.
    hidden
        Whether it must never be recommended; None leaves that as it is (a new item is visible).
    """

    item_id: str | int
    title: str | None = None
    text: str | None = None
    features: Mapping[str, Any] | None = None
    hidden: bool | None = None


class StoredItem(msgspec.Struct, frozen=True, kw_only=True):
    """An item as it stands in the store.

    Parameters
    ----------
    state
        ``visible``, ``hidden`` or ``deleted``; of a deleted one, nothing but the id is left.
    time
        When it last changed, seconds since 1970.
    item_id, title, text, features
        As in `Item`.
    """

    item_id: str
    title: str | None
    text: str | None
    features: dict[str, Any] | None
    state: str
    time: int


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an item: what was done, and what the item was from then on.

    Parameters
    ----------
    seq
        The number of the change, ascending over all items.
    action
        ``put``, ``hide``, ``show`` or ``delete``.
    item_id, title, text, features, state, time
        As in `StoredItem`.
    """

    seq: int
    time: int
    action: str
    item_id: str
    title: str | None
    text: str | None
    features: dict[str, Any] | None
    state: str


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """What a write did. Whoever holds one knows that it is on disk.

    Parameters
    ----------
    changed
        How many events were stored or undone, or items changed.
    unchanged
        How many were so already (a retry).
    seq
        The store's last number after the write: of events for events, of item changes for items.
    event_ids
        The ids of the request's events, in its order, with those that were made; empty for items.
    """

    changed: int
    unchanged: int
    seq: int
    event_ids: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What a user did, oldest first; equal times in the order of arrival. Undone events are not in
    it.

    Parameters
    ----------
    item_ids, kinds
        Text, [n].
    values
        Float or None, [n].
    times
        Seconds since 1970, [n].
    seqs
        The events' places in the order of arrival, [n].
    """

    item_ids: tuple[str, ...]
    kinds: tuple[str, ...]
    values: tuple[float | None, ...]
    times: tuple[int, ...]
    seqs: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.item_ids)


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How much is in the store.

    Parameters
    ----------
    events
        Events that count (not undone).
    undone
        Events that were undone.
    users
        Users with at least one event that counts.
    items
        Items that are described (visible or hidden).
    hidden
        Those of them that are hidden.
    last_seq
        The place of the last event that arrived; 0 when none ever did.
    last_change
        The number of the last change of an item.
    impressions
        Lists whose impressions are logged.
    """

    events: int
    undone: int
    users: int
    items: int
    hidden: int
    last_seq: int
    last_change: int
    impressions: int = 0


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the store is.

    Parameters
    ----------
    writable
        Whether the last write or trial went through.
    reason
        Why not, in one sentence; None when it is.
    queued
        Events and items that wait for their commit.
    commits, mean_group, commit_seconds
        Group commits since the start, requests per commit, and the seconds that the last one took.
    owed
        Whether what was erased is still to be overwritten in the file's gaps or in the log.
    """

    writable: bool
    reason: str | None
    queued: int = 0
    commits: int = 0
    mean_group: float = 0.0
    commit_seconds: float = 0.0
    owed: bool = False


@dataclass(frozen=True)
class StoreSettings:
    """How a store is run.

    Parameters
    ----------
    max_queue
        Events and items that may wait for their commit; beyond it writes are refused with
        `OverloadError`.
    max_group
        Events and items of one group commit at most (a single larger request still is one).
    readers
        Connections for reading.
    busy_seconds
        How long a write waits for another process that holds the database.
    probe_seconds
        How often a failing storage is tried again.
    erase_seconds
        How long the overwriting of what was erased may wait for a moment in which nobody writes.
    """

    max_queue: int = 50_000
    max_group: int = 5_000
    readers: int = 4
    busy_seconds: float = 5.0
    probe_seconds: float = 1.0
    erase_seconds: float = 60.0
    now: Any = field(default=clock.time, repr=False)

    def __post_init__(self) -> None:
        checks.integer(self.max_queue, "max_queue", low=1)
        checks.integer(self.max_group, "max_group", low=1)
        checks.integer(self.readers, "readers", low=1, high=64)
        checks.real(self.busy_seconds, "busy_seconds", low=0)
        checks.real(self.probe_seconds, "probe_seconds", above=0)
        checks.real(self.erase_seconds, "erase_seconds", low=0)

    def moment(self) -> int:
        """Return the second since 1970, 0 where the clock stands before it: times aren't
        negative.
        """
        return max(0, int(self.now()))
