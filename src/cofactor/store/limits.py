"""Limits of the store: ids, texts, values, times and batches, each with an error message."""

from __future__ import annotations

import math
import re
import secrets
import time as clock
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.data.id_queries import outside
from cofactor.data.id_text import MISSING_WORDS, WORDS_FOR_NOTHING, clean_one
from cofactor.data.moments import is_written_date
from cofactor.store.records import Event, EventLike, Item

MAX_ID = 200  # characters of a user's, an item's or an event's id
MAX_TITLE = 1_000
MAX_TEXT = 20_000
MAX_FEATURES = 20_000  # bytes of the features' JSON
MAX_BATCH = 10_000  # events or items of one request
_KIND = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}\Z")
# Control characters and lone surrogates have no place in an id: they don't survive logs, URLs or
# PostgreSQL.
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
DAY = 86_400  # seconds by which an event's time may be ahead of the clock
_LATEST = 2**63 - 1  # what a database's integers hold
_CHANCES = 256  # ids for which random bits are drawn at once
_FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def checked_id(value: object, name: str) -> str:
    """Return an id that is compared as it is (an event's, a request's) as text; raise ArgumentError
    if it can't be one.
    """
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = str(value) if int(value).bit_length() < 4 * MAX_ID else ""
    if not isinstance(value, str):
        raise ArgumentError(f"{name} must be text or an integer, not {type(value).__name__}.")
    if not 0 < len(value) <= MAX_ID:
        raise ArgumentError(f"{name} must have 1 to {MAX_ID} characters, not {len(value)}.")
    if _CONTROL.search(value):
        raise ArgumentError(f"{name} must have no control characters, not {value!r}.")
    return value


def outside_id(value: object, name: str) -> str:
    """Return a user's or an item's id by the rule for all input (`data.id_text`): stripped and
    unwrapped; raise ArgumentError if it isn't one.
    """
    if type(value) is not str:
        known = outside(value)
        if not isinstance(known, (str, UUID)):
            return checked_id(value if known is None else known, name)
        value = str(known)
    cleaned = clean_one(value) if len(value) <= MAX_ID else None
    if cleaned is None:
        checked_id(value, name)  # what is nothing but zero bytes is named as such
        raise ArgumentError(f"{name} must be an id, not {value.strip()!r}.")
    return cleaned if cleaned.isprintable() else checked_id(cleaned, name)


def are_outside_ids(values: Sequence[str]) -> bool:
    """Return whether all texts are ids as `outside_id` returns them."""
    try:
        return all(clean_one(value) == value for value in values)
    except (TypeError, AttributeError):
        return False


def are_ids(values: Sequence[object]) -> bool:
    """Return whether all values are texts that `checked_id` takes; far quicker than one by one."""
    try:
        joined = "".join(values)  # type: ignore[arg-type]
        sizes = [len(value) for value in values]  # type: ignore[arg-type]
    except TypeError:
        return False
    return not sizes or (min(sizes) > 0 and max(sizes) <= MAX_ID and not _CONTROL.search(joined))


def check_batch(values: Sequence[object], name: str) -> None:
    """Refuse what isn't a list, and an empty or too long one."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Sequence):
        raise ArgumentError(f"{name} must be a list, not {type(values).__name__}.")
    if not 0 < len(values) <= MAX_BATCH:
        raise ArgumentError(
            f"{name} must be 1 to {MAX_BATCH:,} in one request, not {len(values):,}."
        )


def checked_ids(
    values: Sequence[object], name: str, check: Callable[[object, str], str] = outside_id
) -> list[str]:
    """Return ids as text without repeats, in their order; raise ArgumentError for none or too
    many, or one that ``check`` refuses.
    """
    check_batch(values, name)
    return list(dict.fromkeys(check(value, name) for value in values))


def made_ids(count: int) -> Iterator[str]:
    """Yield new event ids: 12 hex digits of the clock, so that ids of a time lie together in
    their index, and 80 random bits.
    """
    moment, chance = f"{clock.time_ns() // 1_000_000:012x}", secrets.token_hex(10 * count)
    for n in range(count):
        yield moment + chance[20 * n : 20 * n + 20]


class IdMaker:
    """Makes ids like `made_ids`, one at a time; asks the system for chance once for many of them.
    Belongs to one thread of one process.
    """

    def __init__(self) -> None:
        self._chances: list[str] = []

    def __call__(self) -> str:
        """Return a new id."""
        if not self._chances:
            drawn = secrets.token_hex(10 * _CHANCES)
            self._chances = [drawn[n : n + 20] for n in range(0, len(drawn), 20)]
        return f"{clock.time_ns() // 1_000_000:012x}{self._chances.pop()}"


def check_kind(kind: Any) -> None:
    """Raise ArgumentError for what can't be the kind of an event."""
    if not isinstance(kind, str) or not _KIND.match(kind):
        raise ArgumentError(
            f"kind must be 1 to 32 lower-case letters, digits, '_', '.' or '-', not {kind!r}."
        )


EventRow = tuple[str, str, str, str, float | None, int | None]


