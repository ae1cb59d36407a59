"""Ids as callers give them to be looked up: one or several, in any container."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.names import nearest
from cofactor.data.id_text import clean_one, has_half, texts_of_bytes, unwrapped

_BYTES = (bytes, bytearray, memoryview)
_KINDS = (int, str, float, Decimal, UUID)
# Whole numbers up to which floats of a width are exact; beyond them neighbours are one.
EXACT_FLOATS = {2: 2**11, 4: 2**24, 8: 2**53}
_MOST_DIGITS = 76  # of Arrow's decimals
_COMPARED = 1_000  # known ids that an unknown one is compared with


def queries(ids: Any) -> Any:
    """Return one id or several as an array, or as a list.

    Raises
    ------
    ArgumentError
        If they are in a table, a mapping or an array of several dimensions, or masked.
    """
    if isinstance(ids, (pa.Array, pa.ChunkedArray)):
        return ids.to_pylist() if "binary" in str(ids.type) else ids
    if isinstance(ids, Mapping) or hasattr(ids, "columns"):
        raise ArgumentError(
            f"ids must be one id or a list of them, not a {type(ids).__name__}; pass the list (of"
            " a table the one column)."
        )
    if isinstance(ids, np.ndarray):
        if ids.ndim > 1:
            raise ArgumentError(f"ids must be a list, not an array of shape {ids.shape}.")
        if checks.is_masked(ids):
            raise ArgumentError("some of the ids are masked; leave them out (ids.compressed()).")
        flat = np.asarray(ids).reshape(-1)
        # The width of a float says which whole numbers it holds.
        return list(flat) if flat.dtype.kind == "f" else flat
    if isinstance(ids, (str, *_BYTES)) or not isinstance(ids, Iterable) or _is_scalar(ids):
        return [ids]
    return list(ids)


def plain(value: Any) -> Any:
    """Return an id as Python has it; NaN for a float beyond the whole numbers that its width
    tells apart, None for what isn't an id in any data.
    """
    if type(value) in (str, int):
        return value
    if isinstance(value, _BYTES):
        return texts_of_bytes([bytes(value)])[0][0]
    if isinstance(value, (float, np.floating)):
        return float(value) if is_exact(value) else math.nan
    if isinstance(value, pa.Scalar):
        return plain(value.as_py())
    if isinstance(value, Mapping):
        return unwrapped(value)
    if checks.is_masked(value):
        return None
    if isinstance(value, np.generic) or _is_scalar(value):
        value = value.item()
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration's member, too
    return value if isinstance(value, _KINDS) else None


def is_exact(value: Any) -> bool:
    """Return whether a float is finite, and its width tells whole numbers of its size apart."""
    exact = EXACT_FLOATS.get(getattr(value, "itemsize", 8), 2**53)
    return abs(float(value)) < exact


def outside(value: Any) -> Any:
    """Return an id as data would have it: a float or a decimal that is a whole number as one."""
    value = plain(value)
    if isinstance(value, (float, Decimal)) and is_whole(value):
        return int(value)
    return value


def text_of(value: Any) -> str:
    """Return the text of an id; a whole number's is that of the integer, "" of what is none."""
    value = outside(value)
    return value if isinstance(value, str) else "" if value is None else str(value)


def whole(value: Any) -> int | None:
    """Return an id as an integer of 64 bits; None if it isn't one."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = clean_one(value) or ""
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    exact = str(number) == value if isinstance(value, str) else number == value
    return number if exact and -(2**63) <= number < 2**63 else None


def python_ids(ids: Any) -> list[Any]:
    """Return ids of any container as Python has them."""
    if isinstance(ids, np.ndarray):
        return ids.tolist()
    if isinstance(ids, (pa.Array, pa.ChunkedArray)):
        return ids.to_pylist()
    return [plain(value) for value in ids]


def as_numbers(ids: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return ids as int64, and which of them (bool; None for all) are whole numbers of 64 bits."""
    if isinstance(ids, np.ndarray) and ids.dtype.kind in "iu" and ids.dtype != np.uint64:
        return ids.astype(np.int64), None
    if (
        isinstance(ids, (pa.Array, pa.ChunkedArray))
        and pa.types.is_integer(ids.type)
        and not ids.null_count
    ):
        return np.asarray(ids.cast(pa.int64())), None
    numbers = [whole(plain(value)) for value in python_ids(ids)]
    known = np.array([number is not None for number in numbers], bool)
    found = np.array([number or 0 for number in numbers], np.int64)
    return found, None if known.all() else known


def refuse_no_ids(ids: Any, rows: np.ndarray) -> None:
    """Raise ArgumentError if something that wasn't found (-1 in ``rows``) can't be an id at all:
    nothing, NaN, a fraction, a boolean, a list, half a character.
    """
    if isinstance(ids, np.ndarray) and ids.dtype.kind not in "ObU":
        return
    if isinstance(ids, (list, np.ndarray)):
        for row in np.flatnonzero(rows < 0).tolist():
            if not _may_be_id(plain(ids[row])):
                shown = " ".join(ascii(ids[row]).split())[:60]
                raise ArgumentError(
                    f"an id must be an integer or a text, not {shown} ({type(ids[row]).__name__})."
                )


def _may_be_id(value: Any) -> bool:
    """Whether a value that `plain` gave can be an id."""
    if isinstance(value, str):
        return not has_half(value)
    if isinstance(value, (float, Decimal)):
        return is_whole(value)
    return value is not None and not isinstance(value, bool)


def is_whole(value: float | Decimal) -> bool:
    """Return whether a float or a decimal is a whole number, of no more digits than Arrow has."""
    if isinstance(value, Decimal):
        finite = value.is_finite() and value.adjusted() < _MOST_DIGITS
    else:
        finite = math.isfinite(value)
    return finite and value == int(value)


def near_ids(value: Any, known: pa.ChunkedArray | pa.Array) -> list[str]:
    """Return up to three known text ids that are spelt most like an unknown one, the nearest first.

    Few ids are all compared; of many those around the place that it would have in their ascending
    order, so that a miss costs the same however many there are.
    """
    if not isinstance(value, str) or not pa.types.is_string(known.type):
        return []
    texts = _around(value, known)
    same = [text for text in texts if _bare(text) == _bare(value)]
    return same[:3] or nearest(value, texts, cutoff=0.75)


def _around(value: str, known: pa.ChunkedArray | pa.Array) -> list[str]:
    """The known ids, or of many those next to the place of a text, as it is and in either case."""
    if len(known) <= _COMPARED:
        return list(known.to_pylist())
    found: list[str] = []
    for spelt in {value, value.lower(), value.upper()}:
        place = bisect_left(range(len(known)), spelt, key=lambda row: known[row].as_py())
        found += known.slice(max(0, place - _COMPARED // 6), _COMPARED // 3).to_pylist()
    return sorted(set(found))


def _bare(text: str) -> str:
    """A text without what people leave out or write otherwise: case, marks, leading zeros."""
    return re.sub(r"[\W_]+|(?<!\d)0+(?=\d)", "", text.casefold())


def _is_scalar(value: Any) -> bool:
    """Whether it is an array (of any library) that holds one number."""
    return getattr(value, "ndim", 1) == 0 and hasattr(value, "item")
