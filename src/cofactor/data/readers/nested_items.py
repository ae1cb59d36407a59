"""Records with objects in them: items as a list of objects, as carts, orders and analytics' events
hold them, or as a mapping to ratings; an item's users likewise; and ids within an object
(``product.id``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from cofactor.data.readers.columns import UNION_TYPES, has_role
from cofactor.data.records import names_of

# Types of numbers, as Avro and Firestore write them around each, and the one that holds all.
_NUMBERS = frozenset(("int", "long", "float", "double", "integerValue", "doubleValue"))
_NUMBER = "double"


def field_of_items(rows: Sequence[Mapping[str, Any]], *, catalogue: bool = False) -> str | None:
    """Return the field of some records that holds lists of objects with an item's id (or a user's,
    where the records have an item of their own and no user), or its path if it stands in an object
    of the record (``properties.products``); None if there is none. Of a ``catalogue``, records
    with an id list items in a field of such a name alone.
    """
    names = names_of(rows)
    found = _lists(rows, names)
    own = [name for name in names if name not in found]
    if catalogue and {"id", "_id", "handle"} & {name.lower() for name in own}:
        # A product lists its variants; a category its products.
        found = {name: parts for name, parts in found.items() if has_role("item", [name])}
    if has_role("item", own):
        return None if has_role("user", own) else _only(found, "user")
    if not found:
        for name in names:
            held = [row[name] for row in rows if isinstance(row.get(name), dict)]
            found |= {f"{name}.{inner}": parts for inner, parts in _lists(held).items()}
    return _only(found, "item")


def _only(found: Mapping[str, Sequence[Any]], role: str) -> str | None:
    """The one field whose objects have a role; None if there are several, or none."""
    fields = [name for name, parts in found.items() if has_role(role, names_of(parts))]
    return fields[0] if len(fields) == 1 else None


def expanded(row: Mapping[str, Any], field: str | None) -> Iterator[dict[str, Any]]:
    """Yield a record for each object in a field, with the fields of all that it stands in; the
    record itself if the field is None.
    """
    if field is None:
        yield dict(row)
        return
    name, _, inner = field.partition(".") if field not in row else (field, "", "")
    value = row.get(name)
    outer = {other: one for other, one in row.items() if other != name}
    if inner and isinstance(value, dict):
        yield from ({**outer, **part} for part in expanded(value, inner))
    else:
        yield from ({**outer, **part} for part in _parts(inner or name, value))


def opened(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with its objects' fields by their paths (``product.id``) instead.

    Wrapped ids (``{"$oid": ...}``) stay as they are."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict) and len(value) == 1 and (number := _of_union(value)) is not None:
            found[f"{name}.{_NUMBER}"] = number
        elif isinstance(value, dict) and not is_wrapped(value):
            found |= {f"{name}.{inner}": one for inner, one in opened(value).items()}
        else:
            found[name] = value
    return found


def _of_union(value: Mapping[str, Any]) -> Any:
    """The number of a union of several types of them (``{"int": 4}``); None of another object."""
    kind, held = next(iter(value.items()))
    return held if kind in _NUMBERS and not isinstance(held, (dict, list)) else None


def is_wrapped(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a document store's writing of one value: ``{"$oid": ...}``."""
    return all(str(name).startswith("$") for name in value)


def filled_names(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[str]:
    """Return the names that hold something in some records."""
    return [name for name in names if any(row.get(name) is not None for row in rows)]


def has_ids(names: Sequence[str]) -> bool:
    """Return whether some names are a user's and an item's."""
    return all(has_role(role, names) for role in ("user", "item"))


def _lists(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str] | None = None
) -> dict[str, list[Any]]:
    """The fields that hold lists of objects, and all of these."""
    nested = {
        name: [part for row in rows for part in _objects(name, row.get(name))]
        for name in (names_of(rows) if names is None else names)
    }
    return {name: parts for name, parts in nested.items() if parts}


def _objects(name: str, value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects that a field lists: none if it holds anything else; of a mapping from items to
    numbers in a field of such a name (``ratings``), one for each item.
    """
    if isinstance(value, list):
        objects = all(isinstance(part, dict) for part in value)
        return [_with_item_id(name, part) for part in value] if objects else ()
    several = name.lower().endswith("s") and (has_role("value", [name]) or has_role("item", [name]))
    if not (isinstance(value, dict) and several):
        return ()
    if not all(map(_is_number, value.values())) or is_wrapped(value) or value.keys() & UNION_TYPES:
        return ()
    return [{"item": item, "rating": number} for item, number in value.items()]


def _parts(name: str, value: Any) -> Sequence[Mapping[str, Any]]:
    """The objects in a field that lists objects elsewhere: one that stands there without a list is
    the only one (as converters of XML write it); what is none becomes one without an id, so that it
    isn't lost without a word.
    """
    found = _objects(name, value)
    if found or not value:
        return found
    held = value if isinstance(value, list) else [value]
    return [_with_item_id(name, p) if isinstance(p, dict) else {name: p} for p in held]


def _with_item_id(name: str, part: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object of a list, whose ``id`` is the item's where the list is named like items and
    nothing else is its id.
    """
    if "id" not in part or not _needs_id(name, tuple(names_of([part]))):
        return part
    return {"item_id" if key == "id" else key: value for key, value in part.items()}


@lru_cache(1024)
def _needs_id(name: str, names: tuple[str, ...]) -> bool:
    return has_role("item", [name]) and not has_role("item", names)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
