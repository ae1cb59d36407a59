"""Bridge: any model with item vectors, and a map from content to those vectors, so that new
items have theirs too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.sorting import sparse_rows
from cofactor.data.split import Part
from cofactor.models import registry
from cofactor.models.content import check as checking
from cofactor.models.content.check import Check, HeldOutScores, Scores
from cofactor.models.content.content_config import CalibrationConfig, ContentConfig
from cofactor.models.content.content_features import (
    COMPARISON,
    ContentFeatures,
    cold_rows,
    with_items_only,
)
from cofactor.models.content.feature_map import SPEC_ARRAYS, FeatureMap
from cofactor.models.content.reduction import main_directions
from cofactor.models.content.ridge import sparse_ridge
from cofactor.models.defaults.popularity_term import PopularityTermConfig
from cofactor.models.parts import with_prefix
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import InnerProduct, Shares, States, UserBatch
from cofactor.retrieval.topk import TopK
from cofactor.training.state import of_prefix

BASES = ("ials", "bpr", "warp", "logistic_mf", "latent_factor", "ease")
RIDGES = (0.3, 1.0, 3.0, 10.0, 30.0)
# EASE has a column for a vector: it is mapped to from so many main directions of the content.
_DIRECTIONS = 256
_PREFIX = "base_"
# What settings of bases were in 0.1 where they weren't given, of those that fold-in reads: its
# manifests hold only what was given.
_DEFAULTS_OF_0_1 = {
    "ials": {"regularization": 0.01},
    "bpr": {"learning_rate": 0.08, "regularization": 0.01},
    "warp": {"learning_rate": 0.1, "regularization": 0.002},
    "logistic_mf": {"learning_rate": 0.3, "regularization": 5.0},
    "latent_factor": {"regularization": 0.1, "bias_regularization": 0.005},
}


class BridgeConfig(CalibrationConfig, ContentConfig):
    """Settings of `Bridge`."""

    base: str = setting(
        "ials", choices=BASES, doc="The model whose item vectors content is mapped to."
    )
    base_settings: tuple[str, ...] = setting(
        (), doc="Settings of that model: factors=128,epochs=10."
    )
    ridge: float | None = setting(
        None, above=0.0, doc="λ of the map; None chooses it on held-out warm items."
    )

    def check(self) -> None:
        """Refuse settings that the base doesn't have."""
        super().check()
        self.base_config()

    @classmethod
    def upgrade(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return older settings under their present names, the base's too."""
        present = super().upgrade(values)
        if "base_settings" in present:
            base = present.get("base", "ials")
            given = registry.get(base).Config.upgrade_text(present["base_settings"])
            if "twin" in values:  # glossary: old name, which 0.1 alone wrote
                usual = {**_DEFAULTS_OF_0_1.get(base, {})}
                for word in given:
                    usual.pop(word.partition("=")[0], None)
                given += [f"{name}={value}" for name, value in usual.items()]
            present["base_settings"] = given
        return present

    def base_config(self) -> Config:
        """Return the settings of the base."""
        config: Any = registry.get(self.base).Config.from_text(self.base_settings)
        if isinstance(config, PopularityTermConfig) and config.popularity_weight:
            raise ArgumentError(
                f"base_settings can't have popularity_weight={config.popularity_weight:g}, since"
                " new items have no popularity; leave it out."
            )
        return config


class Bridge(ContentFeatures[BridgeConfig]):
    """Add new items to a trained model, by a ridge regression of its item vectors on content.

    An item without interactions gets the vector ``v_i = s (v̄ + W'f_i)``.

    W minimises ``Σ_(i warm) |v_i - v̄ - W'f_i|² + λ |W|²`` over the trained item vectors (biases
    are one more entry), with v̄ their mean. λ and the scale s are chosen on a fifth of the warm
    items, held out from W: λ by the AUC of the held-out items among each other, s so that content
    vectors take the share of users' top 10 that the trained ones take (``calibrate_exposure``).
    `check` says how good the map is. For EASE, v_i is its column of weights, and f_i is first
    reduced to its principal directions.

    Everything else is the base model's: scores, fold-in, reasons, similar items.

    References
    ----------
    Gantner, Drumond, Freudenthaler, Rendle and Schmidt-Thieme. 2010. Learning
    Attribute-to-Feature Mappings for Cold-Start Recommendations. ICDM."""

    name = "bridge"
    uses_device = True
    traits = Traits(uses_features=True, explains=True)

    arrays = {
        **SPEC_ARRAYS,
        **COMPARISON,
        "map": ArraySpec.of_items("width", "mapped"),
        "mean": ArraySpec.of_items("mapped"),
        "basis": ArraySpec.of_items("trained items", "mapped", optional=True),
        "check": ArraySpec("float64", ("check numbers",)),
        "n_trained": ArraySpec("int64", ("1",)),
    }

    inner: Recommender
    check: Check

    @classmethod
    def traits_of(cls, config: BridgeConfig) -> Traits:
        """Return the base's traits; new items are known, and ratings aren't predicted."""
        theirs = registry.get(config.base).traits_of(config.base_config())
        return replace(theirs, uses_features=True, predicts_ratings=False)

    @classmethod
    def arrays_of(cls, config: BridgeConfig) -> Mapping[str, ArraySpec]:
        """Return the arrays of the map, and those of the base.

        The base's are as long as its own items, which may be fewer than there are now.
        """
        theirs = registry.get(config.base).arrays_of(config.base_config())
        return {**cls.arrays, **{_PREFIX + name: _free(spec) for name, spec in theirs.items()}}

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        self.feature_map = FeatureMap.learn(data, self.config, run)
        matrix = self.features
        self.inner = self._base().fit(data, validation=validation, run=run)
        self.inner.popularity_offset = None  # new items have no popularity
        self._trained = self.inner.state()
        self._n_trained = data.n_items
        warm = np.flatnonzero(data.item_counts)
        targets = self._targets(matrix, warm, run)
        self._learn(data, matrix, targets, warm, run)
        self._put(matrix, cold_rows(data))
        run.progress.say(self.check.sentence)

    def without_features(self) -> Recommender:
        """Return the base itself, fitted already where the bridge is: items with interactions
        keep its vectors, so nothing is lost.
        """
        return self.inner if self._data is not None else self._base()

    def _base(self) -> Recommender:
        config: Any = self.config.base_config()
        if isinstance(config, PopularityTermConfig):  # new items have no popularity
            config = config.replace(popularity_weight=0.0)
        return registry.get(self.config.base)(config)

    # The map.

    def _targets(self, matrix: Any, warm: np.ndarray, run: Run) -> np.ndarray:
        """The trained vectors of the warm items, float32 [n_warm, mapped]; for EASE its columns
        in the basis.
        """
        self._basis: np.ndarray | None = None
        if self.config.base != "ease":
            return _vectors(self.inner)[warm]
        directions = main_directions(
            matrix[warm], _DIRECTIONS, run.generator("bridge", "directions")
        )
        self._directions = np.asarray(matrix[warm] @ directions)
        lengths = np.maximum(np.linalg.norm(self._directions, axis=0), 1e-6)
        # b_i = (B Z) (Z'Z + λ)^-1 z_i, so the basis is B Z over its lengths, and the vectors to map
        # to are those of the identity.
        units = self._directions / lengths
        self._basis = np.asarray(_columns(self.inner)[:, warm] @ units, np.float32)
        return units

    def _learn(
        self, data: Interactions, matrix: Any, targets: np.ndarray, warm: np.ndarray, run: Run
    ) -> None:
        """Choose λ and the scale on held-out items, then fit W on all warm ones."""
        held = checking.HeldOutItems.draw(data, run.seed)
        inside, rest = np.isin(warm, held.items), held.rest
        given = (self.config.ridge,) if self.config.ridge is not None else RIDGES
        folded = self.inner.fold_in(checking.other_items(data, held.users, held.items))
        best: tuple[float, float, np.ndarray] | None = None
        for ridge in given if len(rest) else given[:1]:
            mean = (targets[~inside] if len(rest) else targets).mean(axis=0)
            w = np.zeros((matrix.shape[1], targets.shape[1]))
            if len(rest):
                w = sparse_ridge(matrix[rest], targets[~inside] - mean, ridge)
            found = np.asarray(mean + matrix[held.items] @ w, np.float32)
            quality = checking.auc(self._scores_of(folded, found), data, held.users, held.items)
            if best is None or quality > best[0] + 1e-4:
                best = (quality, ridge, found)
        assert best is not None
        _, ridge, found = best
        self.check = checking.check_of(
            data,
            self._held_out_scores(held, folded, found, targets, inside),
            cosine=checking.cosine(found, targets[inside]),
            ridge=ridge,
            calibrate=self.config.calibrate_exposure,
            features=matrix,
        )
        self.mean = targets.mean(axis=0).astype(np.float32)
        self.map = np.asarray(sparse_ridge(matrix[warm], targets - self.mean, ridge), np.float32)

    def _held_out_scores(
        self,
        held: checking.HeldOutItems,
        folded: UserBatch,
        found: np.ndarray,
        targets: np.ndarray,
        inside: np.ndarray,
    ) -> HeldOutScores:
        """Scores by the held-out items' content vectors, and by the trained ones."""
        known = self.inner.user_batch(held.users)

        def trained(batch: UserBatch, items: np.ndarray, vectors: np.ndarray) -> np.ndarray:
            if self.config.base == "ease":
                return self.inner.score_batch(batch, items)
            return self._scores_of(batch, vectors)

        scores = [
            Scores(self._scores_of(batch, found), trained(batch, held.items, targets[inside]))
            for batch in (folded, known)
        ]
        others = trained(known, held.rest, targets[~inside])
        return HeldOutScores(held.users, held.items, scores[0], scores[1], others)

    def _scores_of(self, batch: UserBatch, vectors: np.ndarray) -> np.ndarray:
        """Scores of some users for items with such vectors, float32 [n_users, n]; what all items
        share is left out.
        """
        states = batch.states
        if self._basis is not None:
            assert isinstance(states, Histories)
            return sparse_rows(*states.csr[:2], states.n_items) @ (self._basis @ vectors.T)
        width = vectors.shape[1] - 1
        return np.asarray(states)[:, :width] @ vectors[:, :-1].T + vectors[:, -1]

    def _put(self, matrix: Any, cold: np.ndarray) -> None:
        """Give items at some rows their content vectors, inside the base; rows beyond the base's
        are appended.
        """
        vectors = self.check.scale * np.asarray(self.mean + matrix[cold] @ self.map, np.float32)
        inner: Any = self.inner
        if self._basis is not None:
            inner.dense = _grown(_grown(inner.dense, matrix.shape[0], 0), matrix.shape[0], 1)
            inner.dense[: len(self._basis), cold] = self._basis @ vectors.T
            return
        inner.item_factors = _grown(inner.item_factors, matrix.shape[0], 0)
        inner.item_factors[cold] = vectors[:, :-1]
        if inner.item_bias is not None:
            inner.item_bias = _grown(inner.item_bias, matrix.shape[0], 0)
            inner.item_bias[cold] = vectors[:, -1]

    def _extend(self, features: Any) -> None:
        from scipy import sparse

        n_items, n_new = self.data.n_items, features.shape[0]
        self.inner = self.inner.with_data(self.data)
        blank = sparse.csr_matrix((n_items - n_new, features.shape[1]), dtype=np.float32)
        whole = sparse.vstack([blank, features], format="csr")
        self._put(whole, np.arange(n_items - n_new, n_items))

    # All else is the base's.

    def _states(self, user_rows: np.ndarray) -> States:
        return self.inner.user_batch(user_rows).states

    def _fold_in(self, histories: Histories) -> States:
        return self.inner.fold_in(histories).states

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        return self.inner.score_batch(UserBatch.of_states(states), item_rows)

    def inner_product(self) -> InnerProduct | None:
        """Return the item vectors and offsets; see `Model.inner_product`."""
        return self.inner.inner_product()

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        return self.inner.explain_rows(batch, item_rows)

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        return self.inner.similar_item_rows(item_rows, k, allowed, n_threads)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        return self.inner.similar_user_rows(user_rows, k, n_threads)

    def item_vectors(self) -> np.ndarray:
        """Return the item vectors of the base, float32 [n_items, factors]; those of cold items
        come from content.
        """
        return self.inner.item_vectors()

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' vectors of the base, float32 [n_users, factors]."""
        return self.inner.user_vectors()

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        states = batch.states
        if self._basis is not None:
            assert isinstance(states, Histories)
            return (
                self.check.scale
                * self.map
                @ (sparse_rows(*states.csr[:2], states.n_items) @ self._basis)[0]
            )
        return self.check.scale * (
            self.map[:, :-1] @ np.asarray(states)[0, : self.map.shape[1] - 1] + self.map[:, -1]
        )

    def _state(self) -> dict[str, np.ndarray]:
        own = {
            "map": self.map,
            "mean": self.mean,
            "check": self.check.array(),
            "n_trained": np.array([self._n_trained], np.int64),
        }
        basis = {} if self._basis is None else {"basis": self._basis}
        return {**self.spec.arrays(), **own, **basis, **with_prefix(_PREFIX, self._trained)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        super()._restore(arrays)
        self.map, self.mean = arrays["map"], arrays["mean"]
        self.check = Check.of_array(arrays["check"])
        self._basis, self._n_trained = arrays.get("basis"), int(arrays["n_trained"][0])
        n, basis, counts = self._n_trained, self._basis, self.data.item_counts
        fits = 0 < n <= len(counts) and not counts[n:].any()  # interactions are of trained items
        if not fits or (n if self.config.base == "ease" else None) != (
            None if basis is None else len(basis)
        ):
            raise ArtifactError(
                f"the bridge was trained on {n} items, which its other arrays, of {len(counts)}"
                " items, don't fit."
            )
        self._trained = of_prefix(_PREFIX, arrays)
        known = with_items_only(self.data, np.arange(self._n_trained))
        config = self.config.base_config()
        inner = registry.get(self.config.base).from_state(config, self._trained, known)
        self.inner = inner.with_data(self.data)
        self._put(self.features, cold_rows(self.data))


def _free(spec: ArraySpec) -> ArraySpec:
    """A base's array with the lengths of its axes left open: the base checks them itself, by its
    own items.
    """
    axes = tuple(
        axis if axis.isdecimal() or axis == "users" else f"base {axis}" for axis in spec.axes
    )
    return replace(spec, axes=axes, low=None, above=None, rows_of=None)


def _vectors(inner: Any) -> np.ndarray:
    """Trained vectors with the bias as their last entry (0 where there is none), float32
    [n_items, factors + 1].
    """
    vectors, bias = inner.item_factors, inner.item_bias
    bias = np.zeros(len(vectors), np.float32) if bias is None else bias
    return np.concatenate((vectors, bias[:, None]), 1)


def _columns(inner: Any) -> np.ndarray:
    if inner.dense is None:
        raise ArgumentError("a bridge to EASE needs all of its weights; leave keep=None.")
    return inner.dense


def _grown(array: np.ndarray, length: int, axis: int) -> np.ndarray:
    """A copy with zeros at its end along an axis (so that what was trained stays as it was)."""
    more = [(0, 0)] * array.ndim
    more[axis] = (0, max(0, length - array.shape[axis]))
    return np.pad(array, more)
