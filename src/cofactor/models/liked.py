"""The value of a history's items without ratings, in models of ratings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from cofactor.data.histories import Histories
from cofactor.models.hooks import Hooks
from cofactor.models.user_batch import UserBatch


def ratings_of(model: Hooks[Any], histories: Histories) -> np.ndarray:
    """Return the values of histories, float32 [n_events], in their order.

    Items without ratings say nothing about how they were liked, beyond that they were chosen: they
    count as `liked_rating` of the model's data.
    """
    if histories.values is not None:
        return histories.values
    return np.full(len(histories.item_rows), _liked_rating(model), np.float32)


def rated_csr(model: Hooks[Any], histories: Histories) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return histories as CSR with ratings: indptr, item rows, and values, see `ratings_of`."""
    return replace(histories, values=ratings_of(model, histories)).csr


def seen_ratings(model: Hooks[Any], batch: UserBatch) -> np.ndarray:
    """Return the values of what a batch's users have seen, float32 [n]; see `ratings_of`."""
    if batch.values is not None:
        return batch.values
    return np.full(len(batch.seen[1]), _liked_rating(model), np.float32)


def _liked_rating(model: Hooks[Any]) -> np.float32:
    return model._once("liked rating", lambda: liked_rating(model.data.weights))


def liked_rating(values: np.ndarray) -> np.float32:
    """Return the mean of the ratings above the global mean.

    ``E[r | r > μ]``: on any scale it lies above the mean and within the scale, as what people give
    to what they chose and liked.

    Parameters
    ----------
    values
        float32 [n]: the training ratings.
    """
    mean = values.mean(dtype=np.float64)
    liked = values[values > mean]
    return np.float32(liked.mean(dtype=np.float64) if len(liked) else mean)
