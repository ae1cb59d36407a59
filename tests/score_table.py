"""A model whose scores are given, and a split made from lists: what tests of evaluation need."""

from __future__ import annotations

import numpy as np

from cofactor.base.config import Config
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part, Split
from cofactor.models.recommender import Recommender
from cofactor.models.traits import Traits


class ScoreTableConfig(Config):
    """It has no settings."""


class ScoreTable(Recommender):
    """Scores [n_users, n_items] as given; a new user is scored by the table's line of their
    first item.
    """

    name = "score-table"
    Config = ScoreTableConfig
    traits = Traits(answers_empty=True, predicts_ratings=True)

    def __init__(self, table):
        super().__init__()
        self.table = np.asarray(table, np.float32)

    def _fit(self, data, validation, run):
        pass

    def _states(self, user_rows):
        return self.table[user_rows]

    def _fold_in(self, histories):
        return self.table[histories.item_rows[histories.indptr[:-1]]]

    def _score(self, states, item_rows):
        return np.array(states if item_rows is None else states[:, item_rows])

    def _predict(self, states, which, item_rows):
        return states[which, item_rows]

    def _state(self):
        return {}

    def _restore(self, arrays):
        pass


def interactions(lists, n_items, values=None):
    """Interactions of users by item rows; a list of values beside each list of items."""
    users = np.repeat(np.arange(len(lists)), [len(rows) for rows in lists])
    flat = None if values is None else np.concatenate([np.asarray(v, np.float32) for v in values])
    items = np.concatenate([np.asarray(rows, np.int64) for rows in lists])
    return Interactions.from_rows(users, items, flat, users=len(lists), items=n_items)


def question(table, truth, seen, *, values=None, **more):
    """A fitted ScoreTable, and the split that asks it."""
    n_items = np.shape(table)[1]
    history = interactions(seen, n_items)
    part = Part(interactions(truth, n_items, values), history, **more)
    return ScoreTable(table).fit(history), Split(history, part, None, "made by hand")
