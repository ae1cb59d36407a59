"""What a whole JSON document may hold: records, rows, columns, mappings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MappingView, Sequence
from typing import Any

import pyarrow as pa

from cofactor.base.errors import DataError
from cofactor.data.arrow import is_list_type
from cofactor.data.readers.columns import UNION_TYPES, folded, has_role
from cofactor.data.readers.headers import SURELY, has_roles
from cofactor.data.readers.json_text import bounded_levels
from cofactor.data.readers.nested_items import (
    expanded,
    field_of_items,
    filled_names,
    has_ids,
    opened,
)
from cofactor.data.readers.positions import dated
from cofactor.data.readers.raw import NoRowsError
from cofactor.data.readers.usual_names import DESCRIBING
from cofactor.data.records import names_of, table_of, table_of_columns

# How far below the top a list of records may stand.
_DEPTH = 3
# How many objects of one field each may stand around what is read.
_LEVELS = 32


def table_of_json(value: Any, source: str, *, catalogue: bool = False) -> pa.Table:
    """Return what a whole JSON document holds as a table.

    Known are: a list of records or of rows; an object one of whose values is such a list; columns
    as lists or as objects by row; ``columns`` beside ``data``; a mapping from user to items (or to
    an object of items and values). Of a ``catalogue`` a record with an id is an item.

    Raises
    ------
    DataError
        If it is none of these.
    """
    with bounded_levels(source):
        return _table(value, source, _LEVELS, catalogue=catalogue)


def _own_id(hit: Mapping[str, Any]) -> dict[str, Any]:
    """What a hit names its record by: of a catalogue it is the id."""
    return {"_id": hit["_id"]} if "_id" in hit else {}


def _table(value: Any, source: str, levels: int, *, catalogue: bool) -> pa.Table:
    """The same, of what stands at most so many levels below."""
    if not levels:
        raise RecursionError
    if value in ([], {}):
        raise NoRowsError("there are no rows in it.", source=source)
    if isinstance(value, dict) and _is_order(value):
        value = [value]
    if isinstance(value, list):
        if all(isinstance(row, dict) for row in value):
            # Hits of Elasticsearch hold their record in a field.
            hits = [row.get("_source") for row in value]
            rows = value
            if all(isinstance(row, dict) for row in hits):
                rows = [{**_own_id(hit), **row} for hit, row in zip(value, hits, strict=True)]
            inner = field_of_items(rows, catalogue=catalogue)
            rows = [part for row in rows for part in expanded(row, inner)]
            fields = [opened(row) for row in rows]
            names = names_of(rows)
            # Of {"user": 1, "items": {"a": 3}} the object holds items and values.
            whole = has_ids(filled_names(fields, names)) or (
                has_ids(names) and not has_ids(names_of(fields))
            )
            return table_of(rows if whole else fields)
        if all(isinstance(row, list) and 2 <= len(row) <= 4 for row in value):
            return _of_rows(value, source)
    if isinstance(value, dict):
        in_columns = _has_columns(value)
        value = {
            name: (None if in_columns else _by_item(part)) or _listed(part)
            for name, part in value.items()
        }
        table = _of_object(value, source, levels - 1, catalogue=catalogue)
        if table is not None:
            return table
    raise DataError(
        "a JSON file must hold an array of objects, an object a line, or an object of lists.",
        source=source,
    )


def unnested(table: pa.Table, source: str) -> pa.Table:
    """Return a table with structs (or lists of them) that its users or items stand in as JSON with
    such objects is read; others as they are.
    """
    if not is_nested(table.schema):
        return table
    try:
        return table_of_json(table.to_pylist(), source)
    except OverflowError:
        raise DataError(
            "a time in it is beyond the years 1 to 9999; write it as seconds since 1970.",
            source=source,
        ) from None


def is_nested(schema: pa.Schema) -> bool:
    """Return whether a table has its users or items within structs or lists of them."""
    flat = [field.name for field in schema if not _holds_structs(field.type)]
    return len(flat) < len(schema) and not has_ids(flat)


def _holds_structs(kind: pa.DataType) -> bool:
    return pa.types.is_struct(kind.value_type if is_list_type(kind) else kind)


def _is_order(value: Mapping[str, Any]) -> bool:
    """Whether an object is one record that names its user and holds a list of items."""
    own = {name: part for name, part in value.items() if not isinstance(part, list)}
    return has_role("user", names_of([opened(own)])) and field_of_items([value]) is not None


def _by_item(part: Any) -> dict[str, Any] | None:
    """What a user's series of pandas says of items that are its index: numbers by texts, or numbers
    with fractions by anything but their places; None of others, which hold items.
    """
    if not (hasattr(part, "to_dict") and hasattr(part, "index") and hasattr(part, "dtype")):
        return None
    held = part.to_dict()
    texts = all(isinstance(item, str) for item in held)
    floats = all(isinstance(number, float) for number in held.values())
    numbered = list(held) == list(range(len(held)))
    valued = all(map(_is_number, held.values())) and (texts or (floats and not numbered))
    return {str(item): number for item, number in held.items()} if valued else None


def _listed(part: Any) -> Any:
    """What holds several values (an array, a series, a tuple, a set in order) as a list."""
    for name in ("tolist", "to_list"):  # of NumPy and its like, of polars
        if hasattr(part, name):
            return getattr(part, name)()
    if isinstance(part, (set, frozenset)):
        return sorted(part, key=str)
    several = isinstance(part, (Sequence, MappingView)) and not isinstance(part, (str, bytes))
    return list(part) if several else part


def _of_rows(rows: Sequence[Sequence[Any]], source: str) -> pa.Table:
    if len({len(row) for row in rows}) != 1:
        raise DataError("the rows of the JSON array differ in length.", source=source)
    if len(rows) > 1 and all(isinstance(c, str) for c in rows[0]) and has_roles(rows[0]):
        return table_of([dict(zip(rows[0], row, strict=True)) for row in rows[1:]])
    names = ("user", "item", "value", "time")
    columns = zip(names, zip(*rows, strict=True), strict=False)
    return table_of_columns(dict(columns))


def _of_object(
    value: Mapping[str, Any], source: str, levels: int, *, catalogue: bool
) -> pa.Table | None:
    parts = list(value.values())
    columns, data = value.get("columns"), value.get("data")
    if isinstance(columns, list) and isinstance(data, list):
        rows = [dict(zip(map(str, columns), row, strict=False)) for row in data]
        return table_of(rows) if rows else None
    if any(map(_has_digit, value)) and all(map(_is_keyed, parts)):
        # Of each user, or of each item.
        key = "item" if has_role("user", names_of(parts[0])) else "user"
        return table_of([{key: name, **row} for name, part in value.items() for row in part])
    tables = [part for part in parts if _is_table(part)]
    if len(tables) == 1:
        return _of_rows(tables[0], source)
    if all(map(_is_whole, parts)):
        return table_of(list(_dated(value)))
    records = _records(value, _DEPTH)
    if len(records) > 1:
        records = [some for some in records if has_roles(some[0])]
    if len(records) == 1:
        return _table(records[0], source, levels, catalogue=catalogue)
    if len(parts) == 1 and isinstance(parts[0], dict) and all(map(_is_number, parts[0].values())):
        return _of_objects(value, parts)
    if len(parts) == 1 and isinstance(parts[0], (dict, list)) and not _is_lists(value):
        _refuse_items_by_key(value, source)
        if _is_user_of_pairs(value):
            return _of_pairs(value, source)
        return _table(parts[0], source, levels, catalogue=catalogue)
    if _is_lists(value):
        if _has_columns(value):
            return _of_columns(value, source)
        users = [user for user, items in value.items() for _ in items]
        return table_of_columns({"user": users, "item": [i for items in parts for i in items]})
    if all(isinstance(part, dict) for part in parts):
        return _of_objects(value, parts)
    return _of_pairs(value, source) if all(isinstance(part, list) for part in parts) else None


def _has_columns(value: Mapping[str, Any]) -> bool:
    """Whether names are those of columns: a user's and an item's, or one that hardly a user has."""
    return has_roles(value) or any(folded(str(name)) in SURELY for name in value)


def _is_user_of_pairs(value: Mapping[str, Any]) -> bool:
    """Whether an object of one list is a user's pairs, and no list of rows by its name."""
    ((name, part),) = value.items()
    rows: list[Any] = part if isinstance(part, list) else []
    pairs = all(isinstance(row, (list, tuple)) and len(row) == 2 for row in rows)
    return bool(rows) and pairs and (isinstance(rows[0], tuple) or _has_digit(name))


