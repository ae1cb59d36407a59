"""Blend: the scores of any models in one list, with weights chosen on validation data."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cofactor.base import rng
from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.base.offsets import pick_rows
from cofactor.base.run import Run, run_of
from cofactor.base.search import Search
from cofactor.data.conversion import as_events
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.blends.blend_settings import owner_of, search_of, with_words
from cofactor.models.blends.blend_weights import (
    ScoredUsers,
    choose_weights,
    least_squares_weights,
    weighted_sum,
)
from cofactor.models.parts import restored, specs_of_part, states_of
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import Shares, States, UserBatch
from cofactor.models.validation import predictions
from cofactor.retrieval.topk import TopK, best_scores, exclusions, one_each

if TYPE_CHECKING:
    from cofactor.data.conversion import EventsLike

# Bytes of validation scores that may stand in memory, for all models together.
_ROOM = 768 * 2**20


class BlendConfig(Config):
    """Settings of `Blend`."""

    models: tuple[str, ...] = setting(
        ("transitions", "sequence_linear"),
        doc=(
            "The models by name, at least two; a model may be listed several times, each with a"
            " seed of its own."
        ),
    )
    model_settings: tuple[str, ...] = setting(
        (), doc="Their settings: NAME.SETTING=VALUE, or N.SETTING=VALUE for the Nth, from 1."
    )
    weights: tuple[float, ...] = setting(
        (),
        low=0,
        doc=(
            "One for each model; if empty, they are chosen on validation data, or are 1 for"
            " each without it."
        ),
    )
    scale: str = setting(
        "std",
        choices=("std", "max", "none"),
        doc=(
            "Score normalisation: divide a model's scores of a user by their"
            " deviation, their maximum, or 1 (models of ratings then predict together)."
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
        10,
        low=1,
        high=1000,
        doc="Weights are chosen by nDCG at this cutoff on validation data; of ratings by RMSE.",
    )
    validation_users: int = setting(
        5000,
        low=1,
        high=1_000_000,
        doc="How many validation users the weights are chosen on, at most.",
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
        if self.weights and not any(self.weights):
            raise ArgumentError("Blend weights must have one above 0.")
        create_parts(self)

    def searched(self) -> dict[str, Search]:
        """Return what the models declare, each setting after its model's number: ``2.factors``."""
        given = {word.partition("=")[0].strip() for word in self.model_settings}
        found = search_of([part.config for part in create_parts(self)])
        return {name: one for name, one in found.items() if name not in given}

    def value_of(self, name: str) -> Any:
        """Return a setting by its name, also a model's: ``2.factors`` or ``ials.factors``."""
        place = owner_of(name, self.models)
        if place is None:
            return super().value_of(name)
        return create_parts(self)[place].config.value_of(name.partition(".")[2])

    def read(self, name: str, text: str) -> Any:
        """Return a setting's value from its word; see `value_of` for the names."""
        place = owner_of(name, self.models)
        if place is None:
            return super().read(name, text)
        return create_parts(self)[place].config.read(name.partition(".")[2], text)

    def with_values(self, changes: Mapping[str, Any]) -> Self:
        """Return a copy with some settings changed; see `value_of` for the names."""
        theirs = {n: v for n, v in changes.items() if owner_of(n, self.models) is not None}
        own = {name: value for name, value in changes.items() if name not in theirs}
        words = own.pop("model_settings", self.model_settings)
        return self.replace(model_settings=with_words(words, theirs), **own)

    def reset(self) -> Self:
        """Return the defaults of a blend of the same models."""
        return type(self)(models=self.models)


