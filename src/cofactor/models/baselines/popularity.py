"""Popularity: the items that most users interacted with."""

from __future__ import annotations

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError
from cofactor.base.run import Run
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.data.split import Part
from cofactor.models.recommender import Recommender
from cofactor.models.traits import ArraySpec, Traits
from cofactor.models.user_batch import States

_DAY = 86_400


class PopularityConfig(Config):
    """Settings of `Popularity`."""

    count: str = setting(
        "users", choices=("users", "values"), doc="Count users, or sum their values."
    )
    half_life_days: float | None = setting(
        None,
        above=0,
        doc=(
            "Half-life of an interaction's weight, in days before the latest"
            " one; None: all weigh the same."
        ),
    )


class Popularity(Recommender[PopularityConfig]):
    """Recommend the most popular items, the same for everybody.

    The score of item i is the sum over its interactions of ``w · 2^(-age / half_life)``, where
    ``w`` is 1 or the value, and age is measured back from the latest interaction of the data."""

    name = "popularity"
    traits = Traits(finds_similar=False, answers_empty=True)
    arrays = {"item_scores": ArraySpec("float32", ("items",))}

    item_scores: np.ndarray

    def _fit(self, data: Interactions, validation: Part | None, run: Run) -> None:
        weights = (
            data.weights.astype(np.float64) if self.config.count == "values" else np.ones(len(data))
        )
        if self.config.half_life_days is not None:
            if data.times is None:
                raise ArgumentError(
                    "Popularity half_life_days needs data with times; leave it None for data"
                    " without."
                )
            age = (data.times.max() - data.times) / _DAY
            weights *= np.exp2(-age / self.config.half_life_days)
        self.item_scores = np.bincount(data.item_rows, weights, minlength=data.n_items).astype(
            np.float32
        )

    def _states(self, user_rows: np.ndarray) -> States:
        return np.zeros((len(user_rows), 0), np.float32)

    def _fold_in(self, histories: Histories) -> States:
        return np.zeros((len(histories), 0), np.float32)

    def _score(self, states: States, item_rows: np.ndarray | None) -> np.ndarray:
        scores = self.item_scores if item_rows is None else self.item_scores[item_rows]
        return np.tile(scores, (len(states), 1))
