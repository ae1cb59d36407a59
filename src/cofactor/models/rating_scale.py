"""The scale of ratings: its ends, histories on it, and predictions cut to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.data.histories import Histories
from cofactor.data.interactions import Interactions
from cofactor.models.user_batch import UserBatch


def rating_scale(config: Any, data: Interactions, name: str) -> np.ndarray:
    """Return the lowest and the highest rating, float32 [2], from the configuration or else from
    the data.

    Raises
    ------
    ArgumentError
        If the data has no values.
    """
    if data.values is None:
        raise ArgumentError(
            f"{name} learns from ratings, and this data has no values; use an implicit model"
            " for it."
        )
    low = float(data.values.min()) if config.lowest is None else config.lowest
    high = float(data.values.max()) if config.highest is None else config.highest
    return np.array([low, high], np.float32)


def history_ratings(
    histories: Histories, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return histories as CSR with ratings; items that were only named count as rated with the
    top of the scale.
    """
    indptr, item_rows, values = histories.csr
    return (
        indptr,
        item_rows,
        values if histories.values is not None else np.full(len(item_rows), scale[1], np.float32),
    )


def ratings_of(batch: UserBatch, scale: np.ndarray) -> np.ndarray:
    """Return what one user gave the items seen; items that were only named count as rated with
    the top of the scale.
    """
    return (
        np.full(len(batch.seen[1]), scale[1], np.float32) if batch.values is None else batch.values
    )


def on_scale(values: np.ndarray, config: Any, scale: np.ndarray) -> np.ndarray:
    """Return predictions as float32, cut to the scale if the configuration says so."""
    return (np.clip(values, scale[0], scale[1]) if config.clip_predictions else values).astype(
        np.float32
    )
