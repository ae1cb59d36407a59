"""Row operations that the loop vectoriser can't be talked into: fused steps on rows known not to
overlap, and prefetch.

Numba can't promise LLVM that two rows of one matrix don't overlap, so loops over them are guarded
by run-time checks that cost as much as the arithmetic. These few functions emit vector instructions
themselves. Blocks are 16 floats wide; LLVM splits them for machines with narrower registers, and
`tail_start` tells where the caller's scalar loop takes over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.jit import helper

_LANES = 16
_CACHE_LINE = 64
EXP_LIMIT = np.float32(
    86.0
)  # exp of it is still finite in float32, and of its negative still normal
_FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, _LANES)
_INT64 = ir.IntType(64)
_INT32 = ir.IntType(32)


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> tuple[Any, Any]:
    """Pointer to the first float of a row of a C-contiguous matrix, and the number of columns."""
    struct = context.make_array(kind)(context, builder, array)
    columns = cgutils.unpack_tuple(builder, struct.shape, kind.ndim)[-1]
    offset = builder.mul(row, columns) if kind.ndim == 2 else row
    return builder.gep(struct.data, [offset]), columns


def _blocks(builder: Any, columns: Any) -> Any:
    return builder.udiv(columns, ir.Constant(_INT64, _LANES))


def _at(builder: Any, row: Any, block: Any) -> Any:
    pointer = builder.gep(row, [builder.mul(block, ir.Constant(_INT64, _LANES))])
    return builder.bitcast(pointer, _VECTOR.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(pointer, align=4)


def _splat(builder: Any, scalar: Any) -> Any:
    seed = builder.insert_element(
        ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(_INT32, 0)
    )
    zeros = ir.Constant(ir.VectorType(_INT32, _LANES), [0] * _LANES)
    return builder.shuffle_vector(seed, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _sum_over_blocks(builder: Any, columns: Any, term: Callable[[Any], tuple[Any, Any]]) -> Any:
    """Sum of a * b over the blocks, where ``term(block)`` gives the vectors a and b."""
    total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * _LANES))
    with cgutils.for_range(builder, _blocks(builder, columns)) as loop:
        a, b = term(loop.index)
        builder.store(
            builder.fadd(builder.load(total), builder.fmul(a, b, flags=_FAST), flags=_FAST), total
        )
    return _horizontal_sum(builder, builder.load(total))


def _horizontal_sum(builder: Any, vector: Any) -> Any:
    kind = ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR])
    reduce = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.vector.reduce.fadd.v{_LANES}f32"
    )
    return builder.call(reduce, [ir.Constant(_FLOAT, 0.0), vector], fastmath=_FAST)


def _prefetch(builder: Any, pointer: Any) -> None:
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _INT32, _INT32, _INT32])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    one, three = ir.Constant(_INT32, 1), ir.Constant(_INT32, 3)
    builder.call(fetch, [builder.bitcast(pointer, byte), one, three, one])


@intrinsic
def prefetch_row(typingctx: Any, matrix: Any, row: Any) -> Any:
    """Ask for all cache lines of ``matrix[row]``, to be written; for a vector, of the one line
    around ``[row]``.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, columns = _row(context, builder, signature.args[0], *arguments)
        if signature.args[0].ndim == 1:
            _prefetch(builder, start)
            return context.get_dummy_value()
        lines = builder.udiv(builder.add(columns, ir.Constant(_INT64, 15)), ir.Constant(_INT64, 16))
        with cgutils.for_range(builder, lines) as loop:
            place = builder.gep(
                start, [builder.mul(loop.index, ir.Constant(_INT64, _CACHE_LINE // 4))]
            )
            _prefetch(builder, place)
        return context.get_dummy_value()

    return types.void(matrix, types.int64), codegen


@intrinsic
def dot_rows(typingctx: Any, left: Any, u: Any, right: Any, i: Any) -> Any:
    """Return ``left[u] · right[i]`` over the full blocks, float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])

        def term(block: Any) -> tuple[Any, Any]:
            return _load(builder, _at(builder, a, block)), _load(builder, _at(builder, b, block))

        return _sum_over_blocks(builder, columns, term)

    return types.float32(left, types.int64, right, types.int64), codegen


@intrinsic
def dot_difference(typingctx: Any, left: Any, u: Any, right: Any, i: Any, j: Any) -> Any:
    """Return ``left[u] · (right[i] - right[j])`` over the full blocks, float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])
        c, _ = _row(context, builder, signature.args[2], arguments[2], arguments[4])

        def term(block: Any) -> tuple[Any, Any]:
            plus, minus = (
                _load(builder, _at(builder, b, block)),
                _load(builder, _at(builder, c, block)),
            )
            return _load(builder, _at(builder, a, block)), builder.fsub(plus, minus, flags=_FAST)

        return _sum_over_blocks(builder, columns, term)

    return types.float32(left, types.int64, right, types.int64, types.int64), codegen


@intrinsic
def pairwise_step(
    typingctx: Any,
    left: Any,
    u: Any,
    right: Any,
    i: Any,
    j: Any,
    step_u: Any,
    step_i: Any,
    step_j: Any,
    keep_u: Any,
    keep_i: Any,
    keep_j: Any,
) -> Any:
    """Do one pairwise step at once, on the full blocks; right[i] and right[j] must be different
    rows.

    left[u]  = keep_u * left[u]  + step_u * (right[i] - right[j])
    right[i] = keep_i * right[i] + step_i * left[u]      (the old left[u])
    right[j] = keep_j * right[j] - step_j * left[u]
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = _row(context, builder, signature.args[2], arguments[2], arguments[3])
        c, _ = _row(context, builder, signature.args[2], arguments[2], arguments[4])
        s_u, s_i, s_j, k_u, k_i, k_j = (_splat(builder, scalar) for scalar in arguments[5:])
        with cgutils.for_range(builder, _blocks(builder, columns)) as loop:
            places = [_at(builder, row, loop.index) for row in (a, b, c)]
            old_u, old_i, old_j = (_load(builder, place) for place in places)

            def mixed(keep: Any, old: Any, step: Any, move: Any, add: Any = builder.fadd) -> Any:
                return add(
                    builder.fmul(keep, old, flags=_FAST),
                    builder.fmul(step, move, flags=_FAST),
                    flags=_FAST,
                )

            builder.store(
                mixed(k_u, old_u, s_u, builder.fsub(old_i, old_j, flags=_FAST)), places[0], align=4
            )
            builder.store(mixed(k_i, old_i, s_i, old_u), places[1], align=4)
            builder.store(mixed(k_j, old_j, s_j, old_u, builder.fsub), places[2], align=4)
        return context.get_dummy_value()

    f = types.float32
    return types.void(left, types.int64, right, types.int64, types.int64, f, f, f, f, f, f), codegen


@intrinsic
def rating_step(
    typingctx: Any,
    left: Any,
    u: Any,
    right: Any,
    i: Any,
    j: Any,
    soon: Any,
    step: Any,
    keep_u: Any,
    keep_i: Any,
) -> Any:
    """Do one step on a rating, on the full blocks; return the old left[u] · right[j] and right[i] ·
    right[j].

    left[u]  = keep_u * left[u]  + step * right[i]
    right[i] = keep_i * right[i] + step * left[u]      (the old left[u])

    ``i`` may be ``j``: right[j] is then the old right[i]. right[soon] is asked for on the way.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = _row(context, builder, signature.args[0], arguments[0], arguments[1])
        b, c, d = (
            _row(context, builder, signature.args[2], arguments[2], row)[0]
            for row in arguments[3:6]
        )
        step, keep_left, keep_right = (_splat(builder, scalar) for scalar in arguments[6:])
        zero = ir.Constant(_VECTOR, [0.0] * _LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]

        def moved(keep: Any, old: Any, other: Any) -> Any:
            return builder.fadd(
                builder.fmul(keep, old, flags=_FAST),
                builder.fmul(step, other, flags=_FAST),
                flags=_FAST,
            )

        with cgutils.for_range(builder, _blocks(builder, columns)) as loop:
            places = [_at(builder, row, loop.index) for row in (a, b, c)]
            _prefetch(builder, _at(builder, d, loop.index))
            old_left, old_right, next_right = (_load(builder, place) for place in places)
            for total, old in zip(sums, (old_left, old_right), strict=True):
                term = builder.fmul(old, next_right, flags=_FAST)
                builder.store(builder.fadd(builder.load(total), term, flags=_FAST), total)
            builder.store(moved(keep_left, old_left, old_right), places[0], align=4)
            builder.store(moved(keep_right, old_right, old_left), places[1], align=4)
        found = [_horizontal_sum(builder, builder.load(total)) for total in sums]
        return context.make_tuple(builder, signature.return_type, found)

    f, n = types.float32, types.uint64
    pair = types.Tuple((f, f))  # type: ignore[attr-defined]  # numba has no types
    return pair(left, n, right, n, n, n, f, f, f), codegen


@intrinsic
def tail_start(typingctx: Any, matrix: Any) -> Any:
    """Return the first column that the block functions leave out: the columns rounded down to
    whole blocks.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(signature.args[0])(context, builder, arguments[0])
        columns = cgutils.unpack_tuple(builder, struct.shape, 2)[-1]
        return builder.and_(columns, ir.Constant(_INT64, -_LANES))

    return types.int64(matrix), codegen


@intrinsic
def power_of_two(typingctx: Any, exponent: Any) -> Any:
    """Return 2^exponent as float32, by its bits; the exponent must be in [-126, 127]."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], ir.Constant(_INT32, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(_INT32, 23)), _FLOAT)

    return types.float32(types.int32), codegen


@helper
def exp_negative(x: Any) -> Any:
    """Return exp(-x), float32, for x held within ±86; relative error below 3e-7.

    2^y with y = -x log2(e) = n + r, |r| <= 1/2, and 2^r by its Taylor polynomial of degree 6 in r
    ln 2. A call of the C library's exp would spill all vector registers."""
    y = min(max(x, -EXP_LIMIT), EXP_LIMIT) * np.float32(-1.4426950408889634)
    whole = np.floor(y + np.float32(0.5))
    t = (y - whole) * np.float32(0.6931471805599453)
    p = np.float32(1 / 720)
    p = p * t + np.float32(1 / 120)
    p = p * t + np.float32(1 / 24)
    p = p * t + np.float32(1 / 6)
    p = p * t + np.float32(0.5)
    p = p * t + np.float32(1.0)
    p = p * t + np.float32(1.0)
    return p * power_of_two(np.int32(whole))
