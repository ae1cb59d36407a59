"""The filter language: a condition on the catalogue's columns, parsed and never run as code.

::

    genres has 'Comedy' and year >= 1990 and not (title ~ 'star')

    condition   any of "and", "or", "not", parentheses; "not" binds before "and", "and" before "or"
    comparison  COLUMN = != < <= > >= VALUE
                COLUMN in (VALUE, ...)      COLUMN not in (VALUE, ...)
                COLUMN has VALUE            an entry of a list, or of a text with entries between
                "|", whatever the case
                COLUMN ~ TEXT               the text is found in it, whatever the case
                COLUMN is missing           COLUMN is not missing
    value       a number, a text in single or double quotes (the quote itself twice), true, false
    column      a name, in `backquotes` if it isn't made of letters, digits and underscores alone

A comparison with a missing value is false, and so ``not`` of it is true; ask for ``is missing``
where it matters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from cofactor.base.errors import ArgumentError

Value = bool | int | float | str

MAX_DEPTH = 60
MAX_LENGTH = 10_000

COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Not:
    """The negation of a condition."""

    part: Condition


@dataclass(frozen=True)
class AllOf:
    """Every one of some conditions."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    """At least one of some conditions."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class ColumnComparison:
    """One column against values.

    Parameters
    ----------
    column
        The column's name as written.
    operator
        One of ``= != < <= > >= in has ~ missing``.
    values
        One value, several for ``in``, none for ``missing``.
    position
        The position of the column in the text, from 0, for messages.
    """

    column: str
    operator: str
    values: tuple[Value, ...]
    position: int


Condition = Not | AllOf | AnyOf | ColumnComparison


@dataclass(frozen=True)
class Token:
    """A word of the text: its kind (name, number, text, sign, end), value and position."""

    kind: str
    value: Value
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else repr(self.value)


def parse(text: str) -> Condition:
    """Parse a condition.

    Parameters
    ----------
    text
        The condition, of at most 10,000 characters and 60 levels of parentheses.

    Returns
    -------
    Condition
        A tree of `AllOf`, `AnyOf`, `Not` and `ColumnComparison`.

    Raises
    ------
    ArgumentError
        For anything that isn't in the language, with the place marked.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"a filter must be a text, not {text!r}.")
    if len(text) > MAX_LENGTH:
        raise ArgumentError(
            f"a filter must have at most {MAX_LENGTH:,} characters, not {len(text):,}."
        )
    return _Parser(text).whole()


def cost_of(condition: Condition) -> int:
    """Return how many times a condition reads a whole column: once per comparison."""
    if isinstance(condition, Not):
        return cost_of(condition.part)
    if isinstance(condition, (AllOf, AnyOf)):
        return sum(cost_of(part) for part in condition.parts)
    return 1


def refuse(
    text: str, position: int, what: str, kind: type[ArgumentError] = ArgumentError
) -> NoReturn:
    """Raise the error for a place in a filter: the reason, then the text with a caret below the
    place.
    """
    start = max(0, position - 60)
    shown = "".join(c if c.isprintable() else " " for c in text[start : position + 40])
    raise kind(
        f"can't read the filter at character {position + 1}: {what}\n  {shown}\n "
        f" {' ' * (position - start)}^"
    )


_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<quoted>`[^`]+`)
      | (?P<name>[^\W\d]\w*)
      | (?P<sign><=|>=|!=|<>|==|[=<>~(),])
    )""",
    re.VERBOSE,
)
_SPACES = re.compile(r"\s*")
_SAME = {"==": "=", "<>": "!="}


def _tokens(text: str) -> Iterator[Token]:
    place = 0
    while True:
        start = _SPACES.match(text, place).end()  # type: ignore[union-attr]
        if start == len(text):
            yield Token("end", "", start)
            return
        match = _TOKEN.match(text, place)
        if match is None:
            if text[start] in "'\"`":
                refuse(text, start, f"the quote {text[start]} is never closed, or holds no name.")
            refuse(text, start, f"{text[start]!r} means nothing here.")
        yield _token(match, start)
        place = match.end()


