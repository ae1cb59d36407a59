"""What the builders of vector code share: types, pointers into arrays, loads, sums.

``builder`` is llvmlite's `IRBuilder`, ``kind`` a Numba type, ``array`` an array as Numba passes it.
Blocks are 16 floats wide; LLVM splits them for machines with narrower registers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 16
CACHE_LINE = 64
TOGETHER = 4  # rows whose dots are taken together; vectors of the sum held in registers
FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
INT64 = ir.IntType(64)
INT32 = ir.IntType(32)


def row_at(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> tuple[Any, Any]:
    """Pointer to the first float of a row of a C-contiguous matrix, and the number of columns."""
    struct = context.make_array(kind)(context, builder, array)
    columns = cgutils.unpack_tuple(builder, struct.shape, kind.ndim)[-1]
    offset = builder.mul(row, columns) if kind.ndim == 2 else row
    return builder.gep(struct.data, [offset]), columns


def count_blocks(builder: Any, columns: Any) -> Any:
    """The number of full blocks in so many columns."""
    return builder.udiv(columns, ir.Constant(INT64, LANES))


def block_at(builder: Any, row: Any, block: Any) -> Any:
    """Pointer to a block of a row, as a vector."""
    pointer = builder.gep(row, [builder.mul(block, ir.Constant(INT64, LANES))])
    return builder.bitcast(pointer, VECTOR.as_pointer())


def load_vector(builder: Any, pointer: Any) -> Any:
    """A vector from an address that may lie anywhere."""
    return builder.load(pointer, align=4)


def broadcast(builder: Any, scalar: Any) -> Any:
    """A vector of one number, float or integer."""
    kind = ir.VectorType(scalar.type, LANES)
    seed = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(INT32, 0))
    zeros = ir.Constant(ir.VectorType(INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(seed, ir.Constant(kind, ir.Undefined), zeros)


def sum_over_blocks(builder: Any, columns: Any, term: Callable[[Any], tuple[Any, Any]]) -> Any:
    """Sum of a * b over the blocks, where ``term(block)`` gives the vectors a and b."""
    total = cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES))
    with cgutils.for_range(builder, count_blocks(builder, columns)) as loop:
        a, b = term(loop.index)
        builder.store(
            builder.fadd(builder.load(total), builder.fmul(a, b, flags=FAST), flags=FAST), total
        )
    return horizontal_sum(builder, builder.load(total))


def horizontal_sum(builder: Any, vector: Any) -> Any:
    """The sum of the numbers of a vector."""
    kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
    reduce = cgutils.get_or_insert_function(
        builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32"
    )
    return builder.call(reduce, [ir.Constant(FLOAT, 0.0), vector], fastmath=FAST)


def emit_prefetch(builder: Any, pointer: Any) -> None:
    """Ask for the cache line of a pointer, to be written."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, INT32, INT32, INT32])
    fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    one, three = ir.Constant(INT32, 1), ir.Constant(INT32, 3)
    builder.call(fetch, [builder.bitcast(pointer, byte), one, three, one])


def element_at(context: Any, builder: Any, kind: Any, array: Any, position: Any) -> Any:
    """Pointer to one element of a C-contiguous vector."""
    return builder.gep(context.make_array(kind)(context, builder, array).data, [position])


def shuffle(builder: Any, left: Any, right: Any, order: list[int]) -> Any:
    """Numbers of two vectors in a new order: those of the right one follow the left one's."""
    return builder.shuffle_vector(left, right, ir.Constant(ir.VectorType(INT32, len(order)), order))


def sums_of_four(builder: Any, four: list[Any]) -> Any:
    """The sums of four vectors of 16 floats, as one vector of four: fold each in half twice,
    then transpose and add.
    """
    for width in (8, 4):
        four = [
            builder.fadd(
                shuffle(builder, v, v, list(range(width))),
                shuffle(builder, v, v, list(range(width, 2 * width))),
                flags=FAST,
            )
            for v in four
        ]
    a, b, c, d = four
    ab, cd = (
        builder.fadd(
            shuffle(builder, x, y, [0, 4, 1, 5]),
            shuffle(builder, x, y, [2, 6, 3, 7]),
            flags=FAST,
        )
        for x, y in ((a, b), (c, d))
    )
    return builder.fadd(
        shuffle(builder, ab, cd, [0, 1, 4, 5]),
        shuffle(builder, ab, cd, [2, 3, 6, 7]),
        flags=FAST,
    )
