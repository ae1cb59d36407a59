"""Content of the items in next-item networks: a linear map of their features is added to their
embeddings, so that items without interactions have vectors too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from cofactor.base.config import setting
from cofactor.base.offsets import places_of
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.content.content_config import FeatureConfig
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap, check_width
from cofactor.models.content.reduction import main_directions
from cofactor.models.traits import ArraySpec
from cofactor.models.warm_start import KeptRows

CONTENT_ARRAYS = {**SPEC_ARRAYS, "content_map": ArraySpec.of_items("width", "factors")}


class ItemContentConfig(FeatureConfig):
    """Settings of what the items' content adds to their embeddings."""

    content_factors: int = setting(
        0,
        low=0,
        high=4096,
        doc="How many directions of the items' content are read; 0 reads no content.",
    )
    id_dropout: float = setting(
        0.2,
        low=0,
        below=1,
        doc="Share of the items whose embedding is left out of a batch, so that content learns to"
        " stand alone.",
    )


@dataclass(frozen=True)
class ItemContent:
    """What is read of the items, and the map from it to their vectors.

    With F the items' features, their n main directions V and the learned matrix P, content adds
    ``F V P'`` to the embeddings; an item without interactions has nothing else.

    Parameters
    ----------
    feature_map
        The features of all items, F.
    warm
        int64 [n_warm]: the items with interactions, whose embeddings are learned.
    directions
        float32 [width, n], V; None in a model that was loaded.
    weights
        float32 [width, factors], V P'.
    """

    feature_map: FeatureMap
    warm: np.ndarray
    directions: np.ndarray | None = None
    weights: np.ndarray | None = None

    @classmethod
    def learn(cls, data: Interactions, config: ItemContentConfig, run: Run) -> Self:
        """Learn from the items with interactions what to read, and its main directions.

        Raises
        ------
        DataError
            If nothing is known of the items.
        """
        feature_map, warm = FeatureMap.learn(data, config, run), np.flatnonzero(data.item_counts)
        draw = run.generator("item content")
        directions = main_directions(feature_map.matrix[warm], config.content_factors, draw)
        return cls(feature_map, warm, directions)

    @property
    def reduced(self) -> np.ndarray:
        """What is read of the items with interactions, float32 [n_warm, n]."""
        return np.asarray(self.feature_map.matrix[self.warm] @ self.directions, np.float32)

    def warm_histories(self, histories: Histories) -> Histories:
        """Return histories over the items with interactions alone, whose rows count from 0."""
        place = places_of(self.warm, histories.n_items)
        return replace(histories, item_rows=place[histories.item_rows], n_items=len(self.warm))

    def learned(self, matrix: np.ndarray) -> Self:
        """Return this content with its map, of the learned P, float32 [factors, n]."""
        assert self.directions is not None
        return replace(self, weights=np.ascontiguousarray(self.directions @ matrix.T))

    def item_vectors(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the vectors of all items, float32 [n_items, factors], of the embeddings of those
        with interactions.
        """
        vectors = self.vectors_of(self.feature_map.matrix)
        vectors[self.warm] += embeddings
        return vectors

    def begun(
        self, known: tuple[np.ndarray, np.ndarray], fresh: np.ndarray, rows: KeptRows
    ) -> dict[str, np.ndarray]:
        """Return the weights that a warm start begins with: the embeddings as they were, and the P
        by which the new directions come closest to what content said of the same items.

        Parameters
        ----------
        known
            Of all items before: what their embeddings and what their content added, float32 [n,
            factors] each.
        fresh
            What embeddings would begin with, float32 [n_warm, factors].
        rows
            Where the items were, and are.
        """
        embeddings, alone = known
        at = np.searchsorted(self.warm, rows.new["items"])
        own = np.array(fresh)
        own[at] = embeddings[rows.old["items"]]
        read = self.reduced[at].astype(np.float64)
        gram = read.T @ read + 1e-6 * len(read) * np.eye(read.shape[1])
        matrix = np.linalg.solve(gram, read.T @ alone[rows.old["items"]])
        return {"embeddings.weight": own, "content.weight": matrix.T.astype(np.float32)}

    def vectors_of(self, features: Any) -> np.ndarray:
        """Return what content alone says, float32 [n, factors], of features CSR [n, width]."""
        return np.asarray(features @ self.weights, np.float32)

    def grown(self, catalogue: Catalogue, first: int) -> tuple[Self, np.ndarray]:
        """Return the content of a catalogue with more items from row ``first`` on, and the vectors
        of those.
        """
        feature_map, features = self.feature_map.grown(catalogue, first)
        return replace(self, feature_map=feature_map), self.vectors_of(features)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return it as named arrays."""
        assert self.weights is not None
        return {**self.feature_map.spec.arrays(), "content_map": self.weights}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], data: Interactions) -> Self:
        """Make it from what `arrays` gave.

        Raises
        ------
        ArtifactError
            If the map isn't as wide as the features.
        """
        spec, weights = FeatureSpec.from_arrays(arrays), arrays["content_map"]
        check_width(spec, arrays, CONTENT_ARRAYS, "width")
        warm = np.flatnonzero(data.item_counts)
        return cls(FeatureMap(spec, data.catalogue), warm, None, weights)
