"""The options of reading a source, written once and given to every command that reads one."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.cli import options as opt
from cofactor.runs.source import Reading

_ROLES = ("user", "item", "value", "time")
# Their parameter, and what `cofactor.read` calls it where that differs.
_MORE: dict[str, tuple[Any, Any]] = {
    "time_format": (
        Annotated[
            str | None,
            typer.Option(metavar="FORMAT", help="How times are written: '%d/%m/%Y %H:%M'."),
        ],
        None,
    ),
    "time_unit": (
        Annotated[
            str | None, typer.Option(help="Of times that are bare numbers: s, ms, us or ns.")
        ],
        None,
    ),
    "decimal": (
        Annotated[
            str | None,
            typer.Option(metavar=", or .", help="The decimal sign; the other groups thousands."),
        ],
        None,
    ),
    "kinds": (
        Annotated[
            str | None,
            typer.Option(
                metavar="KIND=WEIGHT,...",
                help="Weights of the kinds of events: view=1,purchase=5; others are left out.",
            ),
        ],
        None,
    ),
    "rejects": (
        Annotated[
            str | None,
            typer.Option(metavar="FILE", help="Where skipped rows are listed, as JSON lines."),
        ],
        None,
    ),
    "member": (
        Annotated[
            str | None,
            typer.Option(metavar="NAME", help="Which file of a folder or an archive to read."),
        ],
        None,
    ),
    "item_id": (
        Annotated[str | None, typer.Option(metavar="NAME", help="The column of ids in --items.")],
        None,
    ),
    "format": (
        Annotated[
            str | None,
            typer.Option(
                help="delimited, jsonl, parquet, feather, excel, lists or blocks; else by content."
            ),
        ],
        None,
    ),
    "delimiter": (
        Annotated[
            str | None,
            typer.Option(metavar="TEXT", help="Between fields: ';', tab, '::' ...; else told."),
        ],
        None,
    ),
    "encoding": (
        Annotated[str | None, typer.Option(help="Of text: utf-8, latin-1, cp1252 ...")],
        None,
    ),
    "header": (
        Annotated[
            bool | None,
            typer.Option("--header/--no-header", help="Whether the first line names the columns."),
        ],
        None,
    ),
    "quote": (
        Annotated[
            bool | None, typer.Option("--quote/--no-quote", help='Whether " encloses fields.')
        ],
        None,
    ),
}
_FIRST: dict[str, tuple[Any, Any]] = {
    "columns": (opt.Columns, None),
    "items": (opt.Items, None),
    "repeats": (opt.Repeats, "last"),
    "min_value": (opt.MinValue, None),
    "core": (opt.Core, 0),
    "on_bad": (opt.OnBad, "error"),
}


def reads(*, without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of reading; it gets them as one argument ``reading``.

    Parameters
    ----------
    without
        Options that the command hasn't: ``items``, ``core`` ...
    """
    wanted = {n: o for n, o in (_FIRST | _MORE).items() if n not in without}

    def dressed(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_reading(**given: Any) -> None:
            words = {name: given.pop(name) for name in wanted if name in given}
            if len(given.get("source", ())) == 1:
                given["source"] = given["source"][0]
            command(**given, reading=reading_of(words))

        own = inspect.signature(command, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in own.parameters.values():
            if parameter.name != "reading":
                parameters.append(parameter)
                continue
            for name, (kind, default) in wanted.items():
                parameters.append(
                    inspect.Parameter(
                        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
                    )
                )
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        with_reading.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_reading.__annotations__ = {p.name: p.annotation for p in parameters}
        return with_reading

    return dressed


def reading_of(words: dict[str, Any]) -> Reading:
    """Make a Reading from options' words."""
    more = {name: words[name] for name in _MORE if words.get(name) is not None}
    if "kinds" in more:
        more["kinds"] = _weights(more["kinds"])
    if more.get("delimiter") in ("tab", "\\t"):
        more["delimiter"] = "\t"
    return Reading(
        columns=roles(words.get("columns")),
        items=words.get("items"),
        repeats=words.get("repeats", "last"),
        min_value=words.get("min_value"),
        core=words.get("core", 0),
        on_bad=words.get("on_bad", "error"),
        more=more,
    )


def roles(words: str | None) -> dict[str, Any] | None:
    """Return ``user=uid,item=sku`` as a mapping; ``time=`` with nothing behind it leaves times out.

    Raises
    ------
    ArgumentError
        If a word is no pair, or its role is none.
    """
    if words is None:
        return None
    found: dict[str, Any] = {}
    for role, name in _pairs(words, "--columns", "ROLE=NAME"):
        if role not in _ROLES:
            raise unknown_name("role of a column", role, _ROLES)
        if not name and role in ("user", "item"):
            raise ArgumentError(f"--columns {role}= needs a column's name.")
        found[role] = name or False
    return found


def _weights(words: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, weight in _pairs(words, "--kinds", "KIND=WEIGHT"):
        try:
            found[kind] = float(weight)
        except ValueError:
            raise ArgumentError(f"--kinds {kind}={weight}: the weight must be a number.") from None
    return found


def _pairs(words: str, option: str, form: str) -> list[tuple[str, str]]:
    pairs = []
    for word in words.split(","):
        name, equals, value = word.partition("=")
        if not equals:
            raise ArgumentError(f"{option} must be written {form},{form}, not {word!r}.")
        pairs.append((name.strip(), value.strip()))
    return pairs
