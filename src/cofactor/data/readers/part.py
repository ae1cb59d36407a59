"""What the parts of one file say together, and none of them alone: how its values and times are
written, whether its last row is a total, which kinds of events there are.

A part is read by the rules of a whole file. Where it would be read otherwise than the file, it is
refused: `Parts` knows those before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cofactor.base.errors import DataError
from cofactor.data.notes import Fact, say

# How all ids of a column are read, if all of them are written so.
_OF_ALL_IDS = {
    Fact.PYTHON_BYTES: "are Python's writing of bytes",
    Fact.HEXADECIMAL: "aren't texts, and are read as hexadecimal digits",
}
# Times that aren't numbers, in `Parts.add_times`; behind it which is first, day or month.
DATES = "written dates"

# What no value may be where others are written in some way (`values.Writing`).
_UNLIKE: Mapping[str, tuple[str, ...]] = {
    "shares": ("fractions up to 1",),
    "words": ("numbers beyond 1",),
    "unit": ("numbers",),
    "durations": ("numbers",),
}


@dataclass
class Parts:
    """The parts of a file so far, the one that is being read included.

    Parameters
    ----------
    n_rows
        How many rows they have, with those that were left out.
    total
        The sum of their values, NaN with what isn't a number.
    writings
        How values that aren't plain numbers are written, with an example of each.
    plain, times, kinds
        What else their values are, how their times are read, and which kinds of events that have a
        weight occur.
    ids
        Of each side and fact, whether parts say it.
    """

    n_rows: int = 0
    total: float = 0.0
    writings: dict[str, str] = field(default_factory=dict)
    plain: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    ids: dict[str, list[bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.some = self.n_rows > 0  # whether any row was left
        self.is_last = True
        self.nothing: DataError | None = None  # why a part had none
        self.all_kinds: dict[str, None] = {}

    @property
    def is_first(self) -> bool:
        """Whether no part was read before."""
        return not self.n_rows

    def facts(self) -> dict[str, Any]:
        """Return what is known of the parts so far, as JSON: the arguments of another `Parts`."""
        return asdict(self)

    def seen(self, kinds: Iterable[str]) -> Iterable[str]:
        """Return the kinds of events of all parts so far, those of this one included."""
        self.all_kinds |= dict.fromkeys(kinds)
        return self.all_kinds

    def refuse_nothing(self) -> None:
        """Raise why there were no rows, if there were none in any part."""
        if self.nothing is not None and not self.some:
            raise self.nothing

    def end(self, values: np.ndarray | None, n_rows: int) -> None:
        """Count the rows of a part, and its values before odd ones were read."""
        self.n_rows += n_rows
        if values is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                self.total += float(values.sum(dtype=np.float64))

    def add_values(
        self, plain: np.ndarray, writing: str, example: str, unread: bool, source: str
    ) -> None:
        """Compare how a part's values are written with those before.

        Parameters
        ----------
        plain
            float32: the values that are plain numbers.
        writing
            How the others are written, "" if there are none or it isn't clear.
        example
            One of the others.
        unread
            Whether it isn't clear.
        source
            For messages.

        Raises
        ------
        DataError
            If all values together would be read otherwise.
        """
        said = {"numbers": plain.size > 0, "unread": unread}
        said["fractions up to 1"] = bool(((plain != 0) & (np.abs(plain) <= 1)).any())
        said["numbers beyond 1"] = bool(((plain != 0) & (plain != 1)).any())
        self.plain = sorted({*self.plain, *(what for what, is_so in said.items() if is_so)})
        if writing:
            self.writings.setdefault(writing, example)
        against = {"unread"}.union(*(_UNLIKE.get(w.partition(" ")[0], ()) for w in self.writings))
        if len(self.writings) > 1 or (self.writings and against & {*self.plain}):
            first = next(iter(self.writings.values()))
            raise DataError(
                f"some parts of it have values such as {first!r}, others are"
                " written in another way; write all of them as plain numbers, or leave values out"
                " with value=False.",
                source=source,
            )

    def add_times(self, writing: str, source: str) -> None:
        """Compare how a part's times are read with those before.

        Raises
        ------
        DataError
            If all times together would be read otherwise.
        """
        self.times = sorted({*self.times, writing})
        written = [name for name in self.times if name.startswith(DATES)]
        orders = [name for name in written if name != DATES]
        # Numbers among dates are seconds.
        numbers = [n for n in self.times if n not in written and not (written and n == "seconds")]
        if len(orders) > 1 or len(numbers) > 1 or (written and numbers):
            others = ", others ".join(self.times)
            raise DataError(
                f"some parts of it have {others} as times; say which it is with time_unit= or"
                " time_format=, write them in one way, or leave them out with time=False.",
                source=source,
            )

    def add_ids(self, notes: Iterable[str], source: str) -> None:
        """Compare what all ids of a part are with those before, by the notes of its reading.

        Raises
        ------
        DataError
            If all of them together would be read otherwise.
        """
        notes = list(notes)
        for side in ("user", "item"):
            for fact, what in _OF_ALL_IDS.items():
                said = say(notes, fact, side)
                seen = self.ids.setdefault(f"{side} {what}", [])
                if said not in seen:
                    seen.append(said)
                if len(seen) > 1:
                    raise DataError(
                        f"in some parts of it the ids of {side}s {what}, and in others not; write"
                        " them in one way.",
                        source=source,
                    )