def _token(match: re.Match[str], start: int) -> Token:
    kind, raw = match.lastgroup, match.group(match.lastgroup or 0)
    if kind == "number":
        whole = raw.lstrip("+-").isascii() and raw.lstrip("+-").isdigit() and len(raw) < 19
        return Token("number", int(raw) if whole else float(raw), start)
    if kind == "text":
        return Token("text", raw[1:-1].replace(raw[0] * 2, raw[0]), start)
    if kind == "quoted":
        return Token("column", raw[1:-1], start)
    return Token(str(kind), _SAME.get(raw, raw), start)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0
        self.depth = 0

    def whole(self) -> Condition:
        """The condition, up to the end of the text."""
        if self.next.kind == "end":
            refuse(self.text, 0, "it is empty; write a condition like year >= 1990.")
        condition = self.any()
        if self.next.kind != "end":
            refuse(
                self.text, self.next.position, f"expected 'and', 'or' or the end, not {self.next}."
            )
        return condition

    @property
    def next(self) -> Token:
        """The token to be read."""
        return self.tokens[self.place]

    def take(self) -> Token:
        """Read one token."""
        token = self.next
        self.place += token.kind != "end"
        return token

    def word(self, *words: str) -> bool:
        """Read the next token if it is one of some words or signs."""
        token = self.next
        if token.kind in ("name", "sign") and str(token.value).casefold() in words:
            self.place += 1
            return True
        return False

    def any(self) -> Condition:
        """Conditions with "or" between them."""
        parts = [self.all()]
        while self.word("or"):
            parts.append(self.all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def all(self) -> Condition:
        """Conditions with "and" between them."""
        parts = [self.one()]
        while self.word("and"):
            parts.append(self.one())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def one(self) -> Condition:
        """A comparison, a condition in parentheses, or the negation of either."""
        start = self.next.position
        self.depth += 1
        if self.depth > MAX_DEPTH:
            refuse(self.text, start, f"more than {MAX_DEPTH} levels of parentheses and 'not'.")
        if self.word("not"):
            condition: Condition = Not(self.one())
        elif self.word("("):
            condition = self.any()
            if not self.word(")"):
                what = f"expected ')' for the '(' at character {start + 1}, not {self.next}."
                refuse(self.text, self.next.position, what)
        else:
            condition = self.test()
        self.depth -= 1
        return condition

    def test(self) -> Condition:
        """A comparison."""
        column = self.take()
        reserved = column.kind == "name" and str(column.value).casefold() in _RESERVED
        if column.kind not in ("name", "column") or reserved:
            refuse(self.text, column.position, f"expected the name of a column, not {column}.")
        name, start = str(column.value), column.position
        if self.word("is"):
            opposite = self.word("not")
            if not self.word("missing", "null"):
                refuse(
                    self.text,
                    self.next.position,
                    f"expected 'missing' after 'is', not {self.next}.",
                )
            return _maybe_not(ColumnComparison(name, "missing", (), start), opposite)
        if self.word("not"):
            if not self.word("in"):
                refuse(
                    self.text, self.next.position, f"expected 'in' after 'not', not {self.next}."
                )
            return Not(ColumnComparison(name, "in", self.several(), start))
        if self.word("in"):
            return ColumnComparison(name, "in", self.several(), start)
        return self.against_one(name, start)

    def against_one(self, name: str, start: int) -> ColumnComparison:
        """The rest of a comparison with one value."""
        token = self.next
        operator = str(token.value).casefold() if token.kind in ("name", "sign") else ""
        if operator not in (*COMPARISONS, "has", "~"):
            wanted = "expected a comparison (= != < <= > >= in has ~ is) after the column"
            refuse(self.text, token.position, f"{wanted} {name!r}, not {token}.")
        self.place += 1
        return ColumnComparison(name, operator, (self.value(),), start)

    def several(self) -> tuple[Value, ...]:
        """Values in parentheses."""
        if not self.word("("):
            refuse(
                self.text,
                self.next.position,
                f"expected '(' and values after 'in', not {self.next}.",
            )
        values = [self.value()]
        while self.word(","):
            values.append(self.value())
        if not self.word(")"):
            refuse(self.text, self.next.position, f"expected ',' or ')', not {self.next}.")
        return tuple(values)

    def value(self) -> Value:
        """A number, a text, true or false."""
        token = self.take()
        if token.kind in ("number", "text"):
            return token.value
        if token.kind == "name" and str(token.value).casefold() in ("true", "false"):
            return str(token.value).casefold() == "true"
        cure = f" (write texts in quotes: '{token.value}')" if token.kind == "name" else ""
        refuse(self.text, token.position, f"expected a value, not {token}{cure}.")


_RESERVED = ("and", "or", "not", "in", "has", "is", "true", "false")


def _maybe_not(condition: Condition, opposite: bool) -> Condition:
    return Not(condition) if opposite else condition
