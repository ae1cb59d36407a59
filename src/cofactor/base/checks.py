"""Checks of arguments: errors say which argument, what was expected, and what came."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError, UnknownNameError
from cofactor.base.names import unknown_name

# Of interactions: a square that float32 doesn't hold makes losses and scores infinite.
LARGEST_VALUE = 1.8e19


def integer(value: object, name: str, *, low: int | None = None, high: int | None = None) -> int:
    """Return ``value`` as an int in [low, high]; raise ArgumentError that names the argument
    otherwise.
    """
    if isinstance(value, (bool, np.bool_)):
        raise ArgumentError(f"{name} must be an integer{_range(low, high)}, not {value!r}.")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ArgumentError(
            f"{name} must be an integer{_range(low, high)}, not {_described(value)}."
        ) from None
    if (low is not None and number < low) or (high is not None and number > high):
        shown = number if number.bit_length() < 200 else _described(number)
        raise ArgumentError(f"{name} must be an integer{_range(low, high)}, not {shown}.")
    return number


def real(
    value: object,
    name: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> float:
    """Return ``value`` as a finite float in [low, high] or (above, below); raise ArgumentError
    otherwise.
    """
    wanted = f"{name} must be a finite number{_range(low, high, above, below)}"
    if isinstance(value, (bool, np.bool_, str, bytes)) or is_masked(value):
        raise ArgumentError(f"{wanted}, not {value!r}.")
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"{wanted}, not {_described(value)}.") from None
    inside = (
        math.isfinite(number)
        and (low is None or number >= low)
        and (high is None or number <= high)
        and (above is None or number > above)
        and (below is None or number < below)
    )
    if not inside:
        raise ArgumentError(f"{wanted}, not {number}.")
    return number


def boolean(value: object, name: str) -> bool:
    """Return ``value`` as a bool; raise ArgumentError that names the argument for anything else."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise ArgumentError(f"{name} must be True or False, not {_described(value)}.")


def choice(
    value: object, name: str, choices: Iterable[str], also: Mapping[str, str] | None = None
) -> str:
    """Return ``value`` if it is one of ``choices``; raise UnknownNameError with the nearest ones
    otherwise, or with the one that ``also`` names for it.
    """
    names = list(choices)
    if isinstance(value, str) and value in names:
        return value
    meant = (also or {}).get(str(value).casefold())
    if meant is not None:
        raise UnknownNameError(f"unknown {name} {value!r}; did you mean {meant}?")
    raise unknown_name(name, value, names)


def of_kind(value: object, name: str, kind: type, wanted: str) -> None:
    """Raise ArgumentError unless ``value`` is of a class, which ``wanted`` says in words."""
    if not isinstance(value, kind):
        raise ArgumentError(f"{name} must be {wanted}, not {_described(value)}.")


def function(value: object, name: str) -> None:
    """Raise ArgumentError unless ``value`` can be called."""
    if not callable(value):
        raise ArgumentError(f"{name} must be a function, not {_described(value)}.")


def is_masked(value: Any) -> bool:
    """Return whether an array masks some of its entries, or is NumPy's ``masked``; without loading
    `numpy.ma`.
    """
    return isinstance(value, np.ndarray) and bool(np.any(getattr(value, "mask", False)))


def seed(value: object) -> int:
    """Return a seed as an int of 63 bits, as NumPy, PyTorch and files have it; raise ArgumentError
    otherwise.
    """
    return integer(value, "seed", low=0, high=2**63 - 1)


def are_small(values: np.ndarray, most: float = LARGEST_VALUE) -> bool:
    """Return whether all of some values are finite numbers from ``-most`` to ``most``."""
    with np.errstate(over="ignore", invalid="ignore"):
        # No square is above their sum, and most arrays are asked only that.
        whole = float(np.vdot(values, values)) <= most * most
    return whole or bool((np.abs(values) <= most).all())


def rows(value: Any, name: str, count: int) -> np.ndarray:
    """Return ``value`` as an int32 vector of rows in [0, count); raise ArgumentError otherwise."""
    if is_masked(value):
        raise ArgumentError(f"some of {name} are masked; leave them out ({name}.compressed()).")
    array = np.asarray(value)
    if array.ndim == 0:
        array = array.reshape(1)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ArgumentError(f"{name} must be a vector of row numbers, not {_described(value)}.")
    if array.size and (array.min() < 0 or array.max() >= count):
        bad = array[(array < 0) | (array >= count)][0]
        raise ArgumentError(f"{name} must be rows in 0..{count - 1}, not {bad}.")
    return array.astype(np.int32, copy=False)


def mask(value: Any, name: str, count: int) -> np.ndarray:
    """Return ``value`` as a vector of ``count`` bools; raise ArgumentError otherwise, also for row
    numbers, of which those above 0 would all count as True.
    """
    if is_masked(value):
        raise ArgumentError(f"some of {name} are masked; fill them ({name}.filled(False)).")
    array = np.asarray(value)
    if array.shape != (count,) or (array.size and array.dtype != np.bool_):
        raise ArgumentError(
            f"{name} must be {count} bools, one for each row, not {array.dtype} of shape"
            f" {list(array.shape)}."
        )
    return array.astype(np.bool_, copy=False)


def path(value: object, name: str) -> Path:
    """Return ``value`` as an absolute path, ``~`` as the home; raise ArgumentError if it can name
    no file or folder.

    An empty text, often a variable of the shell that isn't set, is not the current folder."""
    text = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(text, str) or not text or "\0" in text:
        raise ArgumentError(f"{name} must name a file or a folder, not {_described(value)}.")
    try:
        return Path(os.path.abspath(os.path.expanduser(text)))
    except FileNotFoundError:
        raise ArgumentError(
            f"{name}: {text} can't be found, since the current folder was deleted; change to one"
            " that is there."
        ) from None


def _range(
    low: float | None, high: float | None, above: float | None = None, below: float | None = None
) -> str:
    if low is not None and high is not None:
        return f" in {low}..{high}"
    parts = []
    if low is not None:
        parts.append(f"at least {low}")
    if above is not None:
        parts.append(f"above {above}")
    if high is not None:
        parts.append(f"at most {high}")
    if below is not None:
        parts.append(f"below {below}")
    return " " + " and ".join(parts) if parts else ""


def _described(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        text = "one of thousands of digits"
    return f"{text if len(text) <= 60 else text[:59] + '…'} ({type(value).__name__})"
