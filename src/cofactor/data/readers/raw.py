"""Raw: what a format gives, before anything is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from cofactor.base.errors import DataError, UnknownNameError
from cofactor.data.readers.part import Parts
from cofactor.data.readers.times import ParsedTimes
from cofactor.data.readers.values import Odd

Locate = Callable[[np.ndarray], list[tuple[int, str]]]
Fault = tuple[str, np.ndarray]


class NoRowsError(DataError):
    """There are no rows, or all of them were left out."""


class NoKindError(NoRowsError, UnknownNameError):
    """No event is of a kind that has a weight."""


@dataclass
class Raw:
    """What a format gives: columns as they came.

    Parameters
    ----------
    users, items
        Ids: integers or strings, dictionaries of them too; nulls and empty strings are missing ids.
    values
        float32, NaN where a value is missing or no number; or None.
    times
        As they are written, or None.
    source
        For messages.
    locate
        From up to five row numbers (ascending) to their line and text.
    notes
        Sentences for the user.
    columns
        The column of each role, for messages.
    headed
        Whether their names stand in the source itself.
    odd
        Cells of the values that aren't plain numbers; None if there are none.
    events
        The kind of each event, or None; `kinds.weighted` leaves those of at most fifty kinds.
    parts
        Where this is a part of a file: the parts up to this one; None for a whole.
    """

    users: pa.ChunkedArray
    items: pa.ChunkedArray
    values: np.ndarray | None
    times: ParsedTimes | None
    source: str
    locate: Locate
    notes: list[str] = field(default_factory=list)
    columns: Mapping[str, str] = field(default_factory=dict)
    headed: bool = False
    odd: Odd | None = None
    events: pa.ChunkedArray | None = None
    parts: Parts | None = None

    def named(self, role: str) -> str:
        """Return what messages call the column of a role."""
        return f"column {self.columns[role]!r}" if role in self.columns else f"the {role}s"
