"""Reading rows of plain numbers from text: one pass over the bytes, in parallel over parts; the twin of `reference.text`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from cofactor.kernels.cpu.jit import helper, kernel

_LF, _CR, _QUOTE, _MINUS, _POINT, _ZERO = 10, 13, 34, 45, 46, 48


@kernel(parallel=True)
def count_lines(text: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the number of line ends within each part, int64 [n_parts]."""
    counts = np.zeros(len(bounds) - 1, np.int64)
    for part in prange(len(bounds) - 1):
        count = 0
        for q in range(bounds[part], bounds[part + 1]):
            count += text[q] == _LF
        counts[part] = count
    return counts


@helper
def _whole(text: Any, q: Any, strict: bool) -> tuple[Any, Any, Any]:
    """The integer at q: its value, the place after it, and whether it is one (and, if strict, in its usual writing)."""
    negative = text[q] == _MINUS
    if negative:
        q += 1
    start = q
    number = np.int64(0)
    while text[q] - np.uint8(_ZERO) < np.uint8(10):
        # Beyond 18 digits this wraps around; the count of digits refuses it then.
        number = number * 10 + np.int64(text[q] - np.uint8(_ZERO))
        q += 1
    digits = q - start
    good = (digits > 0) & (digits <= 18)
    if strict and text[start] == _ZERO and (digits > 1 or negative):
        good = False
    return (-number if negative else number), q, good


@helper
def _decimal(text: Any, q: Any, powers: Any) -> tuple[Any, Any, Any]:
    """The decimal number at q, the place after it, and whether it is one of up to 15 digits without an exponent."""
    negative = text[q] == _MINUS
    if negative:
        q += 1
    mantissa, digits, scale = np.int64(0), 0, 0
    while text[q] - np.uint8(_ZERO) < np.uint8(10):
        mantissa = mantissa * 10 + np.int64(text[q] - np.uint8(_ZERO))
        digits += 1
        q += 1
    if text[q] == _POINT:
        q += 1
        while text[q] - np.uint8(_ZERO) < np.uint8(10):
            mantissa = mantissa * 10 + np.int64(text[q] - np.uint8(_ZERO))
            digits += 1
            scale += 1
            q += 1
    good = (digits > 0) & (digits <= 15)
    # Both are exact in float64 (15 digits, 10^15), so one division rounds once.
    number = np.float64(mantissa) / powers[scale if good else 0]
    return (-number if negative else number), q, good


@kernel(parallel=True)
def parse_rows(
    text: np.ndarray,
    bounds: np.ndarray,
    firsts: np.ndarray,
    delimiter: int,
    n_fields: int,
    places: np.ndarray,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
) -> bool:
    """Read four columns of numbers, and say whether all rows are plain; see `reference.text.parse_rows`."""
    n_parts = len(firsts)
    plain = np.ones(n_parts, np.bool_)
    powers = 10.0 ** np.arange(16)
    for part in prange(n_parts):
        q, end, row = bounds[part], bounds[part + 1], firsts[part]
        good = True
        while q < end and good:
            for f in range(n_fields):
                if f == places[0]:
                    number, q, good = _whole(text, q, True)
                    users[row] = number
                elif f == places[1]:
                    number, q, good = _whole(text, q, True)
                    items[row] = number
                elif f == places[2]:
                    real, q, good = _decimal(text, q, powers)
                    values[row] = real
                elif f == places[3]:
                    number, q, good = _whole(text, q, False)
                    times[row] = number
                else:
                    while text[q] != delimiter and text[q] != _LF and text[q] != _CR and text[q] != _QUOTE:
                        q += 1
                if not good:
                    break
                if f < n_fields - 1:
                    good = text[q] == delimiter
                else:
                    if text[q] == _CR:
                        q += 1
                    good = text[q] == _LF
                if not good:
                    break
                q += 1
            row += 1
        plain[part] = good
    return bool(plain.all())
