"""ContentBlend: content ridge regression, implicit ALS with features and, if wanted, two towers,
added up on one scale.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArtifactError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.content.content_config import ContentConfig, NormalizationConfig
from cofactor.models.content.content_features import COMPARISON, ContentFeatures, SimilarByContent
from cofactor.models.content.content_ridge import ContentRidge
from cofactor.models.content.feature_ials import FeatureIALS
from cofactor.models.content.two_tower import TwoTower
from cofactor.models.parts import restored, specs_of_part, states_of
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import Shares, States, UserBatch

# A user's two scores are brought to one scale by their spread over so many items, drawn once.
_PROBES = 500
# What the parts take over, unless their own settings say otherwise; only the ridge, which keeps
# every word apart, reads letters.
_ADOPTED = ("text", "features", "characters", "text_weight", "value_weight", "normalize_scores")
_WITHOUT = ((), ("characters",), ("characters", "normalize_scores"))
_PREFIXES = ("ridge_", "ials_", "tower_")
_PARTS: tuple[type[Recommender], ...] = (ContentRidge, FeatureIALS, TwoTower)


class ContentBlendConfig(NormalizationConfig, ContentConfig):
    """Settings of `ContentBlend`: those of the content, and of its parts."""

    weight: float = setting(
        0.7, low=0.0, high=100.0, doc="Weight of FeatureIALS beside ContentRidge."
    )
    ridge_settings: tuple[str, ...] = setting(
        (), doc="Settings of ContentRidge: ridge=10,neighbours=20."
    )
    ials_settings: tuple[str, ...] = setting(
        (), doc="Settings of FeatureIALS: factors=256,value_weight=1."
    )
    tower_weight: float = setting(
        0.0,
        low=0.0,
        high=100.0,
        doc="Weight of TwoTower beside them; 0 leaves it out, and PyTorch.",
    )
    tower_settings: tuple[str, ...] = setting((), doc="Settings of TwoTower: hidden=256,epochs=8.")

    def check(self) -> None:
        """Refuse settings that the parts don't have."""
        super().check()
        TwoTower.Config.from_text(self.tower_settings)
        self.parts()

    @classmethod
    def upgrade(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return older settings under their present names, those of the parts too."""
        present = super().upgrade(values)
        for prefix, kind in zip(_PREFIXES, _PARTS, strict=True):
            name = f"{prefix}settings"
            if name in present:
                present[name] = kind.Config.upgrade_text(present[name])
        return present

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights of the parts that take part."""
        return (1.0, self.weight, self.tower_weight)[: 3 if self.tower_weight else 2]

    def parts(self) -> list[tuple[type[Recommender], Config]]:
        """Return the parts and their settings: their own, and what they take over."""
        chosen = (self.ridge_settings, self.ials_settings, self.tower_settings)
        found: list[tuple[type[Recommender], Config]] = []
        for kind, words, without, _ in zip(_PARTS, chosen, _WITHOUT, self.weights, strict=False):
            own = {word.partition("=")[0].strip().replace("-", "_") for word in words}
            adopted = {n: getattr(self, n) for n in _ADOPTED if n not in {*own, *without}}
            found.append((kind, kind.Config.from_text(words).replace(**adopted)))
        return found


class ContentBlend(SimilarByContent, ContentFeatures[ContentBlendConfig]):
    """Weighted sum of `ContentRidge` and `FeatureIALS`, for warm and new items alike.

    ``s_ui = a_ui / σ(a_u) + w b_ui / σ(b_u) + v c_ui / σ(c_u)``

    a is of `ContentRidge`, b of `FeatureIALS`, c of `TwoTower` (left out where ``tower_weight`` v
    is 0, as by default); σ is the standard deviation of a user's scores over 500 warm items, drawn
    once. Ridge regression uses every word, low-rank factors relate words of similar meaning, and
    the towers are trained to rank; their errors are on different items.

    A new item without any feature gets the lowest score of those 500: there is no reason to show it
    to anybody, and a score of 0, the middle, would rank it before everything that the user likes
    less than average. The parts use the blend's columns and weights of features, unless their own
    settings name them (``ials_settings=value_weight=1``); character n-grams are read by
    ContentRidge alone, unless named so.

    References
    ----------
    E. A. Fox and J. A. Shaw. 1994. Combination of Multiple Searches. TREC-2 (sums of scores). Which
    models are combined, and by which deviation they are divided, is ours.
    """

    name = "content_blend"
    traits = Traits(explains=True, uses_features=True)

    parts: tuple[Any, ...]  # ContentRidge, FeatureIALS, and TwoTower if it has a weight
    probes: np.ndarray

    def _configure(self, config: ContentBlendConfig) -> None:
        super()._configure(config)
        self.parts = tuple(kind(own) for kind, own in config.parts())

    @classmethod
    def arrays_of(cls, config: ContentBlendConfig) -> Mapping[str, ArraySpec]:
        """Return the arrays of the parts, and the blend's own."""
        arrays = {"probes": ArraySpec("int64", ("probes",), rows_of="items"), **COMPARISON}
        for prefix, (kind, own) in zip(_PREFIXES, config.parts(), strict=False):
            arrays |= specs_of_part(prefix, own, kind.arrays_of(own))
        return arrays

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        # A copy of this blend has the same models, and keeps what they have learned.
        self.parts = tuple(copy.copy(part).fit(data, run=run) for part in self.parts)
        self.feature_map = self.parts[0].feature_map
        warm = np.flatnonzero(data.item_counts)
        self.probes = np.sort(run.generator(self.name, "probes").permutation(warm)[:_PROBES])

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, and how good the content vectors of one part are."""
        part = self.parts[1]
        checked = (f"its part {part.name} alone: {one}" for one in part.checked)
        return (*(one for one in part.notes if one not in part.checked), *checked, *self.compared)

    def without_features(self) -> Recommender:
        """Return iALS with the settings of the part that has them."""
        return self.parts[1].without_features()

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        total: Any = 0.0
        lowest: Any = 0.0
        unknown = self._unknown if item_rows is None else self._unknown[item_rows]
        for part, weight in zip(self.parts, self.config.weights, strict=True):
            folded = part.fold_in(states)
            probed = part.score_batch(folded, self.probes)
            scale = np.float32(weight) / np.maximum(probed.std(axis=1, keepdims=True), 1e-12)
            total = total + scale * part.score_batch(folded, item_rows)
            lowest = lowest + scale * probed
        scores = np.asarray(total, np.float32)
        scores[:, unknown] = lowest.min(axis=1, keepdims=True)
        return scores

    @property
    def _unknown(self) -> np.ndarray:
        """Which items nothing is known of: neither interactions nor content; bool [n_items]."""
        counts, features = self.data.item_counts, self.features
        return self._once("unknown", lambda: (counts == 0) & (np.diff(features.indptr) == 0))

    def _spread(self, part: Recommender, one: UserBatch) -> float:
        """The spread of one part's scores for the one user."""
        return max(float(part.score_batch(one, self.probes).std()), 1e-12)

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        """The past items' shares in the parts that are linear in the past; what the towers say
        belongs to none of them.
        """
        assert isinstance(batch.states, Histories)
        past, rest = batch.seen[1], np.zeros(len(item_rows))
        added = np.zeros((len(item_rows), len(past)))
        for part, weight in zip(self.parts, self.config.weights, strict=True):
            one = part.fold_in(batch.states)
            share = weight / self._spread(part, one)
            if part.traits.explains:
                added += share * part.explain_rows(one, item_rows).added
            else:
                rest += share * part.score_batch(one, item_rows)[0]
        unknown = self._unknown[item_rows]
        added[unknown] = 0
        if unknown.any():
            rest[unknown] = self._score(batch.states, np.asarray(item_rows)[unknown])[0]
        return Shares(past, added, rest)

    def feature_weights(self, batch: UserBatch, item_row: int) -> np.ndarray | None:
        """Return what a unit of each feature adds; see `ContentFeatures.feature_weights`."""
        # The words of the ridge part alone: the other may read other features.
        assert isinstance(batch.states, Histories)
        weights = self.parts[0].feature_weights(batch, item_row)
        if weights is None:
            return None
        return weights / self._spread(self.parts[0], self.parts[0].fold_in(batch.states))

    def _extend(self, features: Any) -> None:
        self.parts = tuple(part.with_data(self.data) for part in self.parts)

    def _state(self) -> dict[str, np.ndarray]:
        return {"probes": self.probes, **states_of(zip(_PREFIXES, self.parts, strict=False))}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        named = zip(_PREFIXES, self.parts, strict=False)
        self.parts = restored(named, arrays, self.data)
        self.feature_map, self.probes = self.parts[0].feature_map, np.asarray(arrays["probes"])
        if not len(self.probes):
            raise ArtifactError("the model's array 'probes' names no items.")
