"""The rating scale: its ends, and predictions clipped to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.data.interactions import Interactions


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


def on_scale(values: np.ndarray, config: Any, scale: np.ndarray) -> np.ndarray:
    """Return predictions as float32, cut to the scale if the configuration says so."""
    return (np.clip(values, scale[0], scale[1]) if config.clip_predictions else values).astype(
        np.float32
    )
