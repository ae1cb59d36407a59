"""EASE on chosen neighbours: a sparse matrix of weights, found without the dense square."""

from __future__ import annotations

import numpy as np

from cofactor.base import memory
from cofactor.base.engine import in_turn
from cofactor.base.run import Run
from cofactor.data.interactions import Interactions
from cofactor.models.implicit.ease_pieces import ridge_of_some
from cofactor.models.implicit.linear import BothOrders, by_user_and_item
from cofactor.models.implicit.neighbour_pieces import neighbours_of_all, piece_cuts
from cofactor.models.implicit.sparse_weights import SparseWeights


def neighbour_weights(
    data: Interactions, x: np.ndarray, ridge: np.ndarray, neighbours: int, run: Run
) -> SparseWeights:
    """Return EASE's weights where each item may be predicted by its strongest neighbours alone.

    The neighbours of item j are the items i with which a regression on one item would take the
    most off the loss, ``G_ij² / (G_ii + λ_i)``, among those with G_ij > 0; on all of them together
    x_j is then regressed, so the weights are the best ones on these places, not EASE's with
    the others cut off.

    Parameters
    ----------
    data
        The interactions.
    x
        Their weights, float32 [n], in the data's order.
    ridge
        λ_i, float32 [n_items].
    neighbours
        How many of each item; from n_items - 1 on it is EASE itself.
    run
        Its threads, or its engine, aren't part of the result.

    Raises
    ------
    MemoryLimitError
        If it wouldn't fit into memory; nothing is taken before that.

    Notes
    -----
    X. Ning, G. Karypis, "SLIM: Sparse Linear Methods for Top-N Recommender Systems", ICDM 2011,
    section IV (feature selection, there with L1 and by cosine). M. Spišák et al., "Scalable
    Approximate NonSymmetric Autoencoder for Collaborative Filtering", RecSys 2023 (SANSA), comes to
    a sparse matrix by an incomplete Cholesky factor of G instead.
    """
    n_items = data.n_items
    neighbours = min(neighbours, max(1, n_items - 1))
    memory.require(
        bytes_needed(data, neighbours, run.n_threads),
        what=f"EASE with {neighbours:,} neighbours of each of {n_items:,} items",
        cure="lower neighbours",
    )
    orders = by_user_and_item(data, x)
    if neighbours == n_items - 1:
        rows = np.arange(n_items - 1) + (np.arange(n_items - 1) >= np.arange(n_items)[:, None])
        rows, count = rows.astype(np.int32), np.full(n_items, n_items - 1, np.int32)
    else:
        squares = np.bincount(data.item_rows, x.astype(np.float64) ** 2, minlength=n_items)
        one, zero = np.ones(n_items, np.float32), np.zeros(n_items, np.float32)
        size = np.sqrt(squares + ridge).astype(np.float32)
        formula = (one, size, zero, zero, 0.0)
        rows, _, count = neighbours_of_all(orders, formula, neighbours, run)
    weights = _regressed(orders, data.n_users, (rows, count), ridge, run)
    return SparseWeights.of_recommended(rows, weights, count)


def _regressed(
    orders: BothOrders,
    n_users: int,
    found: tuple[np.ndarray, np.ndarray],
    ridge: np.ndarray,
    run: Run,
) -> np.ndarray:
    from cofactor.kernels.cpu.neighbour_ridge import neighbour_ridge

    if run.engine is None:
        return neighbour_ridge(*orders[3:], n_users, *found, ridge, run.n_threads)
    shared = [run.engine.share(value) for value in (orders, n_users, found, ridge)]
    pieces = ((*shared, *cut) for cut in piece_cuts(run.engine, len(ridge)))
    return np.concatenate(list(in_turn(run.engine, ridge_of_some, pieces)))


def bytes_needed(data: Interactions, neighbours: int, n_threads: int) -> int:
    """Return the peak: neighbours and weights of each item, as they are found and as they are
    kept; rows of scores and users for each thread; and the data in both orders.
    """
    found = 28 * data.n_items * neighbours
    return found + 16 * n_threads * (data.n_items + data.n_users) + 64 * len(data) + 2**26
