"""Events: what a reader returns. Raw columns with outside ids, not yet rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, DataError
from cofactor.data.arrow import from_python
from cofactor.data.guards import real_numbers, whole_seconds
from cofactor.data.histories import picked


@dataclass(frozen=True, repr=False)
class Events:
    """Interactions as they were read, in the order of their source.

    Parameters
    ----------
    users, items
        Outside ids, [n_events]: Arrow arrays of int64 or string (dictionaries too), without nulls.
    values
        float32 [n_events]: ratings, counts, weights; None when the data has none.
    times
        int64 [n_events], seconds since 1970 (UTC); None when the data has none. Without times, the
        order of the events is taken as the order of time.
    item_table, user_table
        What is known of items and users: an Arrow table with a column ``item_id`` (``user_id``)
        beside the others.
    source
        Where they came from, for messages and reports.
    notes
        Sentences about what the reader did: columns it used, lines it dropped and why.
    kinds
        Texts [n_events]: what kind of event each one is by a column of the source (``purchase``);
        None if there is no such column, or if its kinds became values.
    """

    users: pa.ChunkedArray
    items: pa.ChunkedArray
    values: np.ndarray | None = None
    times: np.ndarray | None = None
    item_table: pa.Table | None = None
    user_table: pa.Table | None = None
    source: str = "events"
    notes: tuple[str, ...] = field(default=())
    kinds: pa.ChunkedArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", _column(self.users))
        object.__setattr__(self, "items", _column(self.items))
        counts = {"users": len(self.users), "items": len(self.items)}
        if self.values is not None:
            object.__setattr__(self, "values", real_numbers(self.values, self.source))
            counts["values"] = len(self.values)
        if self.times is not None:
            object.__setattr__(self, "times", whole_seconds(self.times, self.source))
            counts["times"] = len(self.times)
        if self.kinds is not None:
            object.__setattr__(self, "kinds", _column(self.kinds))
            counts["kinds"] = len(self.kinds)
        if len(set(counts.values())) > 1:
            raise ArgumentError(f"the columns of events must be of one length, not {counts}.")
        missing = {"user": self.users.null_count, "item": self.items.null_count}
        lacking = " and ".join(f"{n:,} have no {name} id" for name, n in missing.items() if n)
        if lacking:
            raise DataError(f"of {len(self):,} events {lacking}.", source=self.source)

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        held = [name for name in ("values", "times") if getattr(self, name) is not None]
        held += [f"{table.num_rows:,} {kind}" for kind, table in self._tables()]
        beside = f", with {', '.join(held)}" if held else ""
        return f"Events({len(self):,} from {self.source}{beside})"

    def _tables(self) -> list[tuple[str, pa.Table]]:
        pairs = (("described items", self.item_table), ("described users", self.user_table))
        return [(kind, table) for kind, table in pairs if table is not None]

    def _repr_html_(self) -> str:
        from cofactor.data.data_html import events_html

        return events_html(self)

    def noted(self, *notes: str) -> Events:
        """Return the same events with more notes."""
        return replace(self, notes=self.notes + notes) if notes else self

    def where(self, keep: np.ndarray, *notes: str) -> Events:
        """Return the events for which ``keep`` (bool [n_events]) holds."""
        keep = checks.mask(keep, "keep", len(self))
        mask = pa.array(keep)
        return replace(
            self,
            users=self.users.filter(mask),
            items=self.items.filter(mask),
            values=picked(self.values, keep),
            times=picked(self.times, keep),
            kinds=None if self.kinds is None else self.kinds.filter(mask),
            notes=self.notes + notes,
        )


def _column(column: Any) -> pa.ChunkedArray:
    if isinstance(column, pa.ChunkedArray):
        return column
    return pa.chunked_array([column if isinstance(column, pa.Array) else from_python(column)])
