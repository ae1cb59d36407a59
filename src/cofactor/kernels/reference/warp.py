"""Weighted approximate-rank pairwise ascent, in plain NumPy: the definition of `cpu.warp`.

Weston, Bengio, Usunier 2011, "WSABIE: Scaling up to large vocabulary image annotation": for a
positive (u, i) negatives are drawn until one violates the margin, x_uj > x_ui - μ; how many draws
that took estimates the rank of i, and the step on the hinge is weighted by the logarithm of that
rank. Here x_ui = u_u · v_i + b_i."""

from __future__ import annotations

from math import log, sqrt

import numpy as np

from cofactor.kernels.reference.bpr import Step, folded_in, walked
from cofactor.kernels.reference.sampling import advance, draw_negative, mix


def rank_weight(n_negatives: int, trials: int, share: int = 1) -> float:
    """Return ln max(1, share ⌊n_negatives / trials⌋): the loss of the rank that a violation after
    ``trials`` draws suggests, where one in ``share`` items could be drawn.
    """
    return log(max(1, share * (n_negatives // trials)))


def warp_gradient(
    user: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    bias_difference: float,
    margin: float,
) -> tuple[float, float]:
    """Return the hinge max(0, μ - x_uij) and minus its derivative by x_uij, which is 1 where it
    is violated, else 0.
    """
    hinge = margin - float(bias_difference) - float(user @ (positive - negative))
    return max(0.0, hinge), float(hinge > 0)


def warp_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_order: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray,
    user_squares: np.ndarray,
    item_squares: np.ndarray,
    bias_squares: np.ndarray,
    learning_rate: float,
    user_regularization: float,
    item_regularization: float,
    bias_regularization: float,
    margin: float,
    max_trials: int,
    adaptive: bool,
    threshold: np.ndarray,
    alias: np.ndarray,
    seed: int,
    n_threads: int,
    share: int = 1,
) -> tuple[float, float]:
    """Run one epoch in place: each positive of each listed user once, against the first violating
    negative drawn.

    θ ← (1 - η_θ λ_θ) θ + η_θ w ∂x_uij/∂θ, with w = ln max(1, s ⌊(n_items - |I_u|) / trials⌋). The
    step is η_θ = η, or η / √(1 + G_θ), where G_θ sums, over all steps on a vector, the mean of its
    squared gradient's entries.

    Parameters
    ----------
    indptr, indices, user_order
        As in `bpr.bpr_epoch`.
    user_factors, item_factors, item_bias
        float32 [n_users, factors], [n_items, factors] and [n_items]; changed in place.
    user_squares, item_squares, bias_squares
        G of the user vectors, item vectors and biases, float32 [n_users], [n_items] and [n_items];
        changed in place if ``adaptive``.
    learning_rate
        η, above 0.
    user_regularization, item_regularization, bias_regularization
        λ, from 0; applied to what a step touches.
    margin
        μ, above 0.
    max_trials
        How many negatives are drawn at most, at least 1. A positive with no violation among them
        gets no step.
    adaptive
        Whether steps shrink by G.
    threshold, alias, seed, n_threads
        As in `bpr.bpr_epoch`.
    share
        s, where these are one in s of the items among which an item's rank counts.

    Returns
    -------
    loss, correct
        The mean over positives of w · hinge (0 without a violation), and the share of positives
        without a violation.

    Notes
    -----
    The walk is that of `bpr.bpr_epoch` (users in `LANES`, positives by a random stride), except
    that each positive is scored and stepped on in turn. Each positive draws its negatives from a
    stream of its own. A draw is never a positive of the user. One G for each vector instead of each
    entry is our deviation from Adagrad: it keeps a step from touching twice the memory.
    """
    tallies, n_items = np.zeros(3), len(item_factors)
    rates = _Rates(learning_rate, adaptive, user_squares, item_squares, bias_squares)

    def own_stream(state: int, row: np.ndarray) -> tuple[int, int]:
        return advance(state), mix(advance(state))

    for positives in walked(indptr, indices, user_order, n_items, seed, n_threads, own_stream):
        for u, i, state in positives:
            row = indices[indptr[u] : indptr[u + 1]]
            tallies[2] += 1.0
            for trial in range(1, max_trials + 1):
                state, j = draw_negative(state, row, threshold, alias, n_items)
                old_u, old_i = user_factors[u].copy(), item_factors[i].copy()
                old_j = item_factors[j].copy()
                hinge, violated = warp_gradient(
                    old_u, old_i, old_j, item_bias[i] - item_bias[j], margin
                )
                if violated:
                    break
            else:
                tallies[1] += 1.0
                continue
            w = rank_weight(n_items - len(row), trial, share)
            tallies[0] += w * hinge
            rate_u, rate_i, rate_j, rate_b, rate_c = rates.after(u, i, j, w, old_u, old_i, old_j)
            user_factors[u] = (1.0 - rate_u * user_regularization) * old_u + rate_u * w * (
                old_i - old_j
            )
            item_factors[i] = (1.0 - rate_i * item_regularization) * old_i + rate_i * w * old_u
            item_factors[j] = (1.0 - rate_j * item_regularization) * old_j - rate_j * w * old_u
            item_bias[i] = (1.0 - rate_b * bias_regularization) * item_bias[i] + rate_b * w
            item_bias[j] = (1.0 - rate_c * bias_regularization) * item_bias[j] - rate_c * w
    total = max(1.0, tallies[2])
    return float(tallies[0] / total), float(tallies[1] / total)


class _Rates:
    """The steps of u, v_i, v_j, b_i and b_j, after G has taken in the gradients of a pair."""

    def __init__(self, rate: float, adaptive: bool, *squares: np.ndarray) -> None:
        self.rate, self.adaptive, self.squares = rate, adaptive, squares

    def after(
        self,
        u: int,
        i: int,
        j: int,
        w: float,
        old_u: np.ndarray,
        old_i: np.ndarray,
        old_j: np.ndarray,
    ) -> list[float]:
        if not self.adaptive:
            return [self.rate] * 5
        users, items, biases = self.squares
        of_item = w * w * float(np.mean(old_u.astype(np.float64) ** 2))
        users[u] += w * w * float(np.mean((old_i - old_j).astype(np.float64) ** 2))
        items[i] += of_item
        items[j] += of_item
        biases[i] += w * w
        biases[j] += w * w
        return [
            self.rate / sqrt(1.0 + float(g))
            for g in (users[u], items[i], items[j], biases[i], biases[j])
        ]


def warp_fold_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray,
    learning_rate: float,
    user_regularization: float,
    margin: float,
    max_trials: int,
    threshold: np.ndarray,
    alias: np.ndarray,
    epochs: int,
    least_draws: int,
    seed: int,
) -> np.ndarray:
    """Fit the vectors of new users with the items held: the same steps from u = 0, averaged; see
    `bpr.bpr_fold_in`.

    The step falls linearly from ``learning_rate`` to 0; it isn't adaptive. A positive counts as one
    draw, whether or not a violation was found, and decays the vector only with a step.

    Returns
    -------
    np.ndarray
        float32 [n_rows, factors]: the mean over the second half; zeros for a row with no items or
        with all items.
    """
    n_items = len(item_factors)

    def step(u: np.ndarray, i: int, row: np.ndarray, rate: float, state: int) -> Step:
        for trial in range(1, max_trials + 1):
            state, j = draw_negative(state, row, threshold, alias, n_items)
            difference, apart = item_factors[i] - item_factors[j], item_bias[i] - item_bias[j]
            if warp_gradient(u, item_factors[i], item_factors[j], apart, margin)[1]:
                w = rank_weight(n_items - len(row), trial)
                return (1.0 - rate * user_regularization) * u + rate * w * difference, state
        return u, state

    return folded_in(
        indptr, indices, item_factors.shape, learning_rate, epochs, least_draws, seed, step
    )
