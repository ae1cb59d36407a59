"""EASE in pieces of an engine: rows of the Gram matrix, one Cholesky factor, columns of weights.

Where items are cut doesn't depend on the engine, so weights don't either; they differ from those of
one process by rounding, since there the inverse is computed in place instead of row by row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from cofactor.base import memory
from cofactor.base.engine import Engine, in_turn
from cofactor.base.errors import TrainingError
from cofactor.base.threads import current_threads
from cofactor.models.implicit.linear import BothOrders

ROWS = 1024  # of a piece; a part of the result's last bits, as the number of workers isn't
_MATRICES = 3  # of n_items squared that a host may hold: pieces of the Gram matrix, factor, weights


def cuts(n_items: int) -> list[int]:
    """Return where items are cut."""
    return [*range(0, n_items, ROWS), n_items]


def weights_in_pieces(
    engine: Engine, orders: BothOrders, ridge: np.ndarray, keep: int | None
) -> Any:
    """Return EASE's weights.

    Parameters
    ----------
    engine
        What runs the pieces.
    orders
        X by user and by item, as `kernels.cpu.gram.gram_lower` takes it.
    ridge
        float32 [n_items].
    keep
        How many are kept of each recommended item; None: all.

    Returns
    -------
    float32 [n_items, n_items], or a tuple as `kernels.cpu.neighbours.strongest` returns it
        From the past item (row) to the recommended one; the strongest of each recommended item.

    Raises
    ------
    MemoryLimitError
        If the matrices don't fit on this host.
    TrainingError
        If the matrix isn't positive definite.
    """
    n_items = len(ridge)
    memory.require(
        4 * (_MATRICES if keep is None else _MATRICES - 1) * n_items**2,
        what=f"EASE's {n_items:,} × {n_items:,} matrix on each host of an engine",
        cure="set neighbours (to 200, say), which needs no such matrix",
    )
    shared, parts = engine.share(orders), list(pairwise(cuts(n_items)))
    grams = [engine.call(gram_rows_of, shared, *part, spread=True) for part in parts]
    factor = engine.call(factored, engine.share(ridge), *grams)
    del grams
    if keep is not None:
        pieces = [(factor, *part, keep) for part in parts]
        return tuple(map(np.concatenate, zip(*in_turn(engine, kept_weights, pieces), strict=True)))
    weights = np.empty((n_items, n_items), np.float32)
    found = in_turn(engine, columns_of_weights, [(factor, *part) for part in parts])
    for (first, end), some in zip(parts, found, strict=True):
        weights[:, first:end] = some.T
    return weights


def gram_rows_of(orders: BothOrders, first: int, end: int) -> np.ndarray:
    """Return some rows of the Gram matrix up to the last one's diagonal, float32 [rows, end]."""
    from cofactor.kernels.cpu.gram import gram_rows

    return np.ascontiguousarray(gram_rows(orders, first, end, current_threads())[:, :end])


def factored(ridge: np.ndarray, *grams: np.ndarray) -> np.ndarray:
    """Return the Cholesky factor of the Gram matrix with the ridge, in the lower triangle.

    Raises
    ------
    TrainingError
        If it isn't positive definite.
    """
    from cofactor.kernels.cpu.inverse import factor_lower

    matrix = np.zeros((len(ridge), len(ridge)), np.float32)
    for part in grams:
        end = part.shape[1]
        matrix[end - len(part) : end, :end] = part
    diagonal = np.einsum("ii->i", matrix)
    diagonal += ridge
    if factor_lower(matrix, current_threads()) >= 0:
        raise TrainingError(
            "EASE's Gram matrix isn't positive definite in float32; raise the regularization."
        )
    return matrix


def columns_of_weights(factor: np.ndarray, first: int, end: int) -> np.ndarray:
    """Return the weights to some recommended items, float32 [items, n_items]:
    ``B_ij = -P_ij / P_jj``, and 0 on themselves.
    """
    from cofactor.kernels.cpu.inverse import inverse_rows

    found = inverse_rows(factor, first, end, current_threads())
    own = np.arange(end - first), np.arange(first, end)
    found /= -found[own][:, None]
    found[own] = 0
    return found


def kept_weights(
    factor: np.ndarray, first: int, end: int, keep: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the strongest of the weights to some recommended items."""
    from cofactor.kernels.cpu.neighbours import strongest

    weights = columns_of_weights(factor, first, end)
    return strongest(weights, keep, current_threads(), first)


def ridge_of_some(
    orders: BothOrders,
    n_users: int,
    found: tuple[np.ndarray, np.ndarray],
    ridge: np.ndarray,
    first: int,
    end: int,
) -> np.ndarray:
    """Return the weights of some items' neighbours; ``found`` holds those of all items, and their
    counts.
    """
    from cofactor.kernels.cpu.neighbour_ridge import neighbour_ridge

    rows, count = found[0][first:end], found[1][first:end]
    by_item, threads = orders[3:], current_threads()
    return neighbour_ridge(*by_item, n_users, rows, count, ridge, threads, first)
