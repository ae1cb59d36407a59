"""Row operations that the loop vectoriser can't be talked into: fused steps on rows known not to
overlap, and prefetch.

Numba can't promise LLVM that two rows of one matrix don't overlap, so loops over them are guarded
by run-time checks that cost as much as the arithmetic. These few functions emit vector instructions
themselves. Blocks are 16 floats wide; LLVM splits them for machines with narrower registers, and
`tail_start` says where the caller's scalar loop takes over."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.jit import helper
from cofactor.kernels.cpu.llvm.build import (
    CACHE_LINE,
    FAST,
    FLOAT,
    INT32,
    INT64,
    LANES,
    VECTOR,
    block_at,
    broadcast,
    count_blocks,
    emit_prefetch,
    horizontal_sum,
    load_vector,
    row_at,
    sum_over_blocks,
)

EXP_LIMIT = np.float32(
    86.0
)  # exp of it is still finite in float32, and of its negative still normal


@intrinsic
def prefetch_row(typingctx: Any, matrix: Any, row: Any) -> Any:
    """Ask for all cache lines of ``matrix[row]``, to be written; for a vector, of the one line
    around ``[row]``.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        start, columns = row_at(context, builder, signature.args[0], *arguments)
        if signature.args[0].ndim == 1:
            emit_prefetch(builder, start)
            return context.get_dummy_value()
        lines = builder.udiv(builder.add(columns, ir.Constant(INT64, 15)), ir.Constant(INT64, 16))
        with cgutils.for_range(builder, lines) as loop:
            place = builder.gep(
                start, [builder.mul(loop.index, ir.Constant(INT64, CACHE_LINE // 4))]
            )
            emit_prefetch(builder, place)
        return context.get_dummy_value()

    return types.void(matrix, types.int64), codegen


@intrinsic
def dot_rows(typingctx: Any, left: Any, u: Any, right: Any, i: Any) -> Any:
    """Return ``left[u] · right[i]`` over the full blocks, float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = row_at(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = row_at(context, builder, signature.args[2], arguments[2], arguments[3])

        def term(block: Any) -> tuple[Any, Any]:
            return load_vector(builder, block_at(builder, a, block)), load_vector(
                builder, block_at(builder, b, block)
            )

        return sum_over_blocks(builder, columns, term)

    return types.float32(left, types.int64, right, types.int64), codegen


@intrinsic
def dot_difference(typingctx: Any, left: Any, u: Any, right: Any, i: Any, j: Any) -> Any:
    """Return ``left[u] · (right[i] - right[j])`` over the full blocks, float32."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = row_at(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = row_at(context, builder, signature.args[2], arguments[2], arguments[3])
        c, _ = row_at(context, builder, signature.args[2], arguments[2], arguments[4])

        def term(block: Any) -> tuple[Any, Any]:
            plus, minus = (
                load_vector(builder, block_at(builder, b, block)),
                load_vector(builder, block_at(builder, c, block)),
            )
            return load_vector(builder, block_at(builder, a, block)), builder.fsub(
                plus, minus, flags=FAST
            )

        return sum_over_blocks(builder, columns, term)

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
        a, columns = row_at(context, builder, signature.args[0], arguments[0], arguments[1])
        b, _ = row_at(context, builder, signature.args[2], arguments[2], arguments[3])
        c, _ = row_at(context, builder, signature.args[2], arguments[2], arguments[4])
        s_u, s_i, s_j, k_u, k_i, k_j = (broadcast(builder, scalar) for scalar in arguments[5:])
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            places = [block_at(builder, row, loop.index) for row in (a, b, c)]
            old_u, old_i, old_j = (load_vector(builder, place) for place in places)

            def mixed(keep: Any, old: Any, step: Any, move: Any, add: Any = builder.fadd) -> Any:
                return add(
                    builder.fmul(keep, old, flags=FAST),
                    builder.fmul(step, move, flags=FAST),
                    flags=FAST,
                )

            builder.store(
                mixed(k_u, old_u, s_u, builder.fsub(old_i, old_j, flags=FAST)), places[0], align=4
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
        a, columns = row_at(context, builder, signature.args[0], arguments[0], arguments[1])
        b, c, d = (
            row_at(context, builder, signature.args[2], arguments[2], row)[0]
            for row in arguments[3:6]
        )
        step, keep_left, keep_right = (broadcast(builder, scalar) for scalar in arguments[6:])
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]

        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            places = [block_at(builder, row, loop.index) for row in (a, b, c)]
            emit_prefetch(builder, block_at(builder, d, loop.index))
            old_left, old_right, next_right = (load_vector(builder, place) for place in places)
            _add_products(builder, sums, (old_left, old_right), next_right)
            new_left = _weighted(builder, keep_left, old_left, step, old_right)
            new_right = _weighted(builder, keep_right, old_right, step, old_left)
            builder.store(new_left, places[0], align=4)
            builder.store(new_right, places[1], align=4)
        found = [horizontal_sum(builder, builder.load(total)) for total in sums]
        return context.make_tuple(builder, signature.return_type, found)

    f, n = types.float32, types.uint64
    pair = types.Tuple((f, f))  # type: ignore[attr-defined]  # numba has no types
    return pair(left, n, right, n, n, n, f, f, f), codegen


@intrinsic
def implicit_rating_step(
    typingctx: Any,
    left: Any,
    u: Any,
    implicit: Any,
    right: Any,
    i: Any,
    j: Any,
    soon: Any,
    steps: Any,
    keeps: Any,
) -> Any:
    """Do one step on a rating of SVD++, on the full blocks; return the old (keep_u * left[u] +
    keep_z * implicit) · right[j] and right[i] · right[j].

    left[u]  = keep_u * left[u]  + step * right[i]
    implicit = keep_z * implicit + step_z * right[i]
    right[i] = keep_i * right[i] + step * (left[u] + implicit)      (the old ones)

    ``steps`` are step and step_z, ``keeps`` keep_u, keep_z and keep_i; the rest is as for
    `rating_step`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, columns = row_at(context, builder, signature.args[0], arguments[0], arguments[1])
        z = row_at(context, builder, signature.args[2], arguments[2], ir.Constant(INT64, 0))[0]
        b, c, d = (
            row_at(context, builder, signature.args[3], arguments[3], row)[0]
            for row in arguments[4:7]
        )
        scalars = [*cgutils.unpack_tuple(builder, arguments[7], 2)]
        scalars += cgutils.unpack_tuple(builder, arguments[8], 3)
        step, step_z, keep_u, keep_z, keep_i = (broadcast(builder, scalar) for scalar in scalars)
        sums = [cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES))]
        sums += [cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES))]
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            places = [block_at(builder, row, loop.index) for row in (a, z, b, c)]
            emit_prefetch(builder, block_at(builder, d, loop.index))
            old_u, old_z, old_i, next_right = (load_vector(builder, place) for place in places)
            left = _weighted(builder, keep_u, old_u, keep_z, old_z)
            _add_products(builder, sums, (left, old_i), next_right)
            whole = builder.fadd(old_u, old_z, flags=FAST)
            builder.store(_weighted(builder, keep_u, old_u, step, old_i), places[0], align=4)
            builder.store(_weighted(builder, keep_z, old_z, step_z, old_i), places[1], align=4)
            builder.store(_weighted(builder, keep_i, old_i, step, whole), places[2], align=4)
        found = [horizontal_sum(builder, builder.load(total)) for total in sums]
        return context.make_tuple(builder, signature.return_type, found)

    f, n = types.float32, types.uint64
    tuple_of = types.UniTuple  # type: ignore[attr-defined]  # numba has no types
    pair, triple = tuple_of(f, 2), tuple_of(f, 3)
    return pair(left, n, implicit, right, n, n, n, pair, triple), codegen


def _weighted(builder: Any, a: Any, x: Any, b: Any, y: Any) -> Any:
    """a x + b y."""
    return builder.fadd(builder.fmul(a, x, flags=FAST), builder.fmul(b, y, flags=FAST), flags=FAST)


def _add_products(builder: Any, sums: Any, factors: Any, other: Any) -> None:
    """Add the product of each factor with ``other`` to its sum."""
    for total, factor in zip(sums, factors, strict=True):
        term = builder.fmul(factor, other, flags=FAST)
        builder.store(builder.fadd(builder.load(total), term, flags=FAST), total)


@intrinsic
def tail_start(typingctx: Any, matrix: Any) -> Any:
    """Return the first column that the block functions leave out: the columns rounded down to
    whole blocks.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(signature.args[0])(context, builder, arguments[0])
        columns = cgutils.unpack_tuple(builder, struct.shape, 2)[-1]
        return builder.and_(columns, ir.Constant(INT64, -LANES))

    return types.int64(matrix), codegen


@intrinsic
def power_of_two(typingctx: Any, exponent: Any) -> Any:
    """Return 2^exponent as float32, by its bits; the exponent must be in [-126, 127]."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        biased = builder.add(arguments[0], ir.Constant(INT32, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(INT32, 23)), FLOAT)

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
