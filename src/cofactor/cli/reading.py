"""The options of reading a source, written once and given to every command that reads one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.cli import options as opt
from cofactor.cli.groups import option
from cofactor.cli.words import ROLES
from cofactor.runs.source import Reading

# What `cofactor.read` takes as it is, of any file; other options are given by name.
_WRITTEN = ("time_format", "time_unit", "decimal", "delimiter", "encoding", "header", "quote")


@dataclass(frozen=True)
class TextOptions:
    """Reading."""

    columns: str | None = option(
        None,
        "Columns, if their names aren't recognised:"
        " user=uid,item=sku (also value, time); `time=` leaves times out.",
        metavar="ROLE=NAME,...",
    )
    on_bad: str = option("error", "What to do with lines that can't be read.", metavar="error|skip")
    time_format: str | None = option(None, "Format of times: '%d/%m/%Y %H:%M'.", metavar="FORMAT")
    time_unit: str | None = option(
        None, "Unit of numeric times; detected by default, by their size.", metavar="s|ms|us|ns"
    )
    decimal: str | None = option(
        None, "The decimal mark; the other one separates thousands.", metavar=", or ."
    )
    delimiter: str | None = option(
        None, "Delimiter of fields: ';', tab, '::' ...; detected by default.", metavar="TEXT"
    )
    encoding: str | None = option(
        None, "Text encoding: utf-8, latin-1, cp1252 ...; detected by default.", metavar="NAME"
    )
    header: bool | None = option(
        None, "Whether the first line names the columns; detected by default."
    )
    quote: bool | None = option(None, 'Whether " encloses fields; by default, it does.')

    def written(self, *more: str) -> dict[str, Any]:
        """Return what was given of how files are written, and of ``more`` options, as
        `cofactor.read` takes it.
        """
        given = vars(self)
        found: dict[str, Any] = {name: given.get(name) for name in (*_WRITTEN, *more)}
        if found.get("kinds") is not None:
            found["kinds"] = _weights(found["kinds"])
        if self.delimiter in ("tab", "\\t"):
            found["delimiter"] = "\t"
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class FileOptions(TextOptions):
    """Reading."""

    format: str | None = option(
        None,
        "delimited, jsonl, parquet, feather, excel, lists or blocks; detected by default.",
        metavar="FORMAT",
    )
    member: str | None = option(
        None, "Which file of a folder or an archive to read.", metavar="NAME"
    )
    rejects: str | None = option(
        None, "The file that lists skipped rows, as JSON lines.", metavar="FILE"
    )


@dataclass(frozen=True)
class EventReading(FileOptions):
    """Reading."""

    repeats: opt.Repeats = "last"
    min_value: float | None = option(
        None, "Keep only interactions of at least this value, e.g. ratings from 4."
    )
    kinds: opt.Kinds = None

    def reading(self) -> Reading:
        """Return what the runs take."""
        return Reading(
            columns=roles(self.columns),
            repeats=self.repeats,
            min_value=self.min_value,
            on_bad=self.on_bad,
            more=self.written("format", "member", "rejects", "kinds", "item_id"),
        )


@dataclass(frozen=True)
class ReadingOptions(EventReading):
    """Reading."""

    items: opt.Items = None
    item_id: opt.ItemId = None
    core: int = option(0, "Keep only users and items with at least this many interactions.")

    def reading(self) -> Reading:
        """Return what the runs take."""
        return replace(super().reading(), items=self.items, core=self.core)


def roles(words: str | None) -> dict[str, Any] | None:
    """Return ``user=uid,item=sku`` as a mapping; ``time=`` with nothing behind it leaves times out.

    Raises
    ------
    ArgumentError
        If a word isn't a pair, or its role is none.
    """
    if words is None:
        return None
    found: dict[str, Any] = {}
    for role, name in _pairs(words, "--columns", "ROLE=NAME"):
        if role not in ROLES:
            raise unknown_name("role of a column", role, ROLES)
        if not name and role in ("user", "item"):
            raise ArgumentError(f"--columns {role}= needs a column's name.")
        found[role] = name or False
    return found


def _weights(words: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind, weight in _pairs(words, "--kinds", "KIND=WEIGHT"):
        try:
            number = float(weight)
        except ValueError:
            raise ArgumentError(f"--kinds {kind}={weight}: the weight must be a number.") from None
        found[kind] = checks.real(number, f"the weight of {kind} in --kinds")
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
