"""What all models with user and item vectors share: scores are inner products plus an item
offset.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cofactor.models.recommender import Recommender
from cofactor.models.user_batch import InnerProduct, States


class FactorModel(Recommender):
    """A model whose score is ``x_u · y_i + b_i``; a subclass learns the arrays and folds in.

    A subclass sets ``user_factors`` (float32 [n_users, factors]), ``item_factors`` (float32
    [n_items, factors]) and, if it has one, ``item_bias`` (float32 [n_items]) in `_fit`, under those
    names in `arrays`."""

    user_factors: np.ndarray
    item_factors: np.ndarray
    item_bias: np.ndarray | None = None

    def _states(self, user_rows: np.ndarray) -> States:
        return np.asarray(self.user_factors[user_rows])

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        items = self.item_factors if item_rows is None else self.item_factors[item_rows]
        scores = np.asarray(states) @ items.T
        if self.item_bias is not None:
            scores += self.item_bias if item_rows is None else self.item_bias[item_rows]
        return scores

    def inner_product(self) -> InnerProduct | None:
        """Return the item vectors and offsets; see `Model.inner_product`."""
        return InnerProduct(self.item_factors, self.item_bias)

    def _state(self) -> dict[str, np.ndarray]:
        return {
            name: getattr(self, name)
            for name in self.arrays
            if getattr(self, name, None) is not None
        }

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        for name in self.arrays:
            setattr(self, name, arrays.get(name))

    def item_vectors(self) -> np.ndarray:
        """Return the item vectors, float32 [n_items, factors], in row order."""
        _ = self.data
        return self.item_factors
