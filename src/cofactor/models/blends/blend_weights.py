"""Weights of a sum of models' scores, chosen by nDCG on validation users, or of predicted ratings,
by their squared error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cofactor.base.offsets import pick_rows
from cofactor.metrics.ranking import discount

# What a weight may become, as multiples of the first model's.
_GRID = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.2, 3.3, 5.0, 10.0)
_ROUNDS = 3


class ScoredUsers(NamedTuple):
    """Validation users with their scores by model, and what they did next."""

    scores: list[np.ndarray]  # float32 [B, n_items] for each model, on one scale
    indptr: np.ndarray  # int64 [B + 1], whose each true item is; each user has one at least
    items: np.ndarray  # int32 [n_truth]
    seen: tuple[np.ndarray, np.ndarray]  # CSR of what may not come back


def choose_weights(users: ScoredUsers, place: int, n_threads: int) -> np.ndarray:
    """Return the weights of the best nDCG at a cutoff, float64 [n_models], by coordinate ascent
    over a grid of multiples of the first model's weight.
    """
    weights = np.ones(len(users.scores))
    best = _ndcg(users, weights, place, n_threads)
    for _ in range(_ROUNDS):
        before = best
        for m in range(len(weights) - 1, -1, -1):
            for value in _GRID:
                tried = weights.copy()
                tried[m] = value
                found = _ndcg(users, tried, place, n_threads) if tried.any() else 0.0
                if found > best:
                    best, weights = found, tried
        if best == before:
            break
    return weights / max(float(weights[0]), 1e-12) if weights[0] else weights


def least_squares_weights(predicted: Sequence[np.ndarray], true: np.ndarray) -> np.ndarray:
    """Return the weights, none below 0 and 1 in all, of the least squared error, float64
    [n_models].

    Parameters
    ----------
    predicted
        Each model's predictions, float32 [n].
    true
        float32 [n].
    """
    from scipy.optimize import nnls

    errors = np.stack([one - true.astype(np.float64) for one in predicted], axis=1)
    # ‖E w‖² + (1 - Σ w)², least where w is proportional to what is wanted: for any sum of the
    # weights, the same proportions are best.
    lines = np.vstack([np.linalg.qr(errors, mode="r"), np.ones(len(predicted))])
    found, _ = nnls(lines, np.append(np.zeros(len(lines) - 1), 1.0))
    weights: np.ndarray = found / found.sum()
    return weights


def weighted_sum(scores: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return the sum of models' scores by their weights, float32 [B, n_items]."""
    total = np.zeros_like(scores[0])
    for one, weight in zip(scores, weights, strict=True):
        if weight:
            total += np.float32(weight) * one
    return total


def _ndcg(validation: ScoredUsers, weights: np.ndarray, place: int, n_threads: int) -> float:
    """Mean nDCG over the users; the others of their true items count as competitors."""
    from cofactor.kernels.cpu.next_rank import mid_ranks

    scores = weighted_sum(validation.scores, weights)
    starts, sizes = validation.indptr[:-1], np.diff(validation.indptr)
    gains = np.zeros(len(scores))
    # The first true item of each user, then the second of those who have one, and so on.
    for n in range(int(sizes.max())):
        users = np.flatnonzero(sizes > n)
        lines = scores if len(users) == len(scores) else scores[users]
        indptr, positions = pick_rows(validation.seen[0], users)
        seen = validation.seen[1][positions]
        ranks = mid_ranks(lines, validation.items[starts[users] + n], indptr, seen, n_threads)
        gains[users] += np.where(ranks < place, discount(ranks), 0.0)
    ideal = np.cumsum(discount(np.arange(place)))[np.minimum(sizes, place) - 1]
    return float((gains / ideal).mean())
