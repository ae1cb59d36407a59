"""The model contract by rows, as evaluation and services use it.

Users and items are row numbers here; the calls by outside ids are written once, in `recommender`.
What a model has to implement is in `hooks`."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.base.offsets import pick_rows
from cofactor.base.threads import torch_threads_for
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.answering.answers import Reason
from cofactor.models.checks import finite
from cofactor.models.defaults import popularity_term
from cofactor.models.hooks import ConfigT, Hooks
from cofactor.models.user_batch import Shares, States, UserBatch
from cofactor.retrieval.topk import Exclusions, TopK, best_dots, best_dots_or, best_scores


class RowCalls(Hooks[ConfigT]):
    """A fitted model, asked by rows."""

    def with_data(self, data: Interactions) -> Self:
        """Return a new model on data with the same items, possibly followed by more.

        This model doesn't change.
        """
        new = copy.copy(self)
        new._data, new._cache = data, {}
        new._grow_from(self)
        return new

    def user_batch(self, user_rows: np.ndarray) -> UserBatch:
        """Return some trained users, by row."""
        rows = checks.rows(user_rows, "user_rows", self.data.n_users)
        indptr, positions = pick_rows(self.data.indptr, rows)
        values = None if self.data.values is None else self.data.values[positions]
        seen = (indptr, self.data.item_rows[positions])
        with torch_threads_for(len(positions)):
            states = self._states(rows)
        self._check_states(states)
        return UserBatch(states, np.diff(indptr) == 0, seen, values)

    def fold_in(self, histories: Histories) -> UserBatch:
        """Return a batch of unseen users, from their histories, without retraining."""
        if histories.n_items != self.data.n_items:
            raise ArgumentError(
                f"the histories are over {histories.n_items} items, and the model over"
                f" {self.data.n_items}."
            )
        indptr, item_rows, values = histories.checked().csr
        with torch_threads_for(len(item_rows)):
            states = self._fold_in(histories)
        self._check_states(states)
        seen = (indptr, item_rows)
        seen_values = None if histories.values is None else values
        return UserBatch(states, histories.lengths == 0, seen, seen_values)

    def score_batch(self, batch: UserBatch, item_rows: np.ndarray | None = None) -> np.ndarray:
        """Return the scores of all items (or of some) for some users, float32 [B, n_items];
        higher is better.
        """
        if item_rows is not None:
            item_rows = checks.rows(item_rows, "item_rows", self.data.n_items)
        n_items = self.data.n_items if item_rows is None else len(item_rows)
        with torch_threads_for(len(batch) * n_items):
            scores = np.asarray(self._score(batch.states, item_rows), np.float32)
        scores = popularity_term.beside(self, scores, item_rows)
        self._check_scores(scores)
        if batch.empty.any() and not self.traits.answers_empty:
            popular = self._popularity if item_rows is None else self._popularity[item_rows]
            scores = scores.copy() if not scores.flags.writeable else scores
            scores[batch.empty] = popular
        return scores

    def score_rows(self, user_rows: np.ndarray, item_rows: np.ndarray | None = None) -> np.ndarray:
        """Return the scores of trained users by row, float32 [B, n]."""
        return self.score_batch(self.user_batch(user_rows), item_rows)

    def predict_rows(self, user_rows: np.ndarray, item_rows: np.ndarray) -> np.ndarray:
        """Return the predicted value of each pair of user and item, float32 [n], on the data's
        scale.
        """
        distinct, which = np.unique(
            checks.rows(user_rows, "user_rows", self.data.n_users), return_inverse=True
        )
        items = checks.rows(item_rows, "item_rows", self.data.n_items)
        return self.predict_batch(self.user_batch(distinct), which, items)

    def predict_batch(
        self, batch: UserBatch, which: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """Return the predicted values of some pairs, float32 [n], on the data's scale.

        Parameters
        ----------
        batch
            Users, from `user_batch` or `fold_in`.
        which
            int [n]: the user of each pair, by the place in the batch.
        item_rows
            int [n]; -1 is an item without training interactions, predicted from the user alone.
        """
        with torch_threads_for(len(item_rows)):
            values = self._predict(batch.states, which, item_rows)
        self._check_scores(values)
        return values

    def similar_item_rows(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None = None, n_threads: int = 1
    ) -> TopK:
        """Return each item's k most similar items, without the item itself."""
        rows = checks.rows(item_rows, "item_rows", self.data.n_items)
        return self._similar_items(rows, k, allowed, n_threads)

    def similar_user_rows(self, user_rows: np.ndarray, k: int, n_threads: int = 1) -> TopK:
        """Return each user's k most similar users, without the user."""
        rows = checks.rows(user_rows, "user_rows", self.data.n_users)
        return self._similar_users(rows, k, n_threads)

    def explain_rows(self, batch: UserBatch, item_rows: np.ndarray) -> Shares:
        """Split the scores of some items for one user among the user's past items.

        Parameters
        ----------
        batch
            One user, from `user_batch` or `fold_in`.
        item_rows
            int [n].

        Raises
        ------
        TraitError
            If the score isn't linear in the history.
        """
        rows = checks.rows(item_rows, "item_rows", self.data.n_items)
        if batch.empty[0] and self.traits.explains and not self.traits.answers_empty:
            popular = self._popularity[rows].astype(np.float64)
            return Shares(batch.seen[1], np.zeros((len(rows), 0)), popular)
        shares, offset = self._explain_rows(batch, rows), self.popularity_offset
        return shares if offset is None else shares._replace(rest=shares.rest + offset[rows])

    def explain_features(self, batch: UserBatch, item_rows: np.ndarray) -> list[tuple[Reason, ...]]:
        """Return, for some items, the contributions of their words and features to the score for
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
            One tuple per item; empty if the model reads no content, or the score isn't linear in
            it.
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
        """Return the k best items of each user, ties broken as in `cofactor.retrieval.topk`.

        Parameters
        ----------
        batch
            Users, from `user_batch` or `fold_in`.
        k
            At least 1.
        excluded
            CSR of items that must not be returned; ``batch.seen`` for the users' own items.
        allowed
            bool [n_items]: which items may be returned at all.
        """
        dots = self.inner_product()
        how: Any = {"excluded": excluded, "allowed": allowed, "n_threads": n_threads}
        if dots is None:
            return best_scores(self.score_batch(batch), k, **how)
        states, vectors = np.asarray(batch.states), dots.item_vectors
        how["item_offsets"] = dots.offsets
        if self.traits.answers_empty or not batch.empty.any():
            return best_dots(states, vectors, k, **how)
        popular = self._popularity
        return best_dots_or(states, vectors, k, without=batch.empty, scores=popular, **how)

    # A model that declares no arrays has learned nothing that may diverge, and may give any score.
    def _check_states(self, states: States) -> None:
        if self.arrays:
            finite.check_states(self.name, states)

    def _check_scores(self, scores: np.ndarray) -> None:
        if self.arrays:
            finite.check_scores(self.name, scores)
