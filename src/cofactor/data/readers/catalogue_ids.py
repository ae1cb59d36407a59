"""Which column of a catalogue holds the ids: where several are named like ids, the one that the
interactions know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from cofactor.data.events import Events
from cofactor.data.ids import IdMap
from cofactor.data.readers.columns import folded
from cofactor.data.readers.usual_names import USUAL


def with_catalogue(events: Events, read: Callable[[str | None], pa.Table]) -> Events:
    """Return the events with a catalogue beside them; see `catalogue_of`."""
    table, notes = catalogue_of(lambda: IdMap.of(events.items), read)
    return replace(events, item_table=table).noted(*notes)


def catalogue_of(
    known: Callable[[], IdMap], read: Callable[[str | None], pa.Table]
) -> tuple[pa.Table, tuple[str, ...]]:
    """Return a catalogue by the column of its ids that fits, and a note if it isn't the usual one.

    Parameters
    ----------
    known
        Returns the ids of the interactions; called only if several columns may hold ids.
    read
        Reads the catalogue by the column of its ids, which becomes ``item_id``; None finds the
        column by the usual names.
    """
    table = read(None)
    usual = {*USUAL["item"], "id"}
    others = [n for n in table.column_names if n != "item_id" and folded(n) in usual]
    if not others:
        return table, ()
    # Names are only hints: an export may have its own numbers beside the shop's.
    ids = known()
    if _known(ids, table):
        return table, ()
    for name in others:
        again = read(name)
        if _known(ids, again):
            note = f"the catalogue's ids are in its column {name}: the interactions know these"
            return again, (note,)
    return table, ()


def _known(ids: IdMap, table: pa.Table) -> bool:
    return bool((ids.find(table.column("item_id")) >= 0).any())
