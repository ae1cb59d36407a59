"""The lines of tables that a reader gave: events with their kinds, and the items of a catalogue."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cofactor.data.catalogue import Catalogue
from cofactor.data.events import Events
from cofactor.store.lines import EventLine, ItemLine, Lines

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 2_000
_TEXTS = ("text", "description", "plot", "summary", "abstract", "overview")


def event_lines(events: Events, kind: str | None = None) -> Lines:
    """Return events as lines; of one kind, or each of the kind that its source names.

    Where neither says it, those of a source with values are ``rating``, others ``view``."""
    usual = "view" if events.values is None else "rating"

    def lines() -> Iterator[tuple[int, Callable[[], EventLine]]]:
        for start in range(0, len(events), _BATCH):
            part = slice(start, start + _BATCH)
            users, items = (
                column.slice(start, _BATCH).to_pylist() for column in (events.users, events.items)
            )
            nothing = [None] * len(users)
            values = nothing if events.values is None else events.values[part].tolist()
            times = nothing if events.times is None else events.times[part].tolist()
            kinds = nothing
            if kind is None and events.kinds is not None:
                kinds = events.kinds.slice(start, _BATCH).to_pylist()
            rows = zip(users, items, values, times, kinds, strict=True)
            for number, (user, item, value, time, word) in enumerate(rows, start + 1):
                named = kind or "_".join((word or usual).lower().split())
                value = None if value is None or math.isnan(value) else value
                line = EventLine(user_id=user, item_id=item, kind=named, value=value, time=time)
                yield number, lambda line=line: line  # type: ignore[misc]

    return lines


def item_lines(table: pa.Table) -> Lines:
    """Return the items of a catalogue as lines: its title, its text, all else as features; of lines
    that repeat an id the first counts, as in `Catalogue.aligned`.

    Parameters
    ----------
    table
        With a column ``item_id``.
    """
    others = table.drop_columns(["item_id"])
    title = Catalogue(others).title_column if others.num_columns else None
    text = next((n for n in others.column_names if n.lower() in _TEXTS and n != title), None)

    def lines() -> Iterator[tuple[int, Callable[[], ItemLine]]]:
        number, seen = 0, set[Any]()
        for batch in table.to_batches(_BATCH):
            for row in batch.to_pylist():
                number += 1
                if row["item_id"] in seen:
                    continue
                seen.add(row["item_id"])
                yield number, lambda row=row: _item(row, title, text)  # type: ignore[misc]

    return lines


def _item(row: dict[str, Any], title: str | None, text: str | None) -> ItemLine:
    given = {name: _plain(value) for name, value in row.items()}
    features = {
        name: value
        for name, value in given.items()
        if value is not None and name not in ("item_id", title, text)
    }
    return ItemLine(
        item_id=row["item_id"],
        title=_text(given, title),
        text=_text(given, text),
        features=features or None,
    )


def _text(given: dict[str, Any], name: str | None) -> str | None:
    cell = None if name is None else given[name]
    return None if cell is None else str(cell)


def _plain(value: Any) -> Any:
    """A cell as JSON holds it; None for nothing."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, list):
        return [str(one) for one in value if one is not None] or None
    return None if value == "" else value
