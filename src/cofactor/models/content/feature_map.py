"""The feature map: what is said of the items as sparse vectors, by rows or by descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from cofactor.base.cached import cached_property
from cofactor.base.errors import ArgumentError, ArtifactError, DataError
from cofactor.base.run import Run
from cofactor.data.catalogue import Catalogue
from cofactor.data.features import FeatureSpec, Weights
from cofactor.data.features.token_blocks import BLOCKS
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.records import table_of
from cofactor.data.sorting import sparse_rows
from cofactor.models.answering.answers import Reason
from cofactor.models.answering.descriptions import check_described, check_read
from cofactor.models.content.content_config import FeatureConfig
from cofactor.models.similarity import cosines, unit_rows
from cofactor.models.traits import ArraySpec
from cofactor.retrieval.topk import TopK, best_scores, one_each

SPEC_ARRAYS = {
    "spec": ArraySpec("uint8", ("spec_bytes",)),
    "spec_hashes": ArraySpec("int64", ("spec_tokens",)),
    "spec_weights": ArraySpec("float32", ("spec_tokens",)),
    "spec_blocks": ArraySpec("uint8", ("spec_tokens",), rows_of=str(BLOCKS)),
    "spec_scales": ArraySpec("float64", ("spec_numbers", "2"), most=None),
}


class FeatureMap:
    """The features of a catalogue's items.

    Parameters
    ----------
    spec
        Which columns are read, and how; learned from the items with interactions.
    catalogue
        What is said of all items, in row order.
    matrix
        Their features, SciPy CSR float32 [n_items, width], where they are known already.
    """

    def __init__(self, spec: FeatureSpec, catalogue: Catalogue, matrix: Any = None) -> None:
        self.spec, self.catalogue = spec, catalogue
        if matrix is not None:
            self.__dict__["matrix"] = matrix

    @classmethod
    def learn(cls, data: Interactions, config: FeatureConfig, run: Run) -> Self:
        """Learn what to read from the items with interactions, and read all items.

        Raises
        ------
        DataError
            If nothing at all is known of the items.
        """
        if not data.catalogue.column_names:
            raise DataError(
                "nothing is known of the items: models with content need a catalogue (give items=)."
            )
        spec = FeatureSpec.fit(
            data.catalogue,
            text=config.text,
            features=config.features,
            rows=np.flatnonzero(data.item_counts),
            counts=data.item_counts,
            characters=config.characters,
            weights=Weights(config.text_weight, config.value_weight),
        )
        for note in spec.notes:
            run.progress.say(note)
        return cls(spec, data.catalogue, spec.transform(data.catalogue))

    @cached_property
    def matrix(self) -> Any:
        """The items' features, SciPy CSR float32 [n_items, width], in row order."""
        return self.spec.transform(self.catalogue)

    @cached_property
    def units(self) -> Any:
        """The same with rows of length 1."""
        return unit_rows(self.matrix)

    def grown(self, catalogue: Catalogue, first: int) -> tuple[Self, Any]:
        """Return the map of a catalogue with more items from row ``first`` on, and the features
        of those, [n_new, width].
        """
        from scipy import sparse

        new, whole = self.spec.transform(catalogue.table.slice(first)), None
        if "matrix" in self.__dict__:
            whole = sparse.vstack([self.matrix, new], format="csr")
        return type(self)(self.spec, catalogue, whole), new

    def describe(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns, [n, width].

        A sentence is read as the first text column; without text columns, it is refused.

        Raises
        ------
        ArgumentError
            For what is neither, for columns that the catalogue lacks, and for what says nothing.
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
        check_described(lines, self.catalogue.column_names, "the description", "the catalogue")
        table = table_of(lines)
        check_read(self.spec, table, "the description")
        matrix = self.spec.transform(table)
        # What isn't said isn't "missing": a sentence says nothing of the year.
        keep = np.ones(matrix.shape[1], np.float32)
        keep[len(self.spec.hashes) :] = 0 if all(isinstance(d, str) for d in descriptions) else 1
        return matrix.multiply(keep[None, :]).tocsr()

    def similar_to(self, features: Any, k: int, allowed: np.ndarray | None = None) -> TopK:
        """Return the items with the largest cosine of some features [n, width]; what shares
        nothing isn't similar.
        """
        scores = cosines(features, self.matrix)
        scores[scores <= 0] = -np.inf
        return best_scores(scores, k, allowed=allowed)

    def similar_items(self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None) -> TopK:
        """Return the items with the largest cosine of each item's features, itself left out."""
        scores = cosines(self.matrix[item_rows], self.matrix)
        return best_scores(scores, k, excluded=one_each(item_rows), allowed=allowed)

    def similar_users(self, histories: Histories, user_rows: np.ndarray, k: int) -> TopK:
        """Return the users whose profiles have the largest cosine with some users', themselves
        left out.
        """
        profiles = self.profiles(histories)
        return best_scores(cosines(profiles[user_rows], profiles), k, excluded=one_each(user_rows))

    def profiles(self, histories: Histories) -> Any:
        """Return the mean of each history's features at length 1, CSR [B, width]."""
        indptr, past, _ = histories.csr
        shares = np.repeat(1 / np.maximum(np.diff(indptr), 1), np.diff(indptr)).astype(np.float32)
        return sparse_rows(indptr, past, self.units.shape[0], shares) @ self.units

    def reasons(self, item_row: int, weights: np.ndarray) -> tuple[Reason, ...]:
        """Return the words and features of an item and what each adds, the largest first, where
        one unit of each feature adds ``weights`` [width].
        """
        row = self.matrix[item_row]
        added = row.data * weights[row.indices]
        names = self.spec.names(self.catalogue.row(item_row))
        named = [
            (names[int(f)], float(a))
            for f, a in zip(row.indices, added, strict=True)
            if int(f) in names
        ]
        return tuple(Reason(n, n, a) for n, a in sorted(named, key=lambda pair: -pair[1]))


def check_width(
    spec: FeatureSpec, arrays: Mapping[str, np.ndarray], specs: Mapping[str, ArraySpec], axis: str
) -> None:
    """Check that the arrays of a saved model which multiply features have a line for each feature.

    Parameters
    ----------
    spec
        What makes the features.
    arrays, specs
        The arrays, and what they must be.
    axis
        What the axis of the features is called in ``specs``.

    Raises
    ------
    ArtifactError
        If one has more or fewer; it says which.
    """
    for name, wanted in specs.items():
        shape = arrays[name].shape if name in arrays else ()
        for along, length in zip(wanted.axes, shape, strict=False):
            if along == axis and length != spec.width:
                raise ArtifactError(
                    f"array {name!r} must have a line for each of the {spec.width:,} features, not"
                    f" {length:,}."
                )
