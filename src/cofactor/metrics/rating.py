"""Rating metrics: the error of each predicted rating, and its mean or root mean."""

from __future__ import annotations

import numpy as np

from cofactor.base.errors import ArgumentError
from cofactor.metrics.ranking import mean_by_user


def squared_error(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return each pair's squared error, float64 [n]."""
    error = predicted.astype(np.float64) - true
    return error * error


def absolute_error(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Return each pair's absolute error, float64 [n]."""
    return np.abs(predicted.astype(np.float64) - true)


def root(mean_squares: np.ndarray) -> np.ndarray:
    """Return the square roots of mean squared errors."""
    return np.sqrt(mean_squares)


def identity(means: np.ndarray) -> np.ndarray:
    """Return the means as they are."""
    return means


def rmse(predicted: np.ndarray, true: np.ndarray) -> float:
    """Return the root mean squared error over all pairs; NaN if there are none."""
    everything = np.array([0, len(true)])
    return float(root(mean_by_user(everything, squared_error(predicted, true)))[0])


def rounded(predicted: np.ndarray, steps: np.ndarray | None) -> np.ndarray:
    """Return each prediction rounded to the nearest step of the rating scale; halves go up.

    Parameters
    ----------
    predicted
        float [n].
    steps
        The values that ratings can have, float64 ascending, or None when the scale has no steps.

    Raises
    ------
    ArgumentError
        If the scale has no steps.
    """
    if steps is None or len(steps) == 0:
        raise ArgumentError(
            "these ratings have no steps to round to; leave the _rounded metrics out."
        )
    found: np.ndarray = steps[np.searchsorted((steps[1:] + steps[:-1]) / 2, predicted, "right")]
    return found
