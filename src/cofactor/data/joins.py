"""Catalogues joined to interactions: how many ids they share, and items without interactions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.data.catalogue import Catalogue
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
    return (note,)


def listed_items(table: pa.Table | None) -> Any:
    """Return the ids of a catalogue; None without one."""
    return None if table is None else table.column("item_id").drop_null()


def aligned(ids: IdMap, table: pa.Table | None, column: str) -> Catalogue:
    """Return a table aligned to the rows of an id map; an empty catalogue without one."""
    return Catalogue.nothing(len(ids)) if table is None else Catalogue.aligned(ids, table, column)


def taken(catalogue: Catalogue, rows: np.ndarray) -> Catalogue:
    """Return some rows of a catalogue."""
    return Catalogue(catalogue.table.take(pa.array(rows)), catalogue.title_column)
