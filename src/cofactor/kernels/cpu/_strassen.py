"""Products of packed matrices, added to tiles of a larger one, by Strassen's seven products of
blocks instead of eight.

A tile of the product is as wide as its sums are long, and is cut into blocks of half its width:

    C11 C12     A11 A12     B11 B12
    C21 C22  =  A21 A22  ·  B21 B22

Each of the seven products takes one sum or difference of blocks from either side. These are made
once for each tile of a side, and serve all products that the tile takes part in; a product is added
to both its places from the registers. So what is saved in multiplications isn't spent on memory.
(Volker Strassen. 1969. Gaussian Elimination is not Optimal. Numerische Mathematik 13. Jianyu Huang,
Tyler M. Smith, Greg M. Henry, Robert A. van de Geijn. 2016. Strassen's Algorithm Reloaded. SC.)

A block is packed in the order in which `_microtile` reads it: strips of `ROWS` rows (of the left
side) or of `WIDE` columns (of the right one), and in a strip a line for each term of the sums. The
four blocks of a tile stand one after the other, row by row, and so do the seven that are made of
them.

The error of a product is bounded by the size of its blocks, not by that of each row: rows and
columns should be of like scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.kernels.cpu._microtile import ROWS, WIDE, add_tile
from cofactor.kernels.cpu.jit import kernel

F = np.float32
PRODUCTS = 7

# The two blocks of each sum and the sign of the second, where there is one. Blocks are counted 11,
# 12, 21, 22.
LEFT_SUMS = np.array(
    [(0, 3, 1), (2, 3, 1), (0, 0, 0), (3, 3, 0), (0, 1, 1), (2, 0, -1), (1, 3, -1)]
)
RIGHT_SUMS = np.array(
    [(0, 3, 1), (0, 0, 0), (1, 3, -1), (2, 0, -1), (3, 3, 0), (0, 1, 1), (2, 3, 1)]
)
# The block that each product is added to, and the sign; a second one, if its sign isn't 0.
PLACES = np.array(
    [
        (0, 1, 3, 1),
        (2, 1, 3, -1),
        (1, 1, 3, 1),
        (0, 1, 2, 1),
        (1, 1, 0, -1),
        (3, 1, 0, 0),
        (0, 1, 0, 0),
    ]
)


@kernel
def pack_left(source: Any, half: Any, blocks: Any) -> Any:
    """The four blocks of a left tile from its transpose [2 half, 2 half]."""
    lines = half * half // ROWS
    for k in range(2 * half):
        row = source[k]
        for strip in range(2 * half // ROWS):
            down, inner = strip * ROWS // half, k // half
            line = blocks[
                (2 * down + inner) * lines
                + (strip - down * (half // ROWS)) * half
                + k
                - inner * half
            ]
            for r in range(ROWS):
                line[r] = row[strip * ROWS + r]


@kernel
def make_sums(blocks: Any, table: Any, half: Any, tile: Any, panel: Any) -> Any:
    """The seven sums of a tile's four blocks, as tile number ``tile`` of a panel."""
    size = half * half
    given, made = blocks.reshape(blocks.size), panel.reshape(panel.size)
    for product in range(PRODUCTS):
        one, other, sign = table[product]
        a, b = given[one * size : (one + 1) * size], given[other * size : (other + 1) * size]
        start = (tile * PRODUCTS + product) * size
        total, factor = made[start : start + size], F(sign)
        for k in range(size):
            total[k] = a[k] + factor * b[k]


@kernel
def add_product(
    left: Any,
    i: Any,
    right: Any,
    j: Any,
    half: Any,
    sums: Any,
    scale: Any,
    out: Any,
    top: Any,
    first: Any,
) -> Any:
    """Add ``scale`` times tile i of the left panel times tile j of the right one to ``out`` from
    row ``top`` and column ``first``.

    What reaches over the end of ``out`` is left out. ``sums`` is room for four tiles of registers,
    [4 ROWS, WIDE]."""
    step = half * half // ROWS
    # All seven of one strip of each side before the next strip: their sums stay near, and go to
    # ``out`` once.
    for column in range(0, half, WIDE):
        b = (j * PRODUCTS * half + column) // WIDE * half
        for row in range(0, half, ROWS):
            a = (i * PRODUCTS * half + row) // ROWS * half
            _clear(sums, 4 * ROWS)
            for product in range(PRODUCTS):
                place, sign, also_place, also_sign = PLACES[product]
                soon = a + (product + 1) * step if product < PRODUCTS - 1 else a + half
                block = min(product, 3)
                add_tile(
                    left,
                    a + product * step,
                    right,
                    b + product * (half * half // WIDE),
                    half,
                    sums,
                    place * ROWS,
                    F(sign),
                    also_place * ROWS,
                    F(also_sign),
                    soon,
                    out,
                    top + row + (block >> 1) * half,
                    first + column + (block & 1) * half,
                )
            for block in range(4):
                y, x = top + row + (block >> 1) * half, first + column + (block & 1) * half
                _add_inside(sums, block * ROWS, scale, out, y, x)


@kernel
def add_lower_product(
    left: Any, right: Any, half: Any, sums: Any, scale: Any, out: Any, top: Any
) -> Any:
    """Add ``scale`` times the product of two tiles, given as four blocks each, to the diagonal tile
    of ``out`` from row ``top``.

    Only what is on and below the diagonal is needed; above, near it, anything is written. That is
    fewer products than seven."""
    for block in (0, 2, 3):
        down, across = block >> 1, block & 1
        for row in range(0, half, ROWS):
            for column in range(0, half if down > across else min(half, row + ROWS), WIDE):
                y, x = top + down * half + row, top + across * half + column
                _clear(sums, ROWS)
                for inner in range(2):
                    a, b = (
                        ((2 * down + inner) * half + row) // ROWS * half,
                        ((2 * inner + across) * half + column) // WIDE * half,
                    )
                    add_tile(left, a, right, b, half, sums, 0, F(1), 0, F(0), a, out, y, x)
                _add_inside(sums, 0, scale, out, y, x)


@kernel
def _clear(sums: Any, count: Any) -> Any:
    for i in range(count):
        line = sums[i]
        for j in range(WIDE):
            line[j] = F(0)


@kernel
def _add_inside(sums: Any, at: Any, scale: Any, out: Any, top: Any, first: Any) -> Any:
    """Add ``scale`` times a tile to ``out``, but for what reaches over the end."""
    n_rows, n_columns = min(ROWS, out.shape[0] - top), out.shape[1] - first
    for i in range(n_rows):
        line = sums[at + i]
        if n_columns >= WIDE:
            row = out[top + i, first : first + WIDE]
            for j in range(
                WIDE
            ):  # a number known beforehand, so that it becomes a few vector instructions
                row[j] += scale * line[j]
        else:
            for j in range(n_columns):
                out[top + i, first + j] += scale * line[j]
