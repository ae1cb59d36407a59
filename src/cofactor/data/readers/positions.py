"""Roles of columns without names: by their values; their order is only a hint."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise

from cofactor.data.id_text import MISSING_WORDS

# Column -> its first cells.
Columns = Mapping[str, Sequence[str]]
_DEGREE = re.compile(r"^-?\d{1,3}\.\d+$")
# What people do with items, in logs.
_KIND_WORDS = """view views viewed click clicks clicked pv buy bought cart fav addtocart add_to_cart
    remove_from_cart purchase purchased transaction like likes dislike play played order wishlist
    impression detail share save bookmark download watch listen skip checkout view_item
    page_view buys rates rated visits visited"""
KINDS = frozenset(_KIND_WORDS.split())
_CLOCK = re.compile(r"^\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?$")
_INTEGER = re.compile(r"^-?\d+$")
_DAY = re.compile(r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_DATED = re.compile(
    r"^(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}\d{2}\d{2}T\d)"
    r"|^\d{1,2}/[A-Za-z]{3}/\d{2,4}|^\d{4}[- ]?W\d{1,2}(-?[1-7])?$|^\d{4}[年년] ?\d"
    r"|^\w{3},? +\w+ +\d{1,2},? .*\d{4}|^[A-Za-z]{3,9} \d{1,2}(st|nd|rd|th)?, \d{4}"
    r"|^\d{1,2}(\.|er|st|nd|rd|th)? (de )?[^\W\d_]{3,12}\.?( de)? \d{4}"
)
# Amazon's products and people.
_ASIN, _REVIEWER = re.compile(r"^(B[0-9A-Z]{9}|\d{9}[\dX])$"), re.compile(r"^A[0-9A-Z]{9,20}$")
# Seconds of 1985 to 2040, and the same in milli-, micro- and nanoseconds: beyond lie the codes of
# Europe's goods.
_FIRST, _LAST = 473_385_600, 2_208_988_800
_ENOUGH, _MANY = 5, 20
# Columns of a run of TREC but the second.
_RUN = 5
# Whole numbers that are all as large are seldom ratings or counts.
_CODES = 100_000
# Columns of small numbers up to which a table may be one of users, items and values.
_NARROW = 3
# Counts of which there are many aren't all beyond it.
_SMALL = 100
# Numbers of one scale, and signs that say that somebody has something.
_SCALE = 11
_MARKS = frozenset(("", "x", "X", "✓", "✔", "•", "*", "yes", "Yes", "y", "Y"))
# Columns of small numbers from which on a table can be none of users, items and what they did.
_BROAD = 20
# The year 2000: ids count up too, and seldom from here.
_LOGS = 946_684_800
_NEW_LOGS = 1_199_145_600


def by_position(columns: Columns, free: Sequence[str], taken: set[str]) -> dict[str, str]:
    """Return the column of each free role: user and item are the first two that are neither times
    nor a count of the lines, the value is the first of the others that holds numbers, the time the
    first that holds times.
    """
    rest = _candidates(columns, taken)
    roles: dict[str, str] = {}
    if "time" in free:
        at = next((name for name in rest[:2] if len(rest) > 2 and dated(columns[name])), None)
        if at is None and len(rest) > 2:
            at = next((name for name in rest[:2] if _are_days(columns[name])), None)
        if at is None and len(rest) > 2 and _logged(*(columns[name] for name in rest[:3])):
            at = rest[0]
        if at is None and _timed_second([columns[name] for name in rest]):
            at = rest[1]
        at = at or next((name for name in rest[_ids(free) :] if timed(columns[name])), None)
        if at is not None:
            roles["time"] = at
            rest.remove(at)
    if _ids(free) == 2 and _is_turned([columns[name] for name in rest[:2]]):
        rest[:2] = rest[1::-1]
    ids = [name for name in rest if not _are_ratings(columns[name])]
    if len(ids) < 2 or all(_rates(columns[name]) for name in ids[1:]):
        ids = list(rest)  # versions (1.0), then, beside numbers
    for role in ("user", "item"):
        if role in free and ids:
            roles[role] = ids.pop(0)
            rest.remove(roles[role])
    if "value" in free:
        value = next((name for name in rest if _values(columns[name])), None)
        if value is not None:
            roles["value"] = value
            rest = rest[rest.index(value) + 1 :]
    if "time" in free and "time" not in roles and ("value" in roles or "value" not in free):
        late = next(
            (n for n in rest if _may_order(columns[n], columns.get(roles.get("user", ""), ()))),
            None,
        )
        if late is not None:
            roles["time"] = late
    return roles


def _may_order(cells: Sequence[str], users: Sequence[str]) -> bool:
    """Whether cells behind all others may be times of some clock of its own: whole numbers, not all
    the same; small ones only where they rise, or number what each user did.
    """
    if not whole(cells) or len({*cells}) <= (len(cells) > 1):
        return False
    numbers, rows = _integers(cells), [*zip(users, cells, strict=False)]
    numbering = len({*users}) < len(users) and len({*rows}) == len(rows)
    return not _rates(cells) or numbers == sorted(numbers) or numbering


def _candidates(columns: Columns, taken: set[str]) -> list[str]:
    """The columns that may have a role: none that are empty, count the lines, say where on earth
    something was, or hold times of day and kinds in place of ids.
    """
    rest = [name for name in columns if name not in taken]
    no_ids = {counting(columns), *_coordinates(columns)}
    rest = [name for name in rest if name not in no_ids]
    filled = [name for name in rest if any(cell.strip() for cell in columns[name])]
    rest = filled if len(filled) > 1 else rest
    if len(rest) > 2:
        others = [name for name in rest[:2] if _no_ids(columns[name])]
        if not numeric(columns[rest[2]]) and not timed(columns[rest[2]]) and not others:
            others = [name for name in rest[1:2] if _is_one_word(columns[name])]
        rest = [name for name in rest if len(rest) - len(others) < 2 or name not in others]
    if len(rest) > 3 and set(columns[rest[1]]) in ({"0"}, {"Q0"}):
        # TREC's judgements and runs: topic, nothing, document, and the rank before the score.
        del rest[1]
        if len(rest) == _RUN and numeric(columns[rest[3]]):
            del rest[2]
    return rest


def _is_turned(pair: Sequence[Sequence[str]]) -> bool:
    """Whether products stand before people, as in Amazon's ratings since 2018."""
    forms = (_ASIN, _REVIEWER)
    return len(pair) == 2 and all(map(_all, pair, (form.match for form in forms)))


