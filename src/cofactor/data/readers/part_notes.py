"""Notes on the parts of a source: each is made once, however many parts there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cofactor.base.names import counted

# Rows and lines add up; distinct ids don't, since the same may stand in several parts.
_COUNTED = re.compile(r"(skipped|left out) ([\d,]+) ((?:empty )?)(row|line)s?\b(.*)")
_DETAILS = re.compile(r" \(.*|; .*")
# What differs between parts beside what is said: examples, numbers, dates, plurals.
_EXAMPLES = re.compile(r"'[^']*'|\"[^\"]*\"|[-\d][\d,.:-]*|\b(row|line|id|time|value)s?\b")


class PartNotes:
    """What there is to say about the parts so far, in the order in which it came up.

    Parameters
    ----------
    known
        `facts` of the parts before.
    """

    def __init__(self, known: Iterable[Sequence[object]] = ()) -> None:
        self._known = {str(key): (str(note), int(str(n))) for key, note, n in known}

    def facts(self) -> list[tuple[str, str, int]]:
        """Return what is known, as JSON."""
        return [(key, note, n) for key, (note, n) in self._known.items()]

    def say(self, notes: Iterable[str]) -> None:
        """Add notes that aren't of a part; one that was made already isn't made again."""
        for note in notes:
            self._known.setdefault(note, (note, 0))

    def add(self, notes: Iterable[str]) -> None:
        """Add the notes of a part: counts of rows are added up, and of what differs otherwise the
        first is kept, with the number of further parts.
        """
        for note in notes:
            found = _COUNTED.fullmatch(note)
            if found is not None:
                verb, count, kind, what, rest = found.groups()
                rest = rest.replace(", each of which", ", which")
                key = f"{verb} # {kind}{what}{_DETAILS.sub('', rest)}"
                first, n = self._known.get(key, (note, 0))
                self._known[key] = first, n + int(count.replace(",", ""))
            else:
                key = _EXAMPLES.sub(r"#\1", note)
                first, n = self._known.get(key, (note, 0))
                self._known[key] = first, n + (first != note)

    def __iter__(self) -> Iterator[str]:
        return (_said(note, n) for note, n in self._known.values())


def _said(note: str, n: int) -> str:
    found = _COUNTED.fullmatch(note)
    if not n:
        return note
    if found is None:
        return f"{note}; likewise in {counted(n, 'more part')}"
    verb, count, kind, what, rest = found.groups()
    if n == int(count.replace(",", "")):
        return note
    return f"{verb} {n:,} {kind}{what}s{rest.replace(', which', ', each of which', 1)}"
