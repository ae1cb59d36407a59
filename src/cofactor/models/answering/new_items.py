"""New items for a fitted model: rows at the end of its data, with their catalogue columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.names import unknown_name
from cofactor.data.arrow import is_text_type, value_type
from cofactor.data.catalogue import UNIT, WITHOUT_ID, Catalogue
from cofactor.data.guards import refuse_infinite
from cofactor.data.ids import IdMap
from cofactor.data.interactions import Interactions


def with_new_items(
    data: Interactions, items: Any, *, id_column: str | None = None, known: str = "error"
) -> Interactions:
    """Return the data with more items at its end.

    Parameters
    ----------
    data
        What the model was fitted on.
    items
        A file, a table, or a list of dictionaries; one line an item, with its id and the
        catalogue's columns. Columns that the catalogue lacks are kept, missing ones are null.
    id_column
        Which column has the ids; None to find it by the usual names.
    known
        What to do with ids that the data has: ``"error"`` or ``"skip"``.

    Raises
    ------
    ArgumentError
        For ids that are known already, or repeated.
    DataError
        If a column can't be read as what the catalogue has under that name, or there are ids alone.
    """
    from cofactor.data.readers.item_tables import read_table

    catalogue = data.catalogue.table
    # What the catalogue has as texts stays as it is written: a model of an older version has all.
    texts = [field.name for field in catalogue.schema if is_text_type(value_type(field.type))]
    table = read_table(items, id_column=id_column, texts=texts)
    lost = (table.schema.metadata or {}).get(WITHOUT_ID)
    if lost:
        raise DataError(f"new items without an id: {lost.decode()}; give each of them one.")
    table = _unknown_alone(table, data.items, known)
    ids = table.column("item_id").combine_chunks()
    target = data.items.arrow.type
    try:
        grown = pa.concat_arrays([data.items.arrow, ids.cast(target)])
    except pa.ArrowInvalid:
        example = ids[0].as_py()
        raise DataError(
            f"the new items' ids ({example!r} ...) aren't {data.items.kind} like those that the"
            " model knows."
        ) from None
    _refuse_unknown(table.column_names, data.catalogue.column_names)
    fitting = _fitting(table, catalogue)
    # Beyond floats are numbers of Python and of texts too.
    refuse_infinite(fitting, "item_id", "new items")
    rest = fitting.drop_columns(["item_id"])
    rest = rest if rest.num_columns else Catalogue.nothing(len(table)).table
    return replace(data, items=IdMap(grown), catalogue=data.catalogue.with_rows(rest))


def _unknown_alone(table: pa.Table, items: IdMap, known: str) -> pa.Table:
    """The new items without those that are known already, where these may be skipped; an id that
    comes twice is refused.
    """
    ids = table.column("item_id").combine_chunks()
    found = items.find(ids) >= 0
    if found.any():
        if known == "error":
            shown = ", ".join(map(repr, ids.filter(pa.array(found)).to_pylist()[:5]))
            raise ArgumentError(
                f"{int(found.sum())} of the new items are known already: {shown}; leave them out,"
                " or say known='skip'."
            )
        table, ids = table.filter(pa.array(~found)), ids.filter(pa.array(~found))
    if len(ids) != pc.count_distinct(ids).as_py():
        counts = pc.value_counts(ids)
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")[0].as_py()
        raise ArgumentError(f"duplicate id {twice!r} among the new items; give each of them once.")
    return table


def _refuse_unknown(names: list[str], known: Sequence[str]) -> None:
    """Raise an error if new items have no column that the catalogue has: nothing would be known of
    them.
    """
    said = [name for name in names if name != "item_id"]
    if not known or set(said) & set(known):
        return
    if not said:
        raise DataError(
            "the new items have ids alone, and they are represented by their descriptions; add some"
            f" of the catalogue's columns ({', '.join(known[:8])})."
        )
    raise unknown_name("column of the catalogue in the new items", said[0], known)


def _fitting(table: pa.Table, known: pa.Table) -> pa.Table:
    """The new columns with the catalogue's types; text with ``|`` becomes a list where the
    catalogue has lists.
    """
    for n, name in enumerate(table.column_names):
        if name not in known.column_names:
            continue
        wanted, column = known.column(name).type, table.column(name)
        units = [_unit(one.schema.field(name)) for one in (table, known)]
        if all(units) and units[0] != units[1]:
            raise DataError(
                f"column {name!r} of the new items is in {units[0]!r}, and the catalogue's in"
                f" {units[1]!r}; convert it first."
            )
        if pa.types.is_null(wanted) or column.type == wanted:
            continue
        try:
            if pa.types.is_list(wanted) and pa.types.is_string(column.type):
                column = pc.split_pattern(column, "|")
            if pa.types.is_floating(column.type) and not pa.types.is_floating(wanted):
                # pandas has whole numbers among missing ones as floats.
                column = pc.if_else(pc.is_nan(column), None, column)
            table = table.set_column(n, name, column.cast(wanted))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise DataError(
                f"column {name!r} of the new items is {column.type} (such as"
                f" {_odd(column, wanted)!r}), and the catalogue's is {wanted}; write it as the"
                " catalogue has it."
            ) from None
    return table


def _unit(field: pa.Field) -> str:
    """The unit that a column's numbers were written with; "" if none is known."""
    return (field.metadata or {}).get(UNIT, b"").decode(errors="replace")


def _odd(column: pa.ChunkedArray, wanted: pa.DataType) -> Any:
    """A cell that can't be what the catalogue has."""
    for cell in column.drop_null():
        try:
            cell.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return cell.as_py()
    return None