def _of_pairs(value: Mapping[str, Any], source: str) -> pa.Table:
    """Of each user a list of pairs (item, value): texts before numbers, or any ids before numbers
    with fractions. Two whole numbers may also be two items.
    """
    rows = [(user, cell) for user, part in value.items() for cell in part]
    pairs = all(isinstance(cell, (list, tuple)) and len(cell) == 2 for _, cell in rows)
    texts = pairs and all(isinstance(cell[0], str) and _is_number(cell[1]) for _, cell in rows)
    if not texts and not (pairs and all(isinstance(cell[1], float) for _, cell in rows)):
        raise DataError(
            "of each user it must hold a list of items, or an object of items and values, such as"
            f" {{'u1': {{'a': 3}}}}, not lists within lists, such as {rows[0][1]!r}.",
            source=source,
        )
    users, cells = zip(*rows, strict=True)
    items, values = zip(*cells, strict=True)
    return table_of_columns({"user": users, "item": items, "value": values})


def _refuse_items_by_key(value: Mapping[str, Any], source: str) -> None:
    """Raise DataError if an object named ``items`` maps each of them to its users, or each user to
    those: nothing says which.
    """
    ((name, inner),) = value.items()
    if not (has_role("item", [name]) and isinstance(inner, dict) and inner and _is_lists(inner)):
        return
    if not has_role("user", [name]) and not has_roles(inner):
        raise DataError(
            f"the keys in {name!r} may be items or users; write a record for each user and item,"
            " or leave out the outer object if the keys are users.",
            source=source,
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _of_columns(value: Mapping[str, Any], source: str) -> pa.Table:
    lengths = {str(name): len(part) for name, part in value.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"its columns must be of one length, not {lengths}.", source=source)
    return table_of_columns({str(name): part for name, part in value.items()})


def _records(value: Mapping[str, Any], depth: int) -> list[list[Any]]:
    """The lists of records in an object and in the objects within it."""
    found = []
    for part in value.values():
        if isinstance(part, list) and part and isinstance(part[0], dict):
            found.append(part)
        elif isinstance(part, dict) and depth:
            found += _records(part, depth - 1)
    return found


def _of_objects(value: Mapping[str, Any], parts: Sequence[Mapping[str, Any]]) -> pa.Table:
    if has_roles(value):
        if UNION_TYPES.issuperset(names_of(parts)):
            return table_of([opened(value)])
        rows = list(dict.fromkeys(row for part in parts for row in part))
        return table_of_columns({n: [p.get(r) for r in rows] for n, p in value.items()})
    if has_roles(parts[0]):
        return table_of(parts)
    inner = field_of_items(parts)
    if inner is not None:
        pairs = ((key, row) for key, part in value.items() for row in expanded(part, inner))
        return table_of([{"user": key, **row} for key, row in pairs])
    if {folded(str(name)) for name in parts[0]} & set(DESCRIBING):
        return table_of([{"item_id": key, **part} for key, part in value.items()])
    triples = [(user, item, held) for user, items in value.items() for item, held in items.items()]
    users, items, held = zip(*triples, strict=True) if triples else ((), (), ())
    if held and all(isinstance(part, dict) for part in held):
        below = _lists_of_users(value, users, held)
        if below is not None:
            return _of_objects(below, list(below.values()))
        return table_of([{"user": u, "item": i, **part} for u, i, part in triples])
    return table_of_columns({"user": users, "item": items, "value": held})


def _lists_of_users(
    value: Mapping[str, Any], users: Sequence[str], held: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """Of objects whose keys are users, in each of which the same name (``favorites``) holds an
    object of items and numbers or truths, what stands below that name; None of others.
    """
    names = {name for part in value.values() for name in part}
    fields = names_of(held)
    plain = all(_is_number(cell) for part in held for cell in part.values())
    known = any(has_role(role, [name]) for name in fields for role in ("value", "time"))
    if len(names) > 1 or len(set(users)) < 2 or not plain or known:
        return None
    return dict(zip(users, held, strict=True))


def _is_table(part: Any) -> bool:
    """Whether a part is a list of rows below their names."""
    rows = isinstance(part, list) and len(part) > 1 and all(isinstance(row, list) for row in part)
    return rows and all(isinstance(c, str) for c in part[0]) and has_roles(part[0])


def _are_records(part: Any) -> bool:
    return isinstance(part, list) and bool(part) and all(isinstance(row, dict) for row in part)


def _is_whole(part: Any) -> bool:
    """Whether a part is a list of records with a user and an item each."""
    return _are_records(part) and has_roles(names_of(part))


def _dated(value: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The records of all parts, with a part's name as their date if it is one."""
    days = dated(list(value))
    for name, part in value.items():
        yield from ({"date": name, **row} if days else row for row in part)


def _is_keyed(part: Any) -> bool:
    """Whether a part is a list of records that name an item or a user, but not both."""
    if not _are_records(part):
        return False
    names = names_of(part)
    return has_role("item", names) != has_role("user", names) and field_of_items(part) is None


def _has_digit(key: object) -> bool:
    return any(letter.isdigit() for letter in str(key))


def _is_lists(value: Mapping[str, Any]) -> bool:
    return all(
        isinstance(part, list) and not any(isinstance(cell, (dict, list, tuple)) for cell in part)
        for part in value.values()
    )
