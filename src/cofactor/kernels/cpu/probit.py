"""The ordered probit model: latent values, cuts and probabilities; see the reference for the
equations.
"""

from __future__ import annotations

import math

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts, on_threads, plain

_BLOCKS = 64  # of ratings, whose sums are added in order: threads don't change the result
_SMALLEST = 1e-12  # mass of an interval below which it counts as this much


@helper
def normal_below(x: float) -> float:
    """Φ(x)."""
    return 0.5 * math.erfc(-x * 0.7071067811865476)


@helper
def density(x: float) -> float:
    """φ(x)."""
    return math.exp(-0.5 * x * x) * 0.3989422804014327


@helper
def interval_mass(a: float, b: float) -> float:
    """Φ(b) - Φ(a), from the tail that keeps its digits."""
    if a > 0.0:
        return normal_below(-a) - normal_below(-b)
    return normal_below(b) - normal_below(a)


@helper
def normal_quantile(p: float) -> float:
    """Φ^-1(p), by Acklam's rational approximations (relative error 1.2e-9)."""
    if p < 0.02425 or p > 0.97575:
        q = math.sqrt(-2.0 * math.log(p if p < 0.5 else 1.0 - p))
        top = -7.784894002430293e-03 * q - 3.223964580411365e-01
        top = ((top * q - 2.400758277161838e00) * q - 2.549732539343734e00) * q
        top = (top + 4.374664141464968e00) * q + 2.938163982698783e00
        low = 7.784695709041462e-03 * q + 3.224671290700398e-01
        low = ((low * q + 2.445134137142996e00) * q + 3.754408661907416e00) * q + 1.0
        return top / low if p < 0.5 else -top / low
    q = p - 0.5
    r = q * q
    top = -3.969683028665376e01 * r + 2.209460984245205e02
    top = ((top * r - 2.759285104469687e02) * r + 1.383577518672690e02) * r
    top = ((top - 3.066479806614716e01) * r + 2.506628277459239e00) * q
    low = -5.447609879822406e01 * r + 1.615858368580409e02
    low = ((low * r - 1.556989798598866e02) * r + 6.680131188771972e01) * r
    return top / ((low - 1.328068155288572e01) * r + 1.0)


@helper
def latent_mean(score: float, low: float, high: float) -> float:
    """The expected latent value between two cuts."""
    a = low - score
    b = high - score
    mass = max(interval_mass(a, b), _SMALLEST)
    return min(max(score + (density(a) - density(b)) / mass, low), high)


def draw_latent(
    scores: np.ndarray, levels: np.ndarray, cuts: np.ndarray, uniform: np.ndarray
) -> np.ndarray:
    """Draw each latent value from its normal distribution, cut to the level's interval."""
    latent = np.empty(scores.size, np.float32)
    on_parts(
        lambda first, end: _draw_latent(first, end, scores, levels, cuts, uniform, latent),
        scores.size,
    )
    return latent


@kernel
def _draw_latent(first, end, scores, levels, cuts, uniform, latent) -> None:
    for n in range(first, end):
        score = np.float64(scores[n])
        low = cuts[levels[n]] - score
        high = cuts[levels[n] + 1] - score
        mirrored = low > 0.0
        if mirrored:
            low, high = -high, -low
        below = normal_below(low)
        share = min(max(np.float64(uniform[n]), 2.0**-25), 1.0 - 2.0**-25)
        p = below + share * (normal_below(high) - below)
        drawn = normal_quantile(min(max(p, 1e-300), 1.0 - 1e-16))
        drawn = min(max(drawn, low), high)
        latent[n] = np.float32(score - drawn if mirrored else score + drawn)


@kernel
def _cut_sums(block, scores, levels, cuts, likelihood, sums) -> None:
    """Of a block: the log-likelihood; by cut, the gradient, the diagonal, the entry to its
    right.
    """
    mine = sums[block]
    total = 0.0
    n_blocks = likelihood.size
    for n in range(block * scores.size // n_blocks, (block + 1) * scores.size // n_blocks):
        level = levels[n]
        a = cuts[level] - np.float64(scores[n])
        b = cuts[level + 1] - np.float64(scores[n])
        mass = max(interval_mass(a, b), _SMALLEST)
        total += math.log(mass)
        low = density(a) / mass
        high = density(b) / mass
        mine[0, level] -= low
        mine[0, level + 1] += high
        if low > 0.0:
            mine[1, level] += a * low - low * low
        if high > 0.0:
            mine[1, level + 1] -= b * high + high * high
        mine[2, level] += low * high
    likelihood[block] = total


def cut_likelihood(
    scores: np.ndarray, levels: np.ndarray, cuts: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the log-likelihood of the levels, its gradient and its second derivatives by the inner
    cuts.
    """
    likelihood, sums = np.zeros(_BLOCKS), np.zeros((_BLOCKS, 3, cuts.size))
    on_threads(
        lambda block: _cut_sums(block, scores, levels, cuts, likelihood, sums), len(likelihood)
    )
    gradient, diagonal, right = sums.sum(axis=0)[:, 1:-1]
    hessian = np.diag(diagonal) + np.diag(right[:-1], 1) + np.diag(right[:-1], -1)
    return float(likelihood.sum()), gradient, hessian


def level_probabilities(
    states: np.ndarray,
    which: np.ndarray,
    item_vectors: np.ndarray,
    item_offsets: np.ndarray,
    items: np.ndarray,
    cuts: np.ndarray,
) -> np.ndarray:
    """Return the probability of each level for pairs of users and items, the mean over samples."""
    found = np.zeros((which.size, cuts.shape[1] - 1))
    pairs = (plain(states, np.float32), plain(which, np.int64))
    side = (plain(item_vectors, np.float32), plain(item_offsets, np.float32))
    levels = (plain(items, np.int32), plain(cuts, np.float64))
    on_parts(
        lambda first, end: _level_probabilities(first, end, *pairs, *side, *levels, found),
        which.size,
    )
    return found


@kernel
def _level_probabilities(
    first, end, states, which, item_vectors, item_offsets, items, cuts, found
) -> None:
    n_samples, n_levels = cuts.shape[0], cuts.shape[1] - 1
    for n in range(first, end):
        mine = found[n]
        for s in range(n_samples):
            p = states[which[n], s]
            y = item_vectors[items[n], s]
            score = np.float64(item_offsets[items[n], s])
            for f in range(p.size):
                score += np.float64(p[f]) * np.float64(y[f])
            below = 0.0
            for level in range(n_levels):
                upto = normal_below(cuts[s, level + 1] - score)
                mine[level] += upto - below
                below = upto
        for level in range(n_levels):
            mine[level] /= n_samples
