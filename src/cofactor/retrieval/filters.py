"""Filters: which items may be recommended, by id and by catalogue columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.names import unknown_name
from cofactor.data.arrow import is_list_type, is_number_type, is_text_type, one_array
from cofactor.data.catalogue import Catalogue
from cofactor.data.id_queries import queries
from cofactor.data.ids import IdMap
from cofactor.retrieval import expression
from cofactor.retrieval.expression import ColumnComparison, Condition

_FEW = 8  # values up to which each is compared by itself


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which items may be recommended: those that satisfy every condition given.

    Parameters
    ----------
    allow
        Ids of the only items that may be recommended; None for all, an empty list for none.
    block
        Ids of items that must not be recommended.
    where
        A condition on the catalogue's columns, such as ``"genres has 'Comedy' and year >= 1990"``;
        the language is described in `cofactor.retrieval.expression`.

    Raises
    ------
    ArgumentError
        If ``where`` can't be read; the place is marked.
    """

    allow: Iterable[Any] | None = None
    block: Iterable[Any] | None = None
    where: str | None = None

    def __post_init__(self) -> None:
        for name in ("allow", "block"):
            given = getattr(self, name)
            if given is not None:
                object.__setattr__(self, name, _listed(given, name))
        if self.where is not None:
            expression.parse(self.where)

    def __bool__(self) -> bool:
        return self.allow is not None or bool(self.block) or self.where is not None

    def mask(self, items: IdMap, catalogue: Catalogue) -> np.ndarray:
        """Return which items may be recommended, bool [n_items].

        Parameters
        ----------
        items
            The ids of the item rows.
        catalogue
            The items' columns, in row order.

        Raises
        ------
        UnknownIdError
            If an allowed id isn't in the map. A blocked one may be unknown: it can't be recommended
            anyway.
        UnknownNameError
            If ``where`` names a column that the catalogue doesn't have.
        ArgumentError
            If ``where`` compares a column with a value of another kind.
        """
        may = np.ones(len(items), bool)
        if self.allow is not None:
            may[:] = False
            may[items.rows(list(self.allow), what="item")] = True
        if self.block:
            rows = items.find(list(self.block))
            may[rows[rows >= 0]] = False
        if self.where is not None:
            may &= matches(self.where, catalogue)
        return may


def matches(where: str, catalogue: Catalogue) -> np.ndarray:
    """Return for which rows of a catalogue a condition holds, bool [n_rows].

    Parameters
    ----------
    where
        A condition; see `cofactor.retrieval.expression`.
    catalogue
        The table of items.
    """
    return _holds(expression.parse(where), where, catalogue)


def _listed(ids: Any, name: str) -> tuple[Any, ...]:
    if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
        raise ArgumentError(f"{name} must be a list of item ids, not {ids!r}.")
    found = queries(ids)
    return tuple(found.to_pylist() if isinstance(found, (pa.Array, pa.ChunkedArray)) else found)


def _holds(condition: Condition, text: str, catalogue: Catalogue) -> np.ndarray:
    if isinstance(condition, expression.Not):
        return ~_holds(condition.part, text, catalogue)
    if isinstance(condition, expression.AllOf):
        return reduce(np.logical_and, [_holds(part, text, catalogue) for part in condition.parts])
    if isinstance(condition, expression.AnyOf):
        return reduce(np.logical_or, [_holds(part, text, catalogue) for part in condition.parts])
    column = _column(condition, text, catalogue)
    try:
        found = _test_column(condition, text, column)
    except (pa.ArrowException, OverflowError) as error:
        what = (
            f"column {condition.column!r} of {column.type} can't be compared with"
            f" {condition.values}: {error}"
        )
        expression.refuse(text, condition.position, what)
    return np.asarray(found.fill_null(False).to_numpy(zero_copy_only=False), bool)


def _column(test: ColumnComparison, text: str, catalogue: Catalogue) -> pa.Array:
    """The column of a comparison: of that name, or the only one that differs in case alone."""
    names = catalogue.column_names
    alike = [name for name in names if name.casefold() == test.column.casefold()]
    name = test.column if test.column in names else alike[0] if len(alike) == 1 else None
    if name is None:
        if not names:
            expression.refuse(
                text,
                test.position,
                "these items have no catalogue, so no columns.",
                UnknownNameError,
            )
        expression.refuse(
            text, test.position, str(unknown_name("column", test.column, names)), UnknownNameError
        )
    return one_array(catalogue.table.column(name))


