"""What models with content share: features of the items, items added without training, text as a
question, words as reasons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError, DataError
from cofactor.base.run import Run
from cofactor.data.features import FeatureSpec
from cofactor.data.interactions import Interactions
from cofactor.data.records import table_of
from cofactor.models.answers import Reason
from cofactor.models.content.twin import Comparison, compare
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import TopK, best_scores

if TYPE_CHECKING:
    from cofactor.data.split import Part

SPEC_ARRAYS = {
    "spec": ArraySpec("uint8", ("spec_bytes",)),
    "spec_hashes": ArraySpec("int64", ("spec_tokens",)),
    "spec_weights": ArraySpec("float32", ("spec_tokens",)),
    "spec_blocks": ArraySpec("uint8", ("spec_tokens",)),
    "spec_scales": ArraySpec("float64", ("spec_numbers", "2")),
}
COMPARISON = {"comparison": ArraySpec("float64", ("4",), optional=True)}


class ContentConfig(Config):
    """Which columns are read; shared by all models with content."""

    text: tuple[str, ...] = setting(
        (), doc="Columns read as text; with none named here or in features, all are detected."
    )
    features: tuple[str, ...] = setting(
        (), doc="Columns read as categories, lists, numbers or dates."
    )
    characters: bool = setting(
        False,
        doc=(
            "Whether words count by their 4- and 5-grams of letters too: for names, codes, rich"
            " endings."
        ),
    )
    text_weight: float = setting(
        1.0,
        low=0.0,
        high=100.0,
        doc="Weight of the text beside the other features; 0 leaves it out.",
    )
    value_weight: float = setting(
        1.0, low=0.0, high=100.0, doc="Weight of categories and lists; 0 leaves them out."
    )
    twin: bool = setting(
        True,
        doc=(
            "Whether fitting with validation data also fits the same without features, and says"
            " what those cost."
        ),
    )


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


class ContentFeatures(Recommender):
    """What models with content add to the contract; a model that is another's kin too
    (`FeatureIALS`) inherits this beside it.
    """

    spec: FeatureSpec
    comparison: Comparison | None

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        self.comparison = None

    def fit(
        self, data: Interactions, *, validation: Part | None = None, run: Run | None = None
    ) -> Self:
        """Learn from interactions and content, and compare with the plain twin; see
        `Recommender.fit`.

        With validation data (and ``twin`` of the Config, as by default) the same model without
        features is fitted too, and `notes` says what features cost or bring on items with
        interactions: see `compare_with_twin`."""
        self.comparison = None
        super().fit(data, validation=validation, run=run)
        if validation is not None and self.config.twin:
            self.compare_with_twin(validation, run=run, validation=validation)
        return self

    def plain_twin(self) -> Recommender | None:
        """Return the same model without features, to be fitted, or None where there is no such
        model.
        """
        return None

    def compare_with_twin(
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
        twin = self.plain_twin()
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
        cls, config: Config, arrays: Mapping[str, np.ndarray], data: Interactions
    ) -> Self:
        """Make a fitted model from its named arrays; see `Recommender.from_state`."""
        model = super().from_state(config, arrays, data)
        twin = model.plain_twin()
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
        """

    def _add_items(self, data: Interactions) -> None:
        from scipy import sparse

        first = self.data.n_items
        new = self.spec.transform(data.catalogue.table.slice(first))
        whole = (
            sparse.vstack([self.features, new], format="csr") if "features" in self._cache else None
        )
        self._extend(data, new, first)
        self._data, self._cache = data, {}
        if whole is not None:
            self._keep_features(whole)

    # Text as a question.

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns; see
        `Recommender.described`.

        A sentence is read as the first text column; without text columns, it is refused.
        """
        column = next((c.name for c in self.spec.columns if c.kind == "text"), None)
        lines: list[Mapping[str, Any]] = []
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
            lines.append({str(column): given} if isinstance(given, str) else dict(given))
        table = table_of(lines)
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

    def _feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """What one unit of each of an item's features adds to its score for the one user,
        [width], or None.
        """
        return None

    def _explain_features(self, batch: UserBatch, item_row: int) -> tuple[Reason, ...]:
        """The words and features of an item and what each adds to its score, the largest first."""
        weights = self._feature_weights(batch, item_row)
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
