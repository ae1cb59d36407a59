"""What models with content share: features of the items, items added without training, text as a
question, words as reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import pyarrow as pa

from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.run import Run
from cofactor.data.features import FeatureSpec
from cofactor.data.interactions import Interactions
from cofactor.models.answers import Reason
from cofactor.models.content.settings import ContentConfig
from cofactor.models.content.twin import Comparison, compare
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import TopK, best_scores

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike
    from cofactor.data.split import Part

SPEC_ARRAYS = {
    "spec": ArraySpec("uint8", ("spec_bytes",)),
    "spec_hashes": ArraySpec("int64", ("spec_tokens",)),
    "spec_weights": ArraySpec("float32", ("spec_tokens",)),
    "spec_blocks": ArraySpec("uint8", ("spec_tokens",)),
    "spec_scales": ArraySpec("float64", ("spec_numbers", "2")),
}
COMPARISON = {"comparison": ArraySpec("float64", ("4",), optional=True)}


def read_features(data: Interactions, config: Any, run: Run) -> tuple[FeatureSpec, Any]:
    """Learn the features of the items with interactions, and return the spec and all items'
    features.

    Raises
    ------
    DataError
        If nothing at all is known of the items.
    """
    if not data.catalogue.column_names:
        raise DataError(
            "nothing is known of the items: models with content need a catalogue (give items=, or"
            " --items FILE)."
        )
    spec = FeatureSpec.fit(
        data.catalogue,
        text=config.text,
        features=config.features,
        rows=np.flatnonzero(data.item_counts),
        counts=data.item_counts,
        characters=config.characters,
        text_weight=config.text_weight,
        value_weight=config.value_weight,
    )
    for note in spec.notes:
        run.progress.say(note)
    return spec, spec.transform(data.catalogue)


ContentT = TypeVar("ContentT", bound=ContentConfig)


class ContentFeatures(Recommender[ContentT]):
    """What models with content add to the contract; a model that is another's kin too
    (`FeatureIALS`) inherits this beside it.
    """

    spec: FeatureSpec
    comparison: Comparison | None

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
        """Learn from interactions and content, and compare with the plain twin; see
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
    ) -> Comparison | None:
        """Measure this model and its plain twin on held-out data: nDCG@10 over the items with
        interactions.

        The twin is fitted on this model's data. What comes out is kept as `comparison`, stands in
        `notes`, and is saved.

        Parameters
        ----------
        part
            Validation data, or a test part; nothing is chosen by it.
        run
            Seed, threads and progress.
        validation
            What this model was stopped by, if it trains in epochs; the twin is too.

        Returns
        -------
        Comparison or None
            None where the model has no twin, or nobody has an item with interactions held out.
        """
        twin = self.without_features()
        if twin is None or not (self.data.item_counts[part.truth.item_rows] > 0).any():
            return None
        run = run if run is not None else Run()
        self.comparison = compare(self, twin, part, run, validation=validation)
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
        twin = model.without_features()
        if "comparison" in arrays and twin is not None:
            model.comparison = Comparison.of_array(twin.name, arrays["comparison"])
        return model

    @property
    def compared(self) -> tuple[str, ...]:
        """What the comparison with the plain twin said, if there was one."""
        return () if self.comparison is None else (self.comparison.sentence,)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, what is doubtful, and how good the content turned out
        to be.
        """
        _ = self.data
        return (*self.spec.notes, *self.compared)

    @property
    def features(self) -> Any:
        """The items' features, SciPy CSR float32 [n_items, width], in row order."""
        if "features" not in self._cache:
            self._cache["features"] = self.spec.transform(self.data.catalogue)
        return self._cache["features"]

    def _keep_features(self, matrix: Any) -> None:
        self._cache["features"] = matrix

    def _restore_spec(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.spec = FeatureSpec.from_arrays(arrays)

    def _extend(self, data: Interactions, matrix: Any, first: int) -> None:
        """Take over items from row ``first`` on, whose features are ``matrix`` [n_new, width];
        ``data`` has them already.

        ``self`` is a copy of the model before: arrays are to be replaced, not written into.
        """

    def _grow_from(self, before: Self) -> None:
        from scipy import sparse

        first = before.data.n_items
        new = self.spec.transform(self.data.catalogue.table.slice(first))
        if "features" in before._cache:
            self._keep_features(sparse.vstack([before.features, new], format="csr"))
        self._extend(self.data, new, first)

    # Text as a question.

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns; see
        `Recommender.described`.

        A sentence is read as the first text column; without text columns, it is refused.
        """
        column = next((c.name for c in self.spec.columns if c.kind == "text"), None)
        lines = []
        for given in descriptions:
            if isinstance(given, str) and column is None:
                raise ArgumentError(
                    "this model reads no text column, so it can't answer a sentence; describe by"
                    " columns: {'genre': ...}."
                )
            if not isinstance(given, (str, Mapping)):
                raise ArgumentError(
                    "a description must be a sentence or a mapping of columns, not"
                    f" {type(given).__name__}."
                )
            lines.append({column: given} if isinstance(given, str) else dict(given))
        table = pa.Table.from_pylist([line or {"": None} for line in lines])
        matrix = self.spec.transform(table)
        # What isn't said isn't "missing": a sentence says nothing of the year.
        keep = np.ones(matrix.shape[1], np.float32)
        keep[len(self.spec.hashes) :] = 0 if all(isinstance(d, str) for d in descriptions) else 1
        return matrix.multiply(keep[None, :]).tocsr()

    def similar_to_features(self, matrix: Any, k: int, allowed: np.ndarray | None = None) -> TopK:
        """Return the items with the largest cosine of the features [n, width]; what shares
        nothing isn't similar.
        """
        scores = cosines(matrix, self.features)
        scores[scores <= 0] = -np.inf
        return best_scores(scores, k, allowed=allowed)

    # Words as reasons.

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what one unit of each of an item's features adds to its score for the one user.

        float [width], or None where that can't be said.
        """
        return None

    def _explain_features(self, batch: UserBatch, item_row: int) -> tuple[Reason, ...]:
        """The words and features of an item and what each adds to its score, the largest first."""
        weights = self.feature_weights(batch, item_row)
        if weights is None:
            return ()
        row = self.features[item_row]
        added = row.data * weights[row.indices]
        names = self.spec.names(self.data.catalogue.row(item_row))
        named = [
            (names[int(f)], float(a))
            for f, a in zip(row.indices, added, strict=True)
            if int(f) in names
        ]
        return tuple(Reason(n, n, a) for n, a in sorted(named, key=lambda pair: -pair[1]))


def cosines(left: Any, right: Any) -> np.ndarray:
    """Return the cosines between the rows of two sparse matrices, float32 [n_left, n_right];
    zero rows give 0.
    """
    return np.asarray((unit_rows(left) @ unit_rows(right).T).todense(), np.float32)


def unit_rows(matrix: Any) -> Any:
    """Return a sparse matrix with rows of length 1; zero rows stay zero."""
    from scipy import sparse

    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), np.float64).ravel())
    return (sparse.diags((1 / np.maximum(lengths, 1e-12)).astype(np.float32)) @ matrix).tocsr()


def cold_rows(data: Interactions) -> np.ndarray:
    """Return the rows of the items without interactions."""
    return np.flatnonzero(data.item_counts == 0)


def with_catalogue_rows(data: Interactions, n_items: int) -> Interactions:
    """Return the data with its first ``n_items`` items only; the others must have no
    interactions.
    """
    if n_items == data.n_items:
        return data
    from cofactor.data.catalogue import Catalogue
    from cofactor.data.ids import IdMap

    catalogue = Catalogue(data.catalogue.table.slice(0, n_items), data.catalogue.title_column)
    return replace(data, items=IdMap(data.items.arrow.slice(0, n_items)), catalogue=catalogue)
