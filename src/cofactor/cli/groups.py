"""Options in groups: a command takes a few named groups, and Typer sees their options one by one.

A group is a dataclass whose fields are options (or other groups); its first line of documentation
is the heading of its options in the help::

    @dataclass(frozen=True)
    class Compute:
        \"\"\"Computation\"\"\"

        seed: Seed = 0
        threads: Threads = 0

    def command(source: SourceArgument, compute: Compute) -> None: ...

    app.command()(expanded(command))        # --seed, --threads
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_type_hints

from typer.models import OptionInfo

_EMPTY = inspect.Parameter.empty


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
            keyword = inspect.Parameter.KEYWORD_ONLY
            parameters.append(parameter.replace(annotation=hints[name], kind=keyword))
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


def _fields(group: type) -> Iterator[tuple[str, Any, Any]]:
    """The name, type and default of each field, a group's own before those it shares with others;
    a required one has the default ``_EMPTY``.
    """
    hints = get_type_hints(group, include_extras=True)
    bases = [base for base in group.__bases__ if dataclasses.is_dataclass(base)]
    shared = {field.name for base in bases for field in dataclasses.fields(base)}
    for field in sorted(dataclasses.fields(group), key=lambda one: one.name in shared):
        missing = field.default is dataclasses.MISSING
        yield field.name, hints[field.name], _EMPTY if missing else field.default


def _options(group: type) -> Iterator[inspect.Parameter]:
    heading = (inspect.getdoc(group) or group.__name__).splitlines()[0].rstrip(".")
    for name, kind, default in _fields(group):
        if _is_group(kind):
            yield from _options(kind)
        else:
            keyword = inspect.Parameter.KEYWORD_ONLY
            yield inspect.Parameter(
                name, keyword, default=default, annotation=_under(kind, heading)
            )


def _under(kind: Any, heading: str) -> Any:
    """The option's type with the group's heading for the help."""
    return _with(kind, rich_help_panel=heading)


def _with_value(kind: Any) -> Any:
    """The option's type with a word for its value in the help, instead of Python's "<str>"; none
    for a flag.
    """
    if typing.get_origin(kind) is not Annotated:
        return kind
    plain = typing.get_args(kind)[0]
    types = {plain, *typing.get_args(plain)}
    words = {bool: "", int: "N", float: "NUMBER"}
    return _with(kind, metavar=next((words[one] for one in words if one in types), "TEXT"))


def _with(kind: Any, **more: str) -> Any:
    """The option's type with more said of it, where that isn't said yet."""
    if typing.get_origin(kind) is not Annotated:
        return kind
    plain, *notes = typing.get_args(kind)
    made = [_option_with(note, more) if isinstance(note, OptionInfo) else note for note in notes]
    return Annotated[plain, *made]


def _option_with(option: OptionInfo, more: dict[str, str]) -> OptionInfo:
    given = {name: value for name, value in vars(option).items() if not name.startswith("_")}
    said = {name: given[name] if given[name] is not None else text for name, text in more.items()}
    return type(option)(**{**given, **said})


def _make(group: type, values: Mapping[str, Any]) -> Any:
    made = {}
    for name, kind, _ in _fields(group):
        if _is_group(kind):
            made[name] = _make(kind, values)
        elif name in values:
            made[name] = values[name]
    return group(**made)
