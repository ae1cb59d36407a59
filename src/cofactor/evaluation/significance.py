"""Whether one model is better than another: paired tests over users, corrected for their number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError
from cofactor.evaluation.intervals import MAX_RESAMPLES, cut, resampled
from cofactor.evaluation.result import Result
from cofactor.metrics.paired import paired_p
from cofactor.metrics.table import parse_metric

TESTS = ("t", "wilcoxon", "bootstrap")


@dataclass(frozen=True)
class Comparison:
    """Two models on one metric, user by user.

    Parameters
    ----------
    metric
        The metric's name.
    first, second
        The models' labels.
    difference
        Mean over users of first less second.
    low, high
        Its interval, by the bootstrap over users.
    p
        The test's two-sided p-value.
    p_adjusted
        The same after correction for all comparisons of one call.
    significant
        Whether ``p_adjusted`` is below 1 less the confidence.
    n_users
        Over how many users: those for whom the metric is defined in both.
    test
        ``"t"``, ``"wilcoxon"`` or ``"bootstrap"``.
    correction
        ``"holm"`` or ``"none"``.
    better
        The label of the better one, or None where the difference isn't significant.
    """

    metric: str
    first: str
    second: str
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float
    significant: bool
    n_users: int
    test: str
    correction: str
    better: str | None

    @property
    def equal(self) -> bool:
        """Whether both have the same value for every user, as two names of one model have."""
        return self.difference == self.low == self.high == 0

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def __repr__(self) -> str:
        verdict = f"{self.better} is better" if self.better else "no significant difference"
        return (
            f"{self.metric}: {self.first} − {self.second} = {self.difference:+.4f}"
            f" [{self.low:+.4f}, {self.high:+.4f}], p = {self.p_adjusted:.2g} ({self.test},"
            f" {self.correction}), {self.n_users:,} users: {verdict}"
        )


def compare(
    results: Iterable[Result],
    metrics: str | Iterable[str] | None = None,
    *,
    baseline: str | None = None,
    test: str = "t",
    correction: str = "holm",
    confidence: float = 0.95,
    resamples: int = 2000,
) -> list[Comparison]:
    """Test models against each other on the same users.

    Parameters
    ----------
    results
        At least two, of one split and one protocol, with different labels.
    metrics
        Which metrics, in a list or with commas; None for all that every result has by user.
    baseline
        The label of the one that all others are compared with; None compares every pair.
    test
        ``"t"`` (paired t-test), ``"wilcoxon"`` (signed ranks; users with equal values are left out,
        as Wilcoxon did) or ``"bootstrap"`` (of the mean difference, shifted to zero).
    correction
        ``"holm"`` over all comparisons returned together (Holm 1979), or ``"none"``.
    confidence
        Level of the intervals, which are not corrected, and of what counts as significant.
    resamples
        Of the bootstrap, whose draws are the same in every call.

    Returns
    -------
    list of Comparison
        By metric, then in the order of the results.

    Raises
    ------
    ArgumentError
        If the results can't be compared; it says why.

    Notes
    -----
    Urbano, Lima and Hanjalic (2019, SIGIR) find the paired t-test the most dependable of these on
    ranking metrics.
    """
    checks.choice(test, "test", TESTS)
    checks.choice(correction, "correction", ("holm", "none"))
    checks.real(confidence, "confidence", above=0, below=1)
    checks.integer(resamples, "resamples", low=1, high=MAX_RESAMPLES)
    results = list(results)
    _require_comparable(results)
    labels = [r.model for r in results]
    by_label = dict(zip(labels, results, strict=True))
    if baseline is not None:
        checks.choice(baseline, "baseline", labels)
        pairs = [(label, baseline) for label in labels if label != baseline]
    else:
        pairs = list(itertools.combinations(labels, 2))
    found = []
    for name in _shared_metrics(results, metrics):
        for pair in pairs:
            difference = _paired(by_label[pair[0]], by_label[pair[1]], name)
            interval = _interval(difference, confidence, resamples)
            found.append(_compare_pair((name, *pair), difference, interval, test, 1 - confidence))
    return list(corrected(found, confidence)) if correction == "holm" else found


def holm(p: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm's step-down method, float64 [n]; NaN counts as no test.

    Notes
    -----
    With p_(1) <= ... <= p_(m): adjusted_(i) = max over j <= i of min(1, (m - j + 1) p_(j)) (Holm
    1979).
    """
    adjusted = np.array(p, np.float64)
    tested = np.flatnonzero(~np.isnan(adjusted))
    order = tested[np.argsort(adjusted[tested], kind="stable")]
    steps = adjusted[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return adjusted


def corrected(tests: Sequence[Comparison], confidence: float = 0.95) -> tuple[Comparison, ...]:
    """Return tests that weren't corrected for their number, corrected by Holm's method together."""
    adjusted = holm(np.array([test.p for test in tests]))
    made = []
    for test, p in zip(tests, adjusted.tolist(), strict=True):
        kept = bool(p < 1 - confidence)
        better = test.better if kept else None
        made.append(replace(test, p_adjusted=p, significant=kept, correction="holm", better=better))
    return tuple(made)


def p_value(difference: np.ndarray, test: str, *, resamples: int = 2000, seed: int = 0) -> float:
    """Return the two-sided p-value of paired differences, float64 [n_users]; NaN for fewer than two
    users.

    Parameters
    ----------
    difference
        One value per user, without NaN.
    test
        ``"t"``, ``"wilcoxon"`` or ``"bootstrap"``.
    resamples, seed
        Of the bootstrap, whose smallest p-value is 1 / (resamples + 1).
    """
    checks.choice(test, "test", TESTS)
    means = (
        resampled(difference[:, None], resamples, seed)[:, 0]
        if test == "bootstrap" and len(difference)
        else None
    )
    return _p_value(difference, test, means)


def _p_value(difference: np.ndarray, test: str, means: np.ndarray | None) -> float:
    if test == "t" or len(difference) < 2 or not difference.any():
        return paired_p(difference)
    if means is not None and test == "bootstrap":
        centre = difference.mean()
        beyond = np.count_nonzero(np.abs(means - centre) >= abs(centre))
        return (1 + beyond) / (1 + len(means))
    from scipy import stats

    # Ranks are given to differences; numbers that differ by rounding alone would be different
    # ranks.
    return float(
        stats.wilcoxon(np.round(difference, 12), zero_method="wilcox", method="approx").pvalue
    )


def _paired(first: Result, second: Result, name: str) -> np.ndarray:
    """First less second for the users that both have a value for."""
    _, here, there = np.intersect1d(
        first.user_rows, second.user_rows, assume_unique=True, return_indices=True
    )
    difference = first.values[name][here] - second.values[name][there]
    return difference[~np.isnan(difference)]


def _interval(
    difference: np.ndarray, confidence: float, resamples: int
) -> tuple[float, float, np.ndarray | None]:
    if len(difference) == 0:
        return math.nan, math.nan, None
    means = resampled(difference[:, None], resamples, seed=0)
    (low,), (high,) = cut(means, confidence)
    return float(low or 0.0), float(high or 0.0), means[:, 0]


def _compare_pair(
    names: tuple[str, str, str],
    difference: np.ndarray,
    interval: tuple[float, float, np.ndarray | None],
    test: str,
    alpha: float,
) -> Comparison:
    """The comparison of two models on a metric by itself, without a correction for others."""
    metric, first, second = names
    low, high, means = interval
    p = _p_value(difference, test, means)
    mean = float(difference.mean()) if len(difference) else math.nan
    significant = bool(p < alpha)
    better = None
    if significant and mean != 0:
        better = first if (mean > 0) != parse_metric(metric).lower_is_better else second
    return Comparison(
        metric=metric,
        first=first,
        second=second,
        difference=mean,
        low=low,
        high=high,
        p=p,
        p_adjusted=p,
        significant=significant,
        n_users=len(difference),
        test=test,
        correction="none",
        better=better,
    )


def _shared_metrics(results: Sequence[Result], metrics: str | Iterable[str] | None) -> list[str]:
    shared = [name for name in results[0].values if all(name in r.values for r in results)]
    if metrics is None:
        if not shared:
            raise ArgumentError(
                "the results have no metric in common that has a value for each user."
            )
        return shared
    listed = metrics.split(",") if isinstance(metrics, str) else list(metrics)
    names = [str(parse_metric(name)) for name in listed]
    for name in names:
        checks.choice(name, "metric of these results", shared)
    return names


def _require_comparable(results: Sequence[Result]) -> None:
    for one in results:
        checks.of_kind(one, "results", Result, "a list of Results (cofactor.evaluate)")
    if len(results) < 2:
        raise ArgumentError("give at least two results to compare.")
    labels = [r.model for r in results]
    if len(set(labels)) < len(labels):
        raise ArgumentError(
            f"the results need different labels, not {labels}; give evaluate(..., label=...)."
        )
    one = results[0]
    for other in results[1:]:
        names = f"{one.model!r} and {other.model!r}"
        if one.how.fingerprint != other.how.fingerprint:
            raise ArgumentError(
                f"{names} were measured on different splits, so they can't be compared."
            )
        if one.how.protocol != other.how.protocol:
            raise ArgumentError(
                f"{names} were measured differently: {one.how.protocol}; {other.how.protocol}."
            )
