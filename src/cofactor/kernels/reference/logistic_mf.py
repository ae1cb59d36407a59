"""Logistic matrix factorisation by alternating gradient ascent, in plain NumPy: the definition of
`cpu.logistic_mf`.

Johnson 2014, "Logistic matrix factorization for implicit feedback data": p(i | u) = σ(s_ui),
s_ui = x_u · y_i + β_u + β_i, and Σ_ui α r_ui s_ui - (1 + α r_ui) ln(1 + exp s_ui) - λ/2 (|x|² +
|y|²) is ascended, users and items in turn. Unlike there, L2 is on the vectors alone: on biases it
would raise items that hardly anybody has."""

from __future__ import annotations

import numpy as np

from cofactor.kernels.reference.sampling import draw_negative, stream

EPSILON = 1e-6


def row_gradient(
    items: np.ndarray,
    values: np.ndarray,
    negative_items: np.ndarray,
    vector: np.ndarray,
    bias: float,
    other_factors: np.ndarray,
    other_bias: np.ndarray,
    alpha: float,
    regularization: float,
    share: float = 1.0,
) -> tuple[float, np.ndarray]:
    """Return minus the log posterior of one row, and the gradient of the log posterior, float64
    [factors + 1].

    d/dx_u = Σ_i (α r_ui - (1 + α r_ui) σ(s_ui)) y_i - λ x_u, where r_ui = 0 for negatives; the last
    entry is d/dβ_u.

    Parameters
    ----------
    items, values
        The row's positives and their r, [m].
    negative_items
        The row's negatives, [n]; one may come several times and counts as often.
    vector, bias
        x_u, [factors], and β_u.
    other_factors, other_bias
        y and β_i, [n_others, factors] and [n_others].
    alpha, regularization
        α and λ.
    share
        How many negatives each of ``negative_items`` stands for.
    """
    which = np.concatenate([items, negative_items])
    weight = alpha * np.concatenate([values, np.zeros(len(negative_items))])
    s = other_factors[which].astype(np.float64) @ vector + bias + other_bias[which]
    softplus = np.logaddexp(0.0, s)
    share_of = np.concatenate([np.ones(len(items)), np.full(len(negative_items), share)])
    loss = np.sum(share_of * ((1.0 + weight) * softplus - weight * s))
    loss += regularization / 2 * (vector @ vector)
    pull = share_of * (weight - (1.0 + weight) * np.exp(s - softplus))
    gradient = np.append(pull @ other_factors[which] - regularization * vector, pull.sum())
    return float(loss), gradient


def logistic_half_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    factors: np.ndarray,
    bias: np.ndarray,
    squares: np.ndarray,
    other_factors: np.ndarray,
    other_bias: np.ndarray,
    learning_rate: float,
    alpha: float,
    regularization: float,
    negatives: int,
    seed: int,
) -> float:
    """Take one adaptive step for each row, the other side held: θ ← θ + η g / √(ε + G), with G the
    sum of its g².

    Parameters
    ----------
    indptr, indices, values
        The interactions of each row as CSR: int64 [n_rows + 1], int32 ascending, float32 from 0.
    factors, bias
        The rows' vectors and biases, float32 [n_rows, factors] and [n_rows]; changed in place.
    squares
        G, float32 [n_rows, factors + 1], the bias last; changed in place.
    other_factors, other_bias
        The other side, float32 [n_others, factors] and [n_others].
    learning_rate, alpha, regularization
        η, α and λ.
    negatives
        For each positive of a row (counted as one for a row without any), how many others that it
        lacks are drawn (uniformly, with replacement); 0 takes all of them.
    seed
        Any 64-bit seed; each row draws from a stream of its own, so the result doesn't depend on
        threads.

    Returns
    -------
    float
        Minus the log posterior of all rows before their steps, by the negatives taken.

    Notes
    -----
    A drawn negative stands for as many as there are for each drawn, so loss and gradient are
    unbiased estimates of the whole ones. Were each to count once, every item would have the same
    share of positives, and its bias would know nothing of its popularity. A row that has everything
    has no negatives.

    Source: Johnson 2014, equations 2 to 5; steps: Duchi, Hazan, Singer 2011 (Adagrad).
    """
    total = 0.0
    for row in range(len(factors)):
        mine = slice(indptr[row], indptr[row + 1])
        drawn = _negatives(indices[mine], len(other_factors), negatives, stream(seed, row))
        x = factors[row].astype(np.float64)
        loss, g = row_gradient(
            indices[mine],
            values[mine],
            drawn,
            x,
            float(bias[row]),
            other_factors,
            other_bias,
            alpha,
            regularization,
            _share(indices[mine], drawn, len(other_factors)),
        )
        total += loss
        squares[row] += g * g
        step = learning_rate * g / np.sqrt(EPSILON + squares[row])
        factors[row] += step[:-1]
        bias[row] += step[-1]
    return total


def logistic_fold_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    other_factors: np.ndarray,
    other_bias: np.ndarray,
    learning_rate: float,
    alpha: float,
    regularization: float,
    negatives: int,
    steps: int,
    seed: int,
) -> np.ndarray:
    """Fit the vectors of new rows with the other side held: ``steps`` adaptive steps from zero, as
    above.

    Returns
    -------
    np.ndarray
        float32 [n_rows, factors]: the mean over the second half of the steps. Each row draws from
        the same stream, so that its vector depends on its own interactions alone.
    """
    n_others, f = other_factors.shape
    folded = np.zeros((len(indptr) - 1, f), np.float32)
    for row in range(len(indptr) - 1):
        mine = slice(indptr[row], indptr[row + 1])
        if mine.start == mine.stop:
            continue
        theta, squares, kept = np.zeros(f + 1), np.zeros(f + 1), []
        for step in range(steps):
            drawn = _negatives(indices[mine], n_others, negatives, stream(seed, step))
            x, beta = theta[:-1], float(theta[-1])
            _, g = row_gradient(
                indices[mine],
                values[mine],
                drawn,
                x,
                beta,
                other_factors,
                other_bias,
                alpha,
                regularization,
                _share(indices[mine], drawn, n_others),
            )
            squares += g * g
            theta = theta + learning_rate * g / np.sqrt(EPSILON + squares)
            if step >= steps // 2:
                kept.append(theta[:-1])
        folded[row] = np.mean(kept, axis=0)
    return folded


def _negatives(row: np.ndarray, n_others: int, negatives: int, state: int) -> np.ndarray:
    if negatives == 0:
        return np.setdiff1d(np.arange(n_others), row)
    uniform = (np.empty(0, np.uint32), np.empty(0, np.int32))
    drawn = np.zeros(negatives * max(len(row), 1) if len(row) < n_others else 0, np.int64)
    for n in range(len(drawn)):
        state, drawn[n] = draw_negative(state, row, *uniform, n_others)
    return drawn


def _share(row: np.ndarray, drawn: np.ndarray, n_others: int) -> float:
    return (n_others - len(row)) / max(1, len(drawn))
