"""Gibbs sampling of a factorisation machine of several blocks, and fold-in; in plain NumPy."""

from __future__ import annotations

import numpy as np

from cofactor.base.offsets import owners_of
from cofactor.kernels.reference.probit import latent_mean


def sample_block(
    indptr: np.ndarray,
    others: np.ndarray,
    residual: np.ndarray,
    rows: np.ndarray,
    start: int,
    feature_indptr: np.ndarray,
    feature_rows: np.ndarray,
    feature_values: np.ndarray,
    weights: np.ndarray,
    prior_mean: np.ndarray,
    prior_precision: np.ndarray,
    group: np.ndarray,
    noise: np.ndarray,
    alpha: float,
) -> None:
    """Draw all feature vectors of a block, one coordinate of one feature after the other, in place.

    Rating n belongs to row u of the block; c_n is the sum of the other blocks' rows in this
    coordinate, and 1 in the last one, the biases. With x_n = φ_uj c_n for feature j, its coordinate
    w is drawn from the normal distribution of precision π = α Σ x_n² + τ_g and mean
    (α Σ x_n (e_n + w x_n) + τ_g μ_g) / π; then e_n falls by x_n times the change.

    Parameters
    ----------
    indptr : int64 [block's rows + 1]
        The ratings, ordered by the block's rows.
    others : int32 [blocks - 1, ratings]
        The rows of the other blocks, as columns of ``rows``.
    residual : float32 [ratings]
        e: value less score; updated.
    rows : float32 [factors + 1, all blocks' rows]
        The vectors of the rows and, last, their biases; the block's own are updated.
    start : int
        The block's first column in ``rows``.
    feature_indptr : int64 [features + 1]
    feature_rows : int32 [entries]
    feature_values : float32 [entries]
        φ by features: the block's rows that have it, counted from 0, and its values.
    weights : float32 [factors + 1, features]
        The features' vectors and biases; drawn again.
    prior_mean, prior_precision : float64 [factors + 1, groups]
        μ and τ.
    group : int32 [features]
    noise : float64 [factors + 1, features]
        Standard normal numbers.
    alpha : float
        Precision of the ratings.

    References
    ----------
    S. Rendle, "Factorization Machines with libFM", ACM TIST 3(3), 2012, section 3.3.
    """
    n_rows, bias = indptr.size - 1, rows.shape[0] - 1
    row_of = owners_of(np.diff(indptr))
    for k in range(bias + 1):
        c = np.ones(residual.size) if k == bias else rows[k][others].sum(axis=0, dtype=np.float64)
        for feature in range(feature_indptr.size - 1):
            entries = slice(feature_indptr[feature], feature_indptr[feature + 1])
            phi = np.zeros(n_rows)
            phi[feature_rows[entries]] = feature_values[entries]
            x, old, g = phi[row_of] * c, float(weights[k, feature]), group[feature]
            precision = alpha * (x @ x) + prior_precision[k, g]
            mean = alpha * (x @ (residual + old * x)) + prior_precision[k, g] * prior_mean[k, g]
            weights[k, feature] = mean / precision + noise[k, feature] / np.sqrt(precision)
            change = float(weights[k, feature]) - old
            residual -= (x * change).astype(np.float32)
            rows[k, start : start + n_rows] += (phi * change).astype(np.float32)


def draw_rows(
    indptr: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    item_vectors: np.ndarray,
    item_offsets: np.ndarray,
    prior_mean: np.ndarray,
    prior_precision: np.ndarray,
    alpha: np.ndarray,
    cuts: np.ndarray,
    noise: np.ndarray,
    iterations: int,
    out: np.ndarray,
) -> None:
    """Draw the vectors of new users in every kept sample, given the items' vectors in it.

    With Y the items' vectors (the last component 1), A = α Y'Y + diag(τ): the draw is A^-1 (α Y' (t
    - offset) + τ μ) + L'^-1 noise, where L L' = A. With levels (``cuts``), t is the expected latent
    value given the level and the score, and the mean is found by iterating (EM), α being 1.

    Parameters
    ----------
    indptr : int64 [users + 1]
    items : int32 [entries]
    values : float32 [entries]
        Standardised ratings, or levels from 0 where there are cuts.
    item_vectors : float32 [items, samples, width]
    item_offsets : float32 [items, samples]
    prior_mean : float32 [users, samples, width]
    prior_precision : float32 [samples, width]
    alpha : float64 [samples]
    cuts : float64 [samples, levels + 1]
        From -inf to inf; [samples, 0] without levels.
    noise : float32 [samples, width]
        Standard normal numbers, the same for all users.
    iterations : int
        Of EM, with levels.
    out : float32 [users, samples, width]
        The result.
    """
    for u in range(indptr.size - 1):
        span = slice(indptr[u], indptr[u + 1])
        for s in range(alpha.size):
            y = item_vectors[items[span], s].astype(np.float64)
            offset = item_offsets[items[span], s].astype(np.float64)
            tau, p = prior_precision[s].astype(np.float64), prior_mean[u, s].astype(np.float64)
            a = alpha[s] * y.T @ y + np.diag(tau)
            prior = tau * p
            for _ in range(iterations if cuts.shape[1] else 1):
                target = values[span].astype(np.float64)
                if cuts.shape[1]:
                    level = values[span].astype(np.int64)
                    target = latent_mean(y @ p + offset, cuts[s][level], cuts[s][level + 1])
                p = np.linalg.solve(a, alpha[s] * y.T @ (target - offset) + prior)
            out[u, s] = p + np.linalg.solve(np.linalg.cholesky(a).T, noise[s].astype(np.float64))
