"""One setting of a Config: what is allowed, and how its value is read and checked."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError


@dataclasses.dataclass(frozen=True)
class Setting:
    """One field: its range or choices, and its meaning."""

    doc: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Collection[str] | None = None

    @property
    def allowed(self) -> str:
        """The allowed values in short form; empty if any value of the type is allowed."""
        if self.choices:
            return ", ".join(self.choices)
        bounds = ((">=", self.low), (">", self.above), ("<=", self.high), ("<", self.below))
        return " ".join(f"{sign} {bound:g}" for sign, bound in bounds if bound is not None)


# The types of fields, beside objects that have a name.
_PLAIN = (type(None), bool, int, float, str)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def checked(value: Any, label: str, hint: Any, spec: Setting) -> Any:
    """Return a value of a field, of its type; raise ArgumentError where it isn't allowed."""
    kinds = _alternatives(hint)
    if value is None and type(None) in kinds:
        return None
    objects = tuple(k for k in kinds if isinstance(k, type) and k not in _PLAIN)
    if isinstance(value, objects):
        return value
    kind = next(k for k in kinds if k is not type(None))
    if typing.get_origin(kind) is tuple:
        return _checked_tuple(value, label, typing.get_args(kind)[0], spec)
    if spec.choices is not None:
        return checks.choice(value, label, spec.choices)
    if kind is bool:
        return checks.boolean(value, label)
    if kind is int:
        low, high = (None if bound is None else int(bound) for bound in (spec.low, spec.high))
        number = checks.integer(value, label, low=low, high=high)
        # A manifest holds integers of 64 bits.
        return number if number < 2**63 else checks.integer(value, label, low=low, high=2**63 - 1)
    if kind is float:
        return _checked_real(value, label, spec)
    if kind is str:
        if isinstance(value, str):
            return value
        raise ArgumentError(f"{label} must be a string, not {value!r}.")
    raise TypeError(
        f"{label}: a Config field may be bool, int, float, str, a tuple of them, or None; not"
        f" {hint}."
    )


def _checked_real(value: Any, label: str, spec: Setting) -> float:
    bounds = {"low": spec.low, "high": spec.high, "above": spec.above, "below": spec.below}
    number, most = checks.real(value, label, **bounds), checks.LARGEST_VALUE
    # Models compute with its square in float32.
    if number > most:
        checks.real(number, label, **bounds | {"high": most})
    if number < -most:
        checks.real(number, label, **bounds | {"low": -most})
    return number


def _checked_tuple(value: Any, label: str, kind: Any, spec: Setting) -> tuple[Any, ...]:
    single = isinstance(value, (str, bytes, Mapping, Set)) or getattr(value, "ndim", 1) == 0
    if single or not isinstance(value, Iterable):
        raise ArgumentError(f"{label} must be a list, not {value!r}.")
    made = tuple(checked(item, f"{label}[{n}]", kind, spec) for n, item in enumerate(value))
    return value if isinstance(value, tuple) and value == made else made


def read(text: str, label: str, hint: Any) -> Any:
    """Parse a value of a field from its text on the command line."""
    kinds = _alternatives(hint)
    if type(None) in kinds and text.casefold() in ("none", "null"):
        return None
    kind = next(k for k in kinds if k is not type(None))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(
            read(part.strip(), label, inner)
            for part in text.strip("()[]").split(",")
            if part.strip()
        )
    if kind is bool:
        words = dict.fromkeys(("true", "yes", "on", "1"), True)
        words |= dict.fromkeys(("false", "no", "off", "0"), False)
        if text.casefold() not in words:
            raise ArgumentError(f"{label} must be true or false, not {text!r}.")
        return words[text.casefold()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            wanted = "an integer" if kind is int else "a number"
            raise ArgumentError(f"{label} must be {wanted}, not {text!r}.") from None
    return text
