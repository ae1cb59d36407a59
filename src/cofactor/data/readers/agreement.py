"""Parts of one source (files, chunks) that were read one by one: whether they are written alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.data.arrow import value_type
from cofactor.data.events import Events
from cofactor.data.id_text import FRACTION
from cofactor.data.notes import Fact, Note, say
from cofactor.data.readers.values import SHARES


@dataclass
class Agreement:
    """What the parts so far were read as; a part that contradicts them is refused.

    One part alone may look clear and be wrong: ``1.000`` is a thousand beside a later part's
    ``4,5``, and ``1.0`` a version beside ``1.1``.

    Parameters
    ----------
    plain_values, commas
        Whether some had plain values, and some decimal commas.
    scales
        Of which scales or units values were: shares, out of 5, euros.
    shares_below_one
        Whether some had values that would be such shares as 0.8.
    folded
        Whose ids (``"user"``, ``"item"``) were all like 1.0, and read as whole numbers.
    fractions
        An id like 1.1 of each side.
    headed
        Whether they had headers.
    """

    plain_values: bool = False
    commas: bool = False
    scales: list[str] = field(default_factory=list)
    shares_below_one: bool = False
    folded: list[str] = field(default_factory=list)
    fractions: dict[str, str] = field(default_factory=dict)
    headed: list[bool] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """Return what is known of the parts so far, as JSON: another `Agreement`'s arguments."""
        return asdict(self)

    def add(self, part: Events, *, decimal: str | None = None) -> None:
        """Compare a part with those before it.

        Parameters
        ----------
        part
            Its events, with the notes of its reading.
        decimal
            The decimal mark that it was read with, None if it was detected.

        Raises
        ------
        DataError
            If it is written otherwise.
        """
        if part.values is not None and decimal is None:
            commas = has_commas(part)
            self.commas |= commas
            self.plain_values |= not commas
            if self.commas and self.plain_values:
                raise DataError(
                    "some parts have values with decimal commas, others have none, where 1.000 may"
                    " be a thousand; say which it is with decimal=',' or decimal='.'.",
                    source=part.source,
                )
        self._add_scale(part)
        headers = {True: Fact.HEADER, False: Fact.NO_HEADER}
        said = (headed for headed, fact in headers.items() if say(part.notes, fact))
        self.headed = sorted({*self.headed, *said})
        if len(self.headed) > 1:
            raise DataError(
                "some parts have a header and others don't, so their columns may be in different"
                " orders; give all of them a header.",
                source=part.source,
            )
        for side, column in (("user", part.users), ("item", part.items)):
            self._add_ids(part, side, column)

    def _add_scale(self, part: Events) -> None:
        if part.values is None:
            return
        own = {note.scale for note in part.notes if isinstance(note, Note) and note.scale}
        self.scales = sorted({*self.scales, *own})
        if not own:
            self.shares_below_one |= bool(((part.values > 0) & (part.values < 1)).any())
        mixed = self.scales + ["fractions below 1"] * self.shares_below_one
        if len(self.scales) > 1 or (self.scales == [SHARES] and self.shares_below_one):
            raise DataError(
                f"the values of some parts are {mixed[0]}, those of others {mixed[1]}, which can't"
                " be compared; convert them to one scale.",
                source=part.source,
            )

    def _add_ids(self, part: Events, side: str, column: pa.ChunkedArray) -> None:
        if say(part.notes, Fact.WHOLE_NUMBERS, side):
            self.folded = sorted({*self.folded, side})
        elif not pa.types.is_integer(value_type(column.type)) and side not in self.fractions:
            coded = pa.types.is_dictionary(column.type) and column.num_chunks > 0
            words = column.unify_dictionaries().chunk(0).dictionary if coded else column
            fraction = _fraction_among(words)
            if fraction is not None:
                self.fractions[side] = fraction
        if side in self.folded and side in self.fractions:
            raise DataError(
                f"ids of {side}s such as {self.fractions[side]!r} are texts, but in other parts all"
                " were written like '1.0' and read as whole numbers; write them in one way, or as"
                " one file.",
                source=part.source,
            )


def has_commas(part: Events) -> bool:
    """Return whether a part's values were read as numbers with decimal commas."""
    return say(part.notes, Fact.DECIMAL_COMMAS)


def some_have_commas(parts: Sequence[Events]) -> bool:
    """Return whether decimal commas were found in some of the parts and not in all with values."""
    found = {has_commas(part) for part in parts if part.values is not None}
    return len(found) > 1


def _fraction_among(words: pa.Array | pa.ChunkedArray) -> str | None:
    """The first id that is written like 1.1."""
    for chunk in words.cast(pa.string()).chunks if isinstance(words, pa.ChunkedArray) else [words]:
        text = chunk.buffers()[2]
        # Most have no point at all, which is seen at once.
        if text is not None and b"." in text.to_pybytes():
            hits = chunk.filter(pc.match_substring_regex(chunk.cast(pa.string()), FRACTION))
            if len(hits):
                return str(hits[0].as_py())
    return None
