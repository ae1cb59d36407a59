"""New users' vectors with the items frozen: closed form for squared error, a convex descent for the
other losses.

NumPy and SciPy alone, so that serving a factorisation never loads torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from cofactor.base import rng
from cofactor.data.interactions import Interactions
from cofactor.models.factors import solution
from cofactor.models.neural.factor_settings import FactorConfig
from cofactor.models.rating_scale import spread_of
from cofactor.training.losses import Needs, Pointwise
from cofactor.training.losses.loss_config import LossConfig

# So many draws stand for the sampling distribution while folding in; the same for everybody.
_DRAWS = 2048


class Factors(NamedTuple):
    """The arrays of a factorisation with biases.

    Parameters
    ----------
    user_factors, item_factors
        float32 [n_users, K] and [n_items, K].
    user_bias, item_bias
        float32 [n_users] and [n_items].
    """

    user_factors: np.ndarray
    item_factors: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray


def cold_row(
    factors: np.ndarray, bias: np.ndarray, warm: np.ndarray, config: FactorConfig, fits: bool
) -> tuple[np.ndarray, np.float32]:
    """Return the vector and the bias of a user or an item without interactions: zeros, or the
    others' mean where no mean rating stands for them.

    Parameters
    ----------
    factors, bias
        float32 [n, K] and [n] of all users or of all items.
    warm
        bool [n]: those with interactions.
    config
        The settings.
    fits
        Whether ratings were learnt.
    """
    if config.mean or not fits:
        return np.zeros(factors.shape[1], np.float32), np.float32(0)
    return factors[warm].mean(0), np.float32(bias[warm].mean())


def fold_in(
    indptr: np.ndarray,
    items: np.ndarray,
    values: np.ndarray,
    factors: Factors,
    mean: float,
    config: FactorConfig,
    data: Interactions,
) -> np.ndarray:
    """Return ``[p ; b]`` of users never seen, the minimisers of the training loss with the items
    frozen, float32 [B, K + 1].

    Parameters
    ----------
    indptr, items, values
        CSR of the histories: int64 [B + 1], int32 and float32 [n_events].
    factors
        What was learnt.
    mean
        The mean that ratings were learnt as differences from, else 0.
    config
        The loss and its regularisation.
    data
        What it was learnt from.
    """
    objective, fits = config.objective, config.fits(data)
    if not (isinstance(objective, Pointwise) and config.needs(data) is Needs.PAIRS):
        return implicit_vectors(
            indptr, items, factors.item_factors, factors.item_bias, config, data.item_counts
        )
    solve = ridge_vectors if objective.is_quadratic else partial(rating_vectors, objective)
    residuals = (values if fits else np.ones(len(items), np.float32)) - (
        factors.item_bias[items] + np.float32(mean)
    )
    # The minimiser of squared error is linear in them; other losses are in the unit of learning.
    unit = np.float32(1 if objective.is_quadratic or not fits else spread_of(data))
    vectors = unit * solve(
        indptr,
        items,
        residuals / unit,
        factors.item_factors,
        Penalty(
            l2_weights(
                np.diff(indptr), data.user_counts, config.frequency_exponent if fits else 1.0
            ),
            config.regularization,
            config.bias_regularization if config.biases else None,
            config.gravity * len(data) / (data.n_users * data.n_items),
        ),
    )
    warm = data.user_counts > 0
    vectors[np.diff(indptr) == 0] = np.append(
        *cold_row(factors.user_factors, factors.user_bias, warm, config, fits)
    )
    return vectors


class Penalty(NamedTuple):
    """What a fold-in adds to the loss.

    Parameters
    ----------
    strength
        float32 [B]: w, see `l2_weights`.
    ridge, bias_ridge
        ``λ`` and ``λ_b``, at least 0; a bias_ridge of None leaves the bias out (0).
    gravity
        ``γ``: the gravity's weight, scaled from a mean over all pairs to a sum over the examples.
    """

    strength: np.ndarray
    ridge: float
    bias_ridge: float | None
    gravity: float = 0.0


def ridge_vectors(
    indptr: np.ndarray,
    items: np.ndarray,
    residuals: np.ndarray,
    item_factors: np.ndarray,
    penalty: Penalty,
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
    penalty
        w, λ, λ_b and γ.

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
    used = width if penalty.bias_ridge is None else width + 1
    fixed = np.zeros((used, used))
    if penalty.gravity:
        fixed[:width, :width] = penalty.gravity * (rows[:, :width].T @ rows[:, :width])
    ridges = np.full(used, penalty.ridge)
    if penalty.bias_ridge is not None:
        ridges[-1] = penalty.bias_ridge
    for user in range(len(vectors)):
        span = slice(indptr[user], indptr[user + 1])
        n = span.stop - span.start
        if n:
            q = rows[items[span], :used]
            # The smallest shift keeps the system solvable where nothing is regularised.
            system = q.T @ q + fixed + np.diag(n * penalty.strength[user] * ridges + 1e-9)
            vectors[user, :used] = solution(system, q.T @ residuals[span].astype(np.float64))
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
    draw from the sampling distribution without the user's own items, so the vector depends on the
    history alone.

    Parameters
    ----------
    indptr, items
        CSR of the histories: int64 [B + 1] and int32 [n_events].
    item_factors, item_bias
        float32 [n_items, K] and [n_items].
    config
        The loss, its negatives and its regularisation.
    item_counts
        int64 [n_items], for popularity sampling.

    Returns
    -------
    ndarray
        float32 [B, K + 1]; zeros for an empty history. The last place, a bias, is 0: it can't
        change a ranking.
    """
    vectors = np.zeros((len(indptr) - 1, item_factors.shape[1] + 1), np.float32)
    q, b = item_factors.astype(np.float64), item_bias.astype(np.float64)
    draws, log_expected = _draws(config, item_counts)
    objective = config.objective
    # A softmax sums over the catalogue: each draw stands for 1 / (expected count) items.
    shift = b[draws] - log_expected if objective.corrects_draws else b[draws]
    for user in range(len(vectors)):
        own = items[indptr[user] : indptr[user + 1]]
        free = ~np.isin(draws, own)
        # Who has interacted with everything says nothing.
        if len(own) and (free.any() or objective.needs is Needs.PAIRS):
            x, z, xb, zb = q[own], q[draws[free]], b[own], shift[free]

            def loss(
                p: np.ndarray,
                x: np.ndarray = x,
                z: np.ndarray = z,
                xb: np.ndarray = xb,
                zb: np.ndarray = zb,
            ) -> tuple[float, np.ndarray]:
                value, up, down = objective.slopes(x @ p + xb, z @ p + zb, config, len(q))
                return value, up @ x + down @ z

            if objective.uses_cosine:
                vectors[user, :-1] = _on_sphere(loss, x.mean(0))
            else:
                vectors[user, :-1] = _minimum(
                    _with_ridge(loss, config.regularization), np.zeros(q.shape[1])
                )
    return vectors


