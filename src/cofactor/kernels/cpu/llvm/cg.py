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
    FLOAT,
    INT32,
    INT64,
    LANES,
    TOGETHER,
    VECTOR,
    block_at,
    broadcast,
    count_blocks,
    element_at,
    horizontal_sum,
    load_vector,
    row_at,
    sums_of_four,
)

R, P, D, M, Z = range(5)  # rows of ``work``
_FOUR = ir.VectorType(FLOAT, TOGETHER)
_LONGS = ir.VectorType(INT64, TOGETHER)
_ZERO, _ONE = (ir.Constant(VECTOR, [value] * LANES) for value in (0.0, 1.0))


def _times(builder: Any, left: Any, right: Any) -> Any:
    return builder.fmul(left, right, flags=FAST)


def _plus(builder: Any, left: Any, right: Any) -> Any:
    return builder.fadd(left, right, flags=FAST)


def _bump(builder: Any, total: Any, term: Any) -> None:
    builder.store(_plus(builder, builder.load(total), term), total)


def _rows_of(
    context: Any, builder: Any, kind: Any, work: Any, rows: tuple[int, ...]
) -> tuple[list[Any], Any]:
    """Pointers to rows of ``work``, and the number of factors."""
    found = [row_at(context, builder, kind, work, ir.Constant(INT64, row)) for row in rows]
    return [pointer for pointer, _ in found], found[0][1]


def _below(builder: Any, first: Any, end: Any) -> Any:
    """Which of first, first + 1, ... lie below the end: a mask of four."""

    def splat(value: Any) -> Any:
        seed = builder.insert_element(
            ir.Constant(_LONGS, ir.Undefined), value, ir.Constant(INT32, 0)
        )
        return builder.shuffle_vector(
            seed, seed, ir.Constant(ir.VectorType(INT32, TOGETHER), [0] * TOGETHER)
        )

    places = builder.add(splat(first), ir.Constant(_LONGS, list(range(TOGETHER))))
    return builder.icmp_signed("<", places, splat(end))


def _load_masked(builder: Any, pointer: Any, mask: Any) -> Any:
    """Four floats; zero where the mask isn't set, and nothing is read there."""
    kind = ir.FunctionType(_FOUR, [_FOUR.as_pointer(), INT32, mask.type, _FOUR])
    load = cgutils.get_or_insert_function(builder.module, kind, "llvm.masked.load.v4f32.p0v4f32")
    zeros = ir.Constant(_FOUR, [0.0] * TOGETHER)
    return builder.call(
        load, [builder.bitcast(pointer, _FOUR.as_pointer()), ir.Constant(INT32, 4), mask, zeros]
    )


@intrinsic
def weighted_dots(typingctx: Any, source: Any, index: Any, n: Any, w: Any, p: Any, out: Any) -> Any:
    """out[t] = w[t] s_t with s_t = source[index[t]] . p, for t < n; return the sum of w s^2.

    ``out`` has room for n rounded up to a multiple of four; what lies behind n becomes zero.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds, n, four = signature.args, arguments[2], ir.Constant(INT64, TOGETHER)
        last = builder.sub(n, ir.Constant(INT64, 1))
        direction, columns = row_at(context, builder, kinds[4], arguments[4], ir.Constant(INT64, 0))
        blocks = count_blocks(builder, columns)
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in range(TOGETHER)]
        squares = cgutils.alloca_once_value(builder, ir.Constant(_FOUR, [0.0] * TOGETHER))
        groups = builder.udiv(builder.add(n, ir.Constant(INT64, TOGETHER - 1)), four)
        with cgutils.for_range(builder, groups) as group:
            t = builder.mul(group.index, four)
            rows = []
            for j, total in enumerate(sums):
                at = builder.add(t, ir.Constant(INT64, j))
                at = builder.select(builder.icmp_signed("<", at, last), at, last)
                row = builder.sext(
                    builder.load(element_at(context, builder, kinds[1], arguments[1], at)),
                    INT64,
                )
                rows.append(row_at(context, builder, kinds[0], arguments[0], row)[0])
                builder.store(_ZERO, total)
            with cgutils.for_range(builder, blocks) as loop:
                q = load_vector(builder, block_at(builder, direction, loop.index))
                for row, total in zip(rows, sums, strict=True):
                    _bump(
                        builder,
                        total,
                        _times(
                            builder,
                            load_vector(builder, block_at(builder, row, loop.index)),
                            q,
                        ),
                    )
            found = sums_of_four(builder, [builder.load(total) for total in sums])
            weight = _load_masked(
                builder,
                element_at(context, builder, kinds[3], arguments[3], t),
                _below(builder, t, n),
            )
            weighted = _times(builder, weight, found)
            place = element_at(context, builder, kinds[5], arguments[5], t)
            builder.store(weighted, builder.bitcast(place, _FOUR.as_pointer()), align=4)
            _bump(builder, squares, _times(builder, weighted, found))
        kind = ir.FunctionType(FLOAT, [FLOAT, _FOUR])
        reduce = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.vector.reduce.fadd.v{TOGETHER}f32"
        )
        return builder.call(reduce, [ir.Constant(FLOAT, 0.0), builder.load(squares)], fastmath=FAST)

    return types.float32(source, index, types.int64, w, p, out), codegen


def _with_sums(
    context: Any,
    builder: Any,
    signature: Any,
    arguments: Any,
    columns: Any,
    then: Callable[[Any, Any], None],
) -> None:
    """Call ``then(block, sum over t < n of s[t] source[index[t], block])`` for all blocks; the
    arguments begin with source, index, n, s.
    """
    kinds = signature.args
    blocks = count_blocks(builder, columns)

    def some(first: Any, width: int) -> None:
        places = [builder.add(first, ir.Constant(INT64, j)) for j in range(width)]
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in places]
        for total in sums:
            builder.store(_ZERO, total)
        with cgutils.for_range(builder, arguments[2]) as loop:
            row = builder.sext(
                builder.load(element_at(context, builder, kinds[1], arguments[1], loop.index)),
                INT64,
            )
            start, _ = row_at(context, builder, kinds[0], arguments[0], row)
            scale = broadcast(
                builder,
                builder.load(element_at(context, builder, kinds[3], arguments[3], loop.index)),
            )
            for total, block in zip(sums, places, strict=True):
                _bump(
                    builder,
                    total,
                    _times(builder, load_vector(builder, block_at(builder, start, block)), scale),
                )
        for block, total in zip(places, sums, strict=True):
            then(block, builder.load(total))

    wide = builder.udiv(blocks, ir.Constant(INT64, TOGETHER))
    with cgutils.for_range(builder, wide) as loop:
        some(builder.mul(loop.index, ir.Constant(INT64, TOGETHER)), TOGETHER)
    done = builder.mul(wide, ir.Constant(INT64, TOGETHER))
    with cgutils.for_range(builder, builder.sub(blocks, done)) as loop:
        some(builder.add(done, loop.index), 1)


@intrinsic
def first_direction(
    typingctx: Any, source: Any, index: Any, n: Any, w: Any, diagonal: Any, ridge: Any, work: Any
) -> Any:
    """r = sum over t < n of w[t] source[index[t]], D = diagonal + ridge, M = 1 / D, p = M r;
    return r . p.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        plain, columns = row_at(
            context, builder, signature.args[4], arguments[4], ir.Constant(INT64, 0)
        )
        rows, _ = _rows_of(context, builder, signature.args[6], arguments[6], (R, P, D, M))
        ridge = broadcast(builder, arguments[5])
        total = cgutils.alloca_once_value(builder, _ZERO)

        def then(block: Any, r: Any) -> None:
            d = _plus(builder, load_vector(builder, block_at(builder, plain, block)), ridge)
            m = builder.fdiv(_ONE, d, flags=FAST)
            p = _times(builder, m, r)
            for row, value in zip(rows, (r, p, d, m), strict=True):
                builder.store(value, block_at(builder, row, block), align=4)
            _bump(builder, total, _times(builder, r, p))

        _with_sums(context, builder, signature, arguments, columns, then)
        return horizontal_sum(builder, builder.load(total))

    return types.float32(source, index, types.int64, w, diagonal, types.float32, work), codegen