def is_wide(columns: Columns) -> bool:
    """Return whether all columns but the first hold small numbers, of which many are 0 or missing,
    or of which there are very many: a table with a column for each item.
    """
    others = [[cell.strip() for cell in cells] for cells in list(columns.values())[1:]]
    held = [cell for cells in others for cell in cells]
    nothing = sum(cell in ("", "0", "0.0", "NaN", "nan") for cell in held)
    many = 10 * nothing > 3 * len(held) or len(others) > _BROAD
    if len(others) > _NARROW and all(map(_rates, others)) and (many or _is_one_scale(columns)):
        return True
    return are_crosses([cells[1:] for cells in others])  # names may stand above them


def are_crosses(columns: Sequence[Sequence[str]]) -> bool:
    """Return whether columns hold one sign alone (``x``), or nothing: who has which item."""
    marks = {cell.strip() for cells in columns for cell in cells}
    return len(columns) > 2 and len(marks) == 2 and "" in marks and marks <= _MARKS


def _is_one_scale(columns: Columns) -> bool:
    """Whether all columns but the first hold the same few numbers, beside users of which none
    returns.
    """
    first, *others = ({*cells} for cells in columns.values())
    n, scale = len(next(iter(columns.values()))), set[str]().union(*others)
    shared = all(own <= set[str]().union(*(o for o in others if o is not own)) for own in others)
    return n == len(first) > 2 and len(scale) <= _SCALE and shared


