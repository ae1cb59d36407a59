"""The options of reading a source, written once and given to every command that reads one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.cli import options as opt
from cofactor.runs.source import Reading

_ROLES = ("user", "item", "value", "time")


TimeFormat = Annotated[
    str | None,
    typer.Option(metavar="FORMAT", help="Format of times: '%d/%m/%Y %H:%M'."),
]
TimeUnit = Annotated[
    str | None,
    typer.Option(
        metavar="s|ms|us|ns", help="Unit of numeric times; detected by default, by their size."
    ),
]
Decimal = Annotated[
    str | None,
    typer.Option(metavar=", or .", help=("The decimal mark; the other one separates thousands.")),
]
Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT", help=("Delimiter of fields: ';', tab, '::' ...; detected by default.")
    ),
]
Kinds = Annotated[
    str | None,
    typer.Option(
        metavar="KIND=WEIGHT,...",
        help="Weights of the kinds of events: view=1,purchase=5; others are left out.",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="Text encoding: utf-8, latin-1, cp1252 ...; detected by default."
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        metavar="FORMAT",
        help="delimited, jsonl, parquet, feather, excel, lists or blocks; detected by default.",
    ),
]
Member = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Which file of a folder or an archive to read."),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether the first line names the columns; detected by default.",
    ),
]
Quote = Annotated[
    bool | None,
    typer.Option("--quote/--no-quote", help='Whether " encloses fields; by default, it does.'),
]
ItemId = Annotated[str | None, typer.Option(metavar="NAME", help="The column of ids in --items.")]


@dataclass(frozen=True)
class EventReading:
    """Reading."""

    columns: opt.Columns = None
    repeats: opt.Repeats = "last"
    min_value: opt.MinValue = None
    on_bad: opt.OnBad = "error"
    rejects: Annotated[
        str | None,
        typer.Option(metavar="FILE", help=("The file that lists skipped rows, as JSON lines.")),
    ] = None
    kinds: Kinds = None
    time_format: TimeFormat = None
    time_unit: TimeUnit = None
    decimal: Decimal = None
    format: Format = None
    member: Member = None
    delimiter: Delimiter = None
    encoding: Encoding = None
    header: Header = None
    quote: Quote = None

    def reading(self) -> Reading:
        """Return what the runs take."""
        given = vars(self)
        more = how_written(given, _MORE)
        return Reading(
            columns=roles(self.columns),
            items=given.get("items"),
            repeats=self.repeats,
            min_value=self.min_value,
            core=given.get("core", 0),
            on_bad=self.on_bad,
            more=more,
        )


@dataclass(frozen=True)
class ReadingOptions(EventReading):
    """Reading."""

    items: opt.Items = None
    item_id: ItemId = None
    core: opt.Core = 0


# What `cofactor.read` takes as it is.
_MORE = (
    "time_format",
    "time_unit",
    "decimal",
    "kinds",
    "rejects",
    "member",
    "item_id",
    "format",
    "delimiter",
    "encoding",
    "header",
    "quote",
)


def how_written(given: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return those of the options that were given, as `cofactor.read` takes them."""
    more = {name: given[name] for name in names if given.get(name) is not None}
    if "kinds" in more:
        more["kinds"] = _weights(more["kinds"])
    if more.get("delimiter") in ("tab", "\\t"):
        more["delimiter"] = "\t"
    return more


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
    pairs: list[tuple[str, str]] = []
    for word in words.split(","):
        name, equals, value = word.partition("=")
        if not equals:
            raise ArgumentError(f"{option} must be written {form},{form}, not {word!r}.")
        if name.strip() in dict(pairs):
            raise ArgumentError(f"{option} gives {name.strip()} twice: {words!r}.")
        pairs.append((name.strip(), value.strip()))
    return pairs
