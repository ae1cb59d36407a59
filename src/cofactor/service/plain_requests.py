"""Requests as the Python client sends them: values of Python, NumPy and Arrow as JSON has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from math import isfinite
from typing import Any
from uuid import UUID

from numpy import datetime64

from cofactor.base.errors import ArgumentError
from cofactor.data.id_queries import outside
from cofactor.data.moments import seconds

# Where ids stand in a request.
_IDS = re.compile(r"(?:^|\.)(?:user_id|item_id|(?:item_ids|history|allow|block)\[\d+\])$")


def id_of(one: Any, place: str) -> str | int:
    """Return an id as JSON has it: integers of more than 64 bits as texts."""
    known = outside(one)
    if isinstance(known, bool) or not isinstance(known, (str, int, UUID)):
        raise ArgumentError(f"{place} must be a text or an integer, not {one!r}.")
    return known if isinstance(known, int) and -(2**63) <= known < 2**63 else str(known)


def plain_of(value: Any, place: str) -> Any:
    """Return a part of a request as JSON has it: ids by their rule, numbers of NumPy, Arrow and
    `decimal` as plain ones.

    Parameters
    ----------
    value
        The part.
    place
        Where it stands (``events[0].user_id``), which says what is an id.

    Raises
    ------
    ArgumentError
        For NaN and infinity, which would go as null, and for what can't be an id.
    """
    if isinstance(value, Mapping):
        inside = f"{place}." if place else ""
        return {name: plain_of(one, f"{inside}{name}") for name, one in value.items()}
    if (
        not isinstance(value, (str, bytes, bytearray, memoryview))
        and not _is_scalar(value)
        and hasattr(value, "__iter__")
    ):
        return [plain_of(one, f"{place}[{n}]") for n, one in enumerate(value)]
    if _IDS.search(place):
        return id_of(value, place)
    if hasattr(value, "tolist") or hasattr(value, "as_py"):
        value = value.tolist() if hasattr(value, "tolist") else value.as_py()
    if isinstance(value, (float, Decimal)):
        if not isfinite(value):
            raise ArgumentError(f"{place} must be a finite number, not {value}; leave it out.")
        return float(value)
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str.__str__(value) if isinstance(value, str) else int(value)
    return value


def _is_scalar(value: Any) -> bool:
    """Whether it is an array (of any library) that holds one number."""
    return hasattr(value, "ndim") and not value.ndim


def plain_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event with its moment as seconds since 1970."""
    moment = event.get("time")
    is_moment = isinstance(moment, (date, datetime64))
    return {**event, "time": seconds(moment, "time")} if is_moment else event
