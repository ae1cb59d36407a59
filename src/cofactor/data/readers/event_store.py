"""The service's event store as a source: recognised by its tables, read by their names, SQLite and
PostgreSQL alike.

What counts: events that weren't undone, of items that are neither hidden nor deleted. Kinds of
events that speak against an item (`AGAINST`) are left out. Values: where every event that counts
has one (ratings), they are the values; otherwise events count by having happened, without values.
``?kinds=rating`` or ``?kinds=view:1,purchase:5`` in the URL says it otherwise; so do the weights of
kinds that a caller gives for all of its sources. ``?after=N&until=M`` takes the events numbered
above N and up to M alone, as a retraining does that knows the others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import CofactorError, DataError
from cofactor.base.names import unknown_name
from cofactor.data.arrow import coded
from cofactor.data.event_kinds import AGAINST
from cofactor.data.events import Events
from cofactor.data.id_text import is_id
from cofactor.data.readers.assemble import assemble
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import canonical
from cofactor.data.readers.raw import Raw
from cofactor.data.readers.times import ParsedTimes
from cofactor.data.records import column_of

TABLES = frozenset({"store_meta", "events", "items", "item_changes", "erasures", "counters"})
# What a URL may ask of a store.
URL_PARAMETERS = ("kinds", "after", "until")
_MARK = "cofactor events"
_SCHEMA = 2

# A query, to batches of rows.
Fetch = Callable[[str], Iterator[Sequence[tuple[Any, ...]]]]


def is_store(fetch: Fetch, tables: set[str]) -> bool:
    """Return whether a database with these tables is an event store."""
    return tables >= TABLES and _facts(fetch).get("format") == _MARK


def last_seq(fetch: Fetch) -> int:
    """Return the number of a store's last event, 0 where there is none."""
    found = [row for batch in fetch("SELECT max(seq) FROM events") for row in batch]
    return int(found[0][0] or 0)


def arrival(fetch: Fetch, place: int) -> int | None:
    """Return when the event of a number, or the last one before it, arrived, in seconds since 1970;
    None where there is none.
    """
    sql = f"SELECT received FROM events WHERE seq <= {int(place)} ORDER BY seq DESC LIMIT 1"
    return next((int(row[0]) for batch in fetch(sql) for row in batch), None)


def read_store(
    fetch: Fetch, options: Options, source: str, parameters: Mapping[str, str] | None = None
) -> Events:
    """Read a store's events, and what it knows of items as the catalogue.

    Parameters
    ----------
    fetch
        Runs a query.
    options
        What the caller gave; ``value=False`` and ``time=False`` leave those out.
    source
        For messages.
    parameters
        Of the URL. ``kinds``: which kinds count, ``"rating,like"``, each with its own values, or
        ``"view:1,purchase:5"``, each with that value; without it all but those of `AGAINST`, or
        those of the options. ``after``, ``until``: numbers of events.

    Raises
    ------
    DataError
        If the store is of a later version, or nothing in it counts.
    UnknownNameError
        If a kind is named that no event has.
    """
    try:
        return _read_store(fetch, options, source, parameters if parameters is not None else {})
    except CofactorError:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # What was read isn't what a store writes.
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise DataError(
            f"the event store is damaged ({why}); restore a backup.", source=source
        ) from error


def _read_store(
    fetch: Fetch, options: Options, source: str, parameters: Mapping[str, str]
) -> Events:
    version = int(_facts(fetch).get("schema", 0))
    if version > _SCHEMA:
        raise DataError(
            f"the event store is of a later version (schema {version}); update Cofactor.",
            source=source,
        )
    span = _span(parameters, source)
    kinds = parameters.get("kinds")
    found = _counts(fetch, "")
    weights = (
        {kind: weight for kind, weight in options.kinds.items() if kind in found}
        if kinds is None and options.kinds is not None
        else _weights(kinds, found, source)
    )
    found = _counts(fetch, span) if span else found
    notes = [_sentence(found, weights)]
    columns = _columns(fetch, set(weights), options, span, notes)
    if not columns:
        raise DataError(_nothing(found, span), source=source)
    users, items, codes, values, times = columns
    named = kinds is not None or options.kinds is not None
    given = _values(codes, values, weights, named, options, notes)
    raw = Raw(
        users=users,
        items=items,
        values=given,
        times=ParsedTimes(times, bare=False) if options.time is not False else None,
        source=source,
        locate=lambda rows: [
            (int(row) + 1, f"{users[int(row)]}, {items[int(row)]}") for row in rows
        ],
        notes=notes,
    )
    return replace(assemble(raw, options), item_table=_catalogue(fetch))


_KINDS = "SELECT kind, count(*) FROM events WHERE undone IS NULL{} GROUP BY kind"
_EVENTS = """SELECT user_id, item_id, kind, value, time FROM events WHERE undone IS NULL{}
    AND item_id NOT IN (SELECT item_id FROM items WHERE state > 0) ORDER BY seq"""
_ITEMS = "SELECT item_id, title, text, features FROM items WHERE state = 0 ORDER BY item_id"


def _facts(fetch: Fetch) -> dict[str, str]:
    return {
        str(name): str(value)
        for batch in fetch("SELECT name, value FROM store_meta")
        for name, value in batch
    }


