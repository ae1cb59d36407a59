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
    """Return interactions as they are, those of a folder of shards, or made from what
    `cofactor.read` takes.

    A SciPy sparse matrix keeps its shape: users and items have its row and column numbers as ids.

    Raises
    ------
    ArgumentError
        If ``data`` is nothing that can be read.
    DataError
        If it can be read, and something in it is wrong.
    """
    if isinstance(data, Interactions):
        return data
    if isinstance(data, Events):
        return Interactions.build(data)
    if hasattr(data, "tocoo"):
        return Interactions.from_matrix(data)
    from cofactor.data.readers import read
    from cofactor.data.shards import is_shards, open_shards

    if is_shards(data):
        return open_shards(os.fspath(data))  # type: ignore[arg-type]
    try:
        return Interactions.build(read(data))
    except ArgumentError as error:
        raise ArgumentError(
            "data must be Interactions (Interactions.build(cofactor.read(...))), or what"
            " cofactor.read takes by itself (a data frame, a SciPy sparse matrix, tuples (user,"
            f" item), a path), not {type(data).__name__} ({error})"
        ) from None
