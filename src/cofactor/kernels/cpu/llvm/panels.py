"""One user against a panel of 64 items: the arithmetic of `topk_prepared`, in vector instructions.

A panel holds 64 items side by side, one line a factor, so that a factor of the user is multiplied
with 16 items by one instruction and nothing has to be summed across a register. Numba can't promise
LLVM that its arrays don't overlap, and the sums have to stay in registers, so the loop is emitted
here."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import (
    FLOAT,
    INT32,
    INT64,
    LANES,
    VECTOR,
    Emitter,
    emitting,
    number,
)

WIDTH = 64  # items of a panel: as many as a mask has bits


@intrinsic
def reaching(typingctx, lines, first, count, x, scale, offset, slack, item, length, gate):
    """Which items of a panel may reach a score: bit j of the uint64 stands for item ``item + j``.

    Set where ``scale[i] sum_d x[d] lines[first + d, j] + offset[i] + length slack[i] >= gate`` with
    ``i = item + j``, over ``count`` factors d. ``lines`` is int8 or float32 [., 64]; NaN reaches
    nothing."""

    def code(emit: Emitter) -> Any:
        builder, groups = emit.builder, [number(at) for at in range(0, WIDTH, LANES)]
        small = lines.dtype == types.int8
        kind = ir.VectorType(ir.IntType(8) if small else FLOAT, LANES)
        totals = emit.totals(len(groups))
        with emit.loop(emit.arguments[2]) as loop:
            line = builder.mul(builder.add(emit.arguments[1], loop.index), number(WIDTH))
            factor = emit.broadcast(emit.scalar(3, loop.index))
            for group, total in zip(groups, totals, strict=True):
                at = builder.bitcast(emit.element(0, builder.add(line, group)), kind.as_pointer())
                part = builder.load(at, align=1 if small else 4)
                if small:
                    part = builder.sitofp(builder.sext(part, ir.VectorType(INT32, LANES)), VECTOR)
                emit.add_to(total, emit.times(factor, part))
        far, wanted = map(emit.broadcast, emit.arguments[8:])
        mask = number(0)
        for group, total in zip(groups, totals, strict=True):
            here = builder.add(emit.arguments[7], group)
            scale, offset, slack = (
                emit.load(builder.bitcast(emit.element(n, here), VECTOR.as_pointer()))
                for n in (4, 5, 6)
            )
            upper = builder.fadd(
                builder.fmul(builder.load(total), scale),
                builder.fadd(offset, builder.fmul(far, slack)),
            )
            bits = builder.bitcast(builder.fcmp_ordered(">=", upper, wanted), ir.IntType(LANES))
            mask = builder.or_(mask, builder.shl(builder.zext(bits, INT64), group))
        return mask

    n, f = types.int64, types.float32
    return types.uint64(lines, n, n, x, scale, offset, slack, n, f, f), emitting(code)
