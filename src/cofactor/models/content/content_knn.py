"""ContentKNN: what is like what you had, by words and features alone; the baseline that models
with content have to beat.
"""

from __future__ import annotations

import numpy as np

from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.content.content_config import ContentConfig
from cofactor.models.content.content_features import COMPARISON, ContentFeatures, SimilarByContent
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap
from cofactor.models.traits import Traits
from cofactor.models.user_batch import States, UserBatch

# Users answered at a time: their profiles stand in memory as dense rows.
_USERS = 256


class ContentKNNConfig(ContentConfig):
    """Settings of `ContentKNN`: those of the content alone."""


class ContentKNN(SimilarByContent, ContentFeatures[ContentKNNConfig]):
    """Score an item by its similarity to the mean of a user's items: ``s_ui = 1/|I_u| Σ_(j in I_u)
    cos(f_j, f_i)``.

    f are the items' features (see `cofactor.data.features.FeatureSpec`): TF-IDF of the text, idf of
    categories and lists, scaled numbers. Nothing is learned from interactions, so warm and cold
    items are scored alike.

    References
    ----------
    Lops, de Gemmis and Semeraro. 2011. Content-based Recommender Systems: State of the
    Art and Trends. Recommender Systems Handbook."""

    name = "content_knn"
    traits = Traits(explains=True, uses_features=True)
    arrays = {**SPEC_ARRAYS, **COMPARISON}

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self.feature_map = FeatureMap.learn(data, self.config, run)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        items = self.feature_map.units if item_rows is None else self.feature_map.units[item_rows]
        scores = np.empty((len(states), items.shape[0]), np.float32)
        profiles = self.feature_map.profiles(states)
        for low in range(0, len(states), _USERS):
            scores[low : low + _USERS] = (items @ profiles[low : low + _USERS].toarray().T).T
        return scores

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        _, past = batch.seen
        added = np.asarray(
            (self.feature_map.units[past] @ self.feature_map.units[item_row].T).todense()
        ).ravel() / max(1, len(past))
        return past, added, 0.0

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        assert isinstance(batch.states, Histories)
        return self.feature_map.profiles(batch.states).toarray()[0]

    def _state(self) -> dict[str, np.ndarray]:
        return self.spec.arrays()
