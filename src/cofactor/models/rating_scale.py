"""The rating scale: its ends, its width, and predictions clipped to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.base.config import Config, setting
from cofactor.base.errors import ArgumentError, ArtifactError
from cofactor.data.interactions import Interactions

USUAL_DEVIATION = 1.12  # of MovieLens's ratings from 1 to 5, on which defaults were first chosen


class ScaleConfig(Config):
    """Settings of models that predict ratings on a scale."""

    clip_predictions: bool = setting(
        True, doc="Whether predictions are clipped to the rating scale."
    )
    lowest: float | None = setting(
        None, doc="The lowest possible rating; None: the lowest of the data."
    )
    highest: float | None = setting(
        None, doc="The highest possible rating; None: the highest of the data."
    )

    def check(self) -> None:
        """Check that the scale isn't upside down."""
        if self.lowest is not None and self.highest is not None and self.lowest >= self.highest:
            raise ArgumentError(
                f"{self._label('lowest')} must be below highest, not {self.lowest} and"
                f" {self.highest}."
            )


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


def spread_of(data: Interactions) -> float:
    """Return the deviation of the ratings over `USUAL_DEVIATION`; 1 where all are the same, or
    differ by less than float32 holds with all of its digits.

    Models learn ratings in units of it, so that no setting depends on the ratings' scale.
    """
    deviation = float(data.weights.std(dtype=np.float64)) if len(data) else 0.0
    return deviation / USUAL_DEVIATION if deviation > np.finfo(np.float32).tiny else 1.0


def spread_in(scale: np.ndarray) -> float:
    """Return the unit in which ratings were learned, from a saved state: float64 [4] of mean,
    lowest, highest and unit, or of an older version [3], whose unit was 1.

    Raises
    ------
    ArtifactError
        If there are fewer or more numbers, or the unit isn't above 0.
    """
    if len(scale) == 3:
        return 1.0
    if len(scale) != 4 or not scale[3] > 0:
        raise ArtifactError(
            "array 'scale' must hold the mean, the lowest and the highest rating and the unit above"
            f" 0 in which they were learned, not {scale.tolist()}."
        )
    return float(scale[3])


def on_scale(values: np.ndarray, config: Any, scale: np.ndarray) -> np.ndarray:
    """Return predictions as float32, cut to the scale if the configuration says so."""
    return (np.clip(values, scale[0], scale[1]) if config.clip_predictions else values).astype(
        np.float32
    )
