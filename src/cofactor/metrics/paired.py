"""Student's t-test: whether a mean difference may be chance."""

from __future__ import annotations

import math

import numpy as np


def paired_p(differences: np.ndarray) -> float:
    """Return the two-sided p-value of Student's paired t-test on differences, float64 [n]; NaN for
    fewer than two.

    Equal differences leave no doubt (0, or 1 where all are 0), where SciPy's test warns of lost
    precision.
    """
    n = len(differences)
    if n < 2:
        return math.nan
    if not differences.any():
        return 1.0
    mean, spread = differences.mean(), differences.std(ddof=1)
    if spread <= 1e-13 * abs(mean):
        return 0.0
    return two_sided(mean, spread / math.sqrt(n), n - 1)


def two_sided(mean: float, error: float, degrees: int) -> float:
    """Return the probability that a mean with this standard error is as far from 0 by chance."""
    from scipy.special import stdtr

    return float(2 * stdtr(degrees, -abs(mean) / error))
