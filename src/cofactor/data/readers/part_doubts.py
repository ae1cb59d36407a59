"""What the files of a folder show together, and none of them alone: notes on ids of two kinds, on
scales that differ, and on kinds of events that only the files' names say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.data.arrow import value_type
from cofactor.data.events import Events
from cofactor.data.id_doubts import doubts_of_words
from cofactor.data.notes import of_side
from cofactor.data.readers.positions import KINDS
from cofactor.data.readers.source_files import SourceFile

_WORDS = re.compile(r"[^\W\d_]+")
# Different values from which on a range is one, and how much larger those of another scale are.
_VALUES, _LARGER = 3, 5


def doubts_of_parts(entries: Sequence[SourceFile], parts: Sequence[Events]) -> list[str]:
    """Return notes on files that were read as one table, each with its events."""
    return [*_doubts_of_ids(parts), *_doubt_of_scales(parts), *_doubt_of_kinds(entries, parts)]


def _doubts_of_ids(parts: Sequence[Events]) -> list[str]:
    """Notes on ids that are numbers in some files and texts in others: 7 and 007 are two then."""
    notes: list[str] = []
    for side in ("user", "item"):
        columns = [getattr(part, f"{side}s") for part in parts]
        if len({str(value_type(column.type)) for column in columns}) > 1:
            words = [pc.unique(column).cast(pa.string()) for column in columns]
            notes += [of_side(side, n) for n in doubts_of_words(pc.unique(pa.chunked_array(words)))]
    return notes


def _doubt_of_scales(parts: Sequence[Events]) -> list[str]:
    """A note on files whose values lie far apart: stars and per cent, perhaps."""
    ranges = []
    for part in parts:
        if part.values is not None and len(np.unique(part.values[:1000])) >= _VALUES:
            ranges.append((float(part.values.min()), float(part.values.max()), part.source))
    ranges.sort()
    for (low, high, first), (above, top, second) in pairwise(ranges):
        if low >= 0 and above > high and top > _LARGER * high:
            return [
                f"values of {first} lie between {low:g} and {high:g}, those of {second} between"
                f" {above:g} and {top:g}; if these are two scales, convert them to one"
            ]
    return []


def _doubt_of_kinds(entries: Sequence[SourceFile], parts: Sequence[Events]) -> list[str]:
    """A note on files that are named like kinds of events which no column gives."""
    if any(part.kinds is not None or part.values is not None for part in parts):
        return []
    names = [_WORDS.findall(f"{e.path.parent.name} {e.name}".lower()) for e in entries]
    found = {word for words in names for word in words if {word, word.removesuffix("s")} & KINDS}
    if len(found) < 2 or not all(found & {*words} for words in names):
        return []
    listed = ", ".join(sorted(found))
    return [
        f"files are named like kinds of events ({listed}), all of which count the same; put them"
        " into folders that name them, such as event=view, and give these weights with kinds={...}"
    ]
