"""One user against a panel of 64 items: the arithmetic of `topk_prepared`, in vector instructions.

A panel holds 64 items side by side, one line a factor, so that a factor of the user is multiplied
with 16 items by one instruction and nothing has to be summed across a register. Numba can't promise
LLVM that its arrays don't overlap, and the sums have to stay in registers, so the loop is emitted
here."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

LANES = 16
WIDTH = 64  # items of a panel: as many as a mask has bits
_FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
_FLOAT, _INT32, _INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, LANES)


@intrinsic
def reaching(
    typingctx: Any,
    lines: Any,
    first: Any,
    count: Any,
    x: Any,
    scale: Any,
    offset: Any,
    slack: Any,
    item: Any,
    length: Any,
    gate: Any,
) -> Any:
    """Which items of a panel may reach a score: bit j of the uint64 stands for item ``item + j``.

    Set where ``scale[i] sum_d x[d] lines[first + d, j] + offset[i] + length slack[i] >= gate`` with
    ``i = item + j``, over ``count`` factors d. ``lines`` is int8 or float32 [., 64]; NaN reaches
    nothing."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = {}
        for place in (0, 3, 4, 5, 6):
            pointers[place] = context.make_array(signature.args[place])(
                context, builder, arguments[place]
            ).data
        first_line, factors, item_row = arguments[1], arguments[2], arguments[7]
        small = signature.args[0].dtype == types.int8
        element = ir.IntType(8) if small else _FLOAT
        groups = WIDTH // LANES
        totals = [
            cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * LANES))
            for _ in range(groups)
        ]
        with cgutils.for_range(builder, factors, intp=_INT64) as loop:
            line = builder.mul(builder.add(first_line, loop.index), ir.Constant(_INT64, WIDTH))
            factor = _splat(builder, builder.load(builder.gep(pointers[3], [loop.index])))
            for group, total in enumerate(totals):
                at = builder.gep(
                    pointers[0], [builder.add(line, ir.Constant(_INT64, group * LANES))]
                )
                part = builder.load(
                    builder.bitcast(at, ir.VectorType(element, LANES).as_pointer()),
                    align=element_bytes(small),
                )
                if small:
                    part = builder.sitofp(builder.sext(part, ir.VectorType(_INT32, LANES)), _VECTOR)
                product = builder.fmul(factor, part, flags=_FAST)
                builder.store(builder.fadd(builder.load(total), product, flags=_FAST), total)
        far, wanted = _splat(builder, arguments[8]), _splat(builder, arguments[9])
        mask = ir.Constant(_INT64, 0)
        for group, total in enumerate(totals):
            here = builder.add(item_row, ir.Constant(_INT64, group * LANES))
            scaled, above, wide = (_loaded(builder, pointers[place], here) for place in (4, 5, 6))
            upper = builder.fadd(
                builder.fmul(builder.load(total), scaled),
                builder.fadd(above, builder.fmul(far, wide)),
            )
            bits = builder.bitcast(builder.fcmp_ordered(">=", upper, wanted), ir.IntType(LANES))
            shifted = builder.shl(builder.zext(bits, _INT64), ir.Constant(_INT64, group * LANES))
            mask = builder.or_(mask, shifted)
        return mask

    return (
        types.uint64(
            lines,
            types.int64,
            types.int64,
            x,
            scale,
            offset,
            slack,
            types.int64,
            types.float32,
            types.float32,
        ),
        codegen,
    )


@intrinsic
def lowest_bit(typingctx: Any, mask: Any) -> Any:
    """The place of the lowest bit that is set; of none, 64."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


def element_bytes(small: bool) -> int:
    """Bytes of a panel's element."""
    return 1 if small else 4


def _splat(builder: Any, scalar: Any) -> Any:
    seed = builder.insert_element(
        ir.Constant(_VECTOR, ir.Undefined), scalar, ir.Constant(_INT32, 0)
    )
    zeros = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(seed, ir.Constant(_VECTOR, ir.Undefined), zeros)


def _loaded(builder: Any, pointer: Any, at: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(pointer, [at]), _VECTOR.as_pointer()), align=4)
