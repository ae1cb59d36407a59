"""Blend: the scores of any models in one list, with weights chosen on validation data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import pick_rows
from cofactor.base.run import Run
from cofactor.base.search import Search
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.blend_settings import owner_of, search_of, with_words
from cofactor.models.blend_weights import ScoredUsers, choose_weights, weighted_sum
from cofactor.models.parts import restored, specs_of_part, states_of
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States, UserBatch
from cofactor.retrieval.topk import TopK, best_scores, one_each

if TYPE_CHECKING:
    from cofactor.data.events import Events
    from cofactor.data.split import Part

# Bytes of validation scores that may stand in memory, for all models together.
_ROOM = 768 * 2**20


class BlendConfig(Config):
    """Settings of `Blend`."""

    models: tuple[str, ...] = setting(
        ("transitions", "sequence_linear"), doc="The models by name, at least two; one may recur."
    )
    model_settings: tuple[str, ...] = setting(
        (), doc="Their settings: NAME.SETTING=VALUE, or N.SETTING=VALUE for the Nth, from 1."
    )
    weights: tuple[float, ...] = setting(
        (), low=0, doc="One for each model; none lets validation data choose, or gives 1 to each."
    )
    scale: str = setting(
        "std",
        choices=("std", "max", "none"),
        doc=(
            "Score normalisation: divide a model's scores of a user by their"
            " deviation, their maximum, or 1."
        ),
    )
    repeats: str = setting(
        "exclude",
        choices=("exclude", "allow"),
        doc=(
            "Repeat policy that weights are tuned for: whether items of the"
            " history may be recommended."
        ),
    )
    choose_at: int = setting(
        10, low=1, high=1000, doc="Weights are chosen by nDCG at this cutoff on validation data."
    )
    validation_users: int = setting(
        5000, low=1, high=1_000_000, doc="How many validation users they are chosen by, at most."
    )

    def check(self) -> None:
        """Refuse settings that the models don't have."""
        if len(self.models) < 2:
            raise ArgumentError(f"Blend models must name at least two, not {list(self.models)}.")
        if self.weights and len(self.weights) != len(self.models):
            raise ArgumentError(
                f"Blend weights must be one for each of {len(self.models)} models, not"
                f" {len(self.weights)}."
            )
        made(self)

    def searched(self) -> dict[str, Search]:
        """Return what the models declare, each setting after its model's number: ``2.factors``."""
        given = {word.partition("=")[0].strip() for word in self.model_settings}
        found = search_of([part.config for part in made(self)])
        return {name: one for name, one in found.items() if name not in given}

    def value_of(self, name: str) -> Any:
        """Return a setting by its name, also a model's: ``2.factors`` or ``ials.factors``."""
        place = owner_of(name, self.models)
        if place is None:
            return super().value_of(name)
        return made(self)[place].config.value_of(name.partition(".")[2])

    def read(self, name: str, text: str) -> Any:
        """Return a setting's value from its word; see `value_of` for the names."""
        place = owner_of(name, self.models)
        if place is None:
            return super().read(name, text)
        return made(self)[place].config.read(name.partition(".")[2], text)

    def with_values(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with some settings changed; see `value_of` for the names."""
        theirs = {n: v for n, v in changes.items() if owner_of(n, self.models) is not None}
        own = {name: value for name, value in changes.items() if name not in theirs}
        return self.replace(model_settings=with_words(self.model_settings, theirs), **own)

    def reset(self) -> Self:
        """Return the defaults of a blend of the same models."""
        return type(self)(models=self.models)


def made(config: BlendConfig) -> tuple[Any, ...]:
    """Return the models of a configuration, not fitted.

    Raises
    ------
    ArgumentError
        For settings of a model that isn't among them, or that contain another blend.
    """
    from cofactor.models import registry

    words: list[list[str]] = [[] for _ in config.models]
    for word in config.model_settings:
        owner, dot, rest = word.partition(".")
        places = [
            n for n, name in enumerate(config.models) if owner.strip() in (name, str(n + 1)) and dot
        ]
        if not places:
            raise ArgumentError(
                f"Blend model_settings must begin with one of its models {list(config.models)} and"
                f" a dot, not {word!r}."
            )
        for place in places:
            words[place].append(rest)
    if Blend.name in config.models:
        raise ArgumentError("Blend models must not name blend itself.")
    kinds = [registry.get(name) for name in config.models]
    return tuple(
        kind(kind.Config.from_text(given)) for kind, given in zip(kinds, words, strict=True)
    )


class Blend(Recommender[BlendConfig]):
    """``s_ui = Σ_m w_m s_m,ui / σ_m,u``: a weighted sum of models' scores, each on one scale.

    σ_m,u is the standard deviation (or the maximum) of model m's scores of all items for the user.
    Without given weights, those are chosen on the validation part, by coordinate ascent of nDCG
    over a grid of multiples of the first model's weight; `refit_config` keeps the choice.

    Every user is a history here, folded in by each model, so trained and unseen users are answered
    alike."""

    name = "blend"
    uses_device = True
    traits = Traits(explains=True, uses_values=True, uses_order=True)

    parts: tuple[Any, ...]
    weights: np.ndarray

    def _configure(self, config: BlendConfig) -> None:
        super()._configure(config)
        self.parts = made(config)

    @classmethod
    def traits_of(cls, config: BlendConfig) -> Traits:
        """Return what all of the models can do."""
        parts = made(config)
        return replace(
            cls.traits,
            explains=all(part.traits.explains for part in parts),
            same_on_any_threads=all(part.traits.same_on_any_threads for part in parts),
        )

    @classmethod
    def arrays_of(cls, config: BlendConfig) -> Mapping[str, ArraySpec]:
        """Return the weights and, after the number of each model, that model's arrays."""
        parts = made(config)
        arrays = {"weights": ArraySpec("float64", (str(len(parts)),))}
        for n, part in enumerate(parts):
            arrays |= specs_of_part(f"{n}_", part.config, part.arrays)
        return arrays

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        for part in self.parts:
            part.fit(data, validation=validation, run=run)
        if self.config.weights:
            self.weights = np.array(self.config.weights, np.float64)
        elif validation is None:
            self.weights = np.ones(len(self.parts))
        else:
            self.choose_weights(validation, run)
        shown = ", ".join(
            f"{part.name} {w:g}" for part, w in zip(self.parts, self.weights, strict=True)
        )
        run.progress.say(f"blend weights: {shown}")

    @property
    def refit_config(self) -> Any:
        """The settings with the weights that were chosen."""
        _ = self.data
        return self.config.replace(weights=tuple(float(w) for w in self.weights))

    def _scaled(self, histories: Histories) -> list[np.ndarray]:
        """Each model's scores on one scale, float32 [B, n_items]."""
        found = []
        for part in self.parts:
            scores = part.score_batch(part.fold_in(histories))
            found.append(scores / self._scale_of(scores)[:, None])
        return found

    def _scale_of(self, scores: np.ndarray) -> np.ndarray:
        if self.config.scale == "none":
            return np.ones(len(scores), np.float32)
        size = scores.std(axis=1) if self.config.scale == "std" else np.abs(scores).max(axis=1)
        return np.maximum(size, 1e-12).astype(np.float32)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        assert isinstance(states, Histories)
        total = weighted_sum(self._scaled(states), self.weights)
        return total if item_rows is None else total[:, item_rows]

    def _explain_rows(
        self, batch: UserBatch, item_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        assert isinstance(batch.states, Histories)
        past, rest = batch.seen[1], np.zeros(len(item_rows))
        added = np.zeros((len(item_rows), len(past)))
        if batch.empty[0]:
            return past, added, self._popularity[item_rows]
        for part, weight in zip(self.parts, self.weights, strict=True):
            one = part.fold_in(batch.states)
            factor = weight / float(self._scale_of(part.score_batch(one))[0])
            theirs, shares, others = part.explain_rows(one, item_rows)
            added[:, np.searchsorted(past, theirs)] += factor * shares
            rest += factor * others
        return past, added, rest

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        lone = Histories.of([[row] for row in np.asarray(item_rows)], self.data.n_items)
        scores, own = self._score(lone, None), one_each(item_rows)
        return best_scores(scores, k, excluded=own, allowed=allowed, n_threads=n_threads)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return the users that the first model finds similar."""
        return self.parts[0].similar_user_rows(user_rows, k, n_threads)

    def update(self, events: Events, *, run: Run | None = None) -> Blend:
        """Learn from new events in every model; all must be able to.

        Raises
        ------
        ArgumentError
            If one of the models can't.
        """
        unable = [part.name for part in self.parts if not hasattr(part, "update")]
        if unable:
            raise ArgumentError(f"these models can't learn from new events alone: {unable}.")
        for part in self.parts:
            part.update(events, run=run)
        self._data, self._cache = self.parts[0].data, {}
        return self

    def choose_weights(self, validation: Part, run: Run) -> Blend:
        """Choose the weights of models that are fitted on validation data; return the blend."""
        users = self._score_users(validation, run)
        self.weights = choose_weights(users, self.config.choose_at, run.n_threads)
        return self

    def _score_users(self, part: Part, run: Run) -> ScoredUsers:
        """Some validation users, drawn, with the models' scores."""
        users, truth = part.user_rows, part.truth
        room = max(1, _ROOM // (4 * truth.n_items * len(self.parts)))
        count = min(len(users), self.config.validation_users, room)
        drawn = run.generator(self.name, "validation").permutation(len(users))[:count]
        users = users[np.sort(drawn)]
        histories = part.histories(users)
        indptr, positions = pick_rows(truth.indptr, users)
        seen = histories.csr[:2]
        if self.config.repeats == "allow":
            seen = (np.zeros(len(users) + 1, np.int64), np.zeros(0, np.int32))
        items = truth.item_rows[positions].astype(np.int32)
        return ScoredUsers(self._scaled(histories), indptr, items, seen)

    def _state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, **states_of(self._named)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.parts, self.weights = restored(self._named, arrays, self.data), arrays["weights"]

    @property
    def _named(self) -> list[tuple[str, Any]]:
        """The models with the prefixes of their arrays."""
        return [(f"{n}_", part) for n, part in enumerate(self.parts)]


# Settings of the boards in `cofactor reproduce sequences`, chosen on validation data.
PRESETS: dict[str, dict[str, Any]] = {
    "sasrec-ml-1m": {
        "models": ("sequence_linear", "transitions"),
        "model_settings": (
            "1.decays=0.4,0.8,0.97",
            "1.regularization=400",
            "2.window=10",
            "2.backward=0",
            "2.source_power=0.75",
            "2.target_power=0.2",
            "2.history_decay=0.7",
        ),
        "weights": (1.0, 0.023),
    },
    "amazon-scientific with text": {
        "models": ("transitions", "session_knn", "content_knn"),
        "model_settings": (
            "1.text_weight=1",
            "1.window=20",
            "1.source_power=0.25",
            "1.backward=0.6",
            "1.history_decay=0.7",
            "2.idf=1",
            "2.neighbours=1000",
            "3.text=text",
        ),
        "weights": (1.0, 0.22, 0.22),
    },
    "amazon-beauty-5core with text": {
        "models": ("transformer", "transitions"),
        "model_settings": (
            "1.heads=1",
            "1.expansion=1",
            "1.low_pass=0.5",
            "1.loss=sampled_softmax",
            "1.negatives=2048",
            "1.max_length=50",
            "1.history_length=50",
            "1.batch_tokens=1600",
            "1.dropout=0.5",
            "1.learning_rate=0.0015",
            "1.schedule=cosine",
            "1.warmup_ratio=0.05",
            "1.epochs=40",
            "1.precision=bfloat16",
            "2.text=title",
            "2.text_weight=0.9",
            "2.text_neighbours=500",
            "2.window=50",
            "2.decay=0.9",
            "2.source_power=0.25",
            "2.target_power=0.1",
            "2.history_decay=0.6",
        ),
        "weights": (1.0, 0.7),
    },
}
