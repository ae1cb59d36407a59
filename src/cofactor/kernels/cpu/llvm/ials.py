"""Vector code for the inner loops of implicit ALS: dot products with many rows, weighted sums of
many rows, Gram matrices.

Numba can't promise LLVM that rows of one matrix don't overlap, so plain loops are guarded by
run-time checks and keep their sums in memory. These keep them in registers, over the full blocks of
16 factors; `llvm.rows.tail_start` tells where the caller's scalar loop takes over.
"""

from __future__ import annotations

from typing import Any

from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import FOUR, LANES, TOGETHER, Emitter, emitting, number

# of a product: eight chains of multiply-adds, which have registers on narrower machines too
TILE_ROWS, TILE_COLUMNS = 8, LANES


@intrinsic
def four_dots(typingctx, source, index, t, p, out):
    """out[t + j] = source[index[t + j]] . p for j = 0..3, over the full blocks."""

    def code(emit: Emitter) -> None:
        builder, t = emit.builder, emit.arguments[2]
        places = [builder.add(t, number(j)) for j in range(TOGETHER)]
        rows = [emit.row(0, emit.row_number(1, at)) for at in places]
        found = emit.dots_of_four(rows, emit.row(3), emit.blocks(3))
        emit.store(found, builder.bitcast(emit.element(4, t), FOUR.as_pointer()))

    return types.void(source, index, types.int64, p, out), emitting(code)


@intrinsic
def add_rows(typingctx, source, index, n, s, out):
    """Add s[t] source[index[t]] for t < n to out, over the full blocks."""

    def code(emit: Emitter) -> None:
        builder = emit.builder

        def some(first: Any, width: int) -> None:
            """Of so many blocks, held in registers."""
            blocks = [builder.add(first, number(j)) for j in range(width)]
            places = [emit.block(emit.row(4), block) for block in blocks]
            sums = [cgutils.alloca_once_value(builder, emit.load(place)) for place in places]
            emit.add_weighted_rows(sums, blocks)
            for total, place in zip(sums, places, strict=True):
                emit.store(builder.load(total), place)

        emit.in_groups(emit.blocks(4), some)

    return types.void(source, index, types.int64, s, out), emitting(code)


@intrinsic
def add_tile(typingctx, matrix, first, end, i, j, total):
    """Add matrix[k, i : i + 8]' matrix[k, j : j + 16], summed over first <= k < end, to total[i
    : i + 8, j : j + 16].
    """

    def code(emit: Emitter) -> None:
        builder = emit.builder
        _, first, end, i, j, _ = emit.arguments
        sums = emit.totals(TILE_ROWS)
        with emit.loop(builder.sub(end, first)) as loop:
            row = emit.row(0, builder.add(first, loop.index))
            factors, vector = builder.gep(row, [i]), emit.load(emit.vector_at(row, j))
            for n, held in enumerate(sums):
                factor = emit.broadcast(builder.load(builder.gep(factors, [number(n)])))
                emit.add_to(held, emit.times(factor, vector))
        for n, held in enumerate(sums):
            place = emit.vector_at(emit.row(5, builder.add(i, number(n))), j)
            emit.store(emit.plus(emit.load(place), builder.load(held)), place)

    n = types.int64
    return types.void(matrix, n, n, n, n, total), emitting(code)


@intrinsic
def turn_tile(typingctx, matrix, row, last, panels, panel, found, at):
    """found[at + n, 16 panel : 16 panel + 16] = matrix[row + n] panels[panel], for n < 8.

    ``panels`` is float32 [panels, columns of ``matrix``, 16]. Behind row ``last`` nothing is read:
    that one is taken again, and written where it was."""

    def code(emit: Emitter) -> None:
        builder = emit.builder
        _, row, last, _, panel, _, at = emit.arguments
        rows, places = [], []
        left = builder.sub(last, row)
        for n in range(TILE_ROWS):
            step = number(n)
            if n:
                step = builder.select(builder.icmp_signed("<", step, left), step, left)
            rows.append(emit.row(0, builder.add(row, step)))
            line = emit.row(5, builder.add(at, step))
            places.append(emit.block(line, panel))
        depth = emit.shape(3)[1]
        start = emit.element(3, builder.mul(panel, builder.mul(depth, number(TILE_COLUMNS))))
        sums = emit.totals(TILE_ROWS)
        with emit.loop(depth) as loop:
            vector = emit.load_block(start, loop.index)
            for line, held in zip(rows, sums, strict=True):
                factor = emit.broadcast(builder.load(builder.gep(line, [loop.index])))
                emit.add_to(held, emit.times(factor, vector))
        for place, held in zip(places, sums, strict=True):
            emit.store(builder.load(held), place)

    n = types.int64
    return types.void(matrix, n, n, panels, n, found, n), emitting(code)
