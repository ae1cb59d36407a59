"""The id map: outside ids (strings or int64) outside, int32 rows inside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base import checks
from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError, DataError, UnknownIdError
from cofactor.data import sorting
from cofactor.data.arrow import from_python, one_array, without_views
from cofactor.data.id_queries import (
    as_numbers,
    is_whole,
    near_ids,
    plain,
    python_ids,
    queries,
    refuse_no_ids,
    text_of,
    whole,
)
from cofactor.data.id_text import clean_one, has_half, lengths_and_texts

# From this many ids on, one vectorised hash join beats a Python dictionary look-up per id.
_BULK = 512
# What the rule for ids may change is at their edges.
_EDGED = "^[^0-9A-Za-z]|[^0-9A-Za-z]$"
_HASHED = 1 << 18  # texts hashed at a time
# Integers up to it are exact in a float of 64 bits, which is what readers of JSON have.
EXACT = 2**53
MOST = 2**31 - 1  # ids that rows of 32 bits can number
# From this many look-ups on, a table over the whole range of the ids is worth its making.
_DENSE = 100_000


class IdMap:
    """Ids in row order: maps ids to rows, and rows to ids.

    Rows are given in ascending order of the ids (int64 by number, strings by Unicode code point),
    so the same data in another order of lines gets the same rows, and rules that prefer the lower
    row prefer the lower id.

    Parameters
    ----------
    ids
        Distinct ids in row order: int64 or string, no nulls. Use `IdMap.of` for ids that repeat or
        aren't sorted.
    """

    __slots__ = ("__dict__", "_ids")

    def __init__(self, ids: pa.Array | np.ndarray) -> None:
        self._ids = _plain(ids)
        if self._ids.null_count:
            raise DataError("an id is missing; every user and every item needs one.")
        if not isinstance(ids, pa.Array) and not self.is_distinct:
            raise DataError("ids must be distinct, and one occurs twice; IdMap.of takes repeats.")
        if len(self._ids) > MOST:
            raise DataError(f"{len(self._ids):,} ids are more than 32-bit rows can number.")

    @classmethod
    def of(cls, *columns: Any) -> IdMap:
        """Make the map of all distinct ids in some columns (arrays, lists, Arrow arrays), in
        ascending order. Integers beside strings become their decimal text.

        Raises
        ------
        DataError
            If an id is missing, or an object is neither an integer nor a string.
        ArgumentError
            If a column is of another type: floats, booleans, bytes, lists.
        """
        plain = [_plain(_used(column)) for column in columns]
        kinds = {str(column.type) for column in plain if len(column)}
        if len(kinds) > 1:
            plain = [column.cast(pa.string()) for column in plain]
        parts = [pc.unique(column) for column in plain if len(column)]
        if not parts:
            return cls(plain[0] if plain else pa.array([], pa.int64()))
        distinct = pc.unique(pa.chunked_array(parts)) if len(parts) > 1 else parts[0]
        return cls(_sorted(one_array(distinct)))

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        head = ", ".join(repr(i) for i in self._ids[:3].to_pylist())
        return f"IdMap({len(self)} {self.kind} ids: {head}{', …' if len(self) > 3 else ''})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdMap) and self._ids.equals(other._ids)

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @property
    def kind(self) -> str:
        """``"int64"`` or ``"string"``."""
        return "int64" if pa.types.is_int64(self._ids.type) else "string"

    @property
    def arrow(self) -> pa.Array:
        """The ids in row order, as an Arrow array."""
        return self._ids

    @cached_property
    def is_distinct(self) -> bool:
        """Whether no id stands twice, as has to be."""
        return pc.count_distinct(self._ids).as_py() == len(self._ids)

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 (hex) of the ids and their order."""
        digest = hashlib.sha256(self.kind.encode())
        if self.kind == "int64":
            digest.update(np.ascontiguousarray(self._numbers).tobytes())
        else:
            for start in range(0, len(self._ids), _HASHED):
                digest.update(lengths_and_texts(self._ids[start : start + _HASHED]))
        return digest.hexdigest()

    def ids(self, rows: Any = None) -> list[Any]:
        """Return the ids of some rows (of all, in row order, if None) as Python ints or strings."""
        return self._ids.to_pylist() if rows is None else self.take(rows).to_pylist()

    def take(self, rows: Any) -> pa.Array:
        """Return the ids of some rows as an Arrow array."""
        # Not pa.array(), which loads pandas (a third of a second) where it is installed.
        rows = np.ascontiguousarray(checks.rows(rows, "rows", len(self)))
        return self._ids.take(
            pa.Array.from_buffers(pa.int32(), len(rows), [None, pa.py_buffer(rows)])
        )

    def find(self, ids: Any) -> np.ndarray:
        """Return the row of each id, int32; -1 for an id that isn't in the map.

        An integer is looked up among string ids as its decimal text, and a decimal text among int64
        ids as its number, so that what was typed on a command line finds what a file held."""
        asked = queries(ids)
        if len(asked) == 0:
            return np.zeros(0, np.int32)
        if self.kind != "int64":
            rows = self._find_texts(asked)
        elif isinstance(asked, list) and len(asked) < _BULK:
            rows = self._find_few(asked)
        else:
            rows = self._find_numbers(*as_numbers(asked))
        if rows.min() < 0:
            refuse_no_ids(asked, rows)
        return rows

    def _find_texts(self, asked: Any) -> np.ndarray:
        if len(asked) < _BULK:
            words = python_ids(asked)
            return np.array([self._row_of_text(text_of(word)) for word in words], np.int32)
        if isinstance(asked, list) or (isinstance(asked, np.ndarray) and asked.dtype.kind == "O"):
            words = [text_of(word) for word in asked]
            asked = pa.array(["" if has_half(word) else word for word in words], pa.string())
        texts = _plain(asked).cast(pa.string())
        rows = np.asarray(pc.index_in(texts, value_set=self._ids).fill_null(-1)).astype(np.int32)
        edged = pc.match_substring_regex(texts, _EDGED).fill_null(False)
        for n in np.flatnonzero((rows < 0) & np.asarray(edged)).tolist():
            rows[n] = self._row_of_text(texts[n].as_py())
        return rows

    def _row_of_text(self, text: str) -> int:
        """The row of a text id: as it stands, or else as the rule for ids leaves it."""
        row = self._rows_of_text.get(text, -1)
        cleaned = clean_one(text) if row < 0 else None
        return row if cleaned is None else self._rows_of_text.get(cleaned, -1)

    def find_one(self, asked: str | int) -> int:
        """Return the row of one id, -1 for one that isn't in the map; as `find`, in a fraction
        of the time.
        """
        if self.kind != "int64" or not self._is_sorted:
            return int(self.find([asked])[0])
        number = whole(asked)
        if number is None or not len(self):
            return -1
        place = int(self._numbers.searchsorted(number))
        return place if place < len(self) and self._numbers[place] == number else -1

    def rows(self, ids: Any, *, what: str = "id") -> np.ndarray:
        """Return the row of each id, int32.

        Parameters
        ----------
        ids
            One id or several.
        what
            What they are, for the message: ``"user"`` or ``"item"``.

        Raises
        ------
        UnknownIdError
            If any isn't in the map; the first five are named.
        """
        asked = queries(ids)
        rows = self.find(asked)
        if (rows < 0).any():
            unknown = [plain(asked[int(n)]) for n in np.flatnonzero(rows < 0)]
            raise UnknownIdError(self.unknown(unknown, what))
        return rows

    def unknown(self, unknown: Sequence[Any], what: str) -> str:
        """Return the error message for unknown ids: which they are, what known ids look like, and
        those spelt most like the first.
        """
        shown = ", ".join(repr(s) for s in unknown[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        example = f" have ids like {self._ids[0].as_py()!r}" if len(self) else ""
        plural = f"{what}s" if len(unknown) > 1 else what
        close = near_ids(unknown[0], self._ids) if unknown else []
        cure = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        return f"unknown {plural} {shown}{more}; the {len(self):,} known {what}s{example}.{cure}"

    @cached_property
    def _numbers(self) -> np.ndarray:
        return np.asarray(self._ids)

    @cached_property
    def _is_sorted(self) -> bool:
        numbers = self._numbers  # compared: differences of 64-bit numbers wrap around
        return bool((numbers[1:] > numbers[:-1]).all())

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self._numbers, kind="stable")

    @cached_property
    def _rows_of_text(self) -> dict[str, int]:
        return {text: row for row, text in enumerate(self._ids.to_pylist())}

    def _find_few(self, asked: list[Any]) -> np.ndarray:
        """The rows of a few ids, without the masks that many are worth: a service asks for one
        at a time.
        """
        if len(self) == 0:
            return np.full(len(asked), -1, np.int32)
        found = [whole(plain(value)) for value in asked]
        wanted = np.array([number or 0 for number in found], np.int64)
        numbers = self._ascending
        place = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
        rows = np.where(numbers[place] == wanted, self._rows_at(place), -1).astype(np.int32)
        if None in found:
            rows[[number is None for number in found]] = -1
        return rows

    @cached_property
    def _ascending(self) -> np.ndarray:
        return self._numbers if self._is_sorted else self._numbers[self._order]

    def _rows_at(self, places: np.ndarray) -> np.ndarray:
        """The rows of the ids at some places of the ascending ones."""
        return places if self._is_sorted else self._order[places]

    def _find_numbers(self, queries: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """The rows of int64 ids, of which some (``known``, bool; None for all) are numbers."""
        if len(self) == 0:
            return np.full(len(queries), -1, np.int32)
        numbers = self._ascending
        span = int(numbers[-1]) - int(numbers[0]) + 1
        if len(queries) > _DENSE and span <= 4 * len(queries) and known is None:
            return self._find_dense(queries, numbers, span)
        place = np.minimum(np.searchsorted(numbers, queries), len(self) - 1)
        hit = (numbers[place] == queries) & (True if known is None else known)
        return np.where(hit, self._rows_at(place), -1).astype(np.int32)

    def _find_dense(self, queries: np.ndarray, numbers: np.ndarray, span: int) -> np.ndarray:
        """The rows by a table over all numbers between the least and the greatest id."""
        low = int(numbers[0])
        table = np.full(span, -1, np.int32)
        table[numbers - low] = self._rows_at(np.arange(len(numbers)))
        inside = (queries >= low) & (queries <= int(numbers[-1]))
        if inside.all():
            return np.take(table, queries - low)
        return np.where(inside, np.take(table, np.where(inside, queries - low, 0)), -1).astype(
            np.int32
        )


def as_ids(ids: Any) -> pa.Array:
    """Return one id or several, of any container, as an Arrow array of int64 or string, in the
    order given.
    """
    return _plain(queries(ids))


def wire_id(value: int | str) -> int | str:
    """Return an id as it can go out as JSON: integers that a float of 64 bits can't hold exactly
    (beyond ±2^53) become strings, which every reader accepts as the same id.
    """
    return value if isinstance(value, str) or -EXACT <= value <= EXACT else str(value)


def _used(column: Any) -> Any:
    """The ids that occur in a dictionary column, each once; another column as it is."""
    if (
        not isinstance(column, pa.ChunkedArray)
        or not pa.types.is_dictionary(column.type)
        or column.num_chunks == 0
    ):
        return column
    if column.null_count:
        raise DataError("an id is missing; every user and every item needs one.")
    unified = column.unify_dictionaries()
    occurs = np.zeros(len(unified.chunk(0).dictionary), bool)
    for chunk in unified.chunks:
        sorting.mark(np.asarray(chunk.indices), occurs)
    words = unified.chunk(0).dictionary
    return words if occurs.all() else words.filter(pa.array(occurs))


def _plain(column: Any) -> pa.Array:
    """A column of ids as one Arrow array of int64 or string."""
    given = isinstance(column, (pa.Array, pa.ChunkedArray))
    column = one_array(column if given else _from_python(column))
    kind = column.type
    if pa.types.is_int64(kind) or pa.types.is_string(kind):
        return column
    if pa.types.is_integer(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid as error:
            raise DataError(
                f"an id is beyond 64-bit integers; read the column as text instead ({error})."
            ) from None
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return without_views(column, pa.string())
    if pa.types.is_null(kind):
        return column.cast(pa.int64()) if len(column) == 0 else column.cast(pa.string())
    raise ArgumentError(f"ids must be integers or strings, not {kind}.")


def _from_python(column: Any) -> pa.Array:
    if isinstance(column, (str, bytes)) or not isinstance(column, Iterable):
        raise ArgumentError(f"ids must be a list or an array of them, not {column!r}.")
    try:
        return from_python(column)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        values = list(column)
    for value in values:
        if not _is_id(value):
            raise DataError(
                f"ids must be integers or strings, not {value!r} ({type(value).__name__})."
            )
    try:
        return pa.array([text_of(value) for value in values], pa.string())
    except UnicodeEncodeError:
        raise DataError(
            "an id holds half a character (a lone surrogate), which isn't valid Unicode; write the"
            " data again from its source."
        ) from None


def _is_id(value: Any) -> bool:
    if isinstance(value, Decimal):
        return is_whole(value)
    return isinstance(value, (int, str, np.integer, UUID)) and not isinstance(value, bool)


def _sorted(ids: pa.Array) -> pa.Array:
    return ids.take(pc.array_sort_indices(ids))
