"""Vector code that counts the bits which sets of bits have in common, many pairs of sets at
once.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import INT32, INT64, LANES, VECTOR, Emitter, emitting, number

# sets whose words stand side by side: two vectors, and a panel of 8,000 users fits the L1 cache
PANEL = 32
# sets that each load of a panel serves: 8 rows of two vectors of sums are held in registers
ROWS_AT_ONCE = 8
_WORDS = ir.VectorType(INT32, LANES)
BITS = 32  # patterns that one mask tells of
_MANY = ir.VectorType(INT32, BITS)


@intrinsic
def add_common(typingctx, bits, panel, lane, other, first, end, out, row, column):
    """out[row + r, column + c] += the bits common to set ``lane + r`` of a panel and set c of
    another one.

    r < `ROWS_AT_ONCE`, c < `PANEL`; bits is uint32 [panels, words, PANEL], out float32, and only
    words in first..end count. The plain loop would keep its sums in memory: nothing tells LLVM that
    out isn't a part of bits."""

    def code(emit: Emitter) -> None:
        builder, step = emit.builder, number(PANEL)
        _, panel, lane, other, first, end, _, row, column = emit.arguments
        panel_size, n_columns = builder.mul(emit.shape(0)[1], step), emit.shape(6)[1]
        ours = emit.element(0, builder.add(builder.mul(panel, panel_size), lane))
        theirs = emit.element(0, builder.mul(other, panel_size))
        blocks = [number(block) for block in range(0, PANEL, LANES)]
        zero = ir.Constant(_WORDS, [0] * LANES)
        sums = [
            [cgutils.alloca_once_value(builder, zero) for _ in blocks] for _ in range(ROWS_AT_ONCE)
        ]
        with cgutils.for_range_slice(builder, first, end, number(1)) as (word, _):
            at = builder.mul(word, step)
            places = [builder.gep(theirs, [builder.add(at, block)]) for block in blocks]
            columns = [emit.load(builder.bitcast(place, _WORDS.as_pointer())) for place in places]
            for r, totals in enumerate(sums):
                own = emit.broadcast(emit.load(builder.gep(ours, [builder.add(at, number(r))])))
                for total, words in zip(totals, columns, strict=True):
                    common = emit.call(f"llvm.ctpop.v{LANES}i32", _WORDS, builder.and_(own, words))
                    builder.store(builder.add(builder.load(total), common), total)
        for r, totals in enumerate(sums):
            start = builder.add(builder.mul(builder.add(row, number(r)), n_columns), column)
            for total, block in zip(totals, blocks, strict=True):
                place = builder.bitcast(
                    emit.element(6, builder.add(start, block)), VECTOR.as_pointer()
                )
                more = builder.sitofp(builder.load(total), VECTOR)
                emit.store(builder.fadd(emit.load(place), more), place)

    n = types.int64
    return types.void(bits, n, n, n, n, n, out, n, n), emitting(code)


@intrinsic
def reached(typingctx, patterns, start, end, least):
    """Return a mask, uint64, of the patterns [start, end) that are at least so large; at most
    `BITS` of them.
    """

    def code(emit: Emitter) -> Any:
        builder, (_, start, end, least) = emit.builder, emit.arguments
        mask = cgutils.alloca_once_value(builder, number(0))
        whole = builder.icmp_signed("==", builder.sub(end, start), number(BITS))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                place = builder.bitcast(emit.element(0, start), _MANY.as_pointer())
                found = builder.icmp_signed(">=", emit.load(place), emit.broadcast(least, BITS))
                builder.store(builder.zext(builder.bitcast(found, ir.IntType(BITS)), INT64), mask)
            with otherwise, cgutils.for_range_slice(builder, start, end, number(1)) as (at, _):
                large = builder.icmp_signed(">=", emit.scalar(0, at), least)
                bit = builder.shl(builder.zext(large, INT64), builder.sub(at, start))
                builder.store(builder.or_(builder.load(mask), bit), mask)
        return builder.load(mask)

    return types.uint64(patterns, types.int64, types.int64, types.int32), emitting(code)


@intrinsic
def lowest_bit(typingctx, mask):
    """Return the number of the lowest bit that is set in a mask, uint64, which isn't zero."""

    def code(emit: Emitter) -> Any:
        return emit.builder.cttz(emit.arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), emitting(code)
