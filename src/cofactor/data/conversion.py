"""Interactions from what people have: a data frame, a sparse matrix, tuples, a path."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from cofactor.base.errors import ArgumentError
from cofactor.data.events import Events
from cofactor.data.interactions import Interactions


class ArrowStream(Protocol):
    """A table of any library that supports Arrow's interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the table as an Arrow stream."""


class SparseMatrix(Protocol):
    """A SciPy sparse matrix or array, users by items."""

    def tocoo(self) -> Any:
        """Return its entries."""


if TYPE_CHECKING:
    from narwhals.typing import IntoFrame

    Rows: TypeAlias = Iterable[Sequence[Any] | Mapping[str, Any]]
    Source: TypeAlias = str | os.PathLike[str]
    EventsLike: TypeAlias = Events | ArrowStream | IntoFrame | Source | Rows
    DataLike: TypeAlias = (
        Interactions | Events | ArrowStream | SparseMatrix | IntoFrame | Source | Rows
    )


def as_events(events: EventsLike) -> Events:
    """Return events as they are, or read from what `cofactor.read` takes.

    Raises
    ------
    ArgumentError
        If ``events`` is nothing that can be read.
    DataError
        If it can be read, and something in it is wrong.
    """
    if isinstance(events, Events):
        return events
    from cofactor.data.readers import read

    if isinstance(events, Interactions) or hasattr(events, "tocoo"):
        # Its numbers are rows, which aren't the model's; and its repeated pairs were merged.
        raise ArgumentError(
            "events must have outside ids, one row an event; give what the"
            f" {type(events).__name__} was made of, or what cofactor.read(...) returns."
        )
    try:
        return read(events)
    except ArgumentError as error:
        raise ArgumentError(
            "events must be Events (cofactor.read(...)), or what cofactor.read takes by itself (a"
            " data frame, tuples (user, item), a path), not"
            f" {type(events).__name__} ({error})"
        ) from None


def as_interactions(data: DataLike) -> Interactions:
    """Return interactions as they are, or made by `Interactions.build`.

    A SciPy sparse matrix keeps its shape: users and items have its row and column numbers as ids.

    Raises
    ------
    ArgumentError
        If ``data`` is nothing that can be read.
    DataError
        If it can be read, and something in it is wrong.
    """
    return data if isinstance(data, Interactions) else Interactions.build(data)


def built(source: Any, repeats: str, catalogue_items: bool, **maps: Any) -> Interactions:
    """Return interactions of anything but events: a matrix, a folder of shards, or what
    `cofactor.read` takes; the parameters are those of `Interactions.build`.
    """
    from cofactor.data.readers import read
    from cofactor.data.shards import is_shards, open_shards

    is_matrix = hasattr(source, "tocoo")
    if is_matrix or is_shards(source):
        what = "a matrix" if is_matrix else "a folder of shards"
        given = {"repeats": repeats != "last", "keep_catalogue_items": catalogue_items}
        given |= {name: not is_matrix and ids is not None for name, ids in maps.items()}
        useless = next((name for name, is_given in given.items() if is_given), None)
        if useless is not None:
            raise ArgumentError(f"{what} has no use for {useless}; leave it out.")
        return Interactions.from_matrix(source, **maps) if is_matrix else open_shards(source)
    try:
        if isinstance(source, Interactions):
            raise ArgumentError("these are interactions already")
        events = read(source)
    except ArgumentError as error:
        raise ArgumentError(
            "the data must be Events (cofactor.read(...)), or what cofactor.read takes by itself (a"
            " data frame, a SciPy sparse matrix, tuples (user, item), a path), not"
            f" {type(source).__name__} ({error})"
        ) from None
    return Interactions.build(events, repeats=repeats, keep_catalogue_items=catalogue_items, **maps)
