"""New users' vectors with the items frozen: closed form for squared error, a convex descent for the
other losses.

NumPy and SciPy alone, so that serving a factorisation never loads torch.
"""

from __future__ import annotations

import numpy as np

from cofactor.base import rng
from cofactor.training.settings import SOFTMAX, LossConfig

# So many draws stand for the sampler's law while folding in; the same ones for everybody.
_DRAWS = 2048


def ridge_vectors(
    indptr: np.ndarray,
    items: np.ndarray,
    residuals: np.ndarray,
    item_factors: np.ndarray,
    *,
    strength: np.ndarray,
    ridge: float,
    bias_ridge: float | None,
    gravity: float = 0.0,
) -> np.ndarray:
    """Return each user's minimiser of the training loss with the items frozen.

    ``min_x Σ_j (r_j − [q_j ; 1] · x)² + n w (λ ‖p‖² + λ_b b²) + γ pᵀ(QᵀQ)p``, with ``x = [p ; b]``
    and n the history's length.

    Parameters
    ----------
    indptr, items
        CSR of the histories: int64 [B + 1] and int32 [n_events].
    residuals
        float32 [n_events]: the values less mean and item biases.
    item_factors
        float32 [n_items, K]: Q.
    strength
        float32 [B]: w, see `l2_weights`.
    ridge, bias_ridge
        ``λ`` and ``λ_b``, at least 0; a bias_ridge of None leaves the bias out (0).
    gravity
        ``γ``: the gravity's weight, scaled from a mean over all pairs to a sum over the examples.

    Returns
    -------
    ndarray
        float32 [B, K + 1]; zeros for an empty history.
    """
    width = item_factors.shape[1]
    vectors = np.zeros((len(indptr) - 1, width + 1), np.float32)
    rows = np.concatenate((item_factors, np.ones((len(item_factors), 1), np.float32)), 1).astype(
        np.float64
    )
    used = width if bias_ridge is None else width + 1
    fixed = np.zeros((used, used))
    if gravity:
        fixed[:width, :width] = gravity * (rows[:, :width].T @ rows[:, :width])
    penalty = np.full(used, ridge)
    if bias_ridge is not None:
        penalty[-1] = bias_ridge
    for user in range(len(vectors)):
        span = slice(indptr[user], indptr[user + 1])
        n = span.stop - span.start
        if n:
            q = rows[items[span], :used]
            # The smallest shift keeps the system solvable where nothing is regularised.
            system = q.T @ q + fixed + np.diag(n * strength[user] * penalty + 1e-9)
            vectors[user, :used] = np.linalg.solve(system, q.T @ residuals[span].astype(np.float64))
    return vectors


def l2_weights(counts: np.ndarray, all_counts: np.ndarray, power: float) -> np.ndarray:
    """Return ``w(n) = n^(power − 1) / c`` with c such that the mean of w over all training examples
    is 1.

    Parameters
    ----------
    counts
        int64 [m]: the lengths to be weighed; 0 is taken as 1.
    all_counts
        int64: the training counts of all users (or items), which give c.
    power
        0..1: how the whole L2 of one user grows with the length of its history.

    Returns
    -------
    ndarray
        float32 [m].
    """
    plain = np.maximum(counts, 1).astype(np.float64) ** (power - 1)
    total = (np.maximum(all_counts, 1).astype(np.float64) ** (power - 1) * all_counts).sum()
    return (plain * all_counts.sum() / total).astype(np.float32)


def implicit_vectors(
    indptr: np.ndarray,
    items: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray,
    config: LossConfig,
    item_counts: np.ndarray,
) -> np.ndarray:
    """Return each user's minimiser of a ranking loss with the items frozen, by L-BFGS.

    ``min_x 1/n Σ_j E_negatives[loss(s_j, s⁻)] + λ ‖p‖²``: the expectation is taken over one fixed
    draw from the sampler's law without the user's own items, so the vector depends on the history
    alone.

    Parameters
    ----------
    indptr, items
        CSR of the histories: int64 [B + 1] and int32 [n_events].
    item_factors, item_bias
        float32 [n_items, K] and [n_items].
    config
        The loss, its negatives and its regularisation.
    item_counts
        int64 [n_items], for the popularity law.

    Returns
    -------
    ndarray
        float32 [B, K + 1]; zeros for an empty history. The last place, a bias, is 0: it can't
        change a ranking.
    """
    from scipy.optimize import minimize

    vectors = np.zeros((len(indptr) - 1, item_factors.shape[1] + 1), np.float32)
    q, b = item_factors.astype(np.float64), item_bias.astype(np.float64)
    draws, log_expected = _draws(config, item_counts)
    is_softmax = config.loss in SOFTMAX
    cosine = config.loss == "cosine_contrastive"
    ridge = 0.0 if cosine else config.regularization
    for user in range(len(vectors)):
        own = items[indptr[user] : indptr[user + 1]]
        if not len(own):
            continue
        free = ~np.isin(draws, own)
        if not free.any():
            continue  # whoever took everything tells no taste
        others = draws[free]
        # A softmax sums over the catalogue: each draw stands for 1 / (expected count) items.
        shift = b[others] - log_expected[free] if is_softmax else b[others]

        def loss(
            p: np.ndarray,
            own: np.ndarray = own,
            others: np.ndarray = others,
            shift: np.ndarray = shift,
        ) -> tuple[float, np.ndarray]:
            length = max(float(np.linalg.norm(p)), 1e-9) if cosine else 1.0
            unit = p / length
            value, up, down = _slopes(
                q[own] @ unit + b[own], q[others] @ unit + shift, config, len(q)
            )
            slope = up @ q[own] + down @ q[others]
            if cosine:
                slope = (slope - (slope @ unit) * unit) / length
            return value + ridge * float(p @ p), slope + 2 * ridge * p

        start = q[own].mean(0) if cosine else np.zeros(q.shape[1])
        best = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}).x
        vectors[user, :-1] = best / max(float(np.linalg.norm(best)), 1e-12) if cosine else best
    return vectors


