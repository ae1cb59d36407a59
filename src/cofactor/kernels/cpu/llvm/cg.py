"""Vector code of a conjugate gradient step for one row of implicit ALS (see `ials_cg` for the
letters).

Half of a sparse side's rows hold fewer than fifteen interactions: with 64 factors the multiply-adds
of a step are then a tenth of a microsecond, and calls, checks for overlap and scalar ends of loops
would take twice that. So what one pass over a row's factors finds is used while it is in registers,
and no loop has an end of its own: a group of four rows that isn't full repeats its last row with
weight zero.

The number of factors is a multiple of 16. ``work`` is float32 [5, factors]; its rows are r, p, D, M
and z."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import (
    FAST,
    FOUR,
    INT32,
    INT64,
    ONE,
    TOGETHER,
    Emitter,
    emitting,
    number,
)

R, P, D, M, Z = range(5)  # rows of ``work``
_LONGS = ir.VectorType(INT64, TOGETHER)


def _load_below(emit: Emitter, n: int, first: Any, end: Any) -> Any:
    """Four floats of argument n from a place on; zero behind the end, where nothing is read."""
    builder = emit.builder
    places = builder.add(
        emit.broadcast(first, TOGETHER), ir.Constant(_LONGS, list(range(TOGETHER)))
    )
    mask = builder.icmp_signed("<", places, emit.broadcast(end, TOGETHER))
    pointer = builder.bitcast(emit.element(n, first), FOUR.as_pointer())
    zeros = ir.Constant(FOUR, [0.0] * TOGETHER)
    name = "llvm.masked.load.v4f32.p0v4f32"
    return emit.call(name, FOUR, pointer, ir.Constant(INT32, 4), mask, zeros)


@intrinsic
def weighted_dots(typingctx, source, index, n, w, p, out):
    """out[t] = w[t] s_t with s_t = source[index[t]] . p, for t < n; return the sum of w s^2.

    ``out`` has room for n rounded up to a multiple of four; what lies behind n becomes zero.
    """

    def code(emit: Emitter) -> Any:
        builder, n, four = emit.builder, emit.arguments[2], number(TOGETHER)
        last, direction, blocks = builder.sub(n, number(1)), emit.row(4), emit.blocks(4)
        squares = cgutils.alloca_once_value(builder, ir.Constant(FOUR, [0.0] * TOGETHER))
        with emit.loop(builder.udiv(builder.add(n, number(TOGETHER - 1)), four)) as group:
            t = builder.mul(group.index, four)
            rows = []
            for j in range(TOGETHER):
                at = builder.add(t, number(j))
                at = builder.select(builder.icmp_signed("<", at, last), at, last)
                rows.append(emit.row(0, emit.row_number(1, at)))
            found = emit.dots_of_four(rows, direction, blocks)
            weighted = emit.times(_load_below(emit, 3, t, n), found)
            emit.store(weighted, builder.bitcast(emit.element(5, t), FOUR.as_pointer()))
            emit.add_to(squares, emit.times(weighted, found))
        return emit.sum(squares)

    return types.float32(source, index, types.int64, w, p, out), emitting(code)


def _with_sums(emit: Emitter, blocks: Any, then: Callable[[Any, Any], None]) -> None:
    """Call ``then(block, sum over t < n of s[t] source[index[t], block])`` for all blocks; the
    arguments begin with source, index, n, s.
    """

    def some(first: Any, width: int) -> None:
        places = [emit.builder.add(first, number(j)) for j in range(width)]
        sums = emit.totals(width)
        emit.add_weighted_rows(sums, places)
        for block, total in zip(places, sums, strict=True):
            then(block, emit.builder.load(total))

    emit.in_groups(blocks, some)


@intrinsic
def first_direction(typingctx, source, index, n, w, diagonal, ridge, work):
    """r = sum over t < n of w[t] source[index[t]], D = diagonal + ridge, M = 1 / D, p = M r;
    return r . p.
    """

    def code(emit: Emitter) -> Any:
        plain = emit.row(4)
        rows = [emit.row(6, number(row)) for row in (R, P, D, M)]
        ridge = emit.broadcast(emit.arguments[5])
        (total,) = emit.totals(1)

        def then(block: Any, r: Any) -> None:
            d = emit.plus(emit.load_block(plain, block), ridge)
            m = emit.builder.fdiv(ONE, d, flags=FAST)
            p = emit.times(m, r)
            for row, value in zip(rows, (r, p, d, m), strict=True):
                emit.store(value, emit.block(row, block))
            emit.add_to(total, emit.times(r, p))

        _with_sums(emit, emit.blocks(4), then)
        return emit.sum(total)

    return types.float32(source, index, types.int64, w, diagonal, types.float32, work), emitting(
        code
    )


@intrinsic
def next_residual(typingctx, source, index, n, s, a, work):
    """r -= a (D p + sum over t < n of s[t] source[index[t]]), z = M r; return r . z."""

    def code(emit: Emitter) -> Any:
        rows = [emit.row(5, number(row)) for row in (R, P, D, M, Z)]
        a = emit.broadcast(emit.arguments[4])
        (total,) = emit.totals(1)

        def then(block: Any, found: Any) -> None:
            places = [emit.block(row, block) for row in rows]
            r, p, d, m = map(emit.load, places[:Z])
            r = emit.minus(r, emit.times(a, emit.plus(emit.times(d, p), found)))
            z = emit.times(m, r)
            emit.store(r, places[R])
            emit.store(z, places[Z])
            emit.add_to(total, emit.times(r, z))

        _with_sums(emit, emit.blocks(5), then)
        return emit.sum(total)

    return types.float32(source, index, types.int64, s, types.float32, work), emitting(code)


@intrinsic
def norm_by_diagonal(typingctx, work):
    """Return p' D p."""

    def code(emit: Emitter) -> Any:
        p, d = (emit.row(0, number(row)) for row in (P, D))

        def term(block: Any) -> tuple[Any, Any]:
            at = emit.load_block(p, block)
            return emit.load_block(d, block), emit.times(at, at)

        return emit.sum_over_blocks(0, term)

    return types.float32(work), emitting(code)


@intrinsic
def move(typingctx, a, work, x):
    """x += a p."""

    def code(emit: Emitter) -> None:
        p, x, a = emit.row(1, number(P)), emit.row(2), emit.broadcast(emit.arguments[0])
        with emit.loop(emit.blocks(1)) as loop:
            place = emit.block(x, loop.index)
            step = emit.times(a, emit.load_block(p, loop.index))
            emit.store(emit.plus(emit.load(place), step), place)

    return types.void(types.float32, work, x), emitting(code)


@intrinsic
def turn(typingctx, b, work):
    """p = z + b p."""

    def code(emit: Emitter) -> None:
        p, z, b = emit.row(1, number(P)), emit.row(1, number(Z)), emit.broadcast(emit.arguments[0])
        with emit.loop(emit.blocks(1)) as loop:
            place = emit.block(p, loop.index)
            kept = emit.times(b, emit.load(place))
            emit.store(emit.plus(emit.load_block(z, loop.index), kept), place)

    return types.void(types.float32, work), emitting(code)
