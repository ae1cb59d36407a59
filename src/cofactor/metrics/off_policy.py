"""Off-policy estimates: the reward of another policy, from lists that were drawn with known
probabilities.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from cofactor.base import checks
from cofactor.base.errors import ArgumentError

METHODS = ("ips", "clipped", "snips", "dr")


class Estimate(NamedTuple):
    """The value of a policy per list.

    Parameters
    ----------
    method
        ``ips``, ``clipped``, ``snips`` or ``dr``.
    value
        The estimate.
    low, high
        Its interval.
    """

    method: str
    value: float
    low: float
    high: float


class Logged(NamedTuple):
    """Lists that were shown, position by position.

    Parameters
    ----------
    rewards
        float64 [n_lists, k]: the reward of each position; 0 beyond the end of a list.
    behaviour
        float64 [n_lists, k]: the probability of the item there, given those before; 1 beyond the
        end.
    target
        float64 [n_lists, k]: the same under the policy that is evaluated.
    q_logged
        float64 [n_lists, k]: a model's prediction of each position's reward for the item that was
        shown.
    q_target
        float64 [n_lists, k]: the mean of that prediction over the items that the policy would put
        there, given those before.
    groups
        int64 [n_lists]: the user of each list; in intervals, a user's lists are one observation.
    """

    rewards: np.ndarray
    behaviour: np.ndarray
    target: np.ndarray
    q_logged: np.ndarray
    q_target: np.ndarray
    groups: np.ndarray


def cascade_weights(logged: Logged) -> np.ndarray:
    r"""Return the importance weights, float64 [n_lists, k].

    .. math:: w_{j} = \prod_{l \le j} \pi_e(a_l \mid a_{<l}) / \pi_b(a_l \mid a_{<l})

    They are exact if a position's reward depends only on the items up to it: users read from the
    top.

    Notes
    -----
    McInerney et al., "Counterfactual evaluation of slate recommendations with sequential reward
    interactions", KDD 2020, equation 6.
    """
    weights: np.ndarray = np.cumprod(logged.target / logged.behaviour, axis=1)
    return weights


def effective_sample_size(weights: np.ndarray) -> float:
    r"""Return :math:`(\sum w)^2 / \sum w^2` (Kish 1965); 0 without any weight."""
    total = float((weights**2).sum())
    return float(weights.sum()) ** 2 / total if total else 0.0


def estimate(logged: Logged, method: str, clip: float = 10.0, level: float = 0.95) -> Estimate:
    r"""Estimate the mean reward of a list under another policy.

    ================  ==============================================================
    ``ips``           :math:`\frac1n \sum_i \sum_j w_{ij} r_{ij}`
    ``clipped``       the same with :math:`\min(w, c)`: less variance, a bias downwards
    ``snips``         :math:`\sum_j \sum_i w_{ij} r_{ij} / \sum_i w_{ij}`
    ``dr``            :math:`\frac1n \sum_i \sum_j [w_{ij} (r_{ij} - q_{ij}) +
                      w_{i,j-1} \bar q_{ij}]`
    ================  ==============================================================

    Parameters
    ----------
    logged
        The lists; at least two users.
    method
        One of `METHODS`.
    clip
        The largest weight of ``clipped``, above 0.
    level
        Of the interval, above 0 and below 1: Student's, by users, with the delta method for
        ``snips``. That of ``clipped`` holds for its own mean, which is below the policy's value.

    Returns
    -------
    Estimate
        The value and its interval.

    Raises
    ------
    ArgumentError
        If the method is unknown, or there are fewer than two users.

    Notes
    -----
    Horvitz and Thompson 1952; Ionides 2008 (clipping); Swaminathan and Joachims 2015 (SNIPS);
    Kiyohara et al., "Doubly robust off-policy evaluation for ranking policies under the cascade
    behavior model", WSDM 2022, equation 7.
    """
    checks.real(clip, "clip", above=0)
    weights = cascade_weights(logged)
    if method == "snips":
        return _self_normalised(logged, weights, level)
    if method == "ips":
        terms = (weights * logged.rewards).sum(axis=1)
    elif method == "clipped":
        terms = (np.minimum(weights, clip) * logged.rewards).sum(axis=1)
    elif method == "dr":
        before = np.concatenate([np.ones((len(weights), 1)), weights[:, :-1]], axis=1)
        corrected = weights * (logged.rewards - logged.q_logged) + before * logged.q_target
        terms = corrected.sum(axis=1)
    else:
        raise ArgumentError(f"method must be one of {', '.join(METHODS)}, not {method!r}.")
    return _interval(method, float(terms.mean()), terms - terms.mean(), logged.groups, level)


def _self_normalised(logged: Logged, weights: np.ndarray, level: float) -> Estimate:
    """Each position's weighted mean; its influence is w (r - mean) over the mean weight."""
    totals = weights.sum(axis=0)
    safe = np.where(totals > 0, totals, 1.0)
    means = (weights * logged.rewards).sum(axis=0) / safe
    influence = (weights * (logged.rewards - means) * len(weights) / safe).sum(axis=1)
    return _interval("snips", float(means.sum()), influence, logged.groups, level)


def _interval(
    method: str, value: float, influence: np.ndarray, groups: np.ndarray, level: float
) -> Estimate:
    """Student's interval, in which each user's lists are one observation."""
    from scipy.special import stdtrit

    checks.real(level, "level", above=0, below=1)
    _, inverse = np.unique(groups, return_inverse=True)
    n_groups = int(inverse.max()) + 1 if len(inverse) else 0
    if n_groups < 2:
        raise ArgumentError("an interval needs the lists of at least two users.")
    sums = np.bincount(inverse, weights=influence, minlength=n_groups)
    variance = float((sums**2).sum()) * n_groups / (n_groups - 1)
    quantile = float(stdtrit(n_groups - 1, 0.5 + level / 2))
    width = quantile * math.sqrt(variance) / len(influence)
    return Estimate(method, value, value - width, value + width)
