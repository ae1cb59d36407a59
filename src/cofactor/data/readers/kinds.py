"""Kinds of events (view, purchase ...) as weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import DataError
from cofactor.base.names import unknown_name
from cofactor.data.arrow import coded
from cofactor.data.events import Events
from cofactor.data.notes import Fact, Note
from cofactor.data.readers.columns import Options
from cofactor.data.readers.raw import NoKindError, Raw

_SHOWN = 6
_MOST = 50  # kinds of events that a column may name


def weighted(raw: Raw, options: Options) -> np.ndarray:
    """Give each row the weight of its kind, in place; the rows of other kinds (bool [n]) are left
    out, which the notes tell.

    Raises
    ------
    UnknownNameError
        If no kind that has a weight occurs.
    """
    assert raw.events is not None
    distinct, codes = coded(pc.utf8_trim_whitespace(raw.events.cast(pa.string())))
    words = distinct.to_pylist()
    counts = np.bincount(codes, minlength=len(words) + 1)
    counted = {w: int(n) for w, n in zip(words, counts, strict=False)}
    name = raw.columns["event"]
    if options.kinds is None:
        if len(words) <= _MOST:
            given = pa.array(codes, mask=codes == len(words))
            raw.events = pa.chunked_array([pa.DictionaryArray.from_arrays(given, distinct)])
        else:
            raw.events = None  # no kinds, whatever the column is called
        _tell(raw, name, counted)
        return np.zeros(len(codes), bool)
    missing = [kind for kind in options.kinds if kind not in counted]
    seen = counted if raw.parts is None else raw.parts.seen(counted)
    if len(missing) == len(options.kinds):
        error = unknown_name(f"kind of event in column {name!r}", missing[0], list(seen)[:50])
        raise NoKindError(str(error), source=raw.source)  # another part may hold them
    if raw.parts is not None:
        raw.parts.kinds = sorted({*raw.parts.kinds, *(options.kinds.keys() & counted.keys())})
    elif missing:
        # Another source may hold them.
        raw.notes += [
            Note(f"column {name!r} holds no event of kind {kind}", Fact.NO_KIND) for kind in missing
        ]
    weights = np.array([options.kinds.get(w, np.nan) for w in words] + [np.nan], np.float32)[codes]
    raw.values = weights if raw.values is None else raw.values * weights
    out = np.isnan(weights)
    others = {w: counted[w] for w in words if w not in options.kinds}
    if counts[len(words)]:
        others["none"] = int(counts[len(words)])
    raw.notes += _left_out(others, int(out.sum()), single=raw.parts is not None)
    if out.all():
        raise DataError("no row is of a kind that has a weight.", source=raw.source)
    return out


def _left_out(others: Mapping[str, int], count: int, *, single: bool) -> list[str]:
    """Notes on rows of kinds without a weight: one for each kind, or one for all."""
    some = list(others.items())[:_SHOWN]
    if single:
        return [Note.counting("left out", n, "row", f" of kind {kind!r}") for kind, n in some]
    shown = ", ".join(f"{kind} ({n:,})" for kind, n in some)
    what = " of other kinds"
    return [Note.counting("left out", count, "row", what, f": {shown}")] if some else []


def _tell(raw: Raw, name: str, counted: dict[str, int]) -> None:
    raw.notes += _alike(f"column {name!r} holds", counted)


def _alike(holds: str, counted: Mapping[str, int]) -> list[Note]:
    """A note on kinds of events without weights, if there are several."""
    if not 2 <= len(counted) <= _MOST:
        return []
    shown = ", ".join(f"{kind} ({count:,})" for kind, count in list(counted.items())[:_SHOWN])
    said = f"{holds} kinds of events, all of which count the same: {shown}"
    return [Note(f"{said}; give them weights with kinds={{...}}", Fact.KINDS)]


def notes_of_all(parts: Sequence[Events], kinds: pa.ChunkedArray | None) -> list[str]:
    """Return the notes of parts, each once: which kinds of events there are, and which there
    aren't, is said of all of them together (``kinds``).
    """
    notes = dict.fromkeys(note for part in parts for note in part.notes)
    facts = {note: getattr(note, "fact", None) for note in notes}
    kept = [
        note
        for note, fact in facts.items()
        if fact is not Fact.KINDS
        and (fact is not Fact.NO_KIND or all(note in part.notes for part in parts))
    ]
    said = next((note for note, fact in facts.items() if fact is Fact.KINDS), None)
    if kinds is None or all(part.kinds is None for part in parts):
        return kept if said is None else [*kept, said]
    distinct, codes = coded(kinds)
    counts = np.bincount(codes, minlength=len(distinct)).tolist()
    return [*kept, *_alike("they hold", dict(zip(distinct.to_pylist(), counts, strict=False)))]
