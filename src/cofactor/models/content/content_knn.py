"""ContentKNN: what is like what you had, by words and features alone; the baseline that models
with content have to beat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cofactor.base.config import Config as BaseConfig
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.content.base import (
    COMPARISON,
    SPEC_ARRAYS,
    ContentFeatures,
    ContentT,
    cosines,
    read_features,
    unit_rows,
)
from cofactor.models.content.settings import ContentConfig
from cofactor.models.recommender import Recommender
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.retrieval.topk import TopK, best_scores

if TYPE_CHECKING:
    from cofactor.data.split import Part

# Users answered at a time: their profiles stand in memory as dense rows.
_USERS = 256


class ContentKNNConfig(ContentConfig):
    """Settings of `ContentKNN`: those of the content alone."""


class ContentKNN(ContentFeatures[ContentT]):
    """Score an item by its likeness to the mean of what a user had: ``s_ui = 1/|I_u| Σ_(j in I_u)
    cos(f_j, f_i)``.

    f are the items' features (see `cofactor.data.features.FeatureSpec`): TF-IDF of the text, idf of
    categories and lists, scaled numbers. Nothing is learnt of who took what, so warm and cold items
    are answered alike.

    References
    ----------
    Lops, de Gemmis and Semeraro. 2011. Content-based Recommender Systems: State of the
    Art and Trends. Recommender Systems Handbook."""

    name = "content_knn"
    Config: ClassVar[type[BaseConfig]] = ContentKNNConfig
    traits = Traits(explains=True, uses_features=True)
    arrays = {**SPEC_ARRAYS, **COMPARISON}  # noqa: RUF012

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self.spec, matrix = read_features(data, self.config, run)
        self._keep_features(matrix)

    def without_features(self) -> Recommender:
        """Return `ItemKNN`, which says by who took what, not by content, what is like what a
        user had.
        """
        from cofactor.models.implicit.item_knn import ItemKNN

        return ItemKNN()

    @property
    def _units(self) -> Any:
        if "units" not in self._cache:
            self._cache["units"] = unit_rows(self.features)
        return self._cache["units"]

    def _states(self, user_rows: np.ndarray) -> States:
        return self.data.histories(user_rows)

    def _fold_in(self, histories: Histories) -> States:
        return histories

    def _profiles(self, histories: Histories) -> Any:
        """The mean of each history's features, CSR [B, width]."""
        from scipy import sparse

        indptr, past, _ = histories.csr
        shares = np.repeat(1 / np.maximum(np.diff(indptr), 1), np.diff(indptr)).astype(np.float32)
        return (
            sparse.csr_matrix((shares, past, indptr), shape=(len(histories), self.data.n_items))
            @ self._units
        )

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        items = self._units if item_rows is None else self._units[item_rows]
        scores = np.empty((len(states), items.shape[0]), np.float32)
        profiles = self._profiles(states)
        for low in range(0, len(states), _USERS):
            scores[low : low + _USERS] = (items @ profiles[low : low + _USERS].toarray().T).T
        return scores

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        _, past = batch.seen
        added = np.asarray((self._units[past] @ self._units[item_row].T).todense()).ravel() / max(
            1, len(past)
        )
        return past, added, float(self._popularity[item_row]) if batch.empty[0] else 0.0

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        assert isinstance(batch.states, Histories)
        return self._profiles(batch.states).toarray()[0]

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        own = (np.arange(len(item_rows) + 1, dtype=np.int64), np.asarray(item_rows, np.int32))
        return best_scores(
            cosines(self.features[item_rows], self.features), k, excluded=own, allowed=allowed
        )

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        profiles = self._profiles(self.data.histories())
        own = (np.arange(len(user_rows) + 1, dtype=np.int64), np.asarray(user_rows, np.int32))
        return best_scores(cosines(profiles[user_rows], profiles), k, excluded=own)

    def _state(self) -> dict[str, np.ndarray]:
        return self.spec.arrays()

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._restore_spec(arrays)