def _test_column(test: ColumnComparison, text: str, column: pa.Array) -> pa.Array:
    if test.operator == "missing":
        return column.is_null(nan_is_null=pa.types.is_floating(column.type))
    if pa.types.is_null(column.type):
        return pa.array(np.zeros(len(column), bool))
    if test.operator == "has":
        return _has(test, text, column)
    if test.operator == "~":
        return _contains(test, text, column)
    if is_list_type(column.type):
        expression.refuse(
            text, test.position, f"column {test.column!r} holds lists; ask it with 'has' or '~'."
        )
    compare = _COMPARE["=" if test.operator == "in" else test.operator]
    scalars = [_scalar(value, column.type, test, text) for value in test.values]
    if len(scalars) > _FEW:
        return _is_in(column, list(test.values))
    return reduce(pc.or_, [compare(column, one) for one in scalars])


def _is_in(column: pa.Array, values: list[Any]) -> pa.Array:
    """Whether the entries of a column are among some values that fit it, in one pass."""
    kind = column.type
    if pa.types.is_integer(kind) and all(isinstance(one, int) for one in values):
        # What no number of the column's width can be isn't in it.
        low, high = _bounds(kind)
        values = [one for one in values if low <= one <= high]
    elif is_number_type(kind):
        column = pc.add(column.cast(pa.float64(), safe=False), 0.0)  # -0.0 is 0.0
        return pc.is_in(column, pa.array([float(one) + 0.0 for one in values], pa.float64()))
    elif pa.types.is_temporal(kind):
        return pc.is_in(column, pa.array(values).cast(kind))
    return pc.is_in(column, pa.array(values, kind))


def _bounds(kind: pa.DataType) -> tuple[int, int]:
    if pa.types.is_unsigned_integer(kind):
        return 0, 2**kind.bit_width - 1
    return -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1


_COMPARE = {
    "=": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}


def _scalar(
    value: expression.Value, kind: pa.DataType, test: ColumnComparison, text: str
) -> pa.Scalar:
    """A value in a form that can be compared with a column, or an error that says what the column
    holds.
    """
    is_text = isinstance(value, str)
    if is_text_type(kind) and is_text:
        return pa.scalar(value, kind)
    if pa.types.is_boolean(kind) and isinstance(value, bool):
        return pa.scalar(value)
    if is_number_type(kind) and not is_text and not isinstance(value, bool):
        return pa.scalar(float(value) if pa.types.is_floating(kind) else value)
    if pa.types.is_temporal(kind) and is_text:
        return pa.scalar(value).cast(kind)
    return _refuse_kind(value, kind, test, text)


def _refuse_kind(
    value: expression.Value, kind: pa.DataType, test: ColumnComparison, text: str
) -> NoReturn:
    holds = "texts" if is_text_type(kind) else "numbers" if is_number_type(kind) else str(kind)
    cure = (
        f"; did you mean '{value}' in quotes?"
        if is_text_type(kind) and not isinstance(value, str)
        else "."
    )
    expression.refuse(
        text,
        test.position,
        f"column {test.column!r} holds {holds}, not values like {value!r}{cure}",
    )


def _has(test: ColumnComparison, text: str, column: pa.Array) -> pa.Array:
    wanted = test.values[0]
    if is_list_type(column.type):
        entries = column.flatten()
        if is_text_type(entries.type):
            if not isinstance(wanted, str):
                _refuse_kind(wanted, entries.type, test, text)
            hits = pc.match_substring_regex(entries, f"^{_escaped(str(wanted))}$", ignore_case=True)
        else:
            hits = pc.equal(entries, _scalar(wanted, entries.type, test, text))
        return _any_of(column, hits)
    if not is_text_type(column.type):
        what = (
            f"column {test.column!r} holds {column.type}; 'has' asks lists, and texts with entries"
            " between '|'."
        )
        expression.refuse(text, test.position, what)
    pattern = rf"(?:^|\|)\s*{_escaped(str(wanted).strip())}\s*(?:\||$)"
    return pc.match_substring_regex(column, pattern, ignore_case=True)


def _contains(test: ColumnComparison, text: str, column: pa.Array) -> pa.Array:
    wanted = test.values[0]
    if not isinstance(wanted, str):
        expression.refuse(
            text, test.position, f"'~' looks for a text in quotes, not for {wanted!r}."
        )
    inner = column.flatten() if is_list_type(column.type) else column
    if not is_text_type(inner.type):
        expression.refuse(
            text, test.position, f"column {test.column!r} holds {column.type}; '~' looks in texts."
        )
    hits = pc.match_substring_regex(inner, _escaped(wanted), ignore_case=True)
    return _any_of(column, hits) if is_list_type(column.type) else hits


def _any_of(column: pa.Array, hits: pa.Array) -> pa.Array:
    """Whether any entry of each list matches."""
    owners = np.asarray(pc.list_parent_indices(column))
    found = np.zeros(len(column), bool)
    found[owners[np.asarray(hits.fill_null(False).to_numpy(zero_copy_only=False), bool)]] = True
    return pa.array(found)


def _escaped(text: str) -> str:
    """A text, escaped as a pattern that matches it alone."""
    return "".join(c if c.isascii() and c.isalnum() else f"\\x{{{ord(c):x}}}" for c in text)
