"""Search spaces: what a search over settings may try, declared beside the settings.

A Config declares its own as a table, name by name::

    search = {"factors": log(16, 256), "regularization": log(1e-4, 1.0), "solver": among("a", "b")}

Integers at both ends search integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cofactor.base.errors import ArgumentError

_FORM = "LOW..HIGH (even steps), log:LOW..HIGH (even factors) or A,B,C (choices)"


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``, both included; ``log`` draws evenly over factors."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ArgumentError(f"a range must go upwards, not from {self.low} to {self.high}.")
        if self.log and self.low <= 0:
            raise ArgumentError(f"a logarithmic range must begin above 0, not at {self.low}.")

    @property
    def ends(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return self.low, self.high

    @property
    def whole(self) -> bool:
        """Whether integers are searched."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def __contains__(self, value: Any) -> bool:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{'log:' if self.log else ''}{self.low}..{self.high}"


@dataclass(frozen=True)
class Choices:
    """A few values, each as likely as the others."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values

    def __contains__(self, value: Any) -> bool:
        return value in self.values

    def __str__(self) -> str:
        return ",".join(map(str, self.values))


Search = Range | Choices


def between(low: float, high: float) -> Range:
    """Return the numbers from ``low`` to ``high``, drawn evenly."""
    return Range(low, high)


def log(low: float, high: float) -> Range:
    """Return the numbers from ``low`` > 0 to ``high``, drawn evenly over their logarithm."""
    return Range(low, high, log=True)


def among(*values: Any) -> Choices:
    """Return a choice of a few values."""
    return Choices(values)


def parse_search(text: str) -> Search:
    """Read a search space as it is written in words: ``8..64``, ``log:1e-4..1`` or ``a,b,c``.

    Raises
    ------
    ArgumentError
        If it is none of these.
    """
    scale, colon, rest = text.rpartition(":")
    low, dots, high = rest.partition("..")
    if dots and scale in ("", "log"):
        return Range(_number(low, text), _number(high, text), log=bool(colon))
    values = tuple(word.strip() for word in text.split(",") if word.strip())
    if dots or len(values) < 2:
        raise ArgumentError(f"a search space must be written {_FORM}, not {text!r}.")
    return Choices(values)


def _number(word: str, text: str) -> float:
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        raise ArgumentError(f"a search space must be written {_FORM}, not {text!r}.") from None
