"""Vector code of a conjugate gradient step for one row of implicit ALS (see `ials_cg` for the
letters).

Half of a sparse side's rows hold fewer than fifteen interactions: with 64 factors the multiply-adds
of a step are then a tenth of a microsecond, and calls, checks for overlap and scalar ends of loops
would take twice that. So what is read of a row's factors is used while it is in registers, and no
loop has an end of its own: a group of four rows that isn't full repeats its last row with weight
zero.

The number of factors is a multiple of 16. ``work`` is float32 [5, factors]; its rows are r, p, D, M
and q."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from cofactor.kernels.cpu.llvm.build import (
    FAST,
    FOUR,
    INT32,
    INT64,
    LANES,
    ONE,
    TOGETHER,
    ZERO,
    Emitter,
    emitting,
    number,
)

R, P, D, M, Q = range(5)  # rows of ``work``
_LONGS = ir.VectorType(INT64, TOGETHER)


def _load_below(emit: Emitter, n: int, first: Any, end: Any) -> Any:
    """Four floats of argument n from a place on; zero behind the end, where nothing is read."""
    builder = emit.builder
    places = builder.add(
        emit.broadcast(first, TOGETHER), ir.Constant(_LONGS, list(range(TOGETHER)))
    )
    mask = builder.icmp_signed("<", places, emit.broadcast(end, TOGETHER))
    pointer = builder.bitcast(emit.element(n, first), FOUR.as_pointer())
    zeros = ir.Constant(FOUR, [0.0] * TOGETHER)
    name = "llvm.masked.load.v4f32.p0v4f32"
    return emit.call(name, FOUR, pointer, ir.Constant(INT32, 4), mask, zeros)


class _Four(NamedTuple):
    """Four of a row's interactions."""

    vectors: list[Any]  # pointers to the other side's
    weights: Any  # a vector of four


def _fours(emit: Emitter, blocks: Any, soon: Any, some: Callable[[_Four], None]) -> None:
    """Emit ``some`` for four of a row's interactions at a time; the arguments begin with source,
    indices, weights, first, n. The vectors of the interactions from ``soon`` on are asked for, if
    it isn't negative; None: they aren't.
    """
    builder, four = emit.builder, number(TOGETHER)
    first, n = emit.arguments[3:5]
    last = builder.sub(n, number(1))
    with emit.loop(builder.udiv(builder.add(n, number(TOGETHER - 1)), four)) as group:
        t = builder.mul(group.index, four)
        places = [t]
        for j in range(1, TOGETHER):
            at = builder.add(t, number(j))
            places.append(builder.select(builder.icmp_signed("<", at, last), at, last))

        def vectors(start: Any) -> list[Any]:
            return [emit.row(0, emit.row_number(1, builder.add(start, at))) for at in places]

        if soon is not None:
            with builder.if_then(builder.icmp_signed(">=", soon, number(0))):
                for vector in vectors(soon):
                    _ask_for(emit, vector, blocks)
        weights = _load_below(emit, 2, builder.add(first, t), builder.add(first, n))
        some(_Four(vectors(first), weights))


def _ask_for(emit: Emitter, vector: Any, blocks: Any) -> None:
    emit.each(blocks, lambda block: emit.prefetch(emit.block(vector, block), write=False))


class _RowOfWork:
    """A row of ``work`` that vectors are added to: in registers, where they hold it."""

    def __init__(self, emit: Emitter, row: Any, blocks: Any) -> None:
        self.emit, self.row, self.blocks = emit, row, blocks
        self.held = emit.totals(len(blocks)) if isinstance(blocks, range) else []

    def place(self, block: Any) -> Any:
        """Where a block stands."""
        return self.held[block.constant] if self.held else self.emit.block(self.row, block)

    def add(self, vectors: list[Any], scales: Any) -> None:
        """Add four vectors, each times its number."""
        emit = self.emit

        def some(block: Any) -> None:
            total = emit.load(self.place(block))
            for j, vector in enumerate(vectors):
                scale = emit.shuffle(scales, scales, [j] * LANES)
                total = emit.plus(total, emit.times(emit.load_block(vector, block), scale))
            emit.store(total, self.place(block))

        emit.each(self.blocks, some)


