"""Reading rows of plain numbers from text, 64 bytes at a time; see `reference.text`.

What ends a number is found for all of a line at once, as a mask of the bytes that aren't digits:
numbers whose ends are known don't wait for each other, so the processor works on several of them at
a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cofactor.kernels.cpu.jit import helper, kernel
from cofactor.kernels.cpu.llvm.bits import lowest_bit
from cofactor.kernels.cpu.llvm.build import INT64, Emitter, emitting

SKIP, USER, ITEM, VALUE, TIME = 0, 1, 2, 3, 4
PLAIN, ODD, WIDE = 0, 1, 2
_LF, _CR, _QUOTE, _MINUS, _POINT, _ZERO, _ASCII = 10, 13, 34, 45, 46, 48, 128
_EXACT = np.array([10.0**n for n in range(9)])
_TENS = np.array([10**n for n in range(9)], np.int64)
_ZEROS = np.uint64(0x3030303030303030)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_10, _BY_100, _BY_10000 = np.uint64(2561), np.uint64(6553601), np.uint64(42949672960001)
_0, _1, _8, _16, _32 = np.uint64(0), np.uint64(1), np.uint64(8), np.uint64(16), np.uint64(32)
_WINDOW = 64


@intrinsic
def _word(typingctx, text, place):
    """The eight bytes from a place on, wherever it lies, the first of them lowest."""

    def code(emit: Emitter) -> Any:
        pointer = emit.builder.bitcast(emit.element(0, emit.arguments[1]), INT64.as_pointer())
        return emit.builder.load(pointer, align=1)

    return types.uint64(text, types.int64), emitting(code)


@intrinsic
def _others(typingctx, text, place):
    """Which of the 64 bytes from a place on aren't digits, a bit each, the first of them lowest."""

    def code(emit: Emitter) -> Any:
        builder, window = emit.builder, ir.VectorType(ir.IntType(8), _WINDOW)
        pointer = builder.bitcast(emit.element(0, emit.arguments[1]), window.as_pointer())
        digits = builder.sub(builder.load(pointer, align=1), ir.Constant(window, [48] * _WINDOW))
        others = builder.icmp_unsigned(">", digits, ir.Constant(window, [9] * _WINDOW))
        return builder.bitcast(others, INT64)

    return types.uint64(text, types.int64), emitting(code)


@helper
def _next(text, base, mask):
    """The next byte that isn't a digit: its place, and the window with the mask of those behind
    it.
    """
    while mask == _0:
        base += _WINDOW
        mask = _others(text, base)
    return base + lowest_bit(mask), base, mask & (mask - _1)


@helper
def _few(text, start, count):
    """The number that 1 to 8 digits make: neighbours are joined by one multiplication with 10 +
    2^-8, then pairs, then fours.
    """
    x = (_word(text, start) ^ _ZEROS) << np.uint64(64 - 8 * count)
    x = (x * _BY_10) >> _8
    x = ((x & _PAIRS) * _BY_100) >> _16
    return np.int64(((x & _FOURS) * _BY_10000) >> _32)


@helper
def _whole(text, place, digits):
    """The number that the 0 to 18 digits before a place make."""
    number = np.int64(0)
    if digits > 8:
        if digits > 16:
            number = _few(text, place - digits, digits - 16) * _TENS[8]
        middle = min(digits, 16)
        number = (number + _few(text, place - middle, middle - 8)) * _TENS[8]
        number += _few(text, place - 8, 8)
    elif digits > 0:
        number = _few(text, place - digits, digits)
    return number


@helper
def _behind_line(text, place):
    """The place behind a line that ends here; -1 if none does."""
    start = np.int64(-1)
    if text[place] == _LF:
        start = place + 1
    elif text[place] == _CR and text[place + 1] == _LF:
        start = place + 2
    return start


@kernel(fast=False)
def parse_rows(
    text: np.ndarray,
    end: int,
    delimiter: int,
    second: int,
    roles: np.ndarray,
    limit: int,
    users: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
) -> int:
    """Read four columns of numbers, and say whether all rows are plain; see
    `reference.text.parse_rows`.
    """
    start, row, n_fields = np.int64(0), 0, len(roles)
    while start < end:
        base = start
        mask = _others(text, base)
        for f in range(n_fields):
            role = roles[f]
            place, base, mask = _next(text, base, mask)
            if role == SKIP:
                while text[place] != delimiter and text[place] != _LF and text[place] != _CR:
                    if text[place] == _QUOTE or text[place] >= _ASCII:
                        return ODD
                    place, base, mask = _next(text, base, mask)
            else:
                negative = place == start and text[place] == _MINUS
                if negative:
                    start = place + 1
                    place, base, mask = _next(text, base, mask)
                digits = place - start
                if digits > 18:
                    return ODD
                number = _whole(text, place, digits)
                if role == VALUE:
                    scale = np.int64(0)
                    if text[place] == _POINT:
                        start = place + 1
                        place, base, mask = _next(text, base, mask)
                        scale = place - start
                        if scale > 8:
                            return ODD
                        if scale > 0:
                            number = number * _TENS[scale] + _few(text, start, scale)
                            digits += scale
                    if digits < 1 or digits > 15:
                        return ODD
                    # Both are exact in float64 (15 digits, 10^8), so one division rounds once.
                    real = np.float64(number) / _EXACT[scale]
                    values[row] = -real if negative else real
                else:
                    if digits < 1:
                        return ODD
                    signed = -number if negative else number
                    if role == TIME:
                        times[row] = signed
                    else:
                        if text[start] == _ZERO and (digits > 1 or negative):
                            return ODD
                        if signed > limit or signed < -limit:
                            return WIDE
                        if role == USER:
                            users[row] = signed
                        else:
                            items[row] = signed
            if f == n_fields - 1:
                start = _behind_line(text, place)
                if start < 0:
                    return ODD
            else:
                start = place + 1
                if text[place] != delimiter:
                    return ODD
                if second:
                    place, base, mask = _next(text, base, mask)
                    if place != start or text[place] != second:
                        return ODD
                    start = place + 1
        row += 1
    return PLAIN
