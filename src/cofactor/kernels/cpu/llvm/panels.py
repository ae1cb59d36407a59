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

from cofactor.kernels.cpu.llvm.build import FAST, FLOAT, INT32, INT64, LANES, VECTOR, broadcast

WIDTH = 64  # items of a panel: as many as a mask has bits


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
        element = ir.IntType(8) if small else FLOAT
        groups = WIDTH // LANES
        totals = [
            cgutils.alloca_once_value(builder, ir.Constant(VECTOR, [0.0] * LANES))
            for _ in range(groups)
        ]
        with cgutils.for_range(builder, factors, intp=INT64) as loop:
            line = builder.mul(builder.add(first_line, loop.index), ir.Constant(INT64, WIDTH))
            factor = broadcast(builder, builder.load(builder.gep(pointers[3], [loop.index])))
            for group, total in enumerate(totals):
                at = builder.gep(
                    pointers[0], [builder.add(line, ir.Constant(INT64, group * LANES))]
                )
                part = builder.load(
                    builder.bitcast(at, ir.VectorType(element, LANES).as_pointer()),
                    align=element_bytes(small),
                )
                if small:
                    part = builder.sitofp(builder.sext(part, ir.VectorType(INT32, LANES)), VECTOR)
                product = builder.fmul(factor, part, flags=FAST)
                builder.store(builder.fadd(builder.load(total), product, flags=FAST), total)
        far, wanted = broadcast(builder, arguments[8]), broadcast(builder, arguments[9])
        mask = ir.Constant(INT64, 0)
        for group, total in enumerate(totals):
            here = builder.add(item_row, ir.Constant(INT64, group * LANES))
            scaled, above, wide = (_loaded(builder, pointers[place], here) for place in (4, 5, 6))
            upper = builder.fadd(
                builder.fmul(builder.load(total), scaled),
                builder.fadd(above, builder.fmul(far, wide)),
            )
            bits = builder.bitcast(builder.fcmp_ordered(">=", upper, wanted), ir.IntType(LANES))
            shifted = builder.shl(builder.zext(bits, INT64), ir.Constant(INT64, group * LANES))
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


def element_bytes(small: bool) -> int:
    """Bytes of a panel's element."""
    return 1 if small else 4


def _loaded(builder: Any, pointer: Any, at: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(pointer, [at]), VECTOR.as_pointer()), align=4)
