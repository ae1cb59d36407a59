"""ContentBlend: content ridge regression and implicit ALS with features, added up on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cofactor.base.config import setting
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.base import Audience, Recommender, States
from cofactor.models.content.base import COMPARISON, ContentConfig
from cofactor.models.content.content_knn import ContentKNN
from cofactor.models.content.content_ridge import ContentRidge
from cofactor.models.content.feature_ials import FeatureIALS
from cofactor.models.traits import ArraySpec, Traits

if TYPE_CHECKING:
    from cofactor.data.split import Part

# A user's two scores are brought to one scale by their spread over so many items, drawn once.
_PROBES = 500
_ADOPTED = ("text", "features", "characters", "text_weight", "value_weight", "levelling")


class ContentBlendConfig(ContentConfig):
    """Settings of `ContentBlend`: those of the content, and of its two parts."""

    levelling: float = setting(0.0, low=0.0, high=1.0, doc="How far new items are brought to one spread of scores over users; 0 not.")
    weight: float = setting(0.7, low=0.0, high=100.0, doc="Weight of FeatureIALS beside ContentRidge.")
    ridge_settings: tuple[str, ...] = setting((), doc="Settings of ContentRidge: ridge=10,neighbours=20.")
    ials_settings: tuple[str, ...] = setting((), doc="Settings of FeatureIALS: factors=256,regularization=0.02.")
    ials_characters: bool = setting(False, doc="Whether FeatureIALS too reads the letters of words, where characters is set.")

    def check(self) -> None:
        """Refuse settings that the parts don't have."""
        super().check()
        ContentRidge.Config.from_text(self.ridge_settings)
        FeatureIALS.Config.from_text(self.ials_settings)


class ContentBlend(ContentKNN):
    """``s_ui = a_ui / σ(a_u) + w b_ui / σ(b_u)``, with a from `ContentRidge`, b from `FeatureIALS`, for warm and new items alike.

    σ is the standard deviation of a user's scores over 500 warm items, drawn once. Ridge regression keeps every word, low-rank
    factors join what is said in different words; the two err on different items.
    """

    name = "content_blend"
    Config = ContentBlendConfig
    traits = Traits(explains=True, uses_values=True, uses_features=True)

    parts: tuple[ContentRidge, FeatureIALS]
    probes: np.ndarray

    def __init__(self, config: Any = None, **settings: Any) -> None:
        super().__init__(config, **settings)
        own = {name: getattr(self.config, name) for name in _ADOPTED}
        ridge: Any = ContentRidge.Config.from_text(self.config.ridge_settings).replace(**own)
        letters = self.config.characters and self.config.ials_characters
        ials: Any = FeatureIALS.Config.from_text(self.config.ials_settings).replace(**{**own, "characters": letters})
        self.parts = (ContentRidge(ridge), FeatureIALS(ials))
        self.arrays = {"probes": ArraySpec("int64", ("probes",)), **COMPARISON}  # type: ignore[misc]
        for prefix, part in zip(("ridge_", "ials_"), self.parts, strict=True):
            sizes = {k: str(v) for k, v in part.config.to_dict().items() if isinstance(v, int)}
            for name, spec in part.arrays.items():
                axes = tuple(a if a.isdecimal() or a in ("users", "items") else sizes.get(a, prefix + a) for a in spec.axes)
                self.arrays[prefix + name] = ArraySpec(spec.dtype, axes, spec.optional)

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        for part in self.parts:
            part.fit(data, run=run)
        self.spec = self.parts[0].spec
        warm = np.flatnonzero(data.item_counts)
        self.probes = np.sort(run.generator(self.name, "probes").permutation(warm)[:_PROBES])
        self._keep_features(self.parts[0].features)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the columns, and how good content vectors are."""
        return (*self.parts[1].notes, *self.compared)

    def plain_twin(self) -> Recommender:
        """Return iALS with the settings of the part that has them."""
        return self.parts[1].plain_twin()

    def _both(self, histories: Histories, item_rows: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The two parts' scores, each over its spread."""
        scores = []
        for part in self.parts:
            model: Recommender = part
            states = model._fold_in(histories)
            spread = model._score(states, self.probes).std(axis=1, keepdims=True)
            scores.append(model._score(states, item_rows) / np.maximum(spread, 1e-12))
        return scores[0], scores[1]

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        first, second = self._both(states, item_rows)
        return first + np.float32(self.config.weight) * second

    def _spreads(self, histories: Histories) -> list[float]:
        return [max(float(p._score(p._fold_in(histories), self.probes).std()), 1e-12) for p in self.parts]

    def _explain(self, audience: Audience, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        assert isinstance(audience.states, Histories)
        past = audience.seen[1]
        if not past.size:
            return past, np.zeros(0), float(self._popularity[item_row])
        spreads, (ridge, ials) = self._spreads(audience.states), self.parts
        _, first, _ = ridge._explain(audience, item_row)
        folded = ials.fold_in(audience.states)
        _, second, _ = ials._explain(folded, item_row)
        return past, first / spreads[0] + self.config.weight * second / spreads[1], 0.0

    def _feature_weights(self, audience: Audience, item_row: int) -> np.ndarray | None:
        # The words of the ridge part alone: the other may read other features.
        assert isinstance(audience.states, Histories)
        weights = self.parts[0]._feature_weights(audience, item_row)
        return None if weights is None else weights / self._spreads(audience.states)[0]

    def _add_items(self, data: Interactions) -> None:
        for part in self.parts:
            part._add_items(data)
        super()._add_items(data)

    def _state(self) -> dict[str, np.ndarray]:
        ridge, ials = ({prefix + n: a for n, a in p.state().items()} for prefix, p in zip(("ridge_", "ials_"), self.parts, strict=True))
        return {"probes": self.probes, **ridge, **ials}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        made = []
        for prefix, part in zip(("ridge_", "ials_"), self.parts, strict=True):
            theirs = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            made.append(type(part).from_state(part.config, theirs, self.data))
        self.parts = (made[0], made[1])  # type: ignore[assignment]
        self.spec, self.probes = self.parts[0].spec, np.asarray(arrays["probes"])
        if len(self.probes) and not 0 <= self.probes.min() <= self.probes.max() < self.data.n_items:
            from cofactor.base.errors import ArtifactError

            raise ArtifactError("the model's array 'probes' names items that aren't there.")
