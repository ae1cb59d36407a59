"""Numbering ids by a table over their range; the fast implementation of `reference.numbering`."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.cpu.jit import kernel


@kernel
def number(ids: np.ndarray, low: int, table: np.ndarray) -> None:
    """Replace ids by the ranks of the distinct ones, in place; see `reference.numbering.number`."""
    for p in range(len(ids)):
        table[ids[p] - low] = 1
    count = 0
    for place in range(len(table)):
        if table[place]:
            count += 1
            table[place] = count
    if count == len(table) and low == 0:
        return
    for p in range(len(ids)):
        ids[p] = table[ids[p] - low] - 1


@kernel
def occurring(rows: np.ndarray, occurs: np.ndarray) -> None:
    """Mark the rows that occur; see `reference.numbering.occurring`."""
    for p in range(len(rows)):
        occurs[rows[p]] = True
