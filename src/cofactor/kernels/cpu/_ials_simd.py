"""Vector code for the inner loops of implicit ALS: dot products with many rows, weighted sums of
many rows, Gram matrices.

Numba can't promise LLVM that rows of one matrix don't overlap, so plain loops are guarded by
run-time checks and keep their sums in memory. These keep them in registers, over the full blocks of
16 factors; `cofactor.kernels.cpu.simd.tail_start` tells where the caller's scalar loop takes over.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.simd import (
    _FAST,
    _FLOAT,
    _INT32,
    _INT64,
    _LANES,
    _VECTOR,
    _at,
    _blocks,
    _load,
    _row,
    _splat,
)

TILE_ROWS, TILE_COLUMNS = (
    8,
    _LANES,
)  # of a product: eight chains of multiply-adds, which have registers on narrower machines too
_TOGETHER = 4  # rows whose dots are taken together; vectors of the sum held in registers


def _element(context: Any, builder: Any, kind: Any, array: Any, position: Any) -> Any:
    """Pointer to one element of a C-contiguous vector."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [position])


def _lanes(builder: Any, left: Any, right: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(
        left, right, ir.Constant(ir.VectorType(_INT32, len(order)), order)
    )


def _sums_of_four(builder: Any, four: list[Any]) -> Any:
    """The sums of four vectors of 16 floats, as one vector of four: fold each in half twice,
    then transpose and add.
    """
    for width in (8, 4):
        four = [
            builder.fadd(
                _lanes(builder, v, v, list(range(width))),
                _lanes(builder, v, v, list(range(width, 2 * width))),
                flags=_FAST,
            )
            for v in four
        ]
    a, b, c, d = four
    ab, cd = (
        builder.fadd(
            _lanes(builder, x, y, [0, 4, 1, 5]), _lanes(builder, x, y, [2, 6, 3, 7]), flags=_FAST
        )
        for x, y in ((a, b), (c, d))
    )
    return builder.fadd(
        _lanes(builder, ab, cd, [0, 1, 4, 5]), _lanes(builder, ab, cd, [2, 3, 6, 7]), flags=_FAST
    )


@intrinsic
def four_dots(typingctx: Any, source: Any, index: Any, t: Any, p: Any, out: Any) -> Any:
    """out[t + j] = source[index[t + j]] . p for j = 0..3, over the full blocks."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        one = ir.Constant(_INT64, 1)
        rows, position = [], arguments[2]
        for _ in range(_TOGETHER):
            row = builder.sext(
                builder.load(_element(context, builder, kinds[1], arguments[1], position)), _INT64
            )
            rows.append(_row(context, builder, kinds[0], arguments[0], row)[0])
            position = builder.add(position, one)
        direction, columns = _row(context, builder, kinds[3], arguments[3], ir.Constant(_INT64, 0))
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in rows]
        for total in sums:
            builder.store(ir.Constant(_VECTOR, [0.0] * _LANES), total)
        with cgutils.for_range(builder, _blocks(builder, columns)) as loop:
            q = _load(builder, _at(builder, direction, loop.index))
            for row, total in zip(rows, sums, strict=True):
                term = builder.fmul(_load(builder, _at(builder, row, loop.index)), q, flags=_FAST)
                builder.store(builder.fadd(builder.load(total), term, flags=_FAST), total)
        place = _element(context, builder, kinds[4], arguments[4], arguments[2])
        found = _sums_of_four(builder, [builder.load(total) for total in sums])
        builder.store(found, builder.bitcast(place, ir.VectorType(_FLOAT, 4).as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(source, index, types.int64, p, out), codegen


def _add_rows(
    context: Any, builder: Any, signature: Any, arguments: Any, block: Any, width: int
) -> None:
    """out[block...] += sum over t of s[t] source[index[t], block...], for ``width`` blocks held
    in registers.
    """
    kinds = signature.args
    out, _ = _row(context, builder, kinds[4], arguments[4], ir.Constant(_INT64, 0))
    blocks = [builder.add(block, ir.Constant(_INT64, j)) for j in range(width)]
    sums = [cgutils.alloca_once(builder, _VECTOR) for _ in blocks]
    for total, at in zip(sums, blocks, strict=True):
        builder.store(_load(builder, _at(builder, out, at)), total)
    with cgutils.for_range(builder, arguments[2]) as loop:
        row = builder.sext(
            builder.load(_element(context, builder, kinds[1], arguments[1], loop.index)), _INT64
        )
        start, _ = _row(context, builder, kinds[0], arguments[0], row)
        scale = _splat(
            builder, builder.load(_element(context, builder, kinds[3], arguments[3], loop.index))
        )
        for total, at in zip(sums, blocks, strict=True):
            term = builder.fmul(_load(builder, _at(builder, start, at)), scale, flags=_FAST)
            builder.store(builder.fadd(builder.load(total), term, flags=_FAST), total)
    for total, at in zip(sums, blocks, strict=True):
        builder.store(builder.load(total), _at(builder, out, at), align=4)


@intrinsic
def add_rows(typingctx: Any, source: Any, index: Any, n: Any, s: Any, out: Any) -> Any:
    """Add s[t] source[index[t]] for t < n to out, over the full blocks."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, columns = _row(context, builder, signature.args[4], arguments[4], ir.Constant(_INT64, 0))
        blocks = _blocks(builder, columns)
        wide = builder.udiv(blocks, ir.Constant(_INT64, _TOGETHER))
        with cgutils.for_range(builder, wide) as loop:
            first = builder.mul(loop.index, ir.Constant(_INT64, _TOGETHER))
            _add_rows(context, builder, signature, arguments, first, _TOGETHER)
        done = builder.mul(wide, ir.Constant(_INT64, _TOGETHER))
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
        sums = [cgutils.alloca_once(builder, _VECTOR) for _ in range(TILE_ROWS)]
        for held in sums:
            builder.store(ir.Constant(_VECTOR, [0.0] * _LANES), held)
        with cgutils.for_range(builder, builder.sub(end, first)) as loop:
            row, _ = _row(
                context, builder, signature.args[0], matrix, builder.add(first, loop.index)
            )
            factors = builder.gep(row, [i])
            vector = _load(builder, builder.bitcast(builder.gep(row, [j]), _VECTOR.as_pointer()))
            for n, held in enumerate(sums):
                factor = _splat(
                    builder, builder.load(builder.gep(factors, [ir.Constant(_INT64, n)]))
                )
                term = builder.fmul(factor, vector, flags=_FAST)
                builder.store(builder.fadd(builder.load(held), term, flags=_FAST), held)
        for n, held in enumerate(sums):
            out, _ = _row(
                context, builder, signature.args[5], total, builder.add(i, ir.Constant(_INT64, n))
            )
            place = builder.bitcast(builder.gep(out, [j]), _VECTOR.as_pointer())
            builder.store(
                builder.fadd(_load(builder, place), builder.load(held), flags=_FAST), place, align=4
            )
        return context.get_dummy_value()

    n = types.int64
    return types.void(matrix, n, n, n, n, total), codegen
