"""The hooks that a model implements; only `Model` calls them.

`_fit` and `_score` are required. A model that keeps more of a user than the history (a vector, say)
also implements `_states` and `_fold_in`, for trained and for unseen users. The others have
defaults, or raise a TraitError."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import numpy as np

from cofactor.base.config import Config as BaseConfig
from cofactor.base.errors import NotFittedError, TraitError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.answering.answers import Reason
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import InnerProduct, Shares, States, UserBatch
from cofactor.retrieval.topk import TopK, nearest, unit_length

if TYPE_CHECKING:
    from cofactor.models.warm_start import KeptRows

ConfigT = TypeVar("ConfigT", bound=BaseConfig)
Made = TypeVar("Made")


class Hooks(ABC, Generic[ConfigT]):
    """The required and optional hooks of a model; `Model` builds its public calls on them.

    ``class IALS(FactorModel[IALSConfig])`` declares the configuration: it is ``IALS.Config``, and
    the type of ``config``.
    """

    name: ClassVar[str]
    Config: ClassVar[type[BaseConfig]]
    # Whether it, or a model that it is made of, uses `Run.device`.
    uses_device: ClassVar[bool] = False
    traits: Traits = Traits()
    arrays: Mapping[str, ArraySpec] = {}

    # Whether an engine can fit it: in pieces, or by processes that train one module together.
    fits_on_engine: ClassVar[bool] = False
    trained_together: ClassVar[bool] = False
    # Whether there is a choice of what hosts exchange (`Engine.exchange`).
    chooses_exchange: ClassVar[bool] = False

    # Whether popularity may stand beside its own scores (`models.defaults.popularity_term`): it
    # adds `popularity_offset`, float32 [n_items], to the scores of users with a history.
    weighs_popularity: ClassVar[bool] = False
    popularity_offset: np.ndarray | None = None

    config: ConfigT
    _data: Interactions | None
    _cache: dict[str, Any]

    @property
    def is_fitted(self) -> bool:
        """Whether `fit` has been called, or the model was loaded."""
        return self._data is not None

    @property
    def data(self) -> Interactions:
        """The interactions the model was fitted on: ids, catalogue, histories."""
        if self._data is None:
            raise NotFittedError(
                f"this {type(self).__name__} isn't fitted; call fit(data) first, or load a saved"
                " one."
            )
        return self._data

    @classmethod
    def traits_of(cls, config: ConfigT) -> Traits:
        """Return what a model of some settings can do; ``traits`` of the class by default."""
        return cls.traits

    @classmethod
    def arrays_of(cls, config: ConfigT) -> Mapping[str, ArraySpec]:
        """Return the arrays of a model of some settings; ``arrays`` of the class by default."""
        return cls.arrays

    def as_chosen(self, data: Interactions) -> Self | None:
        """Return an unfitted model for other data, with the settings that held-out interactions
        have chosen in this fit; None where nothing shall be chosen by them.
        """
        kind: Any = type(self)
        made: Self = kind(self.config)
        return made

    def memory_needed(self, data: Interactions) -> int | None:
        """Return the bytes that a fit needs at least, or None if that isn't known beforehand."""
        return None

    # Required.

    @abstractmethod
    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        """Fit the model: set the arrays of the state as attributes."""

    @abstractmethod
    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        """Return float32 [B, n_items], or [B, len(item_rows)]; higher is better."""

    # Optional.

    def _settled(
        self, data: Interactions, validation: Part | None, run: Run
    ) -> AbstractContextManager[None]:
        """While open, settings that are chosen for each fit have values."""
        return nullcontext()

    def _states(self, user_rows: np.ndarray) -> States:
        """Return the states of some trained users, including rows without interactions.

        By default, these are their histories.
        """
        return self.data.histories(user_rows)

    def _fold_in(self, histories: Histories) -> States:
        """Return the states of unseen users; a history may be empty."""
        return histories

    def _state(self) -> dict[str, np.ndarray]:
        """Return the arrays that `arrays` declares; by default the attributes of those names."""
        found = {name: getattr(self, name, None) for name in self.arrays}
        return {name: array for name, array in found.items() if array is not None}

    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the state from arrays that were checked against `arrays`; ``self.data`` is set
        already.
        """
        for name in self.arrays:
            setattr(self, name, arrays.get(name))

    def inner_product(self) -> InnerProduct | None:
        """Return the item vectors and offsets by which a score is an inner product, or None."""
        return None

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return float32 [n]: the predicted value of user ``states[which[n]]`` and item
        ``item_rows[n]``, on the data's scale.

        An item row of -1 is an item without training interactions, predicted from the user alone.
        NaN is never returned."""
        raise TraitError(f"{self.name} doesn't predict ratings; it ranks.")

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Return past item rows, the contribution of each to the score of ``item_row`` (for the one
        user), and the rest. A user without a history is explained here only if the traits say that
        the model has an answer of its own; elsewhere popularity is the rest.
        """
        raise self._not_linear()

    def _not_linear(self) -> TraitError:
        """The error where a score can't be explained."""
        return TraitError(
            f"{self.name} isn't linear in a user's history, so a score can't be split among the"
            " items of the history."
        )

    def _explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        """Split the scores of some items for one user among the user's past items."""
        each = [self._explain(batch, int(row)) for row in item_rows]
        past = each[0][0] if each else np.zeros(0, np.int32)
        return Shares(
            past,
            np.array([added for _, added, _ in each]).reshape(len(each), len(past)),
            np.array([rest for *_, rest in each]),
        )

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        """Return each item's k nearest items, without itself; by default by the cosine of item
        vectors.
        """
        unit = self._once("unit items", lambda: unit_length(self._compared_items()))
        return nearest(unit, item_rows, k, allowed=allowed, n_threads=n_threads)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return each user's k nearest users, without the user; by default by the cosine of user
        vectors.
        """
        unit = self._once("unit users", lambda: unit_length(self._compared_users()))
        return nearest(unit, user_rows, k, n_threads=n_threads)

    def _compared_items(self) -> np.ndarray:
        """Return the vectors whose cosine is the similarity of items: by default item vectors."""
        return self.item_vectors()

    def _compared_users(self) -> np.ndarray:
        """Return the vectors whose cosine is the similarity of users: by default user vectors."""
        return self.user_vectors()

    def _fold_in_profiles(self, histories: Histories, profiles: Any) -> States:
        """Return the states of unseen users, from histories (which may be empty) and an
        Arrow table of profiles.
        """
        raise TraitError(
            f"{self.name} reads no profiles of users; use feature_ials or two_tower with"
            " user_features."
        )

    def _begin_with(
        self, before: Self, fresh: Mapping[str, np.ndarray], rows: KeptRows
    ) -> Mapping[str, np.ndarray]:
        """Return the arrays that a learner starts from in a warm start.

        Parameters
        ----------
        before
            The model as it was fitted.
        fresh
            The arrays that a fit would start from.
        rows
            The old and new rows of users and items.

        Raises
        ------
        TraitError
            If the model doesn't support warm starts.
        """
        known = before._state()
        if not fresh.keys() & known.keys():
            raise TraitError(
                f"{self.name} can't go on from what it has learned; fit it on all events."
            )
        return rows.begin(fresh, known, before.arrays)

    def _grow_from(self, before: Self) -> None:
        """Add the items of ``self.data`` beyond those of ``before``, in models with content.

        ``self`` is a copy of ``before``: arrays are to be replaced, not written into.
        """

    @classmethod
    def has_draws(cls) -> bool:
        """Return whether it has a posterior that can be sampled (`score_draws`)."""
        return cls.score_draws is not Hooks.score_draws

    def score_draws(self, batch: UserBatch, item_rows: np.ndarray) -> np.ndarray:
        """Return the scores of some items for one user in each posterior draw, [n_draws, n].

        Raises
        ------
        TraitError
            If the model has no posterior.
        """
        raise TraitError(
            f"{self.name} has no posterior draws, so it can't be sampled from by Thompson sampling;"
            " use bayesian_mf, or explore by slots or softmax."
        )

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of descriptions (sentences, or mappings of columns), SciPy CSR
        float32 [n, width].

        Raises
        ------
        TraitError
            If the model reads no content.
        """
        raise TraitError(
            f"{self.name} reads no content, so it can't answer a description; use a model with"
            " content."
        )

    def similar_to_features(self, matrix: Any, k: int, allowed: np.ndarray | None = None) -> TopK:
        """Return the k items most similar to each of some features, SciPy CSR [n, width], as
        `described` returns them.

        Raises
        ------
        TraitError
            If the model reads no content.
        """
        raise TraitError(
            f"{self.name} reads no content, so nothing is similar to features; use a model with"
            " content."
        )

    def _explain_features(self, batch: UserBatch, item_row: int) -> tuple[Reason, ...]:
        """Return the words and features of an item and their contributions to its score, in models
        with content.
        """
        return ()

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """Draw the learning curve as a self-contained web page, and return its path.

        Parameters
        ----------
        path
            The page.

        Raises
        ------
        TraitError
            If the model isn't trained in epochs.
        NotFittedError
            If it isn't fitted.
        """
        raise TraitError(
            f"{self.name} isn't trained in epochs, so it has no learning curve to draw."
        )

    def item_vectors(self) -> np.ndarray:
        """Return the item vectors, float32 [n_items, width], in row order.

        Raises
        ------
        TraitError
            If the model has none.
        """
        raise TraitError(f"{self.name} has no vectors.")

    def user_vectors(self) -> np.ndarray:
        """Return the trained users' vectors, float32 [n_users, width], in row order.

        Raises
        ------
        TraitError
            If the model has none.
        """
        if not self.traits.has_vectors:
            raise TraitError(f"{self.name} has no vectors.")
        return np.asarray(self._states(np.arange(self.data.n_users, dtype=np.int32)))

    # Helpers.

    @property
    def _popularity(self) -> np.ndarray:
        """The share of users who interacted with each item, float32 [n_items].

        It is the score of items for an empty history.
        """
        counts, n_users = self.data.item_counts, max(1, self.data.n_users)
        return self._once("popularity", lambda: (counts / n_users).astype(np.float32))

    def _once(self, name: str, make: Callable[[], Made]) -> Made:
        """The result of ``make``, computed once for the fitted model."""
        if name not in self._cache:
            self._cache[name] = make()
        found: Made = self._cache[name]
        return found
