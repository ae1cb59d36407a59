"""Series of pandas that hold more than one column: values by pairs, or a list for each user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from cofactor.base.errors import ArgumentError


def frame_of_series(series: Any) -> Any:
    """Return a series of pandas as a frame: its index holds users and items, or users, each with a
    list of items or a mapping from item to value.

    Raises
    ------
    ArgumentError
        If it isn't a series, or one that lacks users or items.
    """
    if not hasattr(series, "to_frame"):
        raise ArgumentError(
            f"a {type(series).__name__} of pandas isn't a data frame; pass one (pandas.concat"
            " joins the chunks of a reader)."
        )
    index = getattr(series, "index", None)
    if index is not None and index.nlevels == 2:
        # Of a stacked matrix the rows are the users.
        pairs = zip(index.names, ("user", "item"), strict=True)
        named = series.rename_axis([usual if name is None else name for name, usual in pairs])
        return named.rename("value").reset_index()
    if index is None or index.nlevels != 1 or not _holds_lists(series) or _is_numbered(index):
        refuse_series(series)
    users = "user" if index.name is None else index.name
    cells = series.map(lambda one: one if isinstance(one, Mapping) else list(one))
    return cells.rename_axis(users).to_frame("items" if series.name is None else series.name)


def refuse_series(series: Any) -> NoReturn:
    """Raise ArgumentError for a series that lacks users or items."""
    kind = f"series ({type(series).__name__})"
    if _holds_lists(series):
        raise ArgumentError(
            f"a {kind} of lists doesn't say whose each is; pass a data frame with a column of users"
            " beside it, or a series of pandas whose index holds the users."
        )
    raise ArgumentError(
        f"a {kind} has one column, and at least a user and an item are needed; pass the data frame."
    )


def _holds_lists(series: Any) -> bool:
    return len(series) > 0 and all(
        isinstance(one, Iterable) and not isinstance(one, (str, bytes)) for one in series
    )


def _is_numbered(index: Any) -> bool:
    """Whether nobody chose an index: it numbers the rows, without a name."""
    return index.name is None and list(index) == list(range(len(index)))
