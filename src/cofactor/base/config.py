"""Frozen, range-checked configurations: the one place where hyperparameters are declared.

A model's configuration is a class of its own::

    class IALSConfig(Config):
        factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
        solver: str = setting("cg", choices=("cg", "cholesky", "subspace"), doc="...")

Every field has a default, is checked when the object is made, and unknown keys are refused with the
nearest name."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, dataclass_transform

from cofactor.base import checks
from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.names import unknown_name


@dataclasses.dataclass(frozen=True)
class Setting:
    """What is known of one field: its range or choices, and what it means."""

    doc: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | None = None


def setting(
    default: Any,
    *,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Iterable[str] | None = None,
) -> Any:
    """Declare a field of a Config: its default, what it means, and what it may be.

    Parameters
    ----------
    default
        The value when none is given.
    doc
        One line: what it means, its unit, and what zero or None does.
    low, high
        The closed range of a number.
    above, below
        The open range of a number.
    choices
        The names a string may be.
    """
    spec = Setting(doc, low, high, above, below, tuple(choices) if choices is not None else None)
    return dataclasses.field(default=default, metadata={"setting": spec})


@dataclasses.dataclass(frozen=True)
class Renamed:
    """The present name of a setting of older versions, and its present value from the old one."""

    name: str
    convert: Callable[[Any], Any]


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(setting,))
class Config:
    """Base of all configurations; a subclass declares its fields with `setting`.

    Raises
    ------
    UnknownNameError
        For a keyword that is no field; the nearest name is offered.
    ArgumentError
        For a value out of its range or of a wrong type.

    Notes
    -----
    ``renamed`` of a class maps old names to present ones (or to `Renamed`, where the value has
    changed too; or to None, where a setting is gone). `from_dict` reads old names; elsewhere they
    are refused, and the error says the present name. A subclass has its bases' old names too.
    """

    renamed: ClassVar[Mapping[str, str | Renamed | None]] = {}

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        dataclasses.dataclass(frozen=True, kw_only=True)(cls)
        present = {field.name for field in cls._fields()}
        cls.renamed = {
            old: new
            for base in reversed(cls.__mro__)
            for old, new in vars(base).get("renamed", {}).items()
            if old not in present
        }
        checked_init = cls.__init__

        def __init__(self: Config, **values: Any) -> None:
            cls._refuse_unknown(values)
            checked_init(self, **values)

        cls.__init__ = __init__  # type: ignore[assignment]

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in self._fields():
            spec: Setting = field.metadata["setting"]
            value = _checked(
                getattr(self, field.name), self._label(field.name), hints[field.name], spec
            )
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Check what concerns several fields at once; a subclass may override this and raise
        ArgumentError.
        """

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """Return each field's `Setting`, in the order of declaration."""
        return {field.name: field.metadata["setting"] for field in cls._fields()}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return each field's default, in the order of declaration."""
        return {field.name: field.default for field in cls._fields()}

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain Python values that JSON can hold (tuples become lists)."""
        raw = {field.name: getattr(self, field.name) for field in self._fields()}
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in raw.items()
        }

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked anew."""
        return type(self)(**{**self.to_dict(), **changes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a configuration from what `to_dict` gave, of this version or an older one."""
        return cls(**cls.upgrade(values))

    @classmethod
    def upgrade(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of an older version under their present names; see `renamed`.

        A subclass may extend this where several old settings became one.
        """
        present: dict[str, Any] = {}
        for name, value in values.items():
            change = cls.renamed.get(name, name)
            if isinstance(change, Renamed):
                present[change.name] = change.convert(value)
            elif change is not None:
                present[change] = value
        return present

    @classmethod
    def from_text(cls, assignments: Iterable[str]) -> Self:
        """Make a configuration from words like ``factors=64``, as the command line gives them.

        Raises
        ------
        ArgumentError
            For a word without ``=``, an unknown name, or a value that can't be read as the field's
            type.
        """
        hints = typing.get_type_hints(cls)
        values: dict[str, Any] = {}
        for word in assignments:
            name, equals, text = word.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise ArgumentError(f"a setting must be written NAME=VALUE, not {word!r}.")
            cls._refuse_unknown({name: text})
            values[name] = _read(text.strip(), cls._label(name), hints[name])
        return cls(**values)

    @classmethod
    def _fields(cls) -> tuple[dataclasses.Field[Any], ...]:
        return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()

    @classmethod
    def _label(cls, name: str) -> str:
        return f"{cls.__name__.removesuffix('Config')} {name}"

    @classmethod
    def _refuse_unknown(cls, values: Mapping[str, Any]) -> None:
        known = [field.name for field in cls._fields()]
        for name in values:
            change = cls.renamed.get(name)
            if change is not None:
                new = change.name if isinstance(change, Renamed) else change
                raise UnknownNameError(f"{cls._label(name)} is called {new} today; say {new}=.")
            if name not in known:
                raise unknown_name(f"setting of {cls.__name__.removesuffix('Config')}", name, known)


def _alternatives(hint: Any) -> tuple[Any, ...]:
    is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if is_union else (hint,)


def _checked(value: Any, label: str, hint: Any, spec: Setting) -> Any:
    kinds = _alternatives(hint)
    if value is None and type(None) in kinds:
        return None
    kind = next(k for k in kinds if k is not type(None))
    if typing.get_origin(kind) is tuple:
        return _checked_tuple(value, label, typing.get_args(kind)[0], spec)
    if spec.choices is not None:
        return checks.choice(value, label, spec.choices)
    if kind is bool:
        return checks.boolean(value, label)
    if kind is int:
        low, high = (None if bound is None else int(bound) for bound in (spec.low, spec.high))
        return checks.integer(value, label, low=low, high=high)
    if kind is float:
        return checks.real(
            value, label, low=spec.low, high=spec.high, above=spec.above, below=spec.below
        )
    if kind is str:
        if isinstance(value, str):
            return value
        raise ArgumentError(f"{label} must be a string, not {value!r}.")
    raise TypeError(
        f"{label}: a Config field may be bool, int, float, str, a tuple of them, or None; not"
        f" {hint}."
    )


def _checked_tuple(value: Any, label: str, kind: Any, spec: Setting) -> tuple[Any, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ArgumentError(f"{label} must be a list, not {value!r}.")
    return tuple(_checked(item, f"{label}[{n}]", kind, spec) for n, item in enumerate(value))


def _read(text: str, label: str, hint: Any) -> Any:
    kinds = _alternatives(hint)
    if type(None) in kinds and text.casefold() in ("none", "null", ""):
        return None
    kind = next(k for k in kinds if k is not type(None))
    if typing.get_origin(kind) is tuple:
        inner = typing.get_args(kind)[0]
        return tuple(
            _read(part.strip(), label, inner)
            for part in text.strip("()[]").split(",")
            if part.strip()
        )
    if kind is bool:
        words = {
            "true": True,
            "yes": True,
            "on": True,
            "1": True,
            "false": False,
            "no": False,
            "off": False,
            "0": False,
        }
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