def _curvature(emit: Emitter, with_product: bool) -> Any:
    """Code of `product` and `curvature`."""
    builder, p, d, q = emit.builder, *(emit.row(6, number(row)) for row in (P, D, Q))
    squares = cgutils.alloca_once_value(builder, ir.Constant(FOUR, [0.0] * TOGETHER))
    (norms,) = emit.totals(1)

    def some(blocks: Any) -> None:
        sums = _RowOfWork(emit, q, blocks)

        def begin(block: Any) -> None:
            along = emit.load_block(p, block)
            found = emit.times(emit.load_block(d, block), along)
            emit.add_to(norms, emit.times(found, along))
            if with_product:
                emit.store(found, sums.place(block))

        def add(four: _Four) -> None:
            dots = emit.dots_of_four(four.vectors, p, blocks)
            scales = emit.times(four.weights, dots)
            emit.add_to(squares, emit.times(scales, dots))
            if with_product:
                sums.add(four.vectors, scales)

        emit.each(blocks, begin)
        _fours(emit, blocks, emit.arguments[5], add)
        if with_product and sums.held:
            emit.each(blocks, lambda n: emit.store(emit.load(sums.place(n)), emit.block(q, n)))

    emit.for_few_or_many(emit.blocks(6), some)
    return builder.fadd(emit.sum(norms), emit.sum(squares), flags=FAST)


@intrinsic
def product(typingctx, source, indices, weights, first, n, soon, work):
    """q = D p + sum over t of w_t s_t y_t with s_t = y_t . p; return p . q.

    y_t = source[indices[t]] and w_t = weights[t] for first <= t < first + n. The next rows' y are
    asked for on the way, from ``indices[soon]`` on, if soon isn't negative."""
    return _takes(source, indices, weights, work), emitting(lambda emit: _curvature(emit, True))


@intrinsic
def curvature(typingctx, source, indices, weights, first, n, soon, work):
    """Return p . q as `product` does, without q."""
    return _takes(source, indices, weights, work), emitting(lambda emit: _curvature(emit, False))


def _takes(source: Any, indices: Any, weights: Any, work: Any) -> Any:
    n = types.int64
    return types.float32(source, indices, weights, n, n, n, work)


@intrinsic
def first_direction(typingctx, source, indices, weights, first, n, diagonal, ridge, work, x, u):
    """x[u] = 0, r = sum over t of w_t y_t (see `product`), D = diagonal + ridge, M = 1 / D, p = M
    r; return r . p.
    """

    def code(emit: Emitter) -> Any:
        plain, start = emit.row(5), emit.row(8, emit.arguments[9])
        r, *others = (emit.row(7, number(row)) for row in (R, P, D, M))
        ridge = emit.broadcast(emit.arguments[6])
        (total,) = emit.totals(1)

        def some(blocks: Any) -> None:
            sums = _RowOfWork(emit, r, blocks)

            def end(block: Any) -> None:
                found = emit.load(sums.place(block))
                d = emit.plus(emit.load_block(plain, block), ridge)
                m = emit.builder.fdiv(ONE, d, flags=FAST)
                p = emit.times(m, found)
                for row, value in zip((r, *others, start), (found, p, d, m, ZERO), strict=True):
                    emit.store(value, emit.block(row, block))
                emit.add_to(total, emit.times(found, p))

            emit.each(blocks, lambda block: emit.store(ZERO, sums.place(block)))
            _fours(emit, blocks, None, lambda four: sums.add(*four))
            emit.each(blocks, end)

        emit.for_few_or_many(emit.blocks(7), some)
        return emit.sum(total)

    f, n = types.float32, types.int64
    return f(source, indices, weights, n, n, diagonal, f, work, x, n), emitting(code)


@intrinsic
def move(typingctx, a, work, x, u):
    """x[u] += a p."""

    def code(emit: Emitter) -> None:
        p, x = emit.row(1, number(P)), emit.row(2, emit.arguments[3])
        a = emit.broadcast(emit.arguments[0])

        def some(block: Any) -> None:
            place = emit.block(x, block)
            step = emit.times(a, emit.load_block(p, block))
            emit.store(emit.plus(emit.load(place), step), place)

        emit.each_block(1, some)

    return types.void(types.float32, work, x, types.int64), emitting(code)


@intrinsic
def next_residual(typingctx, a, work):
    """r -= a q; return r . M r."""

    def code(emit: Emitter) -> Any:
        r, m, q = (emit.row(1, number(row)) for row in (R, M, Q))
        a = emit.broadcast(emit.arguments[0])
        (total,) = emit.totals(1)

        def some(block: Any) -> None:
            place = emit.block(r, block)
            left = emit.minus(emit.load(place), emit.times(a, emit.load_block(q, block)))
            emit.store(left, place)
            emit.add_to(total, emit.times(left, emit.times(left, emit.load_block(m, block))))

        emit.each_block(1, some)
        return emit.sum(total)

    return types.float32(types.float32, work), emitting(code)


@intrinsic
def turn(typingctx, b, work):
    """p = M r + b p."""

    def code(emit: Emitter) -> None:
        r, p, m = (emit.row(1, number(row)) for row in (R, P, M))
        b = emit.broadcast(emit.arguments[0])

        def some(block: Any) -> None:
            place = emit.block(p, block)
            z = emit.times(emit.load_block(m, block), emit.load_block(r, block))
            emit.store(emit.plus(z, emit.times(b, emit.load(place))), place)

        emit.each_block(1, some)

    return types.void(types.float32, work), emitting(code)
