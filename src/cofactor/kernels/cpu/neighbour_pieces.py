"""The most similar items of some items, as a piece of `neighbours.top_neighbours`."""

from __future__ import annotations

import numpy as np

from cofactor.base.threads import current_threads
from cofactor.kernels.cpu.heap import empty_lists
from cofactor.kernels.cpu.jit import shared
from cofactor.kernels.cpu.neighbours import Formula, _neighbours


def neighbours_of_some(
    matrix: tuple[np.ndarray, ...],
    formula: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float],
    keep: int,
    first: int,
    end: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the most similar items of the items from ``first`` to ``end``.

    Parameters
    ----------
    matrix
        X by user and by item, as `top_neighbours` takes it.
    formula
        Its p, q, a, b and w.
    keep
        How many are kept of each item.

    Returns
    -------
    tuple
        Rows, similarities and counts, as `top_neighbours` returns them.
    """
    found = empty_lists(end - first, keep)
    terms = Formula(*formula[:4], np.float32(formula[4]))
    shared(_neighbours, current_threads(), *matrix, terms, first, *found)
    return found
