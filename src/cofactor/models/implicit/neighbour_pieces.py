"""Most similar items, some items at a time where a run has an engine."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from cofactor.base.engine import PIECES, Engine, in_turn
from cofactor.base.run import Run
from cofactor.models.implicit.linear import BothOrders

# p, q, a, b and w of `top_neighbours`.
Formula = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]


def neighbours_of_all(
    matrix: BothOrders, formula: Formula, keep: int, run: Run
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what `kernels.cpu.neighbours.top_neighbours` does; every host of an engine holds the
    whole matrix.

    Parameters
    ----------
    matrix, formula, keep
        As `top_neighbours` takes them.
    run
        Its threads, or its engine.
    """
    from cofactor.kernels.cpu.neighbour_pieces import neighbours_of_some
    from cofactor.kernels.cpu.neighbours import top_neighbours

    engine = run.engine
    if engine is None:
        return top_neighbours(*matrix, *formula, keep, run.n_threads)
    shared = engine.share(matrix), engine.share(formula), keep
    pieces = ((*shared, *cut) for cut in piece_cuts(engine, len(matrix[3]) - 1))
    rows, similarity, counts = zip(*in_turn(engine, neighbours_of_some, pieces), strict=True)
    return np.concatenate(rows), np.concatenate(similarity), np.concatenate(counts)


def piece_cuts(engine: Engine, n_rows: int) -> Iterable[tuple[int, int]]:
    """Return the first row of each piece, and the one behind its last, where no row's result
    depends on others.
    """
    count = PIECES * engine.workers
    return pairwise(piece * n_rows // count for piece in range(count + 1))
