"""Records that hold their items as a list of objects, as carts, orders and analytics' events do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cofactor.data.readers.columns import has_role
from cofactor.data.records import names_of


def field_of_items(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the field of some records that holds lists of objects with an item's id; None if
    there is none, or if the records have an item of their own.
    """
    nested = {
        name: [part for row in rows if _is_objects(row.get(name)) for part in row[name]]
        for name in names_of(rows)
    }
    lists = [name for name, parts in nested.items() if parts]
    own = [name for name in nested if name not in lists]
    held = [name for name in lists if has_role("item", names_of(nested[name]))]
    return held[0] if len(held) == 1 and not has_role("item", own) else None


def expanded(row: Mapping[str, Any], field: str | None) -> Iterator[dict[str, Any]]:
    """Yield a record for each object in a field, with the fields of both; the record itself if the
    field is None.
    """
    if field is None:
        yield dict(row)
    elif _is_objects(row.get(field)):
        outer = {name: value for name, value in row.items() if name != field}
        yield from ({**outer, **part} for part in row[field])


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)
