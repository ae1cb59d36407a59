"""Reading rows of plain numbers from text: eight digits at a time; the twin of `reference.text`."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.jit import kernel

SKIP, USER, ITEM, VALUE, TIME = 0, 1, 2, 3, 4
PLAIN, ODD, WIDE = 0, 1, 2
_LF, _CR, _QUOTE, _MINUS, _POINT, _ASCII = 10, 13, 34, 45, 46, 128
_EXACT = np.array([10.0**n for n in range(16)])
_TENS = np.array([10**n for n in range(9)], np.uint64)
# Each of them eight bytes: "0", what lifts a byte above 9 over 127, and the top bits.
_ZEROS, _LIFT, _TOPS = np.uint64(0x3030303030303030), np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
_PAIRS, _FOURS = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
_BY_10, _BY_100, _BY_10000 = np.uint64(2561), np.uint64(6553601), np.uint64(42949672960001)
_8, _16, _32, _64 = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(64)


@intrinsic
def _word(typingctx: Any, text: Any, place: Any) -> Any:
    """The eight bytes from a place on, wherever it lies, the first of them lowest."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(struct.data, [arguments[1]])
        return builder.load(builder.bitcast(pointer, ir.IntType(64).as_pointer()), align=1)

    return types.uint64(text, types.int64), codegen


@intrinsic
def _trailing_zeros(typingctx: Any, word: Any) -> Any:
    """How many of the lowest bits are 0: 64 for 0."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word64, bit = ir.IntType(64), ir.IntType(1)
        count = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word64, [word64, bit]), "llvm.cttz.i64")
        return builder.call(count, [arguments[0], ir.Constant(bit, 0)])

    return types.uint64(types.uint64), codegen


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
    """Read four columns of numbers, and say whether all rows are plain; see `reference.text.parse_rows`.

    Eight bytes b are read at once. b ^ "0" is the digit, or above 9: lifted by 118 its top bit is set, and the lowest such
    byte ends the number. Digits d1 d2 .. d8 then become d1 d2, d3 d4 .. by one multiplication with 10 + 2^-8, and so on.
    """
    q, row, n_fields = np.int64(0), 0, len(roles)
    while q < end:
        for f in range(n_fields):
            role = roles[f]
            if role == SKIP:
                while text[q] != delimiter and text[q] != _LF and text[q] != _CR and text[q] != _QUOTE and text[q] < _ASCII:
                    q += 1
            else:
                negative = text[q] == _MINUS
                if negative:
                    q += 1
                leading_zero = text[q] == 48
                number, digits, whole_digits = np.uint64(0), np.int64(0), np.int64(-1)
                while True:
                    x = _word(text, q) ^ _ZEROS
                    count = _trailing_zeros(((x + _LIFT) | x) & _TOPS) >> np.uint64(3)
                    if count > np.uint64(0):
                        x <<= _64 - _8 * count
                        x = (x * _BY_10) >> _8
                        x = ((x & _PAIRS) * _BY_100) >> _16
                        x = ((x & _FOURS) * _BY_10000) >> _32
                        # Beyond 18 digits this wraps around; the count of digits refuses it then.
                        number = number * _TENS[count] + x
                        digits += np.int64(count)
                        q += np.int64(count)
                        if count == _8 and digits < 24:
                            continue
                    if role == VALUE and whole_digits < 0 and text[q] == _POINT:
                        whole_digits = digits
                        q += 1
                        continue
                    break
                if role == VALUE:
                    scale = digits - whole_digits if whole_digits >= 0 else 0
                    if digits < 1 or digits > 15 or scale > 8:
                        return ODD
                    # Both are exact in float64 (15 digits, 10^8), so one division rounds once.
                    real = np.float64(np.int64(number)) / _EXACT[scale]
                    values[row] = -real if negative else real
                else:
                    if digits < 1 or digits > 18:
                        return ODD
                    signed = -np.int64(number) if negative else np.int64(number)
                    if role == TIME:
                        times[row] = signed
                    else:
                        if leading_zero and (digits > 1 or negative):
                            return ODD
                        if signed > limit or signed < -limit:
                            return WIDE
                        if role == USER:
                            users[row] = signed
                        else:
                            items[row] = signed
            if f < n_fields - 1:
                if text[q] != delimiter:
                    return ODD
                q += 1
                if second:
                    if text[q] != second:
                        return ODD
                    q += 1
        if text[q] == _CR:
            q += 1
        if text[q] != _LF:
            return ODD
        q += 1
        row += 1
    return PLAIN
