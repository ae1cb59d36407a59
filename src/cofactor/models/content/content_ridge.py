"""ContentRidge: who takes what, regressed on the items' content in the dual; the strongest
scores for new items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base import memory, rng
from cofactor.base.config import setting
from cofactor.base.errors import TrainingError
from cofactor.base.offsets import places_of
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.data.split import Part
from cofactor.models.content.content_config import ContentConfig, NormalizationConfig
from cofactor.models.content.content_features import (
    COMPARISON,
    ContentFeatures,
    SimilarByContent,
    cold_rows,
)
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap
from cofactor.models.content.ridge_choice import RidgeSettings, settled
from cofactor.models.content.score_normalisation import levels
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import Shares, States, UserBatch

# Users answered at a time: their weights over all warm items and over all features stand in memory.
_USERS = 128
# Random mixtures of all users by which the spreads of items' scores are measured.
_SKETCH = 256


class ContentRidgeConfig(NormalizationConfig, ContentConfig):
    """Settings of `ContentRidge`."""

    ridge: float | None = setting(
        None,
        above=0.0,
        doc=(
            "λ: the higher, the more similar the scores of items with similar content; None: 10,"
            " or 100 if that ranks held-out items significantly better."
        ),
    )
    neighbours: float | None = setting(
        None,
        low=0.0,
        doc=(
            "β: how much items that co-occur with a user's items count beside those items"
            " themselves; None: 20, or 0 or 200 if that ranks held-out items significantly better."
        ),
    )
    user_power: float = setting(
        0.5, low=0.0, high=1.0, doc="How much users with many items are penalised in that."
    )
    item_power: float = setting(
        0.5, low=0.0, high=1.0, doc="How much items with many users are penalised in that."
    )
    constant: float = setting(
        0.0,
        low=0.0,
        high=100.0,
        doc="Weight of a feature that all items have: what is liked independently of content.",
    )
    size: float = setting(
        0.0,
        low=0.0,
        high=100.0,
        doc="Weight of the length of an item's description, ln(1 + its features), as a feature.",
    )


class ContentRidge(SimilarByContent, ContentFeatures[ContentRidgeConfig]):
    """Kernel ridge regression of each user's items on content, in closed form.

    ``s_uc = x_u (I + β G) (K + λ I)^-1 k_c``

    With F the features of the items with interactions (with ``constant`` and ``size`` two more: 1,
    and the standard score of ``ln(1 + n)`` for n features), ``K = F F'`` is their similarity and
    ``k_c = F f_c`` that of an item c, warm or new; ``G = N'N`` with ``N = D_u^-a X D_i^-b`` says
    which items go together (a and b the powers, D the counts of users and items). It is the dual
    solution, for all users at once, of ``min |X (I + β G) - F W|² + λ |W|²``: interactions say
    which items suit a user, content says which others are similar to them.

    By default λ and β follow the data: a fifth of the warm items is held out, and λ = 100 instead
    of 10, β = 0 or 200 instead of 20 are taken if they rank these significantly better
    (`cofactor.models.content.ridge_choice`).

    The scores of new items are divided by ``(σ_c / σ̄)^q``, with σ their standard deviation over
    users, σ̄ its median over items with interactions, and q the ``normalize_scores``: see
    `cofactor.models.content.score_normalisation`.

    One n_warm × n_warm matrix of float32 is held, as in EASE, and n_warm³ multiplications fit it;
    what wouldn't fit into memory is refused (`bridge` needs neither). New items need no computation
    beyond their features.

    Notes
    -----
    Saunders, Gammerman and Vovk. 1998. Ridge Regression Learning Algorithm in Dual Variables.
    ICML. The item-to-item smoothing of the targets is ours."""

    name = "content_ridge"
    traits = Traits(explains=True, uses_features=True)
    arrays = {
        **SPEC_ARRAYS,
        **COMPARISON,
        "warm": ArraySpec("int64", ("warm",), rows_of="items"),
        "weights": ArraySpec("float32", ("warm", "warm")),
        "levels": ArraySpec("float32", ("items",)),
        "scale": ArraySpec("float64", ("3",)),
    }

    warm: np.ndarray  # int64 [n_warm]: rows of the items with interactions
    weights: np.ndarray  # float32 [n_warm, n_warm]: (I + β G) (K + λ I)^-1
    levels: (
        np.ndarray
    )  # float32 [n_items]: what scores are multiplied by; 1 for items with interactions
    scale: np.ndarray  # mean and deviation of ln(1 + n), and σ̄

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        from cofactor.kernels.cpu.gram import gram_lower, mirror_lower
        from cofactor.kernels.cpu.inverse import invert_lower

        self.warm = np.flatnonzero(data.item_counts)
        n = len(self.warm)
        memory.require(
            10 * n**2,
            what=f"ContentRidge's {n:,} × {n:,} matrices",
            cure="use bridge, whose memory grows with the items",
        )
        self.feature_map = FeatureMap.learn(data, self.config, run)
        matrix = self.features
        said = np.log1p(np.diff(matrix.indptr)[self.warm])
        self.scale = np.array([said.mean(), max(float(said.std()), 1e-6), 0.0])
        config, inputs = self.config, self._inputs(matrix)
        open_or_given = RidgeSettings(
            config.ridge, config.neighbours, config.user_power, config.item_power
        )
        ridge, neighbours = settled(data, inputs, open_or_given, run)
        mine = inputs[self.warm]
        turned = mine.T.tocsr()
        turned.sort_indices()
        by_feature, by_item = (_csr(turned), _csr(mine))
        with run.progress.task("ContentRidge", 100) as task:
            dual = gram_lower(*by_feature, *by_item, run.n_threads)
            np.einsum("ii->i", dual)[...] += np.float32(ridge)
            if invert_lower(dual, run.n_threads) >= 0:
                raise TrainingError(
                    "ContentRidge's matrix isn't positive definite in float32; raise ridge."
                )
            mirror_lower(dual, run.n_threads)
            task.advance(80)
            if neighbours:
                self._add_neighbours(dual, data, neighbours)
            task.advance(20)
        self.weights, self.levels = dual, np.ones(data.n_items, np.float32)
        if self.config.normalize_scores:
            self._level(data, matrix)

    def _add_neighbours(self, dual: np.ndarray, data: Interactions, weight: float) -> None:
        """Add what items say of items by the users that they share, in place."""
        from scipy import sparse

        x = sparse_rows(data.indptr, data.item_rows, data.n_items)
        users = np.maximum(data.user_counts, 1) ** -self.config.user_power
        items = data.item_counts[self.warm] ** -self.config.item_power
        scaled = (
            sparse.diags(users.astype(np.float32))
            @ x[:, self.warm]
            @ sparse.diags(items.astype(np.float32))
        ).tocsr()
        together, back = np.float32(weight) * scaled.T.tocsr(), scaled
        # In blocks of columns, so that the users' part never stands in memory whole.
        for low in range(0, len(dual), 2048):
            part = slice(low, min(low + 2048, len(dual)))
            dual[:, part] += together @ (back @ np.ascontiguousarray(dual[:, part]))

    def _inputs(self, matrix: Any) -> Any:
        """The features with the constant and the size, CSR [n, width + 2]."""
        from scipy import sparse

        size = (np.log1p(np.diff(matrix.indptr)) - self.scale[0]) / self.scale[1]
        more = np.stack(
            [np.full(matrix.shape[0], self.config.constant), self.config.size * size], 1
        )
        return sparse.hstack(
            [matrix, sparse.csr_matrix(more, dtype=np.float32)], format="csr", dtype=np.float32
        )

    def _level(self, data: Interactions, matrix: Any) -> None:
        """Measure the spreads of all items' scores over users, and set the levels of those
        without interactions.
        """
        spreads = self._spreads_over(matrix, data)
        self.scale[2] = float(np.median(spreads[self.warm]))
        cold = cold_rows(data)
        self.levels[cold] = levels(
            spreads[cold], float(self.scale[2]), self.config.normalize_scores
        )

    def _spreads_over(self, matrix: Any, data: Interactions) -> np.ndarray:
        """The standard deviation of items' scores over users, float64 [n]."""
        sketch = self._once("sketch", lambda: self._sketch(data))
        return np.linalg.norm(self._inputs(matrix) @ sketch, axis=1).astype(np.float64)

    def _sketch(self, data: Interactions) -> np.ndarray:
        """What all users want of each feature, mixed at random, so that ``|f'P|`` is the spread of
        an item's scores: [width + 2, r].

        With S the scores of all users, G [n_users, r] normal and its columns centred, ``|s_c' G|² /
        (r n)`` has the mean Var(s_c); with r = 256 its root is within 5 % mostly. The draw is
        always the same, so that it needn't be kept."""

        known = data.user_counts > 0
        drawn = rng.generator(0, self.name, "sketch").standard_normal(
            (data.n_users, _SKETCH), dtype=np.float32
        )
        drawn[~known] = 0
        drawn[known] -= drawn[known].mean(axis=0)
        x = sparse_rows(data.indptr, data.item_rows, data.n_items)
        mixed = self.weights.T @ np.asarray(x[:, self.warm].T @ drawn)
        return np.asarray(self._mine @ mixed, np.float32) / np.float32(
            np.sqrt(_SKETCH * known.sum())
        )

    def _extend(self, features: Any) -> None:
        new = np.ones(features.shape[0], np.float32)
        if self.config.normalize_scores:
            new = levels(
                self._spreads_over(features, self.data),
                float(self.scale[2]),
                self.config.normalize_scores,
            )
        self.levels = np.concatenate((self.levels, new))

    @property
    def _mine(self) -> Any:
        """The inputs of the warm items, transposed, CSR [width + 2, n_warm]."""
        return self._once("mine", lambda: self._inputs(self.features[self.warm]).T.tocsr())

    def _past(self, histories: Histories) -> Any:
        """Histories over the warm items, CSR [B, n_warm]; items without training data have
        nothing to say here.
        """
        return sparse_rows(*histories.csr[:2], histories.n_items)[:, self.warm]

    def _wanted(self, past: Any) -> np.ndarray:
        """What users want of each feature, float32 [width, B]: F' (K + λ I)^-1 (I + β G)' x_u."""
        return np.asarray(self._mine @ np.ascontiguousarray((past @ self.weights).T))

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        items = self._inputs(self.features if item_rows is None else self.features[item_rows])
        level = self.levels if item_rows is None else self.levels[item_rows]
        past = self._past(states)
        scores = np.empty((len(states), items.shape[0]), np.float32)
        for low in range(0, len(states), _USERS):
            scores[low : low + _USERS] = (items @ self._wanted(past[low : low + _USERS])).T * level
        return scores

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        past = batch.seen[1]
        inputs = self._inputs(self.features[item_rows]).toarray()
        like = np.asarray(self._mine.T @ inputs.T) * self.levels[item_rows]
        at = places_of(self.warm, self.data.n_items)[past]
        added = np.where(at >= 0, (self.weights[np.maximum(at, 0)] @ like).T, 0)
        return Shares(past, added, np.zeros(len(item_rows)))

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        assert isinstance(batch.states, Histories)
        return self.levels[item_row] * self._wanted(self._past(batch.states))[:-2, 0]

    def _state(self) -> dict[str, np.ndarray]:
        names = ("warm", "weights", "levels", "scale")
        return {**self.spec.arrays(), **{name: getattr(self, name) for name in names}}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.warm, self.weights = np.asarray(arrays["warm"]), arrays["weights"]
        self.levels, self.scale = arrays["levels"], np.array(arrays["scale"])


def _csr(matrix: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        matrix.indptr.astype(np.int64),
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float32),
    )
