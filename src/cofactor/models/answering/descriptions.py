"""Things known by a description: sentences, and columns of a catalogue or of profiles, as callers
give them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from cofactor.base.errors import ArgumentError
from cofactor.base.names import unknown_name
from cofactor.data.features import FeatureSpec

# What a record may hold besides the columns that describe it.
_IDS = ("id", "item_id", "user_id")


def descriptions(given: Any) -> list[Any]:
    """Return one description or several as a list: sentences, mappings, the rows of a table."""
    if hasattr(given, "columns"):
        from cofactor.data.readers.frames import whole_table

        return list(whole_table(given).to_pylist())
    if isinstance(given, (str, bytes, Mapping)) or not isinstance(given, Iterable):
        return [given]
    if hasattr(given, "to_dict") and hasattr(given, "index"):  # a series of pandas
        held = given.to_dict()
        return [held] if all(isinstance(name, str) for name in held) else list(held.values())
    return list(given)


def check_described(
    lines: Sequence[Mapping[str, Any]], known: Iterable[str], what: str, source: str
) -> None:
    """Refuse descriptions by columns that don't exist, and such as say nothing.

    Parameters
    ----------
    lines
        The descriptions.
    known
        The columns there are.
    what
        The argument's name, for messages.
    source
        What has the columns: ``"the catalogue"``.

    Raises
    ------
    UnknownNameError
        For a name that isn't a column.
    ArgumentError
        If nothing but missing values is given.
    """
    names = list(known)
    for line in lines:
        for name in line:
            if str(name) not in names and str(name) not in _IDS:
                raise unknown_name(f"column of {source} in {what}", str(name), names)
        held = [value for name, value in line.items() if str(name) not in _IDS]
        if all(map(_is_missing, held)):
            raise ArgumentError(
                f"{what} says nothing: all its columns are missing; the columns are"
                f" {', '.join(names)}."
            )


def _is_missing(value: Any) -> bool:
    if _is_list(value):
        return False
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def check_read(spec: FeatureSpec, table: pa.Table, what: str) -> None:
    """Refuse a description with a text where its column has numbers or dates.

    Raises
    ------
    ArgumentError
        With the column and the text.
    """
    odd = spec.unreadable(table)
    if odd is not None:
        raise ArgumentError(
            f"{odd[0]!r} in {what} must be what its column holds (a number, or a date), not"
            f" {odd[1]!r}."
        )


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str)
