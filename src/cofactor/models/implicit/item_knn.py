"""Item neighbours: recommends items that are similar to those of the user's history."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.base.search import among, between, log
from cofactor.base.threads import current_threads
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.defaults import popularity_term
from cofactor.models.defaults.noise import relative_noise
from cofactor.models.implicit.linear import (
    LinearItemModel,
    WeightedConfig,
    by_user_and_item,
    weighed,
)
from cofactor.models.implicit.neighbour_pieces import neighbours_of_all
from cofactor.models.implicit.sparse_weights import SPARSE_ARRAYS, SparseWeights
from cofactor.models.traits import Traits

# Chosen on validation parts of the panel (benchmarks/panel.py); half as much is as good.
NOISE_SHRINKAGE = 200.0


class ItemKNNConfig(WeightedConfig):
    """Settings of `ItemKNN`."""

    search = {
        "neighbours": log(10, 1000),
        "similarity": among("cosine", "asymmetric", "jaccard"),
        "shrinkage": log(0.1, 1000.0),
        "asymmetry": between(0.1, 0.9),
        "weighting": among("none", "tfidf", "bm25"),
        "normalize": among(False, True),
    }

    new_defaults = {"weighting": "tfidf"}

    neighbours: int = setting(300, low=1, high=100_000, doc="Number of neighbours kept per item.")
    similarity: str = setting(
        "cosine",
        choices=("cosine", "asymmetric", "jaccard", "tversky", "dot"),
        doc="Similarity of two items, from their common users.",
    )
    shrinkage: float | None = setting(
        None,
        low=0,
        doc=(
            "Shrinkage: added to a similarity's denominator, so that pairs with few common"
            " users count less; None: computed from the data's noise."
        ),
    )
    asymmetry: float = setting(
        0.5,
        low=0,
        high=1,
        doc=(
            "Under asymmetric: the share of the past item's length; 1 favours popular items, 0.5 is"
            " cosine."
        ),
    )
    tversky_past: float = setting(
        1.0, low=0, doc="Under tversky: the weight of users of the past item alone."
    )
    tversky_new: float = setting(
        1.0, low=0, doc="Under tversky: the weight of users of the recommended item alone."
    )
    neighbours_of: str = setting(
        "recommended",
        choices=("recommended", "past"),
        doc=(
            "Whose most similar items are kept: those of each item to be recommended, or of each"
            " past item."
        ),
    )
    normalize: bool = setting(
        False,
        doc=(
            "Whether an item's score is divided by the sum of its similarities, so that it is a"
            " mean."
        ),
    )


class ItemKNN(LinearItemModel[ItemKNNConfig]):
    """Neighbours among items: ``s_uj = Σ_i x_ui sim(i, j)`` over the user's items i that are
    neighbours of j.

    With d = Σ_u x_ui x_uj, |i|² = Σ_u x_ui² and the shrinkage h:

    - cosine: d / (|i| |j| + h)
    - asymmetric: d / (|i|^2a |j|^2(1-a) + h), i being the past item
    - jaccard: d / (|i|² + |j|² - d + h), and tversky: d / (d + α (|i|² - d) + β (|j|² - d) + h)
    - dot: d, which needs a weighting that holds popular items back (bm25)

    By default ``h = 200 e² mean x²``, with e the `relative_noise` of the interactions and the mean
    over them: e² grows with one over the number of interactions a row, and x² is what one common
    user adds to d, so that weights on another scale change nothing.

    Notes
    -----
    Mukund Deshpande and George Karypis. 2004. Item-Based Top-N Recommendation Algorithms. ACM TOIS;
    the asymmetric cosine: Fabio Aiolli. 2013. Efficient Top-N Recommendation for Very Large Scale
    Binary Rated Datasets. RecSys."""

    name = "item_knn"
    fits_on_engine = True
    traits = Traits(explains=True)
    arrays = {**SPARSE_ARRAYS, **popularity_term.ARRAYS}

    weights: SparseWeights

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        x = weighed(data, self.config, self.name)
        if self.config.values == "ones" and self.config.weighting == "none":
            square = data.item_counts.astype(np.float64)
        else:
            square = np.bincount(
                data.item_rows, x.astype(np.float64) ** 2, minlength=data.n_items
            ).astype(np.float64)
        neighbours = min(self.config.neighbours, max(1, data.n_items - 1))
        shrinkage = self.config.shrinkage
        if shrinkage is None:
            mean = float(square.sum()) / max(1, len(data))
            shrinkage = NOISE_SHRINKAGE * relative_noise(data) ** 2 * mean
        matrix, formula = by_user_and_item(data, x), self._terms(square, shrinkage)
        rows, similarity, count = neighbours_of_all(matrix, formula, neighbours, run)
        made = (
            SparseWeights.of_recommended
            if self.config.neighbours_of == "recommended"
            else SparseWeights.of_past
        )
        weights = made(rows, similarity, count)
        self.weights = weights.with_columns_scaled() if self.config.normalize else weights

    def _terms(
        self, square: np.ndarray, shrinkage: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
        """The p, q, a, b, w of d / (p_i q_j + a_i + b_j + w d), i being the item whose
        neighbours are kept.
        """
        config = self.config
        zero, h = np.zeros_like(square), np.full_like(square, shrinkage)
        past_first = config.neighbours_of == "past"
        if config.similarity in ("cosine", "asymmetric"):
            a = config.asymmetry if config.similarity == "asymmetric" else 0.5
            parts = (square**a, square ** (1 - a)) if past_first else (square ** (1 - a), square**a)
            terms = (*parts, h, zero)
            weight = 0.0
        elif config.similarity == "dot":
            terms, weight = (zero, zero, zero + 1, zero), 0.0
        else:
            past, new = (
                (1.0, 1.0)
                if config.similarity == "jaccard"
                else (config.tversky_past, config.tversky_new)
            )
            first, second = (past, new) if past_first else (new, past)
            terms, weight = (zero, zero, first * square + h, second * square), 1.0 - past - new
        p, q, a_i, b_j = (part.astype(np.float32) for part in terms)
        return p, q, a_i, b_j, weight

    def _product(
        self, indptr: np.ndarray, past: np.ndarray, values: np.ndarray, item_rows: np.ndarray | None
    ) -> np.ndarray:
        scores = self.weights.scores(indptr, past, values, current_threads())
        return scores if item_rows is None else scores[:, item_rows]

    def _column(self, past: np.ndarray, item_row: int) -> np.ndarray:
        return self.weights.column(past, item_row)

    def _state(self) -> dict[str, np.ndarray]:
        return self.weights.arrays()

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weights = SparseWeights.of_arrays(arrays, self.data.n_items)
