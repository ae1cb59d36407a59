"""Always-valid inference: intervals and tests that may be looked at any number of times."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError

# The number of observations at which a confidence sequence is narrowest.
USUAL_HORIZON = 5_000


class ConfidenceSequence(NamedTuple):
    """A confidence sequence at some moments.

    Parameters
    ----------
    n
        Observations so far, int64 [n_moments].
    mean, low, high
        The running mean and its interval, float64 [n_moments].
    p
        The always-valid p-value of a mean of zero, float64 [n_moments]; never rises.
    """

    n: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def mixture_rate(horizon: int, alpha: float) -> float:
    r"""Return the mixture's precision for which the interval is narrowest at some number of
    observations.

    .. math:: \rho = \sqrt{(-2 \log \alpha + \log(-2 \log \alpha + 1)) / n}

    Parameters
    ----------
    horizon
        The number of observations n, at least 1.
    alpha
        The level, above 0 and below 1.

    Notes
    -----
    Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
    asymptotic confidence sequences", Annals of Statistics 2024, Appendix B.2.
    """
    spent = -2 * math.log(alpha)
    return math.sqrt((spent + math.log(spent + 1)) / horizon)


def confidence_sequence(
    values: np.ndarray, moments: np.ndarray, alpha: float = 0.05, horizon: int = USUAL_HORIZON
) -> ConfidenceSequence:
    r"""Return the confidence sequence of a mean: it holds at all moments together.

    .. math::
        \hat\mu_t \pm \hat\sigma_t \sqrt{\frac{2 (t \rho^2 + 1)}{t^2 \rho^2}
        \log \frac{\sqrt{t \rho^2 + 1}}{\alpha}}

    It is Robbins' normal mixture, the same as the mixture sequential probability ratio test
    (mSPRT), with the variance estimated from the data.

    Parameters
    ----------
    values
        Independent observations in the order in which they came, float64 [n].
    moments
        The numbers of observations after which to look, int64 [n_moments], ascending, each at
        least 2 and at most n.
    alpha
        The level: the chance that it ever misses the mean, above 0 and below 1.
    horizon
        The number of observations at which it is narrowest.

    Returns
    -------
    ConfidenceSequence
        At each moment. Valid as the number of observations grows; `MIN_USERS` of the experiments
        keeps early looks out.

    Raises
    ------
    ArgumentError
        If a moment is out of range.

    Notes
    -----
    Waudby-Smith et al. 2024, Theorem 2.2; Johari, Koomen, Pekelis and Walsh, "Always valid
    inference", Operations Research 2022, for the test; Howard, Ramdas, McAuliffe and Sekhon,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 2021.
    """
    alpha = checks.real(alpha, "alpha", above=0, below=1)
    moments = np.asarray(moments, np.int64)
    if len(moments) and (moments.min() < 2 or moments.max() > len(values)):
        raise ArgumentError(f"moments must be 2 to {len(values):,} observations.")
    values = np.asarray(values, np.float64)
    # Sums of deviations from the first value: no cancellation when the mean is large.
    first = values[0] if len(values) else 0.0
    sums = np.cumsum(values - first)[moments - 1]
    squares = np.cumsum((values - first) ** 2)[moments - 1]
    n = moments.astype(np.float64)
    mean = first + sums / n
    variance = np.maximum(squares / n - (sums / n) ** 2, 0.0) * n / (n - 1)
    rate = mixture_rate(checks.integer(horizon, "horizon", low=1), alpha)
    grown = n * rate**2 + 1
    width = np.sqrt(2 * grown / (n * rate) ** 2 * np.log(np.sqrt(grown) / alpha) * variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = np.where(variance > 0, (n * mean) ** 2 / variance, np.where(mean == 0, 0, np.inf))
    # Λ = (tρ² + 1)^(-1/2) exp(ρ² S² / (2 σ² (tρ² + 1))); p is the least 1/Λ so far.
    evidence = rate**2 * signal / (2 * grown) - 0.5 * np.log(grown)
    p = np.minimum.accumulate(np.exp(-np.maximum(evidence, 0.0)))
    return ConfidenceSequence(moments, mean, mean - width, mean + width, p)


def difference_terms(outcomes: np.ndarray, treated: np.ndarray, share: float) -> np.ndarray:
    r"""Return independent terms whose mean is the difference between two arms.

    .. math:: \psi_i = (y_i - m_{i-1}) \left( \frac{a_i}{q} - \frac{1 - a_i}{1 - q} \right)

    where m is the mean of all outcomes before: known before the arm is drawn, it takes away
    variance and no truth.

    Parameters
    ----------
    outcomes
        float64 [n], one a user, in the order in which they were complete.
    treated
        bool [n]: who is in the arm that is compared with the control.
    share
        The probability q of that arm among the two.

    Notes
    -----
    Horvitz and Thompson 1952; the centring as in Waudby-Smith et al. 2024, section 3.
    """
    share = checks.real(share, "share", above=0, below=1)
    outcomes = np.asarray(outcomes, np.float64)
    before = np.concatenate([[0.0], np.cumsum(outcomes)[:-1]]) / np.maximum(
        np.arange(len(outcomes)), 1
    )
    return (outcomes - before) * np.where(treated, 1 / share, -1 / (1 - share))
