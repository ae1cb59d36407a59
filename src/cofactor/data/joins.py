"""Catalogues joined to interactions: how many ids they share, and items without interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArgumentError
from cofactor.data.catalogue import FILLER, WITHOUT_ID, Catalogue
from cofactor.data.ids import IdMap


def join_notes(ids: IdMap, table: pa.Table | None, kind: str) -> tuple[str, ...]:
    """Return how many ids a catalogue (or the table of users) knows, with examples of both sides
    where many fail.
    """
    if table is None or not len(ids):
        return ()
    column = table.column(f"{kind}_id")
    lines = ids.find(column)
    known = int(np.bincount(lines[lines >= 0], minlength=len(ids)).astype(bool).sum())
    what = "the catalogue" if kind == "item" else "the table of users"
    note = f"{what} knows {known:,} of {len(ids):,} {kind}s"
    others = np.flatnonzero(lines < 0)
    if 2 * known < len(ids) and len(others):
        seen = np.zeros(len(ids), bool)
        seen[lines[lines >= 0]] = True
        ours, theirs = ids.ids([int(np.argmin(seen))])[0], column[int(others[0])].as_py()
        note += f"; ids such as {str(ours)!r} against {str(theirs)!r}"
    if len(others):
        note += f"; {len(others):,} of its {len(lines):,} lines are of {kind}s without interactions"
    repeated = int((lines >= 0).sum()) - known
    if repeated:
        note += f"; {repeated:,} lines repeat an id, of which the first counts"
    lost = (table.schema.metadata or {}).get(WITHOUT_ID)
    if lost:
        note += f"; lines without an id: {lost.decode()}, left out"
    return (note,)


def merged(tables: Sequence[pa.Table | None], column: str) -> pa.Table | None:
    """Return several tables of what is known of items (or users) as one, with a line per id: each
    cell is the last one that isn't missing. A cell that isn't of the type that its column has in
    the first table with it is left out.
    """
    known = [table for table in tables if table is not None]
    if len(known) < 2:
        return known[0] if known else None
    ids = IdMap.of(*(table.column(column).drop_null() for table in known))
    aligned_ = [Catalogue.aligned(ids, table, column).table for table in known]
    columns: dict[str, Any] = {}
    for table in aligned_:
        for name in table.column_names:
            here = table.column(name)
            if name not in columns or pa.types.is_null(columns[name].type):
                columns[name] = here
                continue
            there = columns[name]
            if here.type != there.type:
                here = _cast(here, there.type)
            columns[name] = pc.if_else(pc.is_valid(here), here, there)
    found = pa.table({column: ids.arrow})
    for name, cells in columns.items():
        if name != FILLER:
            found = found.append_column(name, cells)
    return found


def _cast(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    try:
        return cells.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([pa.nulls(len(cells), kind)])


def listed_items(table: pa.Table | None) -> Any:
    """Return the ids of a catalogue; None without one."""
    return None if table is None else table.column("item_id").drop_null()


def with_listed_items(data: Any, table: pa.Table) -> Any:
    """Return interactions with a row for each item of a catalogue too; see
    `Interactions.with_catalogue_items`.
    """
    if "item_id" not in getattr(table, "column_names", ()):
        raise ArgumentError(
            f"table must be an Arrow table with a column item_id, not {type(table).__name__};"
            " cofactor.read(..., items=...) reads catalogues of other forms."
        )
    items = IdMap.of(data.items.arrow, listed_items(table))
    if len(items) == len(data.items):
        return data
    catalogue = aligned(items, table, "item_id")
    note = f"{len(items) - data.n_items:,} items without interactions, from the catalogue"
    rows = items.find(data.items.arrow)
    log = data.log
    if log is not None:
        log = log.renumbered(np.arange(data.n_users), rows, len(items))
    made = replace(data, items=items, item_rows=rows[data.item_rows], catalogue=catalogue)
    if not (np.diff(rows) > 0).all():  # integers among texts: they stand in another order there
        order = np.lexsort((made.item_rows, data.user_rows))
        made = replace(made, **made.at(order))
    return replace(made, log=log, notes=(*data.notes, note))


def aligned(ids: IdMap, table: pa.Table | None, column: str) -> Catalogue:
    """Return a table aligned to the rows of an id map; an empty catalogue without one."""
    return Catalogue.nothing(len(ids)) if table is None else Catalogue.aligned(ids, table, column)


def taken(catalogue: Catalogue, rows: np.ndarray) -> Catalogue:
    """Return some rows of a catalogue."""
    return Catalogue(catalogue.table.take(pa.array(rows)), catalogue.title_column)
