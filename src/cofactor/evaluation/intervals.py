"""Confidence intervals of means over users, by the bootstrap."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cofactor.base.rng import state64

MAX_RESAMPLES = 1_000_000


@dataclass(frozen=True)
class Summary:
    """One metric of one model.

    Parameters
    ----------
    value
        The mean over users, or a rating metric's error over all ratings; NaN if undefined for all
        users.
    low, high
        The interval; None for metrics of all lists together (coverage, Gini).
    n_users
        The number of users.
    """

    value: float
    low: float | None
    high: float | None
    n_users: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """Its ends, or None where there is none."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    @property
    def ends(self) -> dict[str, float | None]:
        """The ends of the interval by name."""
        return {"low": self.low, "high": self.high}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        numbers = {"value": self.value, **self.ends}
        safe = {k: None if v is None or not math.isfinite(v) else v for k, v in numbers.items()}
        return {**safe, "n_users": self.n_users}


def summaries(
    values: Mapping[str, np.ndarray], *, confidence: float, resamples: int, seed: int
) -> dict[str, Summary]:
    """Return each metric's mean over users with its interval.

    Parameters
    ----------
    values
        float64 [n_users] for each metric; users with NaN are left out of that metric.
    confidence
        The interval's level, in (0, 1).
    resamples
        The number of bootstrap resamples of the users; 0 gives no intervals.
    seed
        The run's seed.

    Notes
    -----
    The percentile bootstrap (Efron and Tibshirani 1993, chapter 13): users are drawn with
    replacement, as many as there are, and the interval's ends are quantiles of the means. Metrics
    of the same users share their draws.
    """
    found: dict[str, Summary] = {}
    by_users: dict[bytes, list[str]] = {}
    for name, column in values.items():
        by_users.setdefault(np.packbits(np.isnan(column)).tobytes(), []).append(name)
    for names in by_users.values():
        defined = ~np.isnan(values[names[0]])
        table = np.column_stack([values[name][defined] for name in names])
        if len(table) == 0:
            found.update({name: Summary(math.nan, None, None, 0) for name in names})
            continue
        lows, highs = cut(resampled(table, resamples, seed), confidence)
        for c, name in enumerate(names):
            found[name] = Summary(float(table[:, c].mean()), lows[c], highs[c], len(table))
    return {name: found[name] for name in values}


def ratio_summary(
    sums: np.ndarray, sizes: np.ndarray, *, root: bool, confidence: float, resamples: int, seed: int
) -> Summary:
    """Return an error over all ratings with its interval; users are resampled, each with all of
    their ratings.

    Parameters
    ----------
    sums
        float64 [n_users], each user's sum of errors.
    sizes
        int64 [n_users], each user's number of ratings.
    root
        Whether to take the square root at the end (RMSE).
    """
    table = np.column_stack([sums, sizes.astype(np.float64)])
    if len(table) == 0:
        return Summary(math.nan, None, None, 0)
    finish = np.sqrt if root else np.asarray
    means = resampled(table, resamples, seed)
    (low,), (high,) = cut(finish(means[:, :1] / means[:, 1:]), confidence)
    return Summary(float(finish(sums.sum() / sizes.sum())), low, high, len(sums))


def resampled(table: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Return the bootstrap distribution of the columns' means, float64 [resamples, n_columns]."""
    from cofactor.kernels.cpu.ranking import resampled_means

    return resampled_means(
        np.ascontiguousarray(table, np.float64), resamples, state64(seed, "evaluation", "bootstrap")
    )


def cut(means: np.ndarray, confidence: float) -> tuple[list[float | None], list[float | None]]:
    """Return the lower and upper percentiles of each column; None where nothing was drawn."""
    if len(means) == 0:
        nothing: list[float | None] = [None] * means.shape[1]
        return nothing, list(nothing)
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return [float(x) for x in low], [float(x) for x in high]