def _ids(free: Sequence[str]) -> int:
    return sum(role in free for role in ("user", "item"))


def counting(columns: Columns) -> str | None:
    """Return the first column's name if it merely counts the lines (0, 1, 2 ... or 1, 2, 3 ...)
    beside at least a user and an item; else None.
    """
    names = list(columns)
    if len(names) < 3:
        return None
    cells = columns[names[0]]
    if len(cells) < _ENOUGH or cells[0] not in ("0", "1"):
        return None
    first = int(cells[0])
    if any(cell != str(first + n) for n, cell in enumerate(cells)):
        return None
    third = columns[names[2]]
    if len(cells) >= _MANY and _are_ids(third) and columns[names[1]][0] not in ("0", "1"):
        # Users who are numbered as they come have counts behind, of which some are small, and items
        # that are numbered likewise.
        return names[0]
    if len(names) == 3:
        return None if numeric(third) else names[0]
    # user, item, value, time: each user once, by chance.
    return None if numeric(third) and timed(columns[names[3]]) and len(names) == 4 else names[0]


def _are_ids(cells: Sequence[str]) -> bool:
    """Whether whole numbers may be ids, of which none is as small as counts and ratings."""
    return whole(cells) and not timed(cells) and min(_integers(cells)) > _SMALL


def _coordinates(columns: Columns) -> set[str]:
    """The neighbours that hold places on the earth, in degrees."""
    pairs = [pair for pair in pairwise(columns) if _are_degrees([columns[n] for n in pair])]
    return {name for pair in pairs for name in pair}


def _are_degrees(pair: Sequence[Sequence[str]]) -> bool:
    """Whether two columns hold degrees: some beyond 1, below 0 or with three decimals at least."""
    if not all(_all(cells, _DEGREE.match) for cells in pair):
        return False
    held = [cell for cells in pair for cell in _held(cells)]
    places = [float(cell) for cell in held]
    fine = min(places) < 0 or all(len(cell.partition(".")[2]) > 2 for cell in held)
    return fine and 1 < max(map(abs, places)) <= 180


def _no_ids(cells: Sequence[str]) -> bool:
    """Whether cells are times of day or kinds of events, which aren't ids."""
    return are_clocks(cells) or _are_kinds(cells)


def _is_one_word(cells: Sequence[str]) -> bool:
    """Whether all cells, of some rows, are the same word: what all users did (``likes``)."""
    return len(cells) > 2 and len({*cells}) == 1 and cells[0].strip().isalpha()


def _are_kinds(cells: Sequence[str]) -> bool:
    return _all(cells, lambda cell: cell.lower() in KINDS)


def kinds_among(columns: Columns, taken: Collection[str]) -> str | None:
    """Return the first column that isn't taken and holds several kinds of events; else None."""
    free = (name for name in columns if name not in taken)
    return next((n for n in free if len({*columns[n]}) > 1 and _are_kinds(columns[n])), None)


def _values(cells: Sequence[str]) -> bool:
    """Whether cells may be values: numbers, and not all of them as large as ids and codes, or
    below 0.
    """
    if _all(cells, lambda cell: cell.startswith("-")):
        return False
    if _all(cells, lambda cell: cell.lower() in ("true", "false")):
        return True
    return numeric(cells) and not (
        whole(cells) and all(abs(n) >= _CODES for n in _integers(cells)) and len(cells) > 1
    )


def numeric(cells: Sequence[str]) -> bool:
    """Return whether all cells that hold anything are numbers, and some do."""
    return _all(cells, _is_number)


def whole(cells: Sequence[str]) -> bool:
    """Return whether all cells that hold anything are integers, and some do."""
    return _all(cells, _INTEGER.match)


def _integers(cells: Sequence[str]) -> list[int]:
    """The cells of whole numbers that hold anything; those of more digits than any time has as
    10^19.
    """
    return [int(cell) if len(cell) < 20 else 10**19 for cell in _held(cells)]


