"""Vector code that counts the bits which sets of bits have in common, many pairs of sets at
once.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import INT32, INT64, LANES, VECTOR, broadcast

# sets whose words stand side by side: two vectors, and a panel of 8,000 users fits the L1 cache
PANEL = 32
ROWS_AT_ONCE = (
    8  # sets that each load of a panel serves: 8 rows of two vectors of sums are held in registers
)
_WORDS = ir.VectorType(INT32, LANES)
BITS = 32  # patterns that one mask tells of
_MANY = ir.VectorType(INT32, BITS)


def _number(n: int) -> Any:
    return ir.Constant(INT64, n)


@intrinsic
def add_common(
    typingctx: Any,
    bits: Any,
    panel: Any,
    lane: Any,
    other: Any,
    first: Any,
    end: Any,
    out: Any,
    row: Any,
    column: Any,
) -> Any:
    """out[row + r, column + c] += the bits common to set ``lane + r`` of a panel and set c of
    another one.

    r < `ROWS_AT_ONCE`, c < `PANEL`; bits is uint32 [panels, words, PANEL], out float32, and only
    words in first..end count. The plain loop would keep its sums in memory: nothing tells LLVM that
    out isn't a part of bits."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, panel, lane, other, first, end, _, row, column = arguments
        sets = context.make_array(signature.args[0])(context, builder, arguments[0])
        target = context.make_array(signature.args[6])(context, builder, arguments[6])
        panel_size = builder.mul(cgutils.unpack_tuple(builder, sets.shape, 3)[1], _number(PANEL))
        n_columns = cgutils.unpack_tuple(builder, target.shape, 2)[1]
        ours = builder.gep(sets.data, [builder.add(builder.mul(panel, panel_size), lane)])
        theirs = builder.gep(sets.data, [builder.mul(other, panel_size)])
        blocks = range(0, PANEL, LANES)
        sums = [
            [cgutils.alloca_once_value(builder, ir.Constant(_WORDS, [0] * LANES)) for _ in blocks]
            for _ in range(ROWS_AT_ONCE)
        ]
        count = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORDS, [_WORDS]), f"llvm.ctpop.v{LANES}i32"
        )
        with cgutils.for_range_slice(builder, first, end, _number(1)) as (word, _):
            at = builder.mul(word, _number(PANEL))
            places = [builder.gep(theirs, [builder.add(at, _number(block))]) for block in blocks]
            columns = [
                builder.load(builder.bitcast(place, _WORDS.as_pointer()), align=4)
                for place in places
            ]
            for r, totals in enumerate(sums):
                own = broadcast(
                    builder, builder.load(builder.gep(ours, [builder.add(at, _number(r))]), align=4)
                )
                for total, words in zip(totals, columns, strict=True):
                    common = builder.call(count, [builder.and_(own, words)])
                    builder.store(builder.add(builder.load(total), common), total)
        for r, totals in enumerate(sums):
            start = builder.add(builder.mul(builder.add(row, _number(r)), n_columns), column)
            for total, block in zip(totals, blocks, strict=True):
                place = builder.bitcast(
                    builder.gep(target.data, [builder.add(start, _number(block))]),
                    VECTOR.as_pointer(),
                )
                more = builder.sitofp(builder.load(total), VECTOR)
                builder.store(builder.fadd(builder.load(place, align=4), more), place, align=4)
        return context.get_dummy_value()

    n = types.int64
    return types.void(bits, n, n, n, n, n, out, n, n), codegen


@intrinsic
def reached(typingctx: Any, patterns: Any, start: Any, end: Any, least: Any) -> Any:
    """Return a mask, uint64, of the patterns [start, end) that are at least so large; at most
    `BITS` of them.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, start, end, least = arguments
        data = context.make_array(signature.args[0])(context, builder, array).data
        mask = cgutils.alloca_once_value(builder, _number(0))
        whole = builder.icmp_signed("==", builder.sub(end, start), _number(BITS))
        with builder.if_else(whole) as (then, otherwise):
            with then:
                place = builder.bitcast(builder.gep(data, [start]), _MANY.as_pointer())
                undefined = ir.Constant(_MANY, ir.Undefined)
                seed = builder.insert_element(undefined, least, ir.Constant(INT32, 0))
                bound = builder.shuffle_vector(seed, undefined, ir.Constant(_MANY, [0] * BITS))
                found = builder.icmp_signed(">=", builder.load(place, align=4), bound)
                builder.store(builder.zext(builder.bitcast(found, ir.IntType(BITS)), INT64), mask)
            with otherwise, cgutils.for_range_slice(builder, start, end, _number(1)) as (at, _):
                one = builder.zext(
                    builder.icmp_signed(">=", builder.load(builder.gep(data, [at])), least), INT64
                )
                builder.store(
                    builder.or_(builder.load(mask), builder.shl(one, builder.sub(at, start))), mask
                )
        return builder.load(mask)

    return types.uint64(patterns, types.int64, types.int64, types.int32), codegen


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """Return the number of the lowest bit that is set in a mask, uint64, which isn't zero."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen
