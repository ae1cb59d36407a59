"""Most similar items, some items at a time on an engine."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from cofactor.base.engine import PIECES, Engine, in_turn


def neighbours_in_pieces(
    engine: Engine, matrix: tuple[np.ndarray, ...], formula: Any, keep: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `kernels.cpu.neighbours.top_neighbours` does; every host holds the whole matrix.

    Parameters
    ----------
    engine
        What runs the pieces.
    matrix, formula, keep
        As `top_neighbours` takes them.
    """
    from cofactor.kernels.cpu.neighbour_pieces import neighbours_of_some

    n_items, count = len(matrix[3]) - 1, PIECES * engine.workers
    shared = engine.share(matrix), engine.share(formula), keep
    cuts = [piece * n_items // count for piece in range(count + 1)]
    found = in_turn(engine, neighbours_of_some, ((*shared, *cut) for cut in pairwise(cuts)))
    rows, similarity, counts = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(similarity), np.concatenate(counts)