def timed(cells: Sequence[str]) -> bool:
    """Return whether all cells are dates, or seconds (or parts of them) of 1985 to 2100."""
    return dated(cells) or _all(cells, _is_moment)


def _logged(cells: Sequence[str], *others: Sequence[str]) -> bool:
    """Whether cells in front of all others are the seconds of a log: since 2000 (since 2008 in a
    few lines, before ids that aren't numbers), mostly different, one way up or down; in any order
    where they are many.
    """
    few = len(cells) < _ENOUGH
    if few and (len(cells) < 2 or any(map(numeric, others))):
        return False
    if not _all(cells, _is_moment) or not whole(cells):
        return False
    numbers = _integers(cells)
    scale = 10 ** max(0, 3 * ((len(str(numbers[0])) - 8) // 3))
    distinct = len(set(numbers))
    one_way = numbers in (sorted(numbers), sorted(numbers, reverse=True))
    return (
        (one_way or (len(numbers) >= _MANY and 10 * distinct > 9 * len(numbers)))
        and 2 * distinct > len(numbers)
        and all((_NEW_LOGS if few else _LOGS) <= n / scale < _LAST for n in numbers)
    )


def _timed_second(columns: Sequence[Sequence[str]]) -> bool:
    """Whether the second column holds the seconds of a log instead of items: all of them since
    2000, mostly different, before items and perhaps other numbers.
    """
    if not 3 <= len(columns) <= 4 or len(columns[1]) < _ENOUGH or not whole(columns[1]):
        return False
    times = _integers(columns[1])
    return (
        all(any(_LOGS <= t / 10**power < _LAST for power in (0, 3)) for t in times)
        and 2 * len(set(times)) > len(times)
        and not _rates(columns[2])
        and not any(timed(cells) for cells in columns[2:])
        and all(map(numeric, columns[3:]))
    )


def _rates(cells: Sequence[str]) -> bool:
    """Whether cells are small numbers, as ratings are."""
    try:
        return _all(cells, lambda cell: abs(float(cell.replace(",", "."))) <= 100.0) and (
            len(set(cells)) <= 21
        )
    except ValueError:
        return False


def _are_ratings(cells: Sequence[str]) -> bool:
    """Whether cells are small numbers of which some have a fraction: no ids, if others may be."""
    return len(cells) > 1 and _rates(cells) and any("." in cell for cell in cells)


def _are_days(cells: Sequence[str]) -> bool:
    """Whether cells are days as whole numbers (yyyymmdd), more than a few of them."""
    return len(cells) >= _ENOUGH and len({*cells}) > 1 and _all(cells, _DAY.match)


def are_clocks(cells: Sequence[str]) -> bool:
    """Return whether all cells that hold anything are times of day, and some do."""
    return _all(cells, _CLOCK.match)


def dated(cells: Sequence[str]) -> bool:
    """Return whether all cells that hold anything are dates as texts, and some do."""
    return _all(cells, _DATED.match)


def _all(cells: Sequence[str], test: Callable[[str], object]) -> bool:
    held = False
    for cell in map(str.strip, cells):
        if cell not in MISSING_WORDS:
            if not test(cell):
                return False
            held = True
    return held


def _held(cells: Sequence[str]) -> list[str]:
    """The cells that hold anything."""
    return [cell.strip() for cell in cells if cell.strip() not in MISSING_WORDS]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return bool(re.match(r"^[-+]?\d+,\d+$|^\d+(\.\d+)? ?(%|/ ?\d+)$|^[★⭐]|^\*+$", cell))
    return True


def _is_moment(cell: str) -> bool:
    try:
        number = float(cell)
    except ValueError:
        return False
    if any(_FIRST <= number / 10**power < _LAST for power in (0, 3, 6, 9)):
        return True
    return bool(re.match(r"^(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d{4}|\d{6})?$", cell))
