"""Notes on the parts of a source: each is made once, however many parts there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from cofactor.base.names import counted
from cofactor.data.notes import Note, Tally

# What may differ between parts in a sentence that is said once: examples, numbers, plurals. (What
# a note says for programs is never taken from its words.)
_EXAMPLES = re.compile(r"'[^']*'|\"[^\"]*\"|[-\d][\d,.:-]*|\b(row|line|id|time|value)s?\b")


class PartNotes:
    """What there is to say about the parts so far, in the order in which it came up.

    Parameters
    ----------
    known
        `facts` of the parts before.
    """

    def __init__(self, known: Iterable[Sequence[Any]] = ()) -> None:
        self._known = {
            str(key): (Note(note, tally=None if tally is None else Tally(*tally)), int(n))
            for key, note, n, tally in known
        }

    def facts(self) -> list[tuple[str, str, int, Tally | None]]:
        """Return what is known, as JSON."""
        return [(key, str(note), n, note.tally) for key, (note, n) in self._known.items()]

    def say(self, notes: Iterable[str]) -> None:
        """Add notes that aren't of a part; one that was made already isn't made again."""
        for note in notes:
            self._known.setdefault(note, (Note(note), 0))

    def add(self, notes: Iterable[str]) -> None:
        """Add the notes of a part: counts of rows are added up, and of what differs otherwise the
        first is kept, with the number of further parts.
        """
        for note in notes:
            tally = note.tally if isinstance(note, Note) else None
            if tally is not None:
                # Rows and lines add up; distinct ids don't, since parts may share them.
                key = str(tally._replace(n=0, detail=""))
                first, n = self._known.get(key, (Note(note, tally=tally), 0))
                self._known[key] = first, n + tally.n
            else:
                key = _EXAMPLES.sub(r"#\1", note)
                first, n = self._known.get(key, (Note(note), 0))
                self._known[key] = first, n + (first != note)

    def __iter__(self) -> Iterator[str]:
        return (_said(note, n) for note, n in self._known.values())


def _said(note: Note, n: int) -> str:
    if note.tally is not None:
        return str(note.tally._replace(n=n))
    return f"{note}; likewise in {counted(n, 'more part')}" if n else note
