"""Notes of readers: sentences for people, with what they say in a form for programs."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple, Self

from cofactor.base.names import counted


class Fact(StrEnum):
    """How a source is written, where its parts have to agree."""

    HEADER = "columns by the names of a header"
    NO_HEADER = "columns by position"
    DECIMAL_COMMAS = "values with decimal commas"
    WHOLE_NUMBERS = "ids like 1.0 as whole numbers"
    PYTHON_BYTES = "ids that are Python's writing of bytes"
    HEXADECIMAL = "ids in bytes as hexadecimal digits"
    KINDS = "kinds of events that count the same"
    NO_KIND = "no event of a kind"


class Tally(NamedTuple):
    """What was counted: ``skipped 3 rows with no user id (the first on line 5)``.

    Parameters
    ----------
    verb, n, unit, what
        ``"skipped"``, 3, ``"row"`` (without its plural's s), ``" with no user id"``.
    detail
        What holds for one part of a source alone: ``" (the first on line 5)"``.
    """

    verb: str
    n: int
    unit: str
    what: str = ""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {counted(self.n, self.unit)}{self.what}{self.detail}"


class Note(str):
    """A sentence with what it says: notes of parts are compared and added up by that, never by
    their words.

    Parameters
    ----------
    text
        The sentence.
    fact
        How the source is written.
    side
        Whose ids a fact is about: ``"user"``, ``"item"`` or neither.
    tally
        What was counted, where the sentence is a count of rows or lines.
    scale
        The scale or unit of the values, where it is about one: ``"out of 5"``; else "".
    """

    fact: Fact | None
    side: str
    tally: Tally | None
    scale: str

    def __new__(
        cls,
        text: str,
        fact: Fact | None = None,
        side: str = "",
        tally: Tally | None = None,
        scale: str = "",
    ) -> Self:
        """Make a note of a sentence."""
        note = super().__new__(cls, text)
        note.fact, note.side, note.tally, note.scale = fact, side, tally, scale
        return note

    @classmethod
    def counting(cls, verb: str, n: int, unit: str, what: str = "", detail: str = "") -> Self:
        """Return the note of a count; see `Tally`."""
        tally = Tally(verb, n, unit, what, detail)
        return cls(str(tally), tally=tally)


def of_side(side: str, note: str) -> Note:
    """Return a note on ids with whose they are."""
    return Note(f"{side}s: {note}", getattr(note, "fact", None), side)


def say(notes: Iterable[str], fact: Fact, side: str = "") -> bool:
    """Return whether one of some notes says a fact (of a side's ids)."""
    return any(isinstance(n, Note) and n.fact is fact and n.side == side for n in notes)
