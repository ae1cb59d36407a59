"""What sequence models share: a user is a history, read from its end, and new events are learnt."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Self

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.run import Run, run_of
from cofactor.data.conversion import as_events
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.kernels.work import run_context
from cofactor.models.defaults import popularity_term
from cofactor.models.hooks import ConfigT
from cofactor.models.recommender import Recommender
from cofactor.models.similarity import nearest_users
from cofactor.models.user_batch import UserBatch
from cofactor.retrieval.topk import TopK, best_others

if TYPE_CHECKING:
    from cofactor.data.conversion import EventsLike

REPEATS = ("exclude", "allow")


class SequenceConfig(Config):
    """Settings that all sequence models have."""

    repeats: str = setting(
        "exclude",
        choices=REPEATS,
        doc=(
            "Repeat policy that evaluation takes by default: whether items of the history may be"
            " recommended."
        ),
    )
    history_length: int = setting(
        50, low=1, high=100_000, doc="Number of a user's latest events that the model reads."
    )


class HistoryConfig(popularity_term.PopularityTermConfig, SequenceConfig):
    """Settings of sequence models whose users are their histories."""


class SequenceModel(Recommender[ConfigT]):
    """A model whose users are their histories: folding in and streaming are reading the history.

    A subclass brings `_fit`, `_score` of histories and, where it can, `_learn`. Where held-out
    training events don't show that it ranks better than popularity, a term of it is added to the
    scores (`models.defaults.popularity_term`).
    """

    weighs_popularity = True

    def update(self, events: EventsLike, *, run: Run | None = None) -> Self:
        """Learn from new events; the result is that of a fit on all events together.

        Parameters
        ----------
        events
            With outside ids, or what `cofactor.read` takes (a data frame, tuples, a path); users
            and items may be new. They needn't be later than what is known: the histories of the
            users concerned are taken out of the sums and put in again. The weight of popularity
            stays as it was.
        run
            Threads and progress.

        Returns
        -------
        Self
            The model itself. Equal to a refit up to rounding; unchanged if an error is raised.
        """
        from cofactor.data.sessions import extended

        events = as_events(events)
        if not len(events):
            return self
        run = run_of(run)
        old, new, after = self.data, extended(self.data, events), copy.copy(self)
        concerned = np.unique(new.users.rows(events.users, what="user"))
        with run_context(run):
            after._learn(old, new, concerned, run)
        after._data, after._cache, after.popularity_offset = new, {}, None
        after.popularity_offset = popularity_term.kept_offset(self, after, new)
        self.__dict__.update(after.__dict__)  # all at once, since an update may be interrupted
        return self

    def _learn(self, old: Interactions, new: Interactions, concerned: np.ndarray, run: Run) -> None:
        """Take over more data, of which only the users ``concerned`` (rows of ``new``) differ."""
        self._fit(new, None, run)

    def _similar_users(self, user_rows: np.ndarray, k: int, n_threads: int) -> TopK:
        """Return the users who share the most items with each user, by cosine."""
        data = self.data
        units = (1 / np.sqrt(np.maximum(data.user_counts, 1)))[data.user_rows].astype(np.float32)
        return nearest_users(data, units, user_rows, k, n_threads)

    def _similar_items(
        self, item_rows: np.ndarray, k: int, allowed: np.ndarray | None, n_threads: int
    ) -> TopK:
        """Return what would be recommended after each item alone."""
        lone = Histories.of([[row] for row in np.asarray(item_rows)], self.data.n_items)
        scores = np.array(self._score(lone, None))
        return best_others(scores, item_rows, k, allowed=allowed, n_threads=n_threads)


def one_history(batch: UserBatch) -> Histories:
    """Return the history of the one user of a batch."""
    assert isinstance(batch.states, Histories)
    return batch.states


def by_item(rows: np.ndarray, added: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct item rows, ascending, and the sum of what each occurrence added."""
    past, which = np.unique(rows, return_inverse=True)
    return past.astype(np.int32), np.bincount(which, added, minlength=len(past))
