"""Vector code for the inner loops of implicit ALS: dot products with many rows, weighted sums of
many rows, Gram matrices.

Numba can't promise LLVM that rows of one matrix don't overlap, so plain loops are guarded by
run-time checks and keep their sums in memory. These keep them in registers, over the full blocks of
16 factors; `llvm.rows.tail_start` tells where the caller's scalar loop takes over.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import (
    FAST,
    FLOAT,
    INT64,
    LANES,
    TOGETHER,
    VECTOR,
    block_at,
    broadcast,
    count_blocks,
    element_at,
    load_vector,
    row_at,
    sums_of_four,
)

TILE_ROWS, TILE_COLUMNS = (
    8,
    LANES,
)  # of a product: eight chains of multiply-adds, which have registers on narrower machines too


@intrinsic
def four_dots(typingctx: Any, source: Any, index: Any, t: Any, p: Any, out: Any) -> Any:
    """out[t + j] = source[index[t + j]] . p for j = 0..3, over the full blocks."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        one = ir.Constant(INT64, 1)
        rows, position = [], arguments[2]
        for _ in range(TOGETHER):
            row = builder.sext(
                builder.load(element_at(context, builder, kinds[1], arguments[1], position)),
                INT64,
            )
            rows.append(row_at(context, builder, kinds[0], arguments[0], row)[0])
            position = builder.add(position, one)
        direction, columns = row_at(context, builder, kinds[3], arguments[3], ir.Constant(INT64, 0))
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in rows]
        for total in sums:
            builder.store(ir.Constant(VECTOR, [0.0] * LANES), total)
        with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
            q = load_vector(builder, block_at(builder, direction, loop.index))
            for row, total in zip(rows, sums, strict=True):
                term = builder.fmul(
                    load_vector(builder, block_at(builder, row, loop.index)), q, flags=FAST
                )
                builder.store(builder.fadd(builder.load(total), term, flags=FAST), total)
        place = element_at(context, builder, kinds[4], arguments[4], arguments[2])
        found = sums_of_four(builder, [builder.load(total) for total in sums])
        builder.store(found, builder.bitcast(place, ir.VectorType(FLOAT, 4).as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(source, index, types.int64, p, out), codegen


def _add_rows(
    context: Any, builder: Any, signature: Any, arguments: Any, block: Any, width: int
) -> None:
    """out[block...] += sum over t of s[t] source[index[t], block...], for ``width`` blocks held
    in registers.
    """
    kinds = signature.args
    out, _ = row_at(context, builder, kinds[4], arguments[4], ir.Constant(INT64, 0))
    blocks = [builder.add(block, ir.Constant(INT64, j)) for j in range(width)]
    sums = [cgutils.alloca_once(builder, VECTOR) for _ in blocks]
    for total, at in zip(sums, blocks, strict=True):
        builder.store(load_vector(builder, block_at(builder, out, at)), total)
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
        for total, at in zip(sums, blocks, strict=True):
            term = builder.fmul(
                load_vector(builder, block_at(builder, start, at)), scale, flags=FAST
            )
            builder.store(builder.fadd(builder.load(total), term, flags=FAST), total)
    for total, at in zip(sums, blocks, strict=True):
        builder.store(builder.load(total), block_at(builder, out, at), align=4)


@intrinsic
def add_rows(typingctx: Any, source: Any, index: Any, n: Any, s: Any, out: Any) -> Any:
    """Add s[t] source[index[t]] for t < n to out, over the full blocks."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, columns = row_at(
            context, builder, signature.args[4], arguments[4], ir.Constant(INT64, 0)
        )
        blocks = count_blocks(builder, columns)
        wide = builder.udiv(blocks, ir.Constant(INT64, TOGETHER))
        with cgutils.for_range(builder, wide) as loop:
            first = builder.mul(loop.index, ir.Constant(INT64, TOGETHER))
            _add_rows(context, builder, signature, arguments, first, TOGETHER)
        done = builder.mul(wide, ir.Constant(INT64, TOGETHER))
        with cgutils.for_range(builder, builder.sub(blocks, done)) as loop:
            _add_rows(context, builder, signature, arguments, builder.add(done, loop.index), 1)
        return context.get_dummy_value()

    return types.void(source, index, types.int64, s, out), codegen


@intrinsic
def add_tile(typingctx: Any, matrix: Any, first: Any, end: Any, i: Any, j: Any, total: Any) -> Any:
    """Add matrix[k, i : i + 8]' matrix[k, j : j + 16], summed over first <= k < end, to total[i
    : i + 8, j : j + 16].
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix, first, end, i, j, total = arguments
        sums = [cgutils.alloca_once(builder, VECTOR) for _ in range(TILE_ROWS)]
        for held in sums:
            builder.store(ir.Constant(VECTOR, [0.0] * LANES), held)
        with cgutils.for_range(builder, builder.sub(end, first)) as loop:
            row, _ = row_at(
                context, builder, signature.args[0], matrix, builder.add(first, loop.index)
            )
            factors = builder.gep(row, [i])
            vector = load_vector(
                builder, builder.bitcast(builder.gep(row, [j]), VECTOR.as_pointer())
            )
            for n, held in enumerate(sums):
                factor = broadcast(
                    builder, builder.load(builder.gep(factors, [ir.Constant(INT64, n)]))
                )
                term = builder.fmul(factor, vector, flags=FAST)
                builder.store(builder.fadd(builder.load(held), term, flags=FAST), held)
        for n, held in enumerate(sums):
            out, _ = row_at(
                context, builder, signature.args[5], total, builder.add(i, ir.Constant(INT64, n))
            )
            place = builder.bitcast(builder.gep(out, [j]), VECTOR.as_pointer())
            builder.store(
                builder.fadd(load_vector(builder, place), builder.load(held), flags=FAST),
                place,
                align=4,
            )
        return context.get_dummy_value()

    n = types.int64
    return types.void(matrix, n, n, n, n, total), codegen
