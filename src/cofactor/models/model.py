"""The model contract: what every model has to bring, and what it answers to those who know rows.

A model brings four things: `_fit`, `_states` (what it keeps of each trained user), `_fold_in` (the
same for users it has never seen, from their histories) and `_score`. Users and items are row
numbers here, for evaluation and services; what is asked of models by outside ids is written once,
in `recommender`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from cofactor.base import checks
from cofactor.base.config import Config as BaseConfig
from cofactor.base.errors import ArgumentError, NotFittedError, TraitError
from cofactor.base.extras import naming_extras
from cofactor.base.run import Run
from cofactor.data.guards import doubts
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.kernels.work import watched
from cofactor.models.answers import Reason
from cofactor.models.traits import ArraySpec, Traits, check_arrays
from cofactor.models.user_batch import InnerProduct, States, UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, best_dots, best_scores, nearest, unit_length

if TYPE_CHECKING:
    from cofactor.data.split import Part


class Model(ABC):
    """A model among rows: what it has to bring, how it is fitted, and what evaluation and services
    ask of it.

    Every model is a `Recommender`, which adds what people ask by ids.

    Parameters
    ----------
    config
        The model's configuration; or give its settings by name: ``IALS(factors=32)``.
    """

    name: ClassVar[str]
    Config: ClassVar[type[BaseConfig]]
    traits: ClassVar[Traits] = Traits()
    arrays: ClassVar[Mapping[str, ArraySpec]] = {}

    def __init__(self, config: BaseConfig | None = None, **settings: Any) -> None:
        if config is not None and not isinstance(config, self.Config):
            raise ArgumentError(
                f"config must be a {self.Config.__name__}, not {type(config).__name__}."
            )
        base = config if config is not None else self.Config()
        self.config: Any = base.replace(**settings) if settings else base
        self._data: Interactions | None = None
        self._cache: dict[str, Any] = {}

    def __repr__(self) -> str:
        settings = ", ".join(
            f"{k}={v!r}"
            for k, v in self.config.to_dict().items()
            if v != self.Config.defaults().get(k)
        )
        fitted = f" fitted on {self._data!r}" if self._data is not None else ""
        return f"{type(self).__name__}({settings}){fitted}"

    # What a model has to bring.

    @abstractmethod
    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        """Learn from the data: set the arrays of the state as attributes."""

    @abstractmethod
    def _states(self, user_rows: np.ndarray) -> States:
        """Return what is kept of some trained users; rows without interactions are asked too."""

    @abstractmethod
    def _fold_in(self, histories: Histories) -> States:
        """Return the same for users never seen; a history may be empty."""

    @abstractmethod
    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        """Return float32 [B, n_items], or [B, len(item_rows)]; higher is better."""

    @abstractmethod
    def _state(self) -> dict[str, np.ndarray]:
        """Return the named arrays that `arrays` declares."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over arrays that were checked against `arrays`; ``self.data`` is set already."""

    # What a model may bring.

    def inner_product(self) -> InnerProduct | None:
        """Return the item vectors and offsets by which a score is an inner product, or None."""
        return None

    def _predict(self, states: States, which: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return float32 [n]: the value user ``states[which[n]]`` would give item ``item_rows[n]``,
        on the data's scale.

        An item row of -1 is an item never seen: it is answered by what is known of the user. NaN
        never comes back."""
        raise TraitError(f"{self.name} doesn't predict ratings; it ranks.")

    def _explain(self, batch: UserBatch, item_row: int) -> tuple[np.ndarray, np.ndarray, float]:
        """Return past item rows, what each added to the score of ``item_row`` (of the one user),
        and the rest.
        """
        raise TraitError(
            f"{self.name} isn't linear in a user's past, so a score can't be split among past"
            " items."
        )

    def _explain_rows(
        self, batch: UserBatch, item_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return past item rows [p], what each added to the scores of some items [n, p], and the
        rests [n], of one user.
        """
        told = [self._explain(batch, int(row)) for row in item_rows]
        past = told[0][0] if told else np.zeros(0, np.int32)
        return (
            past,
            np.array([added for _, added, _ in told]).reshape(len(told), len(past)),
            np.array([rest for *_, rest in told]),
        )

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        """Return each item's k nearest (itself left out); cosine between item vectors unless a
        model knows better.
        """
        return nearest(
            self._unit("items", self.item_vectors),
            item_rows,
            k,
            allowed=allowed,
            n_threads=n_threads,
        )

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return each user's k nearest (the user left out); cosine between user vectors unless a
        model knows better.
        """
        return nearest(self._unit("users", self.user_vectors), user_rows, k, n_threads=n_threads)

    def _fold_in_profiles(self, histories: Histories, profiles: Any) -> States:
        """Return the states of users never seen, from histories (which may be empty) and an
        Arrow table of profiles.
        """
        raise TraitError(
            f"{self.name} reads no profiles of users; use feature_ials or two_tower with"
            " user_features."
        )

    def _add_items(self, data: Interactions) -> None:
        """Take over data whose last items are new; models with content do."""
        raise TraitError(
            f"{self.name} reads no content, so it can't know new items; use bridge, feature_ials or"
            " two_tower."
        )

    def described(self, descriptions: Sequence[Any]) -> Any:
        """Return the features of things described by a sentence or by columns, SciPy CSR float32
        [n, width].

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
        """Return the k items most like each of some features, SciPy CSR [n, width], as `described`
        gives them.

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
        """Return the words and features of an item and what each added to its score, in models
        with content.
        """
        return ()

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

    # Fitting, and what is known of the data.

    def fit(
        self, data: Interactions, *, validation: Part | None = None, run: Run | None = None
    ) -> Self:
        """Learn from interactions.

        Parameters
        ----------
        data
            The training interactions; they aren't changed. A second fit forgets the first.
        validation
            Held-out interactions for early stopping, in models that have it.
        run
            Device, seed, threads, progress.

        Returns
        -------
        Self
            The fitted model itself.
        """
        if not isinstance(data, Interactions):
            raise ArgumentError(
                f"data must be Interactions (see cofactor.read), not {type(data).__name__}."
            )
        if len(data) == 0:
            raise ArgumentError("there are no interactions to learn from.")
        run = run if run is not None else Run()
        self._data = None
        self._cache = {}
        with watched(run), naming_extras(f"fitting {self.name}"):
            self._fit(data, validation, run)
        self._data = data
        for note in self._doubts:
            run.progress.say(note)
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found in the data that may be meant otherwise."""
        return self._doubts

    @property
    def _doubts(self) -> tuple[str, ...]:
        """Remarks on values that don't say "liked", where every stored interaction counts so."""
        return () if self.traits.predicts_ratings else doubts(self.data.values)

    @property
    def data(self) -> Interactions:
        """The interactions the model was fitted on: ids, catalogue, histories."""
        if self._data is None:
            raise NotFittedError(
                f"this {type(self).__name__} isn't fitted; call fit(data) first, or load a saved"
                " one."
            )
        return self._data

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned state as named arrays; never an object array. The ids and histories
        are `data`'s.
        """
        _ = self.data
        return {name: np.ascontiguousarray(array) for name, array in self._state().items()}

    @property
    def refit_config(self) -> Any:
        """The settings for a fit on more data without a validation part: what early stopping
        chose stands in them.
        """
        return self.config

    @classmethod
    def from_state(
        cls, config: BaseConfig, arrays: Mapping[str, np.ndarray], data: Interactions
    ) -> Self:
        """Make a fitted model from its named arrays and the interactions it was fitted on.

        Raises
        ------
        ArtifactError
            If an array is missing, unknown, of a wrong dtype or shape, or not finite.
        """
        model = cls(config)
        numbers = {
            k: v
            for k, v in config.to_dict().items()
            if isinstance(v, int) and not isinstance(v, bool)
        }
        check_arrays(
            arrays, model.arrays, {**numbers, "users": data.n_users, "items": data.n_items, "1": 1}
        )
        model._data = data
        model._restore(arrays)
        return model

    # Rows: for evaluation and services.

    def user_batch(self, user_rows: np.ndarray) -> UserBatch:
        """Return some trained users, by row."""
        rows = checks.rows(user_rows, "user_rows", self.data.n_users)
        starts, lengths = self.data.indptr[rows], self.data.user_counts[rows]
        indptr = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        positions = np.repeat(starts - indptr[:-1], lengths) + np.arange(indptr[-1])
        values = None if self.data.values is None else self.data.values[positions]
        return UserBatch(
            self._states(rows), lengths == 0, (indptr, self.data.item_rows[positions]), values
        )

    def fold_in(self, histories: Histories) -> UserBatch:
        """Return users the model has never seen, from their histories, with no retraining."""
        if histories.n_items != self.data.n_items:
            raise ArgumentError(
                f"the histories are over {histories.n_items} items, and the model over"
                f" {self.data.n_items}."
            )
        indptr, item_rows, values = histories.csr
        seen = (indptr, item_rows)
        return UserBatch(
            self._fold_in(histories),
            histories.lengths == 0,
            seen,
            None if histories.values is None else values,
        )

    def score_batch(self, batch: UserBatch, item_rows: np.ndarray | None = None) -> np.ndarray:
        """Return the scores of all items (or of some) for some users, float32 [B, n_items];
        higher is better.
        """
        scores = np.asarray(self._score(batch.states, item_rows), np.float32)
        if batch.empty.any() and not self.traits.answers_empty:
            popular = self._popularity if item_rows is None else self._popularity[item_rows]
            scores = scores.copy() if not scores.flags.writeable else scores
            scores[batch.empty] = popular
        return scores

    def score_rows(self, user_rows: np.ndarray, item_rows: np.ndarray | None = None) -> np.ndarray:
        """Return the scores of trained users by row, float32 [B, n_items_asked]."""
        return self.score_batch(self.user_batch(user_rows), item_rows)

    def predict_rows(self, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return the value each user would give each item, pair by pair, float32 [n], on the
        data's scale.
        """
        distinct, which = np.unique(
            checks.rows(user_rows, "user_rows", self.data.n_users), return_inverse=True
        )
        items = checks.rows(item_rows, "item_rows", self.data.n_items)
        return self.predict_batch(self.user_batch(distinct), which, items)

    def predict_batch(
        self, batch: UserBatch, which: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """Return the value each of some pairs would have, float32 [n], on the data's scale.

        Parameters
        ----------
        batch
            Users, from `user_batch` or `fold_in`.
        which
            int [n]: whose value, by the place in the batch.
        item_rows
            int [n]; -1 is an item without training interactions: the user alone answers.
        """
        return self._predict(batch.states, which, item_rows)

    def similar_item_rows(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None = None, n_threads: int = 1
    ) -> TopK:
        """Return each item's k most similar items, itself left out."""
        rows = checks.rows(item_rows, "item_rows", self.data.n_items)
        return self._similar_items(rows, k, allowed, n_threads)

    def similar_user_rows(self, user_rows: np.ndarray, k: int, n_threads: int = 1) -> TopK:
        """Return each user's k most similar users, the user left out."""
        rows = checks.rows(user_rows, "user_rows", self.data.n_users)
        return self._similar_users(rows, k, n_threads)

    def explain_rows(
        self, batch: UserBatch, item_rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Split the scores of some items for one user among the user's past items.

        Parameters
        ----------
        batch
            One user, from `user_batch` or `fold_in`.
        item_rows
            int [n].

        Returns
        -------
        tuple
            Past item rows int32 [p]; what each added to each score, float [n, p]; what belongs to
            none of them, float [n].

        Raises
        ------
        TraitError
            If the model isn't linear in the past.
        """
        return self._explain_rows(batch, checks.rows(item_rows, "item_rows", self.data.n_items))

    def explain_features(self, batch: UserBatch, item_rows: np.ndarray) -> list[tuple[Reason, ...]]:
        """Say for each of some items which of its words and features added what to its score for
        one user, the largest first.

        Parameters
        ----------
        batch
            One user, from `user_batch` or `fold_in`.
        item_rows
            int [n].

        Returns
        -------
        list
            One tuple an item; empty where the model reads no content, or isn't linear in it.
        """
        rows = checks.rows(item_rows, "item_rows", self.data.n_items)
        return [() if batch.empty[0] else self._explain_features(batch, int(row)) for row in rows]

    def topk(
        self,
        batch: UserBatch,
        k: int,
        *,
        excluded: Exclusions | None = None,
        allowed: np.ndarray | None = None,
        n_threads: int = 1,
    ) -> TopK:
        """Return the k best items of each user, by the law of `cofactor.retrieval.topk`.

        Parameters
        ----------
        batch
            Users, from `user_batch` or `fold_in`.
        k
            At least 1.
        excluded
            CSR of items that must not come back; ``batch.seen`` for what they had.
        allowed
            bool [n_items]: which items may come back at all.
        """
        dots = self.inner_product()
        whole = self.traits.answers_empty or not batch.empty.any()
        if dots is not None and whole:
            vectors, offsets = dots
            states = np.asarray(batch.states)
            return best_dots(
                states,
                vectors,
                k,
                item_offsets=offsets,
                excluded=excluded,
                allowed=allowed,
                n_threads=n_threads,
            )
        scores = self.score_batch(batch)
        return best_scores(scores, k, excluded=excluded, allowed=allowed, n_threads=n_threads)

    # Helpers.

    @property
    def _popularity(self) -> np.ndarray:
        """The share of users who met each item, float32 [n_items]: the score of items for an
        empty history.
        """
        if "popularity" not in self._cache:
            self._cache["popularity"] = (self.data.item_counts / max(1, self.data.n_users)).astype(
                np.float32
            )
        found: np.ndarray = self._cache["popularity"]
        return found

    def _unit(self, name: str, vectors: Callable[[], np.ndarray]) -> np.ndarray:
        """Vectors at length 1 (zero stays zero), computed once."""
        if name not in self._cache:
            self._cache[name] = unit_length(vectors())
        found: np.ndarray = self._cache[name]
        return found
