"""Logistic matrix factorisation, rows side by side; the definition is `reference.logistic_mf`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts
from cofactor.kernels.cpu.llvm.rows import (
    EXP_LIMIT,
    dot_rows,
    exp_negative,
    prefetch_row,
    tail_start,
)
from cofactor.kernels.cpu.sampling import FILTER_WORDS, draw_negative, filter_fill, stream

EPSILON = np.float32(1e-6)
_GROUP = 8
_ONE = np.float32(1.0)


@helper
def _logit(X, row, beta, Y, b, i):
    """s = x · y_i + β + β_i."""
    s = beta + b[np.uint64(i)] + dot_rows(X, row, Y, i)
    for k in range(tail_start(Y), Y.shape[1]):
        s += X[row, k] * Y[i, k]
    return s


@helper
def _add(g, pull, Y, i) -> None:
    for k in range(Y.shape[1]):
        g[k] += pull * Y[i, k]
    g[Y.shape[1]] += pull


@helper
def _softplus(s, e):
    """ln(1 + exp s), where e = exp s but for what exp_negative cuts off."""
    return np.log(1.0 + np.float64(e)) + max(np.float64(0.0), np.float64(s) - np.float64(EXP_LIMIT))


class Problem(NamedTuple):
    """What a side's rows are fitted to."""

    indices: np.ndarray
    values: np.ndarray
    other_factors: np.ndarray
    other_bias: np.ndarray
    alpha: float
    regularization: float
    negatives: int


@kernel
def _gradient(problem, first, stop, X, row, beta, state, scratch):
    """Fill the scratch's g [factors + 1] with the row's gradient and return its loss."""
    indices, values, Y, b, alpha, decay, negatives = problem
    words, group, g, threshold, alias = scratch
    f, n_others, m = X.shape[1], Y.shape[0], stop - first
    g[:] = np.float32(0.0)
    loss = 0.5 * decay * np.float64(dot_rows(X, row, X, row))
    for k in range(tail_start(X), f):
        loss += 0.5 * decay * np.float64(X[row, k] * X[row, k])
    for p in range(first, stop):
        prefetch_row(Y, np.int64(indices[min(p + _GROUP, stop - 1)]))
        i = np.int64(indices[p])
        s = _logit(X, row, beta, Y, b, i)
        e = exp_negative(-s)
        weight = np.float32(alpha) * values[p]
        loss += np.float64(_ONE + weight) * _softplus(s, e) - np.float64(weight) * np.float64(s)
        # α r - (1 + α r) σ(s)
        _add(g, weight - (_ONE + weight) * (e / (_ONE + e)), Y, i)
    if negatives == 0:
        p = first
        for j in range(n_others):
            if p < stop and indices[p] == j:
                p += 1
                continue
            s = _logit(X, row, beta, Y, b, j)
            e = exp_negative(-s)
            loss += _softplus(s, e)
            _add(g, -(e / (_ONE + e)), Y, j)
    elif m < n_others:
        filter_fill(words, 0, indices, first, stop)
        left = negatives * max(m, 1)
        share = np.float32((n_others - m) / left)  # how many negatives each drawn one stands for
        while left > 0:
            size = min(left, _GROUP)
            for n in range(size):
                state, group[n] = draw_negative(
                    state, words, 0, indices, first, stop, threshold, alias, n_others
                )
                prefetch_row(Y, group[n])
            product = 1.0  # of at most 8 factors up to exp(86): one logarithm for all
            for n in range(size):
                s = _logit(X, row, beta, Y, b, group[n])
                e = exp_negative(-s)
                product *= 1.0 + np.float64(e)
                loss += np.float64(share) * max(0.0, np.float64(s) - np.float64(EXP_LIMIT))
                _add(g, -share * (e / (_ONE + e)), Y, group[n])
            loss += np.float64(share) * np.log(product)
            left -= size
    for k in range(f):
        g[k] -= np.float32(decay) * X[row, k]
    return loss


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
    """Take one adaptive step for each row; see `reference.logistic_mf.logistic_half_epoch`."""
    n_rows, f = factors.shape
    losses = np.zeros(n_rows)
    problem = Problem(indices, values, other_factors, other_bias, alpha, regularization, negatives)
    rows = (indptr, factors, bias, squares, learning_rate, np.uint64(seed), losses)
    on_parts(lambda *part: _half_epoch(problem, *rows, *part, _scratch(f)), n_rows)
    return float(losses.sum())


@kernel
def _half_epoch(
    problem, indptr, factors, bias, squares, learning_rate, seed, losses, begin, end, scratch
) -> None:
    f, g, rate = factors.shape[1], scratch[2], np.float32(learning_rate)
    for row in range(begin, end):
        first, stop, state = indptr[row], indptr[row + 1], stream(seed, row)
        losses[row] = _gradient(problem, first, stop, factors, row, bias[row], state, scratch)
        for k in range(f + 1):
            squares[row, k] += g[k] * g[k]
        for k in range(f):
            factors[row, k] += rate * g[k] / np.sqrt(EPSILON + squares[row, k])
        bias[row] += rate * g[f] / np.sqrt(EPSILON + squares[row, f])


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
    """Fit the vectors of new rows; see `reference.logistic_mf.logistic_fold_in`."""
    n_rows, f = indptr.shape[0] - 1, other_factors.shape[1]
    folded = np.zeros((n_rows, f), np.float32)
    problem = Problem(indices, values, other_factors, other_bias, alpha, regularization, negatives)
    how = (learning_rate, steps, np.uint64(seed), folded)
    on_parts(lambda *part: _fold_in(problem, indptr, *how, *part, _sums(f), _scratch(f)), n_rows)
    return folded


def _scratch(factors: int) -> tuple[np.ndarray, ...]:
    """What the gradient of a row needs, for one thread."""
    return (
        np.empty((1, FILTER_WORDS), np.uint64),
        np.zeros(_GROUP, np.int64),  # negatives drawn together
        np.empty(factors + 1, np.float32),  # the gradient
        np.empty(0, np.uint32),  # no popularity: negatives are drawn uniformly
        np.empty(0, np.int32),
    )


def _sums(factors: int) -> tuple[np.ndarray, ...]:
    """What the fit of a new row adds up: its vector, squared gradients, the vectors' mean."""
    return (
        np.empty((1, factors), np.float32),
        np.empty(factors + 1, np.float32),
        np.empty(factors),
    )


@kernel
def _fold_in(
    problem, indptr, learning_rate, steps, seed, folded, begin, end, sums, scratch
) -> None:
    X, G, mean = sums
    f, g, rate = X.shape[1], scratch[2], np.float32(learning_rate)
    for row in range(begin, end):
        first, stop = indptr[row], indptr[row + 1]
        if first == stop:
            continue
        beta = np.float32(0.0)
        X[:], G[:], mean[:] = np.float32(0.0), np.float32(0.0), 0.0
        for step in range(steps):
            _gradient(problem, first, stop, X, np.int64(0), beta, stream(seed, step), scratch)
            for k in range(f + 1):
                G[k] += g[k] * g[k]
            for k in range(f):
                X[0, k] += rate * g[k] / np.sqrt(EPSILON + G[k])
                if step >= steps // 2:
                    mean[k] += X[0, k]
            beta = beta + rate * g[f] / np.sqrt(EPSILON + G[f])
        for k in range(f):
            folded[row, k] = mean[k] / (steps - steps // 2)
