"""What all models with user and item vectors share: scores are inner products plus an item
offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from cofactor.base.memory import aligned
from cofactor.data.interactions import Interactions
from cofactor.models.hooks import ConfigT
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import InnerProduct, States

FACTOR_ARRAYS: Mapping[str, ArraySpec] = {
    "user_factors": ArraySpec("float32", ("users", "factors")),
    "item_factors": ArraySpec.of_items("items", "factors"),
}


class FactorModel(Recommender[ConfigT]):
    """A model whose score is ``x_u · y_i + b_i``; a subclass learns the arrays and folds in.

    A subclass sets ``user_factors`` (float32 [n_users, factors]), ``item_factors`` (float32
    [n_items, factors]) and, if it has one, ``item_bias`` (float32 [n_items]) in `_fit`, under those
    names in `arrays`.

    With `adds_user_bias` the score is ``μ + b_u + b_i + x_u · y_i``: users are known by ``[x_u ;
    b_u]`` (from ``user_bias``, float32 [n_users], if a subclass doesn't say otherwise), and
    ``scale`` begins with μ, and the lowest and the highest value that is predicted, float64."""

    adds_user_bias: ClassVar[bool] = False

    user_factors: np.ndarray
    item_factors: np.ndarray
    item_bias: np.ndarray | None = None
    user_bias: np.ndarray
    scale: np.ndarray

    def memory_needed(self, data: Interactions) -> int | None:
        """Return the bytes of both sides' vectors, twice: as they are learned, and as they are
        kept.
        """
        config: Any = self.config
        return vector_bytes(data, config.factors)

    @property
    def global_mean(self) -> float:
        """What is added to every score of a model that `adds_user_bias`."""
        return float(self.scale[0])

    def _states(self, user_rows: np.ndarray) -> States:
        factors = np.asarray(self.user_factors[user_rows])
        if not self.adds_user_bias:
            return factors
        return np.concatenate((factors, self.user_bias[user_rows, None]), 1)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        vectors, offsets = self.inner_product()
        rows = slice(None) if item_rows is None else item_rows
        scores = np.asarray(states) @ vectors[rows].T
        if offsets is not None:
            scores += offsets[rows]
        return scores

    def inner_product(self) -> InnerProduct:
        """Return the item vectors and offsets; see `Model.inner_product`."""
        if not self.adds_user_bias:
            return InnerProduct(self.item_factors, self._item_offsets())
        # A 1 in the last place, which meets the user's bias. Kept as long as the vectors are the
        # same: training replaces them.
        kept = self._cache.get("inner product")
        parts = self.item_factors, self.popularity_offset
        if kept is None or any(a is not b for a, b in zip(kept[0], parts, strict=True)):
            ones = np.ones((len(self.item_factors), 1), np.float32)
            vectors = np.concatenate((self.item_factors, ones), 1)
            offsets = self._item_offsets()
            assert offsets is not None
            kept = parts, InnerProduct(vectors, offsets + np.float32(self.global_mean))
            self._cache["inner product"] = kept
        found: InnerProduct = kept[1]
        return found

    def _item_offsets(self) -> np.ndarray | None:
        bias, popular = self.item_bias, self.popularity_offset
        if bias is None or popular is None:
            return popular if bias is None else bias
        offsets: np.ndarray = bias + popular
        return offsets

    def unseen_item(self) -> tuple[np.ndarray, np.float32]:
        """Return the vector and the bias that stand for an item that is not known at all."""
        return np.zeros(self.item_factors.shape[1], np.float32), np.float32(0)

    def pair_scores(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return the scores of pairs of a state and an item row (-1: `unseen_item`), float32 [n],
        of a model that `adds_user_bias`.

        Parameters
        ----------
        states
            float32 [B, factors + 1].
        which
            int [n]: the row of ``states`` of each pair.
        item_rows
            int [n].
        """
        vectors, known = np.asarray(states), item_rows >= 0
        scores = vectors[which, -1].astype(np.float32) + np.float32(self.global_mean)
        rows, users = item_rows[known], which[known]
        dots = pair_dots(vectors[:, :-1], users, self.item_factors, rows)
        scores[known] += dots if self.item_bias is None else dots + self.item_bias[rows]
        if not known.all():
            vector, bias = self.unseen_item()
            scores[~known] += vectors[which[~known], :-1] @ vector + bias
        return scores

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        if not self.adds_user_bias:
            return super()._predict(states, which, item_rows)
        return np.clip(self.pair_scores(states, which, item_rows), *self.scale[1:3]).astype(
            np.float32
        )

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(aligned_rows(arrays))

    def item_vectors(self) -> np.ndarray:
        """Return the item vectors, float32 [n_items, factors], in row order."""
        _ = self.data
        return self.item_factors


def pair_dots(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray
) -> np.ndarray:
    """Return the inner products of pairs of rows of two matrices, float32 [n]; in blocks, since two
    gathered matrices of all pairs would dwarf the model.
    """
    dots = np.empty(len(right_rows), np.float32)
    for low in range(0, len(dots), 65536):
        part = slice(low, low + 65536)
        dots[part] = np.einsum("nf,nf->n", left[left_rows[part]], right[right_rows[part]])
    return dots


def vector_bytes(data: Interactions, factors: int) -> int:
    """Return the bytes of both sides' vectors, twice: as they are learned, and as they are kept."""
    return 2 * 4 * (data.n_users + data.n_items) * factors


def aligned_rows(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return named arrays with the matrices' rows from cache lines on: gathered faster."""
    return {n: aligned(a) if a.ndim == 2 else a for n, a in arrays.items()}


def solution(system: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return ``x`` of ``system @ x = right``; the smallest of those with the least error where
    vectors are so large, or all zero, that the system has no single solution.
    """
    try:
        return np.linalg.solve(system, right)
    except np.linalg.LinAlgError:
        return np.linalg.lstsq(system, right)[0]
