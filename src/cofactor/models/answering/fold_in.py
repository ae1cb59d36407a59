"""Histories of unseen users: from outside ids to rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.ids import IdMap

# Names of what a record holds, where items are expected.
_RECORD = {"item", "item_id", "itemid"}


def read_histories(history: Any, items: IdMap, *, unknown: str = "error") -> Histories:
    """Turn histories with outside ids into rows.

    Parameters
    ----------
    history
        One history or a list of them, each oldest first: a list of item ids, or a mapping from item
        id to value (``{50: 5.0, 172: 4.0}``). `Histories` pass through.
    items
        The model's items.
    unknown
        ``"error"`` refuses ids the model doesn't know, ``"skip"`` leaves them out.

    Raises
    ------
    UnknownIdError
        For unknown item ids, unless they are skipped.
    ArgumentError
        If ``history`` is none of the above, or one history has values and another has none.
    """
    if isinstance(history, Histories):
        return history.checked()
    lists = _several(history)
    with_values = [isinstance(one, Mapping) for one in lists]
    if any(with_values) and not all(with_values):
        raise ArgumentError("history must give values for all of the histories or for none.")
    rows = [_rows(one, items, unknown) for one in lists]
    values = (
        [_values(one, found) for one, found in zip(lists, rows, strict=True)]
        if any(with_values)
        else None
    )
    return Histories.of([found[found >= 0] for found in rows], len(items), values)


def _several(history: Any) -> list[Any]:
    if isinstance(history, Mapping):
        return [history]
    if isinstance(history, (str, bytes)) or not isinstance(history, Iterable):
        raise ArgumentError(
            f"history must be a list of item ids, not {history!r}; write [{history!r}]."
        )
    if hasattr(history, "columns"):
        raise ArgumentError(
            f"history must be a list of item ids, not a {type(history).__name__}; pass its column"
            " of items, or a mapping from item to value."
        )
    _refuse_values_alone(history)
    entries = [_as_list(entry) for entry in history]
    nested = [isinstance(e, (list, tuple, set, frozenset, Mapping, np.ndarray)) for e in entries]
    if entries and all(nested):
        if all(isinstance(e, tuple) and len(e) == 2 and _is_float(e[1]) for e in entries):
            raise ArgumentError(
                f"history must be item ids, not pairs such as {entries[0]!r}; with values it is a"
                " mapping: {item: value}."
            )
        return entries
    if any(nested):
        raise ArgumentError(
            "history must be one list of item ids or a list of such lists, not a mixture."
        )
    return [entries]


def _as_list(entry: Any) -> Any:
    """A list within a column of Arrow or polars as one of Python."""
    if isinstance(entry, pa.Scalar):
        return entry.as_py()
    is_column = hasattr(entry, "to_list") and not isinstance(entry, Mapping)
    return entry.to_list() if is_column else entry


def _refuse_values_alone(history: Any) -> None:
    """Raise ArgumentError for a series of values whose index is the items: its entries look like
    ids.
    """
    if hasattr(history, "to_dict") and hasattr(history, "index") and hasattr(history, "dtype"):
        numbered = [str(n) for n in history.index] == [str(n) for n in range(len(history))]
        if getattr(history.dtype, "kind", "") == "f" and not numbered:
            raise ArgumentError(
                "history must be item ids, and this series holds values; history.to_dict() is the"
                " mapping from item to value."
            )


def _is_float(value: Any) -> bool:
    return isinstance(value, (float, np.floating))


def _rows(one: Any, items: IdMap, unknown: str) -> np.ndarray:
    ids = list(one)
    return items.find(ids) if unknown == "skip" else items.rows(ids, what="item")


def _values(one: Mapping[Any, float], found: np.ndarray) -> list[float]:
    if _RECORD & {str(name).lower() for name in one} and not (found >= 0).any():
        raise ArgumentError(
            f"history must be item ids, or a mapping from item to value, not records such as"
            f" {one!r}; write {{item: value}}."
        )
    try:
        values = np.array([float(v) for v in one.values()])
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(
            f"the values of a history must be numbers, not {list(one.values())[:5]}."
        ) from None
    return [float(v) for v in values[found >= 0]]