def checked_event(event: EventLike, new_id: str | None = None) -> EventRow:
    """Return an event as (event id, user, item, kind, value, time or None); raise ArgumentError for
    what can't be stored. How far ahead its time may be depends on what is stored already.

    An event without an id gets ``new_id``, or one made for it.
    """
    user, item = outside_id(event.user_id, "user_id"), outside_id(event.item_id, "item_id")
    given = event.event_id
    event_id = (
        checked_id(given, "event_id")
        if given is not None
        else new_id
        if new_id is not None
        else next(made_ids(1))
    )
    check_kind(event.kind)
    value = event.value
    if value is not None:
        most = checks.LARGEST_VALUE
        value = checks.real(value, "value", low=-most, high=most) + 0.0  # -0.0 is 0.0
    moment = event.time
    if moment is not None:
        moment = checks.integer(moment, "time", low=0)
        check_ahead(moment, _LATEST)
        if is_written_date(moment):
            raise ArgumentError(
                f"time must be seconds since 1970, not the date {moment}, which as seconds would be"
                " in 1970."
            )
    return event_id, user, item, event.kind, value, moment


def check_ahead(moment: int, latest: int) -> None:
    """Refuse a time after the latest one that may be."""
    if moment > latest:
        raise ArgumentError(
            f"time must be seconds since 1970 and at most a day ahead, not {moment}; check the"
            " unit."
        )


def checked_events(events: Sequence[EventLike]) -> list[EventRow]:
    """Check a batch of events; raise ArgumentError that says which one is at fault. How far ahead
    its time may be is checked where it is written.
    """
    _batch_of(Event, events, "events")
    rows = []
    # The system is asked for chance once, not at each event.
    fresh = made_ids(sum(event.event_id is None for event in events))
    for place, event in enumerate(events):
        try:
            rows.append(checked_event(event, next(fresh) if event.event_id is None else None))
        except ArgumentError as error:
            raise ArgumentError(f"events[{place}]: {error}") from None
    return rows


ItemRow = tuple[str, str | None, str | None, str | None, bool | None]


def checked_items(items: Sequence[Item]) -> list[ItemRow]:
    """Check a batch of items; raise ArgumentError that says which one is at fault. Of a repeated
    id the last counts.
    """
    _batch_of(Item, items, "items")
    rows = {}
    for place, item in enumerate(items):
        try:
            row = checked_item(item)
        except ArgumentError as error:
            raise ArgumentError(f"items[{place}]: {error}") from None
        rows[row[0]] = row
    return list(rows.values())


def checked_item(item: Item) -> ItemRow:
    """Return an item as (id, title, text, features as JSON, hidden); raise ArgumentError for
    what can't be stored.
    """
    item_id = outside_id(item.item_id, "item_id")
    for name, text, limit in (("title", item.title, MAX_TITLE), ("text", item.text, MAX_TEXT)):
        if text is None:
            continue
        if not isinstance(text, str) or len(text) > limit:
            raise ArgumentError(f"{name} must be text of at most {limit:,} characters.")
        if _NO_TEXT.search(text):
            raise ArgumentError(f"{name} must have no NUL and no lone surrogates.")
    hidden = None if item.hidden is None else checks.boolean(item.hidden, "hidden")
    # As in a catalogue.
    title = None if (item.title or "").strip() in MISSING_WORDS else item.title
    text = None if (item.text or "").strip() in WORDS_FOR_NOTHING else item.text
    return item_id, title, text, _features(item.features), hidden


def file_format(path: Path) -> str:
    """Return ``jsonl`` or ``parquet`` by a file's name; raise ArgumentError for another."""
    suffixes = [end.lower() for end in path.suffixes if end.lower() != ".gz"]
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise ArgumentError(f"{path.name} must end in .jsonl, .jsonl.gz or .parquet.")
    return found


def _features(features: Mapping[str, Any] | None) -> str | None:
    if features is None:
        return None
    if not isinstance(features, Mapping):
        raise ArgumentError(
            f"features must be an object of names and values, not {type(features).__name__}."
        )
    for name, value in features.items():
        if not isinstance(name, str) or not name or _CONTROL.search(name):
            raise ArgumentError(
                f"a feature's name must be text without control characters, not {name!r}."
            )
        if not _is_feature(value):
            raise ArgumentError(
                f"feature {name!r} must be text, a finite number, true, false, null or a list of"
                " texts."
            )
    # Sorted names: the same features are the same text, and a repeated upsert isn't a change.
    text = msgspec.json.encode(dict(sorted(features.items()))).decode()
    if len(text.encode()) > MAX_FEATURES:
        raise ArgumentError(
            f"features must be at most {MAX_FEATURES:,} bytes of JSON, not {len(text.encode()):,}."
        )
    return text


def _is_feature(value: object) -> bool:
    if isinstance(value, str):
        return not _NO_TEXT.search(value)
    if isinstance(value, (list, tuple)):
        return all(isinstance(one, str) and not _NO_TEXT.search(one) for one in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return (
        value is None
        or isinstance(value, bool)
        or (isinstance(value, int) and -(2**63) <= value < 2**63)
    )


def _batch_of(kind: type, values: Sequence[object], name: str) -> None:
    check_batch(values, name)
    for place, one in enumerate(values):
        if not hasattr(one, "item_id"):
            raise ArgumentError(
                f"{name}[{place}] must be of {kind.__name__}, not {type(one).__name__}."
            )
