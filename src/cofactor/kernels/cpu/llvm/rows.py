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
    FLOAT,
    INT32,
    LANES,
    Emitter,
    emitting,
    number,
)

# exp of it is still finite in float32, and of its negative still normal
EXP_LIMIT = np.float32(86.0)


@intrinsic
def prefetch_row(typingctx, matrix, row):
    """Ask for all cache lines of ``matrix[row]``, to be written; for a vector, of the one line
    around ``[row]``.
    """

    def code(emit: Emitter) -> None:
        builder, start = emit.builder, emit.row(0, emit.arguments[1])
        if matrix.ndim == 1:
            emit.prefetch(start)
            return
        lines = builder.udiv(builder.add(emit.shape(0)[-1], number(15)), number(16))
        with emit.loop(lines) as loop:
            emit.prefetch(builder.gep(start, [builder.mul(loop.index, number(CACHE_LINE // 4))]))

    return types.void(matrix, types.int64), emitting(code)


@intrinsic
def dot_rows(typingctx, left, u, right, i):
    """Return ``left[u] · right[i]`` over the full blocks, float32."""

    def code(emit: Emitter) -> Any:
        a, b = emit.row(0, emit.arguments[1]), emit.row(2, emit.arguments[3])
        return emit.sum_over_blocks(
            0, lambda block: (emit.load_block(a, block), emit.load_block(b, block))
        )

    return types.float32(left, types.int64, right, types.int64), emitting(code)


@intrinsic
def dot_difference(typingctx, left, u, right, i, j):
    """Return ``left[u] · (right[i] - right[j])`` over the full blocks, float32."""

    def code(emit: Emitter) -> Any:
        a, b, c = emit.row(0, emit.arguments[1]), *(emit.row(2, at) for at in emit.arguments[3:])

        def term(block: Any) -> tuple[Any, Any]:
            difference = emit.minus(emit.load_block(b, block), emit.load_block(c, block))
            return emit.load_block(a, block), difference

        return emit.sum_over_blocks(0, term)

    return types.float32(left, types.int64, right, types.int64, types.int64), emitting(code)


@intrinsic
def pairwise_step(typingctx, left, u, right, i, j, step_u, step_i, step_j, keep_u, keep_i, keep_j):
    """Do one pairwise step at once, on the full blocks; right[i] and right[j] must be different
    rows.

    left[u]  = keep_u * left[u]  + step_u * (right[i] - right[j])
    right[i] = keep_i * right[i] + step_i * left[u]      (the old left[u])
    right[j] = keep_j * right[j] - step_j * left[u]
    """

    def code(emit: Emitter) -> None:
        rows = emit.row(0, emit.arguments[1]), *(emit.row(2, at) for at in emit.arguments[3:5])
        s_u, s_i, s_j, k_u, k_i, k_j = map(emit.broadcast, emit.arguments[5:])
        with emit.loop(emit.blocks(0)) as loop:
            at_u, at_i, at_j = (emit.block(row, loop.index) for row in rows)
            u, i, j = map(emit.load, (at_u, at_i, at_j))
            emit.store(_weighted(emit, k_u, u, s_u, emit.minus(i, j)), at_u)
            emit.store(_weighted(emit, k_i, i, s_i, u), at_i)
            emit.store(emit.minus(emit.times(k_j, j), emit.times(s_j, u)), at_j)

    n, f = types.int64, types.float32
    return types.void(left, n, right, n, n, f, f, f, f, f, f), emitting(code)


@intrinsic
def rating_step(typingctx, left, u, right, i, j, soon, step, keep_u, keep_i):
    """Do one step on a rating, on the full blocks; return the old left[u] · right[j] and right[i] ·
    right[j].

    left[u]  = keep_u * left[u]  + step * right[i]
    right[i] = keep_i * right[i] + step * left[u]      (the old left[u])

    ``i`` may be ``j``: right[j] is then the old right[i]. right[soon] is asked for on the way.
    """

    def code(emit: Emitter) -> Any:
        rows = emit.row(0, emit.arguments[1]), *(emit.row(2, at) for at in emit.arguments[3:6])
        step, keep_left, keep_right = map(emit.broadcast, emit.arguments[6:])
        sums = emit.totals(2)
        with emit.loop(emit.blocks(0)) as loop:
            at_left, at_right, at_next, at_soon = (emit.block(row, loop.index) for row in rows)
            emit.prefetch(at_soon)
            left, right, following = map(emit.load, (at_left, at_right, at_next))
            emit.add_to(sums[0], emit.times(left, following))
            emit.add_to(sums[1], emit.times(right, following))
            emit.store(_weighted(emit, keep_left, left, step, right), at_left)
            emit.store(_weighted(emit, keep_right, right, step, left), at_right)
        return _pair(emit, sums)

    f, n = types.float32, types.uint64
    return _PAIR(left, n, right, n, n, n, f, f, f), emitting(code)


@intrinsic
def implicit_rating_step(typingctx, left, u, implicit, right, i, j, soon, steps, keeps):
    """Do one step on a rating of SVD++, on the full blocks; return the old (keep_u * left[u] +
    keep_z * implicit) · right[j] and right[i] · right[j].

    left[u]  = keep_u * left[u]  + step * right[i]
    implicit = keep_z * implicit + step_z * right[i]
    right[i] = keep_i * right[i] + step * (left[u] + implicit)      (the old ones)

    ``steps`` are step and step_z, ``keeps`` keep_u, keep_z and keep_i; the rest is as for
    `rating_step`.
    """

    def code(emit: Emitter) -> Any:
        rows = emit.row(0, emit.arguments[1]), emit.row(2)
        rows += tuple(emit.row(3, at) for at in emit.arguments[4:7])
        scalars = [*cgutils.unpack_tuple(emit.builder, emit.arguments[7], 2)]
        scalars += cgutils.unpack_tuple(emit.builder, emit.arguments[8], 3)
        step, step_z, keep_u, keep_z, keep_i = map(emit.broadcast, scalars)
        sums = emit.totals(2)
        with emit.loop(emit.blocks(0)) as loop:
            at_u, at_z, at_i, at_j, at_soon = (emit.block(row, loop.index) for row in rows)
            emit.prefetch(at_soon)
            u, z, i, j = map(emit.load, (at_u, at_z, at_i, at_j))
            emit.add_to(sums[0], emit.times(_weighted(emit, keep_u, u, keep_z, z), j))
            emit.add_to(sums[1], emit.times(i, j))
            emit.store(_weighted(emit, keep_u, u, step, i), at_u)
            emit.store(_weighted(emit, keep_z, z, step_z, i), at_z)
            emit.store(_weighted(emit, keep_i, i, step, emit.plus(u, z)), at_i)
        return _pair(emit, sums)

    f, n = types.float32, types.uint64
    two, three = types.UniTuple(f, 2), types.UniTuple(f, 3)  # type: ignore[attr-defined]
    return _PAIR(left, n, implicit, right, n, n, n, two, three), emitting(code)


_PAIR = types.Tuple((types.float32, types.float32))  # type: ignore[attr-defined]  # no types


def _pair(emit: Emitter, sums: list[Any]) -> Any:
    """Two sums as a tuple."""
    return emit.context.make_tuple(emit.builder, _PAIR, [emit.sum(total) for total in sums])


def _weighted(emit: Emitter, a: Any, x: Any, b: Any, y: Any) -> Any:
    """a x + b y."""
    return emit.plus(emit.times(a, x), emit.times(b, y))


@intrinsic
def tail_start(typingctx, matrix):
    """Return the first column that the block functions leave out: the columns rounded down to
    whole blocks.
    """

    def code(emit: Emitter) -> Any:
        return emit.builder.and_(emit.shape(0)[-1], number(-LANES))

    return types.int64(matrix), emitting(code)


@intrinsic
def power_of_two(typingctx, exponent):
    """Return 2^exponent as float32, by its bits; the exponent must be in [-126, 127]."""

    def code(emit: Emitter) -> Any:
        builder = emit.builder
        biased = builder.add(emit.arguments[0], ir.Constant(INT32, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(INT32, 23)), FLOAT)

    return types.float32(types.int32), emitting(code)


@helper
def exp_negative(x):
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
