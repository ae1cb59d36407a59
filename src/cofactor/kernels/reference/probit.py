"""The ordered probit model: a level is seen when a latent value falls between two cuts; in NumPy.

A latent value is the score plus standard normal noise. ``cuts`` runs from -inf to inf, float64
[levels + 1]; level l is seen when the latent value lies between cuts l and l + 1."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

_below = np.vectorize(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), otypes=[float])
_quantile = np.vectorize(NormalDist().inv_cdf, otypes=[float])


def draw_latent(
    scores: np.ndarray, levels: np.ndarray, cuts: np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """Draw each latent value from its normal distribution, cut to the level's interval.

    Parameters
    ----------
    scores : float32 [n]
    levels : int32 [n]
        From 0.
    cuts : float64 [levels + 1]
    uniform : float32 [n]
        In [0, 1): which quantile of the cut distribution.

    Returns
    -------
    float32 [n]
    """
    low, high = cuts[levels] - scores, cuts[levels + 1] - scores
    mirrored = low > 0  # in the upper tail, by symmetry, where Φ keeps its digits
    low, high = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    below, above = _below(low), _below(high)
    share = np.clip(uniform, 2.0**-25, 1 - 2.0**-25).astype(np.float64)
    p = np.clip(below + share * (above - below), 1e-300, 1 - 1e-16)
    drawn = np.clip(_quantile(p), low, high)
    latent: np.ndarray = (scores + np.where(mirrored, -drawn, drawn)).astype(np.float32)
    return latent


def latent_mean(scores: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return the expected latent values between two cuts each: s + (φ(a) - φ(b)) / (Φ(b) - Φ(a)),
    float64.
    """
    a, b = low - scores, high - scores
    mass = interval_mass(a, b)
    found: np.ndarray = scores + (_density(a) - _density(b)) / np.maximum(mass, 1e-12)
    return np.clip(found, low, high)


def interval_mass(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Φ(b) - Φ(a), from the tail that keeps its digits."""
    mirrored = a > 0
    mass: np.ndarray = _below(np.where(mirrored, -a, b)) - _below(np.where(mirrored, -b, a))
    return mass


def cut_likelihood(
    scores: np.ndarray, levels: np.ndarray, cuts: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood of the levels, its gradient and its second derivatives by the inner
    cuts.

    Parameters
    ----------
    scores : float32 [n]
    levels : int32 [n]
    cuts : float64 [levels + 1]

    Returns
    -------
    likelihood : float
    gradient : float64 [levels - 1]
    hessian : float64 [levels - 1, levels - 1]
    """
    a, b = cuts[levels] - scores, cuts[levels + 1] - scores
    mass = np.maximum(interval_mass(a, b), 1e-12)
    low, high = _density(a) / mass, _density(b) / mass
    n_cuts = cuts.size
    gradient, hessian = np.zeros(n_cuts), np.zeros((n_cuts, n_cuts))
    np.add.at(gradient, levels, -low)
    np.add.at(gradient, levels + 1, high)
    finite_a, finite_b = np.where(np.isfinite(a), a, 0), np.where(np.isfinite(b), b, 0)
    np.add.at(hessian, (levels, levels), finite_a * low - low**2)
    np.add.at(hessian, (levels + 1, levels + 1), -finite_b * high - high**2)
    np.add.at(hessian, (levels, levels + 1), low * high)
    np.add.at(hessian, (levels + 1, levels), low * high)
    return float(np.log(mass).sum()), gradient[1:-1], hessian[1:-1, 1:-1]


def level_probabilities(
    states: np.ndarray,
    which: np.ndarray,
    item_vectors: np.ndarray,
    item_offsets: np.ndarray,
    items: np.ndarray,
    cuts: np.ndarray,
) -> np.ndarray:
    """Return the probability of each level for pairs of users and items, the mean over samples.

    Parameters
    ----------
    states : float32 [users, samples, width]
    which : int64 [n]
        The user of each pair.
    item_vectors : float32 [items, samples, width]
    item_offsets : float32 [items, samples]
    items : int32 [n]
    cuts : float64 [samples, levels + 1]

    Returns
    -------
    float64 [n, levels]
    """
    scores = np.einsum("nsf,nsf->ns", states[which], item_vectors[items]) + item_offsets[items]
    edges = cuts[None] - scores[:, :, None]
    return np.asarray(interval_mass(edges[:, :, :-1], edges[:, :, 1:]).mean(axis=1))


def _density(x: np.ndarray) -> np.ndarray:
    density: np.ndarray = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return density
