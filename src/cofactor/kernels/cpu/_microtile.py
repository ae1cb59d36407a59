"""The innermost loop of a matrix product: one small tile of it, held in registers from its first
term to its last.

A tile is `ROWS` × `WIDE`. The left side comes as lines of `ROWS` floats, the right side as lines of
`WIDE`, a line for each term of the sums, one after the other in memory: a step reads three vectors,
and multiplies each with `ROWS` scalars that the multiply-add instruction takes from memory by
itself. That is 24 sums in registers where there are 32 vector registers, 12 where there are 16;
LLVM finds neither the tile nor its prefetch in a loop written in Python, so that it is emitted
here. (Kazushige Goto, Robert A. van de Geijn. 2008. Anatomy of High-Performance Matrix
Multiplication. ACM TOMS 34.)"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.simd import _FAST, _FLOAT, _INT32, _INT64, _prefetch


def _registers() -> tuple[int, int]:
    """Floats in a vector register of the machine that is compiled for, and how many such
    registers it has.
    """
    chosen = numba.config.CPU_FEATURES
    features = (llvm.get_host_cpu_features().flatten() if chosen is None else chosen).split(",")
    if "+avx512f" in features:
        return 16, 32
    if "+avx2" in features:
        return 8, 16
    return 4, 32 if llvm.get_process_triple().startswith(("aarch64", "arm64")) else 16


_LANES, _REGISTERS = _registers()
_VECTOR = ir.VectorType(_FLOAT, _LANES)
_VECTORS = 3
ROWS = 8 if _REGISTERS == 32 else 4
WIDE = _VECTORS * _LANES
UNIT = WIDE if WIDE % ROWS == 0 else 2 * WIDE  # what both divide


def _splat(builder: Any, scalar: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    seed = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(
        seed, undefined, ir.Constant(ir.VectorType(_INT32, _LANES), [0] * _LANES)
    )


def _vectors(builder: Any, start: Any) -> list[Any]:
    """Pointers to the vectors of a line of `WIDE` floats."""
    places = (builder.gep(start, [ir.Constant(_INT64, v * _LANES)]) for v in range(_VECTORS))
    return [builder.bitcast(place, _VECTOR.as_pointer()) for place in places]


def _line(context: Any, builder: Any, kind: Any, array: Any, line: Any) -> tuple[Any, Any]:
    """Pointer to a line of a C-contiguous matrix, and the length of its lines."""
    struct = context.make_array(kind)(context, builder, array)
    width = cgutils.unpack_tuple(builder, struct.shape, 2)[1]
    return builder.gep(struct.data, [builder.mul(line, width)]), width


@intrinsic
def add_tile(
    typingctx: Any,
    left: Any,
    left_line: Any,
    right: Any,
    right_line: Any,
    depth: Any,
    sums: Any,
    place: Any,
    sign: Any,
    also_place: Any,
    also_sign: Any,
    soon: Any,
    out: Any,
    row: Any,
    column: Any,
) -> Any:
    """Add ``sign`` times a tile's product to ``sums[place:place + ROWS]``, and to a second place
    alike unless its sign is 0.

    The product is ``sum over k < depth of left[left_line + k]' right[right_line + k]``, with lines
    of `ROWS` and `WIDE` floats; ``depth`` is a multiple of `ROWS`. The lines of ``left`` from
    ``soon`` on are asked for on the way, and the tile of ``out`` that begins at ``row`` and
    ``column``: both come next."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        a, b, one, other, soon = (
            _line(context, builder, kinds[array], arguments[array], arguments[line])[0]
            for array, line in ((0, 1), (2, 3), (5, 6), (5, 8), (0, 10))
        )
        out, width = _line(context, builder, kinds[11], arguments[11], arguments[12])
        out = builder.gep(out, [arguments[13]])
        held = _products(builder, a, b, arguments[4], soon, (out, width), (one, other))
        _add(builder, held, one, arguments[7])
        with builder.if_then(builder.fcmp_unordered("!=", arguments[9], ir.Constant(_FLOAT, 0.0))):
            _add(builder, held, other, arguments[9])
        return context.get_dummy_value()

    n, f = types.int64, types.float32
    return types.void(left, n, right, n, n, sums, n, f, n, f, n, out, n, n), codegen


def _products(
    builder: Any,
    a: Any,
    b: Any,
    depth: Any,
    soon: Any,
    out: tuple[Any, Any],
    places: tuple[Any, Any],
) -> list[list[Any]]:
    """The tile's sums. What comes next is asked for little by little, since all at once would
    hold up what is needed now.
    """
    zero = ir.Constant(_VECTOR, [0.0] * _LANES)
    held = [[cgutils.alloca_once(builder, _VECTOR) for _ in range(_VECTORS)] for _ in range(ROWS)]
    for line in held:
        for place in line:
            builder.store(zero, place)
    part = builder.udiv(depth, ir.Constant(_INT64, ROWS))
    with cgutils.for_range(builder, ir.Constant(_INT64, ROWS), intp=_INT64) as rows:
        for vector in _vectors(builder, builder.gep(out[0], [builder.mul(rows.index, out[1])])):
            _prefetch(builder, vector)
        with builder.if_then(
            builder.icmp_unsigned("==", rows.index, ir.Constant(_INT64, ROWS - 2))
        ):
            for start in places:
                for r in range(ROWS):
                    for vector in _vectors(
                        builder, builder.gep(start, [ir.Constant(_INT64, r * WIDE)])
                    ):
                        _prefetch(builder, vector)
        first = builder.mul(rows.index, part)
        with cgutils.for_range(builder, part, intp=_INT64) as loop:
            k = builder.add(first, loop.index)
            left = builder.gep(a, [builder.mul(k, ir.Constant(_INT64, ROWS))])
            right = builder.gep(b, [builder.mul(k, ir.Constant(_INT64, WIDE))])
            _prefetch(builder, builder.gep(soon, [builder.mul(k, ir.Constant(_INT64, ROWS))]))
            wide = [builder.load(vector, align=4) for vector in _vectors(builder, right)]
            for r in range(ROWS):
                scalar = _splat(
                    builder, builder.load(builder.gep(left, [ir.Constant(_INT64, r)]), align=4)
                )
                for place, vector in zip(held[r], wide, strict=True):
                    term = builder.fmul(scalar, vector, flags=_FAST)
                    builder.store(builder.fadd(builder.load(place), term, flags=_FAST), place)
    return [[builder.load(place) for place in line] for line in held]


def _add(builder: Any, held: list[list[Any]], start: Any, sign: Any) -> None:
    factor = _splat(builder, sign)
    for r, line in enumerate(held):
        for vector, place in zip(
            line,
            _vectors(builder, builder.gep(start, [ir.Constant(_INT64, r * WIDE)])),
            strict=True,
        ):
            scaled = builder.fmul(vector, factor, flags=_FAST)
            builder.store(
                builder.fadd(builder.load(place, align=4), scaled, flags=_FAST), place, align=4
            )