def _span(parameters: Mapping[str, str], source: str) -> str:
    """The condition on events' numbers, empty where there is none."""
    condition = ""
    for name, sign in (("after", ">"), ("until", "<=")):
        text = parameters.get(name)
        if text is None:
            continue
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise DataError(f"{name}= must be an event's number, not {text!r}.", source=source)
        condition += f" AND seq {sign} {int(text)}"
    return condition


def _counts(fetch: Fetch, span: str) -> dict[str, int]:
    return {str(kind): int(count) for batch in fetch(_KINDS.format(span)) for kind, count in batch}


def _weights(kinds: str | None, found: Mapping[str, int], source: str) -> dict[str, float | None]:
    """Kind -> its value, None for the events' own."""
    if kinds is None:
        return {kind: None for kind in sorted(found) if kind not in AGAINST}
    weights: dict[str, float | None] = {}
    for word in kinds.split(","):
        kind, colon, number = word.strip().partition(":")
        if kind not in found:
            raise unknown_name(f"kind of event in {source}", kind, found)
        try:
            weights[kind] = float(number) if colon else None
        except ValueError:
            weights[kind] = math.nan
        if weights[kind] is not None and not math.isfinite(weights[kind] or 0.0):
            raise DataError(f"kinds= must be like view:1,purchase:5, not {word!r}.", source=source)
    return weights


_Columns = tuple[pa.ChunkedArray, pa.ChunkedArray, pa.ChunkedArray, np.ndarray, np.ndarray]


def _columns(
    fetch: Fetch, wanted: set[str], options: Options, span: str, notes: list[str]
) -> _Columns | None:
    """Users, items, kinds, values (NaN where there is none) and times of the events that count,
    in the order of arrival.
    """
    parts: list[pa.RecordBatch] = []
    nobody = 0
    with options.progress.task("reading the event store", None) as task:
        for batch in fetch(_EVENTS.format(span)):
            counting = [row for row in batch if row[2] in wanted]
            kept = [row for row in counting if is_id(row[0]) and is_id(row[1])]
            nobody += len(counting) - len(kept)
            task.advance(len(batch))
            if kept:
                cells = [
                    pa.array(cells, kind)
                    for cells, kind in zip(zip(*kept, strict=True), _TYPES, strict=True)
                ]
                parts.append(
                    pa.record_batch(cells, names=["user", "item", "kind", "value", "time"])
                )
    if nobody:
        notes.append(f"left out {nobody:,} events whose user or item is a word for none (NULL ...)")
    if not parts:
        return None
    table = pa.Table.from_batches(parts)
    texts = map(table.column, ("user", "item", "kind"))
    values = np.array(table.column("value").fill_null(math.nan), np.float32)
    return *texts, values, np.asarray(table.column("time"))


_TYPES = (pa.string(), pa.string(), pa.string(), pa.float64(), pa.int64())


def _values(
    kinds: pa.ChunkedArray,
    own: np.ndarray,
    weights: Mapping[str, float | None],
    chosen: bool,
    options: Options,
    notes: list[str],
) -> np.ndarray | None:
    """The values that models see; None where events count by having happened."""
    if options.value is False:
        return None
    missing = np.isnan(own)
    if not chosen and options.value is None:
        if missing.any() and not missing.all():
            notes.append(
                f"{missing.sum():,} of the events have no value, so values are left out; give"
                " ?kinds=rating to read ratings alone, or ?kinds=view:1,purchase:5 to give kinds"
                " values"
            )
        return None if missing.any() else own
    words, codes = coded(kinds)
    fixed = np.array([weights[kind] for kind in words.to_pylist()], np.float64)[codes]
    # A kind without a value of its own, an event without one: it happened once.
    values = np.where(np.isnan(fixed), np.where(missing, 1.0, own), fixed).astype(np.float32)
    wanted = options.value or options.kinds is not None
    return None if (values == 1.0).all() and not wanted else values


def _catalogue(fetch: Fetch) -> pa.Table | None:
    rows = [row for batch in fetch(_ITEMS) for row in batch]
    if not rows:
        return None
    ids, titles, texts, features = zip(*rows, strict=True)
    columns: dict[str, Any] = {"item_id": canonical(pa.array(ids, pa.string()))}
    for name, cells in (("title", titles), ("text", texts)):
        if any(cell is not None for cell in cells):
            columns[name] = pa.array(cells, pa.string())
    known = [json.loads(text) if text else {} for text in features]
    for name in sorted({name for one in known for name in one}):
        place = name if name not in ("item_id", "title", "text") else f"feature_{name}"
        columns[place] = column_of([one.get(name) for one in known])
    return pa.table(columns)


def _sentence(found: Mapping[str, int], weights: Mapping[str, float | None]) -> str:
    taken = ", ".join(
        f"{kind} ({found.get(kind, 0):,}{'' if weight is None else f', as {weight:g}'})"
        for kind, weight in weights.items()
    )
    left = ", ".join(
        f"{kind} ({count:,})" for kind, count in sorted(found.items()) if kind not in weights
    )
    return f"event store: kinds {taken}" + (f"; left out {left}" if left else "")


def _nothing(found: Mapping[str, int], span: str) -> str:
    if span and not found:
        return "the event store holds no events that are new."
    if not found:
        return "the event store holds no events yet."
    return (
        "no event of the store counts: it holds"
        f" {', '.join(f'{kind} ({count:,})' for kind, count in sorted(found.items()))}, of which"
        " none is a sign of liking an item that is shown; name those that count behind its URL, as"
        " ?kinds=purchase:1."
    )