@intrinsic
def next_residual(
    typingctx: Any, source: Any, index: Any, n: Any, s: Any, a: Any, work: Any
) -> Any:
    """r -= a (D p + sum over t < n of s[t] source[index[t]]), z = M r; return r . z."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, columns = _rows_of(context, builder, signature.args[5], arguments[5], (R, P, D, M, Z))
        a = broadcast(builder, arguments[4])
        total = cgutils.alloca_once_value(builder, _ZERO)

        def then(block: Any, found: Any) -> None:
            places = [block_at(builder, row, block) for row in rows]
            r, p, d, m = (load_vector(builder, place) for place in places[:Z])
            r = builder.fsub(
                r, _times(builder, a, _plus(builder, _times(builder, d, p), found)), flags=FAST
            )
            z = _times(builder, m, r)
            builder.store(r, places[R], align=4)
            builder.store(z, places[Z], align=4)
            _bump(builder, total, _times(builder, r, z))

        _with_sums(context, builder, signature, arguments, columns, then)
        return horizontal_sum(builder, builder.load(total))

    return types.float32(source, index, types.int64, s, types.float32, work), codegen


@intrinsic
def norm_by_diagonal(typingctx: Any, work: Any) -> Any:
    """Return p' D p."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, columns = _rows_of(context, builder, signature.args[0], arguments[0], (P, D))
        total = cgutils.alloca_once_value(builder, _ZERO)
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            p, d = (load_vector(builder, block_at(builder, row, loop.index)) for row in rows)
            _bump(builder, total, _times(builder, d, _times(builder, p, p)))
        return horizontal_sum(builder, builder.load(total))

    return types.float32(work), codegen


@intrinsic
def move(typingctx: Any, a: Any, work: Any, x: Any) -> Any:
    """x += a p."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (p,), columns = _rows_of(context, builder, signature.args[1], arguments[1], (P,))
        x, _ = row_at(context, builder, signature.args[2], arguments[2], ir.Constant(INT64, 0))
        a = broadcast(builder, arguments[0])
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            place = block_at(builder, x, loop.index)
            step = _times(builder, a, load_vector(builder, block_at(builder, p, loop.index)))
            builder.store(_plus(builder, load_vector(builder, place), step), place, align=4)
        return context.get_dummy_value()

    return types.void(types.float32, work, x), codegen


@intrinsic
def turn(typingctx: Any, b: Any, work: Any) -> Any:
    """p = z + b p."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (p, z), columns = _rows_of(context, builder, signature.args[1], arguments[1], (P, Z))
        b = broadcast(builder, arguments[0])
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            place = block_at(builder, p, loop.index)
            kept = _times(builder, b, load_vector(builder, place))
            builder.store(
                _plus(builder, load_vector(builder, block_at(builder, z, loop.index)), kept),
                place,
                align=4,
            )
        return context.get_dummy_value()

    return types.void(types.float32, work), codegen
