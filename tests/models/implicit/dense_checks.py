"""Small data, and a linear model of items as dense matrices, to check formulas with."""

from __future__ import annotations

import numpy as np

from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.recommender import Recommender


def small_data(n_users: int, n_items: int) -> Interactions:
    """Random ratings, of some items many and of others few; one user and one item have none."""
    generator = np.random.default_rng(5)
    taken = generator.random((n_users, n_items)) < np.linspace(0.05, 0.5, n_items)
    taken[3], taken[:, 4] = False, False
    users, items = np.nonzero(taken)
    values = generator.integers(1, 6, len(users)).astype(np.float32)
    return Interactions.from_rows(users, items, values, users=n_users, items=n_items)


def random_pairs(n_users: int, n_items: int, share: float) -> Interactions:
    """Pairs without any structure."""
    users, items = np.nonzero(np.random.default_rng(0).random((n_users, n_items)) < share)
    return Interactions.from_rows(users, items, users=n_users, items=n_items)


def dense(data: Interactions, values: np.ndarray | None = None) -> np.ndarray:
    """X, float64 [n_users, n_items]: 1, or some values, where there are interactions."""
    x = np.zeros((data.n_users, data.n_items))
    x[data.user_rows, data.item_rows] = 1.0 if values is None else values
    return x


def all_weights(model: Recommender) -> np.ndarray:
    """W, float64 [n_items, n_items], row by row: the scores of a history of one item."""
    n_items = model.data.n_items
    histories = Histories.of([[i] for i in range(n_items)], n_items)
    return model.score_batch(model.fold_in(histories)).astype(np.float64)
