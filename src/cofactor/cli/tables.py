"""Tables that fit the terminal without cutting words: prose wraps between words, and columns that
don't fit stand below, beside the first column again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cofactor.base.markup import shown
from cofactor.cli.streams import printable

_GAP = 3  # columns between two columns of a table
_LEAST_PROSE = 24  # narrower columns of prose aren't readable
# Elsewhere there is no width to keep to: lines stay whole for those who read them from a file.
_WIDE = 200
_BEST = "bold green"


class _Column(NamedTuple):
    """A column: its cells as text, how wide it is, and how narrow it may become."""

    name: str
    cells: list[str]
    numeric: bool
    widest: int
    least: int


def print_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] | None = None,
    *,
    title: str | None = None,
    best: int | None = None,
    console: Console | None = None,
) -> None:
    """Print lines of equal keys.

    Parameters
    ----------
    rows
        What to show; numbers stand right.
    columns
        Which keys, and in which order; None for those of the first line in which anything stands.
    title
        What stands above.
    best
        The line that is coloured on a terminal (without NO_COLOR), or None.
    console
        Where to; None for stdout.
    """
    if console is None:
        width = None if sys.stdout.isatty() else _WIDE
        console = Console(highlight=False, width=width)
    names = list(columns) if columns is not None else _filled(rows)
    made = [_column(name, [row.get(name) for row in rows]) for name in names]
    for n, part in enumerate(_parts(made, console.width)):
        console.print(_table(part, console.width, title if n == 0 else None, best))


def _filled(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in rows[0] if any(row.get(name) not in (None, "") for row in rows)]


def _column(name: str, values: Sequence[Any]) -> _Column:
    cells = [printable(shown(value, name)) for value in values]
    numeric = all(isinstance(value, (int, float)) or value is None for value in values)
    texts = [name, *cells]
    widest = max(map(cell_len, texts))
    prose = not numeric and any(_is_prose(cell) for cell in cells)
    words = max((cell_len(word) for text in texts for word in text.split()), default=0)
    least = max(words, min(widest, _LEAST_PROSE)) if prose else widest
    return _Column(name, cells, numeric, widest, least)


def _is_prose(cell: str) -> bool:
    """Whether a cell may be wrapped: several words, not a value with its interval."""
    return " " in cell.strip() and not re.fullmatch(r"[-+0-9.,e%<> ±≈to]*", cell)


def _parts(columns: list[_Column], width: int) -> list[list[_Column]]:
    """The columns in groups that fit; each but the first begins with the first column again."""
    first, *rest = columns
    parts = [[first]]
    for column in rest:
        used = sum(one.least + _GAP for one in parts[-1])
        if len(parts[-1]) > 1 and used + column.least > width:
            parts.append([first])
        parts[-1].append(column)
    return parts


def _table(columns: list[_Column], width: int, title: str | None, best: int | None) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        title=title,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
        show_edge=False,
    )
    spare = width - sum(one.least + _GAP for one in columns) + _GAP
    for one in columns:
        more = max(0, min(one.widest - one.least, spare))
        spare -= more
        table.add_column(
            one.name,
            justify="right" if one.numeric else "left",
            overflow="fold",
            width=min(one.least + more, width),
        )
    for n in range(len(columns[0].cells)):
        style = _BEST if n == best else None
        table.add_row(*(escape(one.cells[n]) for one in columns), style=style)
    return table
