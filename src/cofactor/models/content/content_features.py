"""What models with content add to the contract: a feature map, items added without training, and
the comparison with the no-features baseline.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from cofactor.base.offsets import places_of
from cofactor.base.run import Run, run_of
from cofactor.data.features import FeatureSpec
from cofactor.data.held_out import refuse_fitted
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.answering.answers import Reason
from cofactor.models.content.check import Check
from cofactor.models.content.content_config import ContentConfig
from cofactor.models.content.feature_map import FeatureMap, check_width
from cofactor.models.content.no_features_baseline import (
    FeatureComparison,
    compare_without_features,
)
from cofactor.models.hooks import Hooks
from cofactor.models.implicit.item_knn import ItemKNN
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import TopK

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike

COMPARISON = {"comparison": ArraySpec("float64", ("4",), optional=True)}


ContentT = TypeVar("ContentT", bound=ContentConfig)


class ContentFeatures(Recommender[ContentT]):
    """A model with a feature map, which gives descriptions, similarity and words as reasons."""

    feature_map: FeatureMap
    comparison: FeatureComparison | None
    check: Check | None = None

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.comparison = None

    def fit(
        self,
        data: DataLike,
        *,
        validation: Part | None = None,
        run: Run | None = None,
        max_time: float | None = None,
    ) -> Self:
        """Learn from interactions and content, and compare with the no-features baseline; see
        `Recommender.fit`.

        With validation data the no-features baseline is fitted too, unless the Config's
        ``compare_without_features`` is False, and `notes` says what features cost or bring on items
        with interactions."""
        self.comparison = None
        super().fit(data, validation=validation, run=run, max_time=max_time)
        if validation is not None and self.config.compare_without_features:
            self.compare_without_features(validation, run=run, validation=validation)
        return self

    def compare_if_wanted(self, part: Part, run: Run) -> None:
        """Compare with the no-features baseline, if the settings want it."""
        if self.config.compare_without_features:
            self.compare_without_features(part, run=run)

    def without_features(self) -> Recommender | None:
        """Return the same model without features, to be fitted, or None where there is no such
        model.
        """
        return None

    def compare_without_features(
        self, part: Part, *, run: Run | None = None, validation: Part | None = None
    ) -> FeatureComparison | None:
        """Measure this model and the no-features baseline on held-out data: nDCG@10 over the items
        with interactions.

        The baseline is fitted on this model's data. What comes out is kept as `comparison`, stands
        in `notes`, and is saved.

        Parameters
        ----------
        part
            Validation data, or a test part; nothing is chosen by it.
        run
            Seed, threads and progress.
        validation
            What this model was stopped by, if it trains in epochs; the baseline is too.

        Returns
        -------
        FeatureComparison or None
            None where the model has none, or no held-out item has interactions.

        Raises
        ------
        ArgumentError
            If this model was fitted on interactions of the part.
        """
        baseline = self.without_features()
        if baseline is None or not (self.data.item_counts[part.truth.item_rows] > 0).any():
            return None
        refuse_fitted(self.data, part, "the part to compare on")
        run = run_of(run)
        self.comparison = compare_without_features(self, baseline, part, run, validation=validation)
        run.progress.say(self.comparison.sentence)
        return self.comparison

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned state as named arrays; see `Recommender.state`."""
        kept = self.comparison
        return {**super().state(), **({} if kept is None else {"comparison": kept.array()})}

    @classmethod
    def from_state(
        cls, config: ContentT, arrays: Mapping[str, np.ndarray], data: Interactions
    ) -> Self:
        """Make a fitted model from its named arrays; see `Recommender.from_state`."""
        model = super().from_state(config, arrays, data)
        baseline = model.without_features()
        if "comparison" in arrays and baseline is not None:
            model.comparison = FeatureComparison.of_array(baseline.name, arrays["comparison"])
        return model

    @property
    def compared(self) -> tuple[str, ...]:
        """What the comparison with the no-features baseline said, if there was one."""
        return () if self.comparison is None else (self.comparison.sentence,)

    @property
    def checked(self) -> tuple[str, ...]:
        """What the check of content vectors on held-out items found, in models that have one."""
        return () if self.check is None else (self.check.sentence,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, what is doubtful, and how good the content turned out
        to be.
        """
        _ = self.data
        return (*super().notes, *self.spec.notes, *self.checked, *self.compared)

    @property
    def spec(self) -> FeatureSpec:
        """Which columns are read, and how."""
        return self.feature_map.spec

    @property
    def features(self) -> Any:
        """The items' features, SciPy CSR float32 [n_items, width], in row order."""
        return self.feature_map.matrix

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        spec = FeatureSpec.from_arrays(arrays)
        check_width(spec, arrays, self.arrays, "width")
        self.feature_map = FeatureMap(spec, self.data.catalogue)

    def _extend(self, features: Any) -> None:
        """Take over the last items of ``self.data``, whose features are CSR [n_new, width].

        ``self`` is a copy of the model before: arrays are to be replaced, not written into.
        """

    def _grow_from(self, before: Self) -> None:
        first = before.data.n_items
        self.feature_map, features = before.feature_map.grown(self.data.catalogue, first)
        self._extend(features)

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns.

        See `FeatureMap.describe`.
        """
        return self.feature_map.describe(descriptions)

    def similar_to_features(self, matrix: Any, k: int, allowed: np.ndarray | None = None) -> TopK:
        """Return the items with the largest cosine of the features [n, width]."""
        return self.feature_map.similar_to(matrix, k, allowed)

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what one unit of each of an item's features adds to its score for the one user.

        float [width], or None where that can't be said.
        """
        return None

    def _explain_features(self, batch: UserBatch, item_row: int) -> tuple[Reason, ...]:
        weights = self.feature_weights(batch, item_row)
        return () if weights is None else self.feature_map.reasons(item_row, weights)


class SimilarByContent(Hooks[Any]):
    """A role: users and items are similar by content alone, and the no-features baseline is
    `ItemKNN`, which finds by interactions what is similar to what a user had.
    """

    feature_map: FeatureMap

    def without_features(self) -> Recommender | None:
        """Return `ItemKNN`."""
        return ItemKNN()

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        return self.feature_map.similar_items(item_rows, k, allowed)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        return self.feature_map.similar_users(self.data.histories(), user_rows, k)


def cold_rows(data: Interactions) -> np.ndarray:
    """Return the rows of the items without interactions."""
    return np.flatnonzero(data.item_counts == 0)


def with_items_only(data: Interactions, items: np.ndarray) -> Interactions:
    """Return the data with some of its items only (ascending rows, which hold all
    interactions).
    """
    if len(items) == data.n_items:
        return data
    from cofactor.data.ids import IdMap
    from cofactor.data.joins import taken

    return replace(
        data,
        items=IdMap(data.items.take(items)),
        item_rows=places_of(items, data.n_items)[data.item_rows],
        catalogue=taken(data.catalogue, items),
    )
