"""Frozen, range-checked configurations: the one place where hyperparameters are declared.

A model's configuration is a class of its own::

    class IALSConfig(Config):
        factors: int = setting(64, low=1, high=4096, doc="Length of the user and item vectors.")
        solver: str = setting("cg", choices=("cg", "cholesky", "subspace"), doc="...")

Every field has a default, is checked when the object is made, and unknown keys are refused with the
nearest name."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.names import unknown_name, word
from cofactor.base.search import Search
from cofactor.base.setting import Setting, checked, read
from cofactor.base.signatures import document

# The types of a class's fields, cached, since every loaded model needs them.
_hints: Callable[[Any], dict[str, Any]] = cache(typing.get_type_hints)


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
    """Declare a field of a Config: its default, meaning and allowed values.

    Parameters
    ----------
    default
        The value when none is given.
    doc
        One line: what it means, its unit, and what zero or None does.
    low, high
        The closed range of a number; floats beyond ±1.8e19 are refused anyway, since float32 holds
        no squares of them.
    above, below
        The open range of a number.
    choices
        The allowed strings; a mapping is read when a value is checked, so it may grow.
    """
    if choices is not None and not isinstance(choices, Mapping):
        choices = tuple(choices)
    spec = Setting(doc, low, high, above, below, choices)
    return dataclasses.field(default=default, metadata={"setting": spec})


@dataclasses.dataclass(frozen=True)
class Renamed:
    """The present name of a setting of older versions, and its present value from the old one."""

    name: str
    convert: Callable[[Any], Any]


class Config:
    """Base of all configurations; a subclass declares its fields with `setting`.

    Raises
    ------
    UnknownNameError
        For a keyword that isn't a field; the nearest name is offered.
    ArgumentError
        For a value out of its range or of a wrong type.

    Notes
    -----
    ``renamed`` of a class maps old names to present ones (or to `Renamed`, where the value has
    changed too; or to None, where a setting is gone). `from_dict` reads old names; elsewhere they
    are refused, and the error says the present name. A subclass has its bases' old names too.
    """

    renamed: ClassVar[Mapping[str, str | Renamed | None]] = {}
    # Settings of the first base whose default alone is another.
    new_defaults: ClassVar[Mapping[str, Any]] = {}
    # The search space of `cofactor tune`, by setting, within the allowed values.
    search: ClassVar[Mapping[str, Search]] = {}
    # The group of the settings that a class declares: model, training or content.
    group: ClassVar[str] = "model"

    if TYPE_CHECKING:
        # Type checkers read settings from each model's signature (`cofactor/__init__.pyi`).
        def __init__(self, **settings: Any) -> None: ...

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, default in vars(cls).get("new_defaults", {}).items():
            field: Any = cls.__dataclass_fields__[name]  # type: ignore[attr-defined]  # its base's
            cls.__annotations__[name] = field.type
            setattr(cls, name, dataclasses.field(default=default, metadata=field.metadata))
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

        cls.__init__ = __init__  # type: ignore[method-assign]
        cls.__signature__ = cls.signature()  # type: ignore[attr-defined]
        cls.__doc__ = document(cls.__doc__, cls.parameters())

    def __post_init__(self) -> None:
        hints = _hints(type(self))
        for field in self._fields():
            spec: Setting = field.metadata["setting"]
            value = checked(
                getattr(self, field.name), self._label(field.name), hints[field.name], spec
            )
            object.__setattr__(self, field.name, value)
        self.check()

    def check(self) -> None:
        """Check conditions on several fields at once; a subclass may override this and raise
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

    @classmethod
    def groups(cls) -> dict[str, tuple[str, ...]]:
        """Return the names of the settings by the `group` of the class that first declares each."""
        found: dict[str, list[str]] = {}
        for name in cls.settings():
            first = next(
                b for b in reversed(cls.__mro__) if name in vars(b).get("__annotations__", {})
            )
            found.setdefault(vars(first).get("group", "model"), []).append(name)
        return {group: tuple(names) for group, names in found.items()}

    @classmethod
    def signature(cls) -> inspect.Signature:
        """Return the settings as keyword-only parameters, with types and defaults."""
        hints = _hints(cls)
        kind = inspect.Parameter.KEYWORD_ONLY
        return inspect.Signature(
            [
                inspect.Parameter(name, kind, default=default, annotation=hints[name])
                for name, default in cls.defaults().items()
            ]
        )

    @classmethod
    def parameters(cls) -> list[str]:
        """Return the settings in numpydoc's form, line by line, group by group."""
        settings, defaults, lines = cls.settings(), cls.defaults(), []
        kinds = {field.name: str(field.type) for field in cls._fields()}
        for name in (name for names in cls.groups().values() for name in names):
            spec = settings[name]
            kind = (
                f"{{{spec.allowed}}}" if spec.choices else f"{kinds[name]} {spec.allowed}".strip()
            )
            lines += [f"{name} : {kind}, default {defaults[name]!r}", f"    {spec.doc}"]
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values for JSON.

        Tuples become lists; an object (a loss, say) becomes its name.
        """
        return {
            name: list(value) if isinstance(value, tuple) else getattr(value, "name", value)
            for name, value in self.to_params().items()
        }

    def to_params(self) -> dict[str, Any]:
        """Return the fields as they are, in the order of declaration."""
        return {field.name: getattr(self, field.name) for field in self._fields()}

    def changed(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults, in the order of declaration."""
        usual = self.defaults()
        return {name: value for name, value in self.to_params().items() if value != usual[name]}

    def words(self) -> list[str]:
        """Return `changed` as texts like ``factors=64``, as `from_text` reads them."""
        return [f"{name}={word(value)}" for name, value in self.changed().items()]

    # For `cofactor tune`; a Config that contains others' settings knows theirs too.

    def searched(self) -> dict[str, Search]:
        """Return the search space by setting."""
        return dict(self.search)

    def value_of(self, name: str) -> Any:
        """Return a setting by its name.

        Raises
        ------
        UnknownNameError
            If there is none.
        """
        self._refuse_unknown({name: None})
        return getattr(self, name)

    def read(self, name: str, text: str) -> Any:
        """Parse a setting's value from its text on the command line."""
        return getattr(self.from_text([f"{name}={text}"]), name)

    def with_values(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with some settings changed, by the names that `value_of` knows."""
        return self.replace(**changes)

    def reset(self) -> Self:
        """Return the defaults."""
        return type(self)()

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, checked again."""
        return type(self)(**{**self.to_params(), **changes})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build a configuration from the result of `to_dict`, of this version or an older one."""
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
    def upgrade_text(cls, assignments: Iterable[str]) -> list[str]:
        """Return settings like ``factors=64`` of an older version with their present names."""
        pairs = {
            name.strip().replace("-", "_"): text
            for name, _, text in (given.partition("=") for given in assignments)
        }
        return [f"{name}={value}" for name, value in cls.upgrade(pairs).items()]

    @classmethod
    def of(cls, settings: Settings) -> Any:
        """Return the configuration of settings: values by name, texts as for `from_text`, or a
        configuration, which is returned as it is.

        Raises
        ------
        ArgumentError
            For an unknown name, or a value out of its range.
        """
        if isinstance(settings, Config):
            return settings
        return cls(**settings) if isinstance(settings, Mapping) else cls.from_text(settings)

    @classmethod
    def from_text(cls, assignments: Iterable[str]) -> Self:
        """Build a configuration from texts like ``factors=64``, as on the command line.

        Raises
        ------
        ArgumentError
            For a word without ``=``, an unknown name, or a value that can't be read as the field's
            type.
        """
        hints = _hints(cls)
        values: dict[str, Any] = {}
        for given in assignments:
            name, equals, text = given.partition("=")
            name = name.strip().replace("-", "_")
            if not equals:
                raise ArgumentError(f"a setting must be written NAME=VALUE, not {given!r}.")
            cls._refuse_unknown({name: text})
            if name in values:
                raise ArgumentError(f"{cls._label(name)} is given twice: {given!r} comes second.")
            values[name] = read(text.strip(), cls._label(name), hints[name])
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
                raise UnknownNameError(f"{cls._label(name)} is now called {new}; use {new}=.")
            if name not in known:
                raise unknown_name(f"setting of {cls.__name__.removesuffix('Config')}", name, known)


# Texts like "factors=64", values by name, or a configuration.
Settings = Iterable[str] | Mapping[str, Any] | Config
