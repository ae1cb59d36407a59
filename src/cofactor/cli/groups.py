"""Options in groups: a command takes a few named groups, and Typer sees their options one by one.

A group is a dataclass whose fields are options (or other groups); its first line of documentation
is the heading of its options in the help::

    @dataclass(frozen=True)
    class Compute:
        \"\"\"Computation\"\"\"

        seed: int = option(0, "Seed of all random numbers.")
        device: Device = "auto"         # of several groups: typing.Annotated, as Typer has it

    def command(source: SourceArgument, compute: Compute) -> None: ...

    app.command()(expanded(command))        # --seed, --device
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_type_hints

import typer
from typer.models import OptionInfo

_EMPTY = inspect.Parameter.empty


def option(default: Any, help: str, *names: str, metavar: str | None = None) -> Any:
    """Declare an option: a field of a group, or a parameter of a command.

    Parameters
    ----------
    default
        The value when the option isn't given; ``...`` for one that must be.
    help
        What it does.
    names
        How it is written; by default as the field, and a flag that is off has no ``--no-``.
    metavar
        A word for its value in the help.
    """
    missing = dataclasses.MISSING if default is ... else default
    said = {"names": names, "help": help, "metavar": metavar}
    return dataclasses.field(default=missing, kw_only=True, metadata=said)


def expanded(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command whose groups of options stand as single options in its signature.

    Parameters
    ----------
    command
        A function whose parameters are Typer's options and arguments, and dataclasses of them.

    Raises
    ------
    TypeError
        If two groups declare one option.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: kind for name, kind in hints.items() if _is_group(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            parameters += _options(groups[name])
        else:
            parameters.append(_parameter(name, hints[name], parameter.default))
    names = [parameter.name for parameter in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TypeError(f"{command.__module__} declares the options {twice} twice.")

    @functools.wraps(command)
    def flat(*words: Any, **values: Any) -> None:
        made = {name: _make(kind, values) for name, kind in groups.items()}
        rest = {name: values[name] for name in hints if name in values and name not in groups}
        command(*words, **rest, **made)

    # Arguments first, since Python wants parameters without a default before the others.
    parameters = [one.replace(annotation=_with_value(one.annotation)) for one in parameters]
    ordered = sorted(parameters, key=lambda one: one.default is not _EMPTY)
    flat.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    flat.__annotations__ = {one.name: one.annotation for one in ordered}
    del flat.__wrapped__
    return flat


def _is_group(kind: Any) -> bool:
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def _fields(group: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """Each field and its type, a group's own before those it shares with others."""
    hints = get_type_hints(group, include_extras=True)
    bases = [base for base in group.__bases__ if dataclasses.is_dataclass(base)]
    shared = {field.name for base in bases for field in dataclasses.fields(base)}
    for field in sorted(dataclasses.fields(group), key=lambda one: one.name in shared):
        yield field, hints[field.name]


def _options(group: type) -> Iterator[inspect.Parameter]:
    heading = (inspect.getdoc(group) or group.__name__).splitlines()[0].rstrip(".")
    for field, kind in _fields(group):
        if _is_group(kind):
            yield from _options(kind)
        else:
            made = _parameter(field.name, kind, field)
            yield made.replace(annotation=_with(made.annotation, rich_help_panel=heading))


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    """An option (or argument) as Typer reads it; ``default`` is a value, or a field."""
    if isinstance(default, dataclasses.Field):
        said = dict(default.metadata)
        default = _EMPTY if default.default is dataclasses.MISSING else default.default
        if said:
            flag = (f"--{name.replace('_', '-')}",) if kind is bool and not default else ()
            kind = Annotated[kind, typer.Option(*(said.pop("names") or flag), **said)]
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=kind)


def _with_value(kind: Any) -> Any:
    """The option's type with a word for its value in the help, instead of Python's "<str>"; none
    for a flag.
    """
    if typing.get_origin(kind) is not Annotated:
        return kind
    plain = typing.get_args(kind)[0]
    types = {plain, *typing.get_args(plain)}
    words = {bool: "", int: "N", float: "NUMBER"}
    made = _with(kind, metavar=next((words[one] for one in words if one in types), "TEXT"))
    parser = next((_PARSERS[one] for one in _PARSERS if one in types and bool not in types), None)
    return made if parser is None else _with(made, parser=parser)


def _whole_number(text: Any) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be an integer, not {text!r}.") from None


def _number(text: Any) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"must be a number, not {text!r}.") from None


# Typer's own messages neither say what came nor name the number as people do.
_PARSERS: dict[type, Callable[[Any], Any]] = {int: _whole_number, float: _number}


def _with(kind: Any, **more: Any) -> Any:
    """The option's type with more said of it, where that isn't said yet."""
    if typing.get_origin(kind) is not Annotated:
        return kind
    plain, *notes = map(copy.copy, typing.get_args(kind))
    for note in notes:
        for name, text in more.items():
            if isinstance(note, OptionInfo) and getattr(note, name) is None:
                setattr(note, name, text)
    return Annotated[plain, *notes]


def _make(group: type, values: Mapping[str, Any]) -> Any:
    made = {}
    for field, kind in _fields(group):
        if _is_group(kind):
            made[field.name] = _make(kind, values)
        elif field.name in values:
            made[field.name] = values[field.name]
    return group(**made)
