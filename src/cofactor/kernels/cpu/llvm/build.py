"""What the builders of vector code share: types, pointers into arrays, loads, sums.

Blocks are 16 floats wide; LLVM splits them for machines with narrower registers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 16
CACHE_LINE = 64
TOGETHER = 4  # rows whose dots are taken together; vectors of the sum held in registers
FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
FOUR = ir.VectorType(FLOAT, TOGETHER)
INT64 = ir.IntType(64)
INT32 = ir.IntType(32)
ZERO, ONE = (ir.Constant(VECTOR, [value] * LANES) for value in (0.0, 1.0))


def number(n: int) -> Any:
    """A constant, int64."""
    return ir.Constant(INT64, n)


FIRST = number(0)


class Emitter:
    """What emits the code of one call of an intrinsic.

    Parameters
    ----------
    context
        Numba's context of the target.
    builder
        llvmlite's `IRBuilder`; what has no method here is called on it.
    kinds
        The arguments' types, Numba's.
    arguments
        The arguments' values, as Numba passes them.
    """

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.context = context
        self.builder = builder
        self.kinds = kinds
        self.arguments = arguments

    def array(self, n: int) -> Any:
        """The structure of the array that argument n is."""
        return self.context.make_array(self.kinds[n])(self.context, self.builder, self.arguments[n])

    def shape(self, n: int) -> Any:
        """The lengths of an array."""
        return cgutils.unpack_tuple(self.builder, self.array(n).shape, self.kinds[n].ndim)

    def element(self, n: int, position: Any) -> Any:
        """Pointer to one element of a C-contiguous vector."""
        return self.builder.gep(self.array(n).data, [position])

    def scalar(self, n: int, position: Any) -> Any:
        """One element of a C-contiguous vector."""
        return self.builder.load(self.element(n, position))

    def row_number(self, n: int, position: Any) -> Any:
        """One element of a vector of int32, as int64."""
        return self.builder.sext(self.scalar(n, position), INT64)

    def row(self, n: int, row: Any = FIRST) -> Any:
        """Pointer to the first float of a row of a C-contiguous matrix; of a vector, to [row]."""
        offset = self.builder.mul(row, self.shape(n)[-1]) if self.kinds[n].ndim == 2 else row
        return self.element(n, offset)

    def blocks(self, n: int) -> Any:
        """The number of full blocks in a row of a matrix."""
        return self.builder.udiv(self.shape(n)[-1], number(LANES))

    def block(self, row: Any, block: Any) -> Any:
        """Pointer to a block of a row, as a vector."""
        return self.vector_at(row, self.builder.mul(block, number(LANES)))

    def vector_at(self, start: Any, offset: Any) -> Any:
        """Pointer to the 16 floats behind another pointer."""
        return self.builder.bitcast(self.builder.gep(start, [offset]), VECTOR.as_pointer())

    def load(self, pointer: Any) -> Any:
        """What stands at an address, which may lie anywhere."""
        return self.builder.load(pointer, align=4)

    def load_block(self, row: Any, block: Any) -> Any:
        """A block of a row."""
        return self.load(self.block(row, block))

    def store(self, value: Any, pointer: Any) -> None:
        """Write to an address, which may lie anywhere."""
        self.builder.store(value, pointer, align=4)

    def broadcast(self, scalar: Any, width: int = LANES) -> Any:
        """A vector of one number, float or integer."""
        nothing = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
        seed = self.builder.insert_element(nothing, scalar, ir.Constant(INT32, 0))
        return self.shuffle(seed, nothing, [0] * width)

    def shuffle(self, left: Any, right: Any, order: list[int]) -> Any:
        """Numbers of two vectors in a new order: those of the right one follow the left one's."""
        places = ir.Constant(ir.VectorType(INT32, len(order)), order)
        return self.builder.shuffle_vector(left, right, places)

    def times(self, left: Any, right: Any) -> Any:
        """A product."""
        return self.builder.fmul(left, right, flags=FAST)

    def plus(self, left: Any, right: Any) -> Any:
        """A sum."""
        return self.builder.fadd(left, right, flags=FAST)

    def minus(self, left: Any, right: Any) -> Any:
        """A difference."""
        return self.builder.fsub(left, right, flags=FAST)

    def totals(self, count: int) -> list[Any]:
        """So many vectors, zero here, that are added to in loops."""
        return [cgutils.alloca_once_value(self.builder, ZERO) for _ in range(count)]

    def add_to(self, total: Any, term: Any) -> None:
        """Add a vector to one that changes."""
        self.builder.store(self.plus(self.builder.load(total), term), total)

    def loop(self, count: Any) -> AbstractContextManager[Any]:
        """Emit a loop over ``loop.index``, from 0 up to ``count``."""
        return cgutils.for_range(self.builder, count)

    def each(self, blocks: Any, some: Callable[[Any], None]) -> None:
        """Emit ``some(block)`` for so many blocks: a loop, or one after the other for a range."""
        if isinstance(blocks, range):
            for block in blocks:
                some(number(block))
        else:
            with self.loop(blocks) as loop:
                some(loop.index)

    def each_block(self, n: int, some: Callable[[Any], None]) -> None:
        """Emit code for each block of an array's rows, unrolled where these are short."""
        self.for_few_or_many(self.blocks(n), lambda blocks: self.each(blocks, some))

    def for_few_or_many(self, blocks: Any, some: Callable[[Any], None]) -> None:
        """Emit ``some(blocks)`` twice: for a range of four blocks, 64 factors, which registers
        hold, and for any other number of them.
        """
        four = self.builder.icmp_unsigned("==", blocks, number(TOGETHER))
        with self.builder.if_else(four, likely=True) as (then, otherwise):
            with then:
                some(range(TOGETHER))
            with otherwise:
                some(blocks)

    def call(self, name: str, result: Any, *values: Any, **how: Any) -> Any:
        """Call one of LLVM's own functions."""
        kind = ir.FunctionType(result, [value.type for value in values])
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values, **how)

    def sum(self, total: Any) -> Any:
        """The sum of the numbers of a vector that changes."""
        vector = self.builder.load(total)
        name = f"llvm.vector.reduce.fadd.v{vector.type.count}f32"
        return self.call(name, FLOAT, ir.Constant(FLOAT, 0.0), vector, fastmath=FAST)

    def prefetch(self, pointer: Any, *, write: bool = True) -> None:
        """Ask for the cache line of a pointer: to be written soon, or to be read later, into the
        second-level cache.
        """
        byte = self.builder.bitcast(pointer, ir.IntType(8).as_pointer())
        how = [ir.Constant(INT32, n) for n in ((1, 3, 1) if write else (0, 2, 1))]
        self.call("llvm.prefetch.p0i8", ir.VoidType(), byte, *how)

    def sum_over_blocks(self, n: int, term: Callable[[Any], tuple[Any, Any]]) -> Any:
        """Sum of a * b over the blocks of a row of argument n, where ``term(block)`` gives the
        vectors a and b.
        """
        (total,) = self.totals(1)
        with self.loop(self.blocks(n)) as loop:
            self.add_to(total, self.times(*term(loop.index)))
        return self.sum(total)

    def dots_of_four(self, rows: list[Any], other: Any, blocks: Any) -> Any:
        """The dot products of four rows with another one, as one vector of four."""
        totals = self.totals(TOGETHER)

        def some(block: Any) -> None:
            factor = self.load_block(other, block)
            for row, total in zip(rows, totals, strict=True):
                self.add_to(total, self.times(self.load_block(row, block), factor))

        self.each(blocks, some)
        return self.sums_of_four(map(self.builder.load, totals))

    def sums_of_four(self, vectors: Iterable[Any]) -> Any:
        """The sums of four vectors of 16 floats, as one vector of four: transpose and add within
        quarters, then fold in half twice.
        """

        def folded(left: Any, right: Any, ones: list[int], others: list[int]) -> Any:
            return self.plus(self.shuffle(left, right, ones), self.shuffle(left, right, others))

        def quarters(*order: int) -> list[int]:
            """An order within four numbers, for those of each quarter; from 16 on: the right."""
            return [quarter + n for quarter in range(0, LANES, TOGETHER) for n in order]

        a, b, c, d = vectors
        ones, others = quarters(0, LANES, 1, LANES + 1), quarters(2, LANES + 2, 3, LANES + 3)
        ab, cd = folded(a, b, ones, others), folded(c, d, ones, others)
        four = folded(
            ab, cd, quarters(0, 1, LANES, LANES + 1), quarters(2, 3, LANES + 2, LANES + 3)
        )
        for width in (8, 4):
            four = folded(four, four, list(range(width)), list(range(width, 2 * width)))
        return four

    def in_groups(self, blocks: Any, some: Callable[[Any, int], None]) -> None:
        """Emit ``some(first, count)`` for `TOGETHER` blocks at a time, and for single ones behind
        them.
        """
        builder, size = self.builder, number(TOGETHER)
        wide = builder.udiv(blocks, size)
        with self.loop(wide) as loop:
            some(builder.mul(loop.index, size), TOGETHER)
        done = builder.mul(wide, size)
        with self.loop(builder.sub(blocks, done)) as loop:
            some(builder.add(done, loop.index), 1)

    def add_weighted_rows(self, totals: list[Any], places: list[Any]) -> None:
        """Add sum over t < n of s[t] source[index[t], place] to each total; the arguments begin
        with source, index, n, s.
        """
        with self.loop(self.arguments[2]) as loop:
            start = self.row(0, self.row_number(1, loop.index))
            scale = self.broadcast(self.scalar(3, loop.index))
            for total, block in zip(totals, places, strict=True):
                self.add_to(total, self.times(self.load_block(start, block), scale))


def emitting(code: Callable[[Emitter], Any]) -> Callable[..., Any]:
    """Return what Numba calls to emit an intrinsic's code; ``code`` returns its value, or None."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = code(Emitter(context, builder, signature.args, arguments))
        return context.get_dummy_value() if value is None else value

    return codegen
