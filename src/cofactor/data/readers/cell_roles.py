"""Roles that names alone don't tell, and the first cells of the columns do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cofactor.data.readers.clock_columns import CellsOf, with_calendar, with_clock
from cofactor.data.readers.columns import Options, find_roles
from cofactor.data.readers.name_words import is_amount, may_be_time, period_of
from cofactor.data.readers.partitions import Partition
from cofactor.data.readers.positions import Columns, dated, numeric
from cofactor.data.readers.repeated_names import refuse_repeated
from cofactor.data.readers.truth_words import TRUTH, plain

_WRAPPED_DATE = re.compile(r"""^\{["']\$date["']""")
_PERIODS = {
    "week": re.compile(r"(19|20)\d\d(0[1-9]|[1-4]\d|5[0-3])(\.0)?$"),
    "month": re.compile(r"(19|20)\d\d-?(0[1-9]|1[0-2])(\.0)?$|[^\W\d_]{3,12}\.? (19|20)\d\d$"),
    "quarter": re.compile(r"(19|20)\d\d[ -]?Q[1-4]$"),
}


def roles_of_columns(
    names: Sequence[str],
    options: Options,
    source: str,
    cells_of: CellsOf,
    *,
    partition: Partition | None = None,
    bare: Columns | None = None,
) -> dict[str, str]:
    """Return the column of each role, by names and by the first cells; see `find_roles` (whose
    ``columns`` are ``bare``) and `with_cells`.

    Raises
    ------
    DataError
        As `find_roles` does; if the name of one that is taken occurs twice.
    """
    roles = find_roles(names, options, source, columns=bare, partition=partition or ())
    for taken in roles.values():
        refuse_repeated(names, source, taken)
    return with_cells(roles, names, options, cells_of, partition, headed=bare is None)


def with_cells(
    roles: Mapping[str, str],
    names: Sequence[str],
    options: Options,
    cells_of: CellsOf,
    partition: Partition | None = None,
    *,
    headed: bool = True,
) -> dict[str, str]:
    """Return roles with those that the cells of columns tell: the times of several columns
    (`clock_columns.PARTS`), and a value whose name alone would be no proof of it.

    Parameters
    ----------
    roles
        The column of each role, by names.
    names
        All columns, in order.
    options
        What the caller gave.
    cells_of
        Gives the first cells of columns.
    partition
        Columns that the folders above the file name.
    headed
        Whether the columns have names.
    """
    folders = {name: [text or ""] for name, text in (partition or {}).items() if name not in names}

    def cells(some: Sequence[str]) -> Mapping[str, Sequence[str]]:
        inner = [name for name in some if name not in folders]
        return {**(cells_of(inner) if inner else {}), **folders}

    if headed:
        roles = _with_date(_with_amount(roles, names, options, cells), names, options, cells)
        roles = with_calendar(roles, [*names, *folders], options, cells)
    return with_clock(roles, names, options, cells, headed=headed)


def _with_amount(
    roles: Mapping[str, str], names: Sequence[str], options: Options, cells_of: CellsOf
) -> dict[str, str]:
    """Roles with the only column of numbers that is named like an amount (``num_plays``) or a label
    (``clicked``) as the value, if there is none.
    """
    roles = dict(roles)
    if options.value is not None or options.kinds is not None or roles.keys() & {"value", "event"}:
        return roles
    likely = [name for name in names if name not in roles.values() and is_amount(name)]
    cells = cells_of(likely) if likely else {}
    found = [name for name in likely if numeric(cells[name]) or _are_labels(cells[name])]
    return roles | {"value": found[0]} if len(found) == 1 else roles


def _with_date(
    roles: Mapping[str, str], names: Sequence[str], options: Options, cells_of: CellsOf
) -> dict[str, str]:
    """Roles with the only column of dates that is named like them as the time, if there is none:
    ``data`` alone may be anything.
    """
    roles = dict(roles)
    if options.time is not None or "time" in roles:
        return roles
    likely = [name for name in names if name not in roles.values() and may_be_time(name)]
    cells = cells_of(likely) if likely else {}
    found = [name for name in likely if _are_dates(name, cells[name])]
    return roles | {"time": found[0]} if len(found) == 1 else roles


def _are_dates(name: str, cells: Sequence[str]) -> bool:
    """Whether cells are dates, also MongoDB's objects around them, or periods."""
    held = [cell for cell in cells if cell.strip()]
    wrapped = bool(held) and all(map(_WRAPPED_DATE.match, held))
    return wrapped or dated(cells) or _are_periods(name, cells)


def _are_periods(name: str, cells: Sequence[str]) -> bool:
    """Whether cells are weeks, months or quarters of a year: 202407, March 2024, 2024-Q1."""
    form, held = _PERIODS.get(period_of(name) or ""), [cell.strip() for cell in cells]
    held = [cell for cell in held if cell]
    return form is not None and bool(held) and all(map(form.match, held))


def _are_labels(cells: Sequence[str]) -> bool:
    held = {plain(cell) for cell in cells if cell.strip()}
    return bool(held) and held <= TRUTH.keys()