def rating_vectors(
    objective: Pointwise,
    indptr: np.ndarray,
    items: np.ndarray,
    residuals: np.ndarray,
    item_factors: np.ndarray,
    penalty: Penalty,
) -> np.ndarray:
    """Return what `ridge_vectors` does for any loss that fits values, by L-BFGS.

    ``min_x Σ_j l([q_j ; 1] · x, r_j) + n w (λ ‖p‖² + λ_b b²) + γ pᵀ(QᵀQ)p``.
    """
    width = item_factors.shape[1]
    rows = np.concatenate((item_factors, np.ones((len(item_factors), 1))), 1).astype(np.float64)
    gram = penalty.gravity * (rows[:, :-1].T @ rows[:, :-1])
    # A bias that is left out is held at 0.
    rows[:, -1] = penalty.bias_ridge is not None
    ridges = np.append(np.full(width, penalty.ridge), penalty.bias_ridge or 0.0)
    vectors = np.zeros((len(indptr) - 1, width + 1), np.float32)
    for user in range(len(vectors)):
        span = slice(indptr[user], indptr[user + 1])
        n = span.stop - span.start
        if n:
            own, target, held = items[span], residuals[span], n * penalty.strength[user] * ridges

            def loss(
                x: np.ndarray,
                q: np.ndarray = rows[own],
                target: np.ndarray = target,
                held: np.ndarray = held,
            ) -> tuple[float, np.ndarray]:
                each, slope = objective.each_slope(q @ x, target)
                slope = slope @ q + 2 * held * x
                pull = gram @ x[:-1]
                slope[:-1] += 2 * pull
                return float(each.sum() + held @ x**2 + x[:-1] @ pull), slope

            vectors[user] = _minimum(loss, np.zeros(width + 1))
    return vectors


Differentiable = Callable[[np.ndarray], tuple[float, np.ndarray]]


def _with_ridge(loss: Differentiable, ridge: float) -> Differentiable:
    def held(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = loss(p)
        return value + ridge * float(p @ p), slope + 2 * ridge * p

    return held


def _on_sphere(loss: Differentiable, start: np.ndarray) -> np.ndarray:
    """The unit vector at which a loss of unit vectors is least."""

    def projected(p: np.ndarray) -> tuple[float, np.ndarray]:
        length = max(float(np.linalg.norm(p)), 1e-9)
        unit = p / length
        value, slope = loss(unit)
        return value, (slope - (slope @ unit) * unit) / length

    best = _minimum(projected, start)
    return best / max(float(np.linalg.norm(best)), 1e-12)


def _minimum(loss: Differentiable, start: np.ndarray) -> np.ndarray:
    from scipy.optimize import minimize

    best: np.ndarray = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 100}
    ).x
    return best


def _draws(config: LossConfig, item_counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The items that stand for the sampling distribution, and the log of how often each was to be
    expected among them.

    All items once where it is uniform and they are few, else draws.
    """
    n_items, needs = len(item_counts), config.objective.needs
    if needs is Needs.PAIRS:
        return np.zeros(0, np.int64), np.zeros(0)
    in_batch = needs is Needs.IN_BATCH
    by_popularity = in_batch or config.negative_sampling == "popularity"
    if needs is Needs.CATALOGUE or (not by_popularity and n_items <= _DRAWS):
        return rng.generator(0, "fold-in", n_items).permutation(n_items), np.zeros(n_items)
    q = np.ones(n_items)
    if by_popularity:
        q = item_counts.astype(np.float64) ** (1.0 if in_batch else config.negative_power)
    q /= q.sum()
    draws = rng.generator(0, "fold-in", n_items).choice(n_items, _DRAWS, p=q)
    return draws, np.log(_DRAWS * q[draws])