def _draws(config: LossConfig, item_counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items that stand for the negatives' law, and the log of how often each was to be expected
    among them.

    All items once where the law is uniform and they are few, else draws.
    """
    n_items = len(item_counts)
    by_popularity = config.sampler == "popularity" or config.loss == "in_batch_softmax"
    if not by_popularity and (n_items <= _DRAWS or config.loss == "full_softmax"):
        return rng.generator(0, "fold-in", n_items).permutation(n_items), np.zeros(n_items)
    law = np.ones(n_items)
    if by_popularity:
        law = item_counts.astype(np.float64) ** (
            1.0 if config.loss == "in_batch_softmax" else config.popularity_power
        )
    law /= law.sum()
    draws = rng.generator(0, "fold-in", n_items).choice(n_items, _DRAWS, p=law)
    return draws, np.log(_DRAWS * law[draws])


def _slopes(
    own: np.ndarray, others: np.ndarray, config: LossConfig, n_items: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss of scores own [n] against others [m], and its slopes by both."""
    n, m, k = len(own), len(others), config.negatives
    if config.loss in ("logistic", "squared"):
        part = 1 / (1 + k)
        if config.loss == "squared":
            value = part * np.mean((own - 1) ** 2) + (1 - part) * np.mean(others**2)
            return float(value), 2 * part * (own - 1) / n, 2 * (1 - part) * others / m
        value = part * _softplus(-own).mean() + (1 - part) * _softplus(others).mean()
        return float(value), -part * _sigmoid(-own) / n, (1 - part) * _sigmoid(others) / m
    if config.loss in SOFTMAX:
        return _softmax_slopes(own, others)
    if config.loss == "cosine_contrastive":
        over = others - config.margin
        value = 1 - own.mean() + config.negative_weight * np.maximum(over, 0).mean()
        return float(value), np.full(n, -1 / n), config.negative_weight * (over > 0) / m
    if config.loss in ("adaptive_hinge", "warp"):
        # Groups of k draws, each with its hardest: what the loss sees of them on average.
        groups = others[: max(1, m // k) * k].reshape(-1, min(k, m))
        place = groups.argmax(1) + np.arange(len(groups)) * groups.shape[1]
        value, up, inner = _hinge_slopes(own, groups.ravel()[place], config.margin)
        down = np.zeros(m)
        np.add.at(down, place, inner)
        if config.loss == "warp":
            # As if the violator came up in the last of the k draws: a constant weight keeps the
            # descent convex.
            weight = float(np.sum(1 / np.arange(1, max(1, (n_items - 1) // k) + 1)))
            return weight * value, weight * up, weight * down
        return value, up, down
    if config.loss == "hinge":
        return _hinge_slopes(own, others, config.margin)
    gap = others[None, :] - own[:, None]
    slope = _sigmoid(gap) / (n * m)
    return float(_softplus(gap).mean()), -slope.sum(1), slope.sum(0)


def _softmax_slopes(own: np.ndarray, others: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    top = max(float(own.max()), float(others.max()))
    e_own, e_others = np.exp(own - top), np.exp(others - top)
    whole = e_own + e_others.sum()
    value = np.mean(np.log(whole) + top - own)
    return float(value), (e_own / whole - 1) / len(own), e_others * np.mean(1 / whole)


def _hinge_slopes(
    own: np.ndarray, others: np.ndarray, margin: float
) -> tuple[float, np.ndarray, np.ndarray]:
    gap = margin - own[:, None] + others[None, :]
    on = (gap > 0) / gap.size
    return float((gap * on).sum()), -on.sum(1), on.sum(0)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -500, 500)))
