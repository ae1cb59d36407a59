"""Whether lines without a header are lists, ``user item item ...``, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from cofactor.base.errors import DataError
from cofactor.data.readers.positions import are_crosses, numeric

# What stands between the items of lists, beside whitespace, by what the lines are split at.
_SEPARATORS = {",": ",", "\t": ",", ";": ";,", "|": "|,"}
# Items between commas without any space: "a,b,c"; and ids with digits between spaces.
_LIST = re.compile(r"^[^\s,]+(,[^\s,]+)*$")
_SPACED = re.compile(r"^[^\s\d]*\d\S*( [^\s\d]*\d\S*)*$")
_HALVES = re.compile(r"^\d+,\d+$")
_CLOCK = re.compile(r"^\d{1,2}:\d{2}$")
_PAIR = re.compile(r"^(\d+:)?(\d+|qid):-?\d+(\.\d+)?$")
# Columns from which on those behind the first may be a list.
_COLUMNS = 3


def between_items(rows: Sequence[Sequence[str]], delimiter: str, source: str) -> str | None:
    """Return what stands between the items, beside whitespace, where lines are lists: of different
    lengths, or each after a count of what follows, or behind their users in one field; None if
    they aren't lists.

    Raises
    ------
    DataError
        If they are pairs of an index and a value (libsvm).
    """
    if len({len(row) for row in rows}) == 1 and are_crosses([*zip(*rows[1:], strict=True)][1:]):
        return None
    full = [full for row in rows if (full := [field for field in row if field])]
    # LETOR's lines end with a comment.
    full = [list(takewhile(lambda field: field[0] != "#", row)) or row for row in full]
    if delimiter == " " and all(_PAIR.match(field) for row in full for field in row[1:]):
        raise DataError(
            "lines of index:value (libsvm) can't be read; write a row for each user and item.",
            source=source,
        )
    if _in_one_field(full, delimiter):
        return "" if any(" " in row[-1] for row in full) else _SEPARATORS[delimiter]
    return _SEPARATORS.get(delimiter, "") if _are_lists(full, delimiter) else None


def _are_lists(full: Sequence[Sequence[str]], delimiter: str) -> bool:
    if leads_with_owner(full):
        return True
    lengths = {len(row) for row in full}
    counted = len(full) > 1 and all(row and row[0] == str(len(row) - 1) for row in full)
    if delimiter == " " and len(lengths) > 1:
        return True
    if len(lengths) > 2 and delimiter in "\t,;|":
        return counted or all(
            "." not in field and '"' not in field for row in full for field in row
        )
    whole = all(field.isdigit() and len(field) < 9 for row in full for field in row)
    return (counted and whole and len(full[0]) > 3) or _share_words(full)


def _in_one_field(full: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether the items stand in the last field, behind their user or how many they are."""
    if delimiter not in "\t;|" or not full:
        return False
    last = [row[-1] for row in full]
    if {len(row) for row in full} == {3}:
        return any("," in cell for cell in last) and all(
            row[1] == str(row[2].count(",") + 1) for row in full
        )
    if {len(row) for row in full} != {2}:
        return False
    if any("," in cell for cell in last):
        # 4,5 is a number in half of the world.
        return all(map(_LIST.match, last)) and not all(map(_HALVES.match, last))
    spaced = delimiter == "\t" and any(" " in cell for cell in last)
    return spaced and all(map(_SPACED.match, last))


def _share_words(full: Sequence[Sequence[str]]) -> bool:
    """Whether all columns behind the first are texts, and mostly the same ones: lists as long."""
    columns = list(zip(*full, strict=False))[1:]
    if len(columns) < _COLUMNS - 1 or len({len(row) for row in full}) != 1:
        return False
    if len(full) < _COLUMNS or any(map(numeric, columns)):
        return False
    words = [set(column) for column in columns]
    return all(
        2 * len(own & set().union(*(o for o in words if o is not own))) >= len(own) > 1
        for own in words
    )


def leads_with_owner(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether every line begins with a user and a colon: ``u1: a, b, c``."""
    if len(rows) < 2 or any(len(row) < 1 for row in rows):
        return False
    parted = [row[0].partition(":") for row in rows]
    owners = {owner for owner, _, _ in parted}
    return (
        all(owner.strip() and colon for owner, colon, _ in parted)
        # A word that is the same on all lines is a prefix of ids, and 10:30 is a time.
        and len(owners) > 1
        and not all(_CLOCK.match(row[0]) for row in rows)
        and not any(":" in field for row in rows for field in row[1:])
        and not any(":" in rest for _, _, rest in parted)
    )
