"""From raw columns to events: ids typed, values and times checked, bad rows collected before
anything is raised.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base import checks
from cofactor.base.errors import DataError
from cofactor.data.arrow import value_type
from cofactor.data.events import Events
from cofactor.data.guards import doubts
from cofactor.data.histories import picked
from cofactor.data.id_doubts import nobody_note
from cofactor.data.notes import Fact, Note, of_side
from cofactor.data.readers.checked_times import checked_times
from cofactor.data.readers.columns import Options
from cofactor.data.readers.id_columns import cleaned, typed_ids, used_only
from cofactor.data.readers.kinds import weighted
from cofactor.data.readers.links import doubt_of_links, doubt_of_name
from cofactor.data.readers.raw import Fault, NoRowsError, Raw
from cofactor.data.readers.repeated_headers import repeated_headers
from cofactor.data.readers.total_lines import MEANS, TOTALS, total_word
from cofactor.data.readers.values import settle, shape_hint

_NO_ID = "an object, a list, a zero byte, a boolean, a date or an inexact number"
# Rows from which on ids that are all alike, or none like another, are odd; and that show it.
_FEW, _SOME = 10, 100_000
# Other users from which on one of them may be compared with them.
_OTHERS = 2
# What may stand between cells that hold nothing.
_BETWEEN = " \t,;|:'\""
_CELL_ENDS = re.compile(r"[\t,;|]")
# Rows whose items show whether they may be lists.
_LISTED = 1_000
# One value that is missing among so many is no single fault.
_OFTEN = 10
_DIGIT = re.compile(r"\d")


def assemble(raw: Raw, options: Options) -> Events:
    """Check raw columns and make events of them.

    Raises
    ------
    DataError
        If rows are bad and ``options.on_bad`` is ``"error"``; with the lines, and how many there
        are in all.
    """
    if len(raw.users) == 0:
        raise NoRowsError("there are no rows in it.", source=raw.source)
    faults: list[Fault] = []
    left_out = repeated_headers(raw)
    if raw.events is not None:
        left_out = left_out | weighted(raw, options)
    kinds = raw.events if options.kinds is None else None
    users, items = _checked_ids(raw, options, faults, left_out)
    if raw.values is not None:
        _check_values(raw, options, faults, left_out)
    times = None if raw.times is None else checked_times(raw, raw.times, options, faults, left_out)
    keep = _refuse_or_drop(raw, options, faults, left_out)
    if keep is not None:
        # What was dropped mustn't decide what the others are.
        mask = pa.array(keep)
        users, items = (used_only(column.filter(mask)) for column in (users, items))
    linked = doubt_of_name(raw.columns.get("item", ""))
    events = Events(
        typed_ids(users),
        typed_ids(items),
        raw.values if keep is None else picked(raw.values, keep),
        times if keep is None else picked(times, keep),
        source=raw.source,
        notes=(*raw.notes, *linked),
        kinds=kinds if kinds is None or keep is None else kinds.filter(pa.array(keep)),
    )
    if raw.parts is not None:
        return events  # what is odd about all of them, a part doesn't show
    return events.noted(*doubts(events.values), *_doubts_of_ids(events), *doubt_of_links(events))


def _checked_ids(
    raw: Raw, options: Options, faults: list[Fault], left_out: np.ndarray
) -> list[pa.ChunkedArray]:
    """The ids of users and of items under the rule; rows without one are added to ``faults``."""
    sides = [(what, cleaned(ids)) for what, ids in (("user", raw.users), ("item", raw.items))]
    for what, found in sides:  # first, as such a row mostly lacks an id as well
        _fault(faults, f"a total in place of the {what}", _total(found.column, raw))
    for what, found in sides:
        _fault(faults, f"no {what} id", found.missing)
        _fault(faults, f"{_NO_ID} as {what} id, not an integer or a text", found.nested)
        raw.notes += [of_side(what, note) for note in found.notes]
    if raw.parts is None and options.on_bad == "error":
        _refuse_no_ids(raw, {what: found.missing for what, found in sides}, left_out)
    _leave_out_empty(raw, [found.missing for _, found in sides], left_out)
    if raw.parts is not None:
        raw.parts.end(raw.values, len(raw.users))
        raw.parts.add_ids(raw.notes, raw.source)
    return [found.column for _, found in sides]


def _refuse_no_ids(raw: Raw, missing: Mapping[str, np.ndarray], left_out: np.ndarray) -> None:
    """Raise DataError if no row has an id of one side, and the rows have those of the other."""
    kept = len(raw.users) - int(left_out.sum())
    lacking = [what for what, rows in missing.items() if len(rows) >= kept]
    if len(lacking) == 1 and kept > 1 and raw.columns:
        what = lacking[0]
        raise NoRowsError(
            f"no row has an id in {raw.named(what)}, which was taken for the {what}s; give another"
            f" column with {what}=NAME.",
            source=raw.source,
        )


def _doubts_of_ids(events: Events) -> list[str]:
    """Notes on columns that can hardly be ids of users or items: the same one in all rows, or
    another one in each.
    """
    notes, n = [], len(events)
    for what, ids in (("user", events.users), ("item", events.items)):
        some = ids.chunk(0).slice(0, _SOME)
        # The codes of the first rows mostly tell, and cost nothing.
        codes = some.indices if pa.types.is_dictionary(some.type) else some
        if n < _FEW or len(pc.unique(codes)) not in (1, len(codes)):
            continue
        notes += doubt_of_ids(what, n, len(pc.unique(ids)))
    return notes + _doubt_of_nobody(events) + _doubt_of_lists(events.items)


def _doubt_of_nobody(events: Events) -> list[str]:
    """A note on a user 0 with far more rows than others have: shops write it for all guests."""
    kind = value_type(events.users.type)
    zero = pa.scalar(0 if pa.types.is_integer(kind) else "0", kind)
    users = events.users.slice(0, _SOME)
    of_nobody = pc.sum(pc.equal(users.cast(kind), zero)).as_py() or 0
    others = len(pc.unique(users)) - 1
    rows = len(users) - of_nobody
    often = of_nobody >= _FEW and others >= _OTHERS and of_nobody * others >= _OFTEN * rows
    return [of_side("user", nobody_note("0"))] if often else []


def _doubt_of_lists(items: pa.ChunkedArray) -> list[str]:
    """A note on items that may be lists of several: most hold one sign between parts that return
    in other items, at other places (those of a key stay at theirs).
    """
    words = pc.unique(items.chunk(0).slice(0, _LISTED)).to_pylist()
    if len(words) < _FEW or not isinstance(words[0], str):
        return []
    for sign in (",", ";", "|", " "):
        lists = [[part.strip() for part in word.split(sign)] for word in words]
        parts = [part for one in lists for part in one]
        several = [one for one in lists if len(one) > 1]
        if 2 * len(several) <= len(lists) or 2 * len(set(parts)) > len(parts):
            continue
        numbered = sign != " " or all(map(_DIGIT.search, parts))
        moved = {one[0] for one in several} & {one[1] for one in several}
        if all(parts) and numbered and moved:
            return [
                f"items such as {sign.join(several[0])!r} may be lists; if so, name the column"
                " items, or write a row for each of them"
            ]
    return []


def doubt_of_ids(what: str, n: int, distinct: int) -> list[str]:
    """Return a note on a column that can hardly be ids, by its numbers of rows and of ids."""
    if n < _FEW or distinct not in (1, n):
        return []
    how = "the same" if distinct == 1 else "another"
    return [f"each of the {n:,} rows has {how} {what}; if it is the wrong column, give {what}="]


def _total(column: pa.ChunkedArray, raw: Raw) -> np.ndarray:
    """The last row if it sums up the others, as spreadsheets and reports end, int64 [0 or 1]."""
    last, values, parts = len(column) - 1, raw.values, raw.parts
    before, total = (0, 0.0) if parts is None else (parts.n_rows, parts.total)
    goes_on = parts is not None and not parts.is_last
    word = "" if before + last < 1 or goes_on else _word_of_total(column[last].as_py(), raw)
    if not word:
        return np.zeros(0, np.int64)
    if values is not None and np.isfinite(total) and np.isfinite(values).all():
        whole = total + float(values[:-1].sum(dtype=np.float64))
        whole /= before + last if word in MEANS else 1
        if abs(whole - values[-1]) > 1e-3 * abs(whole):
            return np.zeros(0, np.int64)
    return np.array([last])


def _word_of_total(cell: object, raw: Raw) -> str:
    """The word for totals or means in a last row's id or, where it has none, in any of its cells;
    "" if there is none.
    """
    cells = [cell]
    if cell is None:
        line = raw.locate(np.array([len(raw.users) - 1]))
        cells = [part.strip(_BETWEEN) for _, text in line for part in _CELL_ENDS.split(text)]
    words = map(total_word, cells)
    return next((word for word in words if word in TOTALS | MEANS), "")


def _leave_out_empty(raw: Raw, missing: Sequence[np.ndarray], left_out: np.ndarray) -> None:
    """Mark the lines that hold nothing but delimiters: spreadsheets write such below a table."""
    if not all(rows.size for rows in missing):
        return
    rows = np.intersect1d(missing[0], missing[1])
    if not rows.size:
        return
    texts = [text for _, text in raw.locate(rows)]
    if len(texts) == len(rows):
        rows = rows[[not text.strip(_BETWEEN) for text in texts]]
        left_out[rows] = True
        if rows.size:
            raw.notes.append(Note.counting("left out", len(rows), "empty line"))


def _check_values(raw: Raw, options: Options, faults: list[Fault], left_out: np.ndarray) -> None:
    values = raw.values
    assert values is not None
    name = raw.named("value")
    raw.odd = None if raw.odd is None else raw.odd.without(left_out)
    plain = values[np.isfinite(values)] if raw.parts is not None else None
    writing, example = settle(values, raw.odd, options.decimal)
    if writing is not None:
        fact = Fact.DECIMAL_COMMAS if writing.commas else None
        raw.notes.append(Note(f"{writing.note} in {name}", fact, scale=writing.scale))
    if raw.parts is not None and plain is not None:
        kind, unread = "" if writing is None else writing.kind, bool(example) and writing is None
        raw.parts.add_values(plain, kind, example, unread=unread, source=raw.source)
    small = checks.are_small(values)
    odd = np.flatnonzero([] if small else ~np.isfinite(values))
    large = np.flatnonzero([] if small else np.abs(values) > checks.LARGEST_VALUE)
    hint = shape_hint(raw.odd) if odd.size else ""
    odd = odd[~left_out[odd]] if left_out.size else odd
    if raw.odd is None and _OFTEN * len(odd) > len(values):
        hint = " (value=False leaves values out)"
    if options.keep_kinds and raw.events is not None:
        # A view beside ratings has no value: what stands there and is none is bad.
        written = () if raw.odd is None else raw.odd.rows
        unnamed = [not kind for kind in raw.events.take(pa.array(odd)).to_pylist()]
        odd = odd[np.isin(odd, written) | np.isinf(values[odd]) | np.array(unnamed, bool)]
    if len(odd) and len(odd) == len(values) - left_out.sum() and options.on_bad == "error":
        raise DataError(
            f"no value of {name} is a finite number{hint}; if it is the wrong column, give another"
            " with value=, or leave values out with value=False:",
            source=raw.source,
            rows=raw.locate(odd[:5]),
            total=len(odd),
        )
    _fault(faults, f"a value in {name} that is missing, NaN, infinite or no number{hint}", odd)
    large = large[np.isfinite(values[large])]
    _fault(faults, f"a value in {name} beyond {checks.LARGEST_VALUE:g}", large)


def _fault(faults: list[Fault], what: str, rows: np.ndarray) -> None:
    if rows.size:
        faults.append((what, rows))


def _refuse_or_drop(
    raw: Raw, options: Options, faults: Sequence[Fault], left_out: np.ndarray
) -> np.ndarray | None:
    """Which rows are kept, bool [n]; None for all."""
    if left_out.size:
        faults = [(what, rows[~left_out[rows]]) for what, rows in faults]
        faults = [(what, rows) for what, rows in faults if rows.size]
    if not faults and not left_out.any():
        return None
    counted = _counted_once(faults, len(raw.users))
    if faults and options.on_bad == "error":
        what, rows = counted[0]
        others = "".join(f", and {_have(len(r))} {w}" for w, r in counted[1:])
        raise DataError(
            f"{_have(len(rows))} {what}{others}; fix them, or drop them with on_bad='skip':",
            source=raw.source,
            rows=raw.locate(rows[:5]),
            total=len(rows),
        )
    keep = ~left_out if left_out.size else np.ones(len(raw.users), bool)
    for what, rows in counted:
        keep[rows] = False
        line = raw.locate(rows[:1])
        at = f" (the first on line {line[0][0]:,})" if line else ""
        raw.notes.append(Note.counting("skipped", len(rows), "row", f" with {what}", at))
        if options.rejects is not None:
            found = raw.locate(rows)
            options.rejects.add(raw.source, what, found or [(int(row) + 1, "") for row in rows])
    if not keep.any():
        counts = [f"{_have(len(rows))} {what}" for what, rows in faults]
        why = ", ".join(counts) or "all of them have the header's words or nothing"
        raise NoRowsError(f"no row is left: {why}.", source=raw.source)
    return keep


def _counted_once(faults: Sequence[Fault], n_rows: int) -> list[Fault]:
    """The faults with each row under the first of its faults alone."""
    seen, found = np.zeros(n_rows, bool), list[Fault]()
    for what, rows in faults:
        fresh = rows[~seen[rows]]
        seen[fresh] = True
        _fault(found, what, fresh)
    return found


def _have(count: int) -> str:
    return "1 row has" if count == 1 else f"{count:,} rows have"