def create_parts(config: BlendConfig) -> tuple[Any, ...]:
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
    """Weighted sum of several models' scores, each divided by its deviation.

    ``s_ui = Σ_m w_m s_m,ui / σ_m,u``

    σ_m,u is the standard deviation (or the maximum) of model m's scores of all items for the user.
    Without given weights, those are chosen on the validation part, by coordinate ascent of nDCG
    over a grid of multiples of the first model's weight; `refit_config` keeps the choice.

    Every user is a history here, folded in by each model, so trained and unseen users are answered
    alike.

    With ``scale="none"``, models that all predict ratings are averaged: ``r_ui = Σ_m w_m r_m,ui /
    Σ_m w_m``. Validation data chooses the weights of the least squared error then, and trained
    users are answered by what the models have learned about them.

    References
    ----------
    E. A. Fox and J. A. Shaw. 1994. Combination of Multiple Searches. TREC-2 (sums of scores).
    """

    name = "blend"
    uses_device = True
    traits = Traits(explains=True, uses_order=True)

    parts: tuple[Any, ...]
    weights: np.ndarray

    def _configure(self, config: BlendConfig) -> None:
        super()._configure(config)
        self.parts = create_parts(config)

    @classmethod
    def traits_of(cls, config: BlendConfig) -> Traits:
        """Return what all of the models can do."""
        parts = create_parts(config)
        rates = config.scale == "none" and all(part.traits.predicts_ratings for part in parts)
        return replace(
            cls.traits,
            predicts_ratings=rates,
            answers_empty=rates and all(part.traits.answers_empty for part in parts),
            finds_similar=not rates or parts[0].traits.finds_similar,
            explains=not rates and all(part.traits.explains for part in parts),
            same_on_any_threads=all(part.traits.same_on_any_threads for part in parts),
        )

    @classmethod
    def arrays_of(cls, config: BlendConfig) -> Mapping[str, ArraySpec]:
        """Return the weights and, after the number of each model, that model's arrays."""
        parts = create_parts(config)
        arrays = {"weights": ArraySpec("float64", (str(len(parts)),), low=0)}
        for n, part in enumerate(parts):
            arrays |= specs_of_part(f"{n}_", part.config, part.arrays)
        return arrays

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        # A copy of this blend has the same models, and keeps what they have learned.
        self.parts = tuple(
            copy.copy(part).fit(data, validation=validation, run=own)
            for part, own in zip(self.parts, self._runs(run), strict=True)
        )
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

    def _runs(self, run: Run) -> list[Run]:
        """Return a run for each model; one that was named before has a seed of its own, without
        which the same settings would give the same network again.
        """
        found = []
        for n, name in enumerate(self.config.models):
            again = self.config.models[:n].count(name)
            seed = rng.state64(run.seed, self.name, name, again) if again else run.seed
            found.append(replace(run, seed=seed))
        return found

    @property
    def refit_config(self) -> Any:
        """The settings with the weights, and what else the models chose, such as their epochs."""
        _ = self.data
        theirs: dict[str, Any] = {}
        for n, part in enumerate(self.parts, 1):
            before, after = part.config.to_params(), part.refit_config.to_params()
            theirs |= {f"{n}.{name}": v for name, v in after.items() if v != before[name]}
        return self.config.with_values({"weights": tuple(float(w) for w in self.weights), **theirs})

    def _states(self, user_rows: np.ndarray) -> States:
        if self.traits.predicts_ratings:
            return np.hstack([part.user_batch(user_rows).states for part in self.parts])
        return super()._states(user_rows)

    def _fold_in(self, histories: Histories) -> States:
        if self.traits.predicts_ratings:
            return np.hstack([part.fold_in(histories).states for part in self.parts])
        return super()._fold_in(histories)

    def _own_states(self, states: States) -> list[np.ndarray]:
        """Each model's states, where they predict ratings together and stand beside each other."""
        if "widths" not in self._cache:
            one = np.zeros(1, np.int64)
            self._cache["widths"] = [part.user_batch(one).states.shape[1] for part in self.parts]
        return np.split(np.asarray(states), np.cumsum(self._cache["widths"])[:-1], axis=1)

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        predicted = [
            part.predict_batch(UserBatch.of_states(own), which, item_rows)
            for part, own in zip(self.parts, self._own_states(states), strict=True)
        ]
        return weighted_sum(predicted, self.weights / self.weights.sum())

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
        if self.traits.predicts_ratings:
            scores = [
                part.score_batch(UserBatch.of_states(own), item_rows)
                for part, own in zip(self.parts, self._own_states(states), strict=True)
            ]
            return weighted_sum(scores, self.weights)
        assert isinstance(states, Histories)
        total = weighted_sum(self._scaled(states), self.weights)
        return total if item_rows is None else total[:, item_rows]

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        assert isinstance(batch.states, Histories)
        past, rest = batch.seen[1], np.zeros(len(item_rows))
        added = np.zeros((len(item_rows), len(past)))
        for part, weight in zip(self.parts, self.weights, strict=True):
            one = part.fold_in(batch.states)
            factor = weight / float(self._scale_of(part.score_batch(one))[0])
            theirs, shares, others = part.explain_rows(one, item_rows)
            added[:, np.searchsorted(past, theirs)] += factor * shares
            rest += factor * others
        return Shares(past, added, rest)

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        if self.traits.predicts_ratings:  # a single rating says little of what is alike
            return self.parts[0].similar_item_rows(item_rows, k, allowed, n_threads)
        lone = Histories.of([[row] for row in np.asarray(item_rows)], self.data.n_items)
        scores, own = self._score(lone, None), one_each(item_rows)
        return best_scores(scores, k, excluded=own, allowed=allowed, n_threads=n_threads)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return the users that the first model finds similar."""
        return self.parts[0].similar_user_rows(user_rows, k, n_threads)

    def update(self, events: EventsLike, *, run: Run | None = None) -> Blend:
        """Update every model with new events; all must support it.

        Raises
        ------
        ArgumentError
            If one of the models can't.
        """
        unable = [part.name for part in self.parts if not hasattr(part, "update")]
        if unable:
            raise ArgumentError(f"these models can't learn from new events alone: {unable}.")
        events = as_events(events)
        self.parts = tuple(
            copy.copy(part).update(events, run=own)
            for part, own in zip(self.parts, self._runs(run_of(run)), strict=True)
        )
        self._data, self._cache = self.parts[0].data, {}
        return self

    def choose_weights(self, validation: Part, run: Run) -> Blend:
        """Choose the weights of models that are fitted on validation data; return the blend."""
        truth = validation.truth
        self.chosen_by = truth.fingerprint
        if self.traits.predicts_ratings and truth.values is not None:
            values = [predictions(part, validation).values for part in self.parts]
            self.weights = least_squares_weights(values, truth.values)
            return self
        scored = self._score_users(validation, run)
        self.weights = choose_weights(scored, self.config.choose_at, run.n_threads)
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
        seen = None if self.config.repeats == "allow" else histories.csr[:2]
        items = truth.item_rows[positions].astype(np.int32)
        return ScoredUsers(self._scaled(histories), indptr, items, exclusions(seen, len(users)))

    def _state(self) -> dict[str, np.ndarray]:
        return {"weights": self.weights, **states_of(self._named)}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.parts, self.weights = restored(self._named, arrays, self.data), arrays["weights"]
        if not self.weights.any():
            raise ArtifactError("array 'weights' must hold a weight above 0 of one of the models.")

    @property
    def _named(self) -> list[tuple[str, Any]]:
        """The models with the prefixes of their arrays."""
        return [(f"{n}_", part) for n, part in enumerate(self.parts)]
