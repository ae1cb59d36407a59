"""Products of packed matrices, added to tiles of a larger one, by Strassen's seven products of blocks instead of eight.

A tile of the product is as wide as its sums are long, and is cut into blocks of half its width:

    C11 C12     A11 A12     B11 B12
    C21 C22  =  A21 A22  ·  B21 B22

Each of the seven products takes one sum or difference of blocks from either side. These are made once for each tile of a side, and
serve all products that the tile takes part in; a product is added to both its places from the registers. So what is saved in
multiplications isn't spent on memory. (Volker Strassen. 1969. Gaussian Elimination is not Optimal. Numerische Mathematik 13. Jianyu
Huang, Tyler M. Smith, Greg M. Henry, Robert A. van de Geijn. 2016. Strassen's Algorithm Reloaded. SC.)

A block is packed in the order in which `_microtile` reads it: strips of `ROWS` rows (of the left side) or of `WIDE` columns (of the
right one), and in a strip a line for each term of the sums. The four blocks of a tile stand one after the other, row by row, and so do
the seven that are made of them.

The error of a product is bounded by the size of its blocks, not by that of each row: rows and columns should be of like scale.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.kernels.cpu._microtile import ROWS, WIDE, add_tile
from cofactor.kernels.cpu.jit import kernel

F = np.float32
PRODUCTS = 7

# The two blocks of each sum and the sign of the second, where there is one. Blocks are counted 11, 12, 21, 22.
LEFT_SUMS = np.array([(0, 3, 1), (2, 3, 1), (0, 0, 0), (3, 3, 0), (0, 1, 1), (2, 0, -1), (1, 3, -1)])
RIGHT_SUMS = np.array([(0, 3, 1), (0, 0, 0), (1, 3, -1), (2, 0, -1), (3, 3, 0), (0, 1, 1), (2, 3, 1)])
# Where each product is added (row and column of the block), and where else with which sign.
PLACES = np.array([
    (0, 0, 1, 1, 1), (1, 0, 1, 1, -1), (0, 1, 1, 1, 1), (0, 0, 1, 0, 1), (0, 1, 0, 0, -1), (1, 1, 0, 0, 0), (0, 0, 0, 0, 0),
])  # fmt: skip


@kernel
def pack_left(source: Any, half: Any, blocks: Any) -> Any:
    """The four blocks of a left tile from its transpose [2 half, 2 half]."""
    lines = half * half // ROWS
    for k in range(2 * half):
        row = source[k]
        for strip in range(2 * half // ROWS):
            down, inner = strip * ROWS // half, k // half
            line = blocks[(2 * down + inner) * lines + (strip - down * (half // ROWS)) * half + k - inner * half]
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
    left: Any, i: Any, right: Any, j: Any, half: Any, edge: Any, scale: Any, out: Any, top: Any, first: Any
) -> Any:
    """Add ``scale`` times tile i of the left panel times tile j of the right one to ``out`` from row ``top`` and column ``first``.

    What reaches over the end of ``out`` is left out; ``edge`` is room for a tile of registers.
    """
    # All products are made of one strip of each side before the next: what they are added to stays in the cache from one to the next.
    for column in range(0, half, WIDE):
        for row in range(0, half, ROWS):
            for product in range(PRODUCTS):
                down, across, also_down, also_across, sign = PLACES[product]
                a = ((i * PRODUCTS + product) * half + row) // ROWS * half
                b = ((j * PRODUCTS + product) * half + column) // WIDE * half
                soon = a + half * half // ROWS if product < PRODUCTS - 1 else (i * PRODUCTS * half + row) // ROWS * half + half
                y, x = top + row, first + column
                _add_tile(
                    left, a, right, b, half, edge, out, y + down * half, x + across * half, scale,
                    y + also_down * half, x + also_across * half, scale * F(sign), soon,
                )  # fmt: skip


@kernel
def add_lower_product(left: Any, right: Any, half: Any, edge: Any, scale: Any, out: Any, top: Any) -> Any:
    """Add ``scale`` times the product of two tiles, given as four blocks each, to the diagonal tile of ``out`` from row ``top``.

    Only what is on and below the diagonal is needed; above, near it, anything is written. That is fewer products than seven.
    """
    for block in range(6):
        down, across, inner = (block + 2) >> 2, block >> 2, block & 1
        for row in range(0, half, ROWS):
            for column in range(0, half if down > across else min(half, row + ROWS), WIDE):
                a, b = ((2 * down + inner) * half + row) // ROWS * half, ((2 * inner + across) * half + column) // WIDE * half
                y, x = top + down * half + row, top + across * half + column
                _add_tile(left, a, right, b, half, edge, out, y, x, scale, 0, 0, F(0), a)


@kernel
def _add_tile(
    left: Any, left_line: Any, right: Any, right_line: Any, depth: Any, edge: Any, out: Any, row: Any, column: Any, scale: Any,
    also_row: Any, also_column: Any, also_scale: Any, soon: Any,
) -> Any:  # fmt: skip
    """What `_microtile.add_tile` does, but for what reaches over the end of ``out``."""
    n_rows, n_columns = out.shape
    here, there = row < n_rows and column < n_columns, also_scale != 0 and also_row < n_rows and also_column < n_columns
    whole = row + ROWS <= n_rows and column + WIDE <= n_columns
    if also_scale != 0:
        whole = whole and also_row + ROWS <= n_rows and also_column + WIDE <= n_columns
    if whole:
        add_tile(left, left_line, right, right_line, depth, out, row, column, scale, also_row, also_column, also_scale, soon)
    elif here or there:
        edge[:] = F(0)
        add_tile(left, left_line, right, right_line, depth, edge, 0, 0, F(1), 0, 0, F(0), soon)
        _add_inside(edge, out, row, column, scale)
        _add_inside(edge, out, also_row, also_column, also_scale)


@kernel
def _add_inside(edge: Any, out: Any, row: Any, column: Any, scale: Any) -> Any:
    if scale != 0:
        for i in range(max(0, min(ROWS, out.shape[0] - row))):
            for j in range(min(WIDE, out.shape[1] - column)):
                out[row + i, column + j] += scale * edge[i, j]
