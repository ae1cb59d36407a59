"""Gibbs sampling of a factorisation machine of several blocks, coordinate by coordinate.

Each rating n belongs to one row of each block (a user, an item, perhaps a date), and each row has
features. A row's vector is the sum of its features' vectors, times their values; the score is the
sum of the rows' biases and of the inner products of the vectors of each pair of blocks. In any one
coordinate the score is linear in a block's rows: ds = c_n dp, with c_n the sum of the other blocks'
rows (1 for the biases). So a pass over the ratings leaves each row two numbers, A = Σ c² and B = Σ
c e with the residuals e, and its features are drawn from these alone; a second pass brings the
residuals up to date. Both passes are one: that of the next coordinate."""

from __future__ import annotations

import math

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_threads, plain
from cofactor.kernels.cpu.probit import latent_mean


@kernel(allocates=True)
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
    """Draw all feature vectors of a block, coordinate by coordinate; see the reference for the
    equations.
    """
    n_rows = indptr.size - 1
    n_coordinates = weights.shape[0]
    # Of each row A, B and the change, side by side: features meet rows at random.
    sums = np.zeros((n_rows, 3), np.float64)
    for coordinate in range(n_coordinates + 1):
        _pass(coordinate, indptr, others, residual, rows, sums)
        if coordinate == n_coordinates:
            break
        sums[:, 2] = 0.0
        _draw(
            feature_indptr,
            feature_rows,
            feature_values,
            weights[coordinate],
            prior_mean[coordinate],
            prior_precision[coordinate],
            group,
            noise[coordinate],
            alpha,
            sums,
        )
        row_values = rows[coordinate]
        for row in range(n_rows):
            row_values[start + row] += np.float32(sums[row, 2])


@helper
def _pass(coordinate, indptr, others, residual, rows, sums) -> None:
    """Subtract the change of the coordinate before, and gather A and B of this one."""
    bias = rows.shape[0] - 1
    before, now = rows[max(coordinate - 1, 0)], rows[min(coordinate, bias)]
    for row in range(indptr.size - 1):
        begin, end = indptr[row], indptr[row + 1]
        e = residual[begin:end]
        if coordinate > 0:
            _subtract(np.float32(sums[row, 2]), coordinate > bias, before, others, begin, e)
        sums[row, 0], sums[row, 1] = _gathered(coordinate >= bias, now, others, begin, e)


@helper
def _subtract(moved, biases, vectors, others, begin, e) -> None:
    """e -= moved c."""
    if biases:
        for n in range(e.size):
            e[n] -= moved
        return
    for m in range(others.shape[0]):
        columns = others[m, begin : begin + e.size]
        for n in range(e.size):
            e[n] -= moved * vectors[columns[n]]


@helper
def _gathered(biases, vectors, others, begin, e):
    """Σ c² and Σ c e; sums of float32, in the lanes of a vector."""
    a = np.float32(0.0)
    b = np.float32(0.0)
    if biases:
        for n in range(e.size):
            b += e[n]
        return float(e.size), float(b)
    if others.shape[0] == 1:
        columns = others[0, begin : begin + e.size]
        for n in range(e.size):
            c = vectors[columns[n]]
            a += c * c
            b += c * e[n]
        return float(a), float(b)
    for n in range(e.size):
        total = np.float32(0.0)
        for m in range(others.shape[0]):
            total += vectors[others[m, begin + n]]
        a += total * total
        b += total * e[n]
    return float(a), float(b)


@helper
def _draw(
    feature_indptr,
    feature_rows,
    feature_values,
    weights,
    mean,
    precision,
    group,
    noise,
    alpha,
    sums,
) -> None:
    """Draw one coordinate of all features, one after the other; rows learn of it by B."""
    for feature in range(feature_indptr.size - 1):
        a = 0.0
        b = 0.0
        for at in range(feature_indptr[feature], feature_indptr[feature + 1]):
            row = sums[feature_rows[at]]
            value = np.float64(feature_values[at])
            a += value * value * row[0]
            b += value * row[1]
        old = np.float64(weights[feature])
        g = group[feature]
        total = alpha * a + precision[g]
        new = (alpha * (b + old * a) + precision[g] * mean[g]) / total + noise[feature] / math.sqrt(
            total
        )
        weights[feature] = np.float32(new)
        moved = np.float64(weights[feature]) - old
        for at in range(feature_indptr[feature], feature_indptr[feature + 1]):
            row = sums[feature_rows[at]]
            step = np.float64(feature_values[at]) * moved
            row[2] += step
            row[1] -= step * row[0]


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
    """Draw the vectors of new users in every kept sample; see the reference for the equations."""
    histories = (plain(indptr, np.int64), plain(items, np.int32), plain(values, np.float32))
    side = (plain(item_vectors, np.float32), plain(item_offsets, np.float32))
    prior = (plain(prior_mean, np.float32), plain(prior_precision, np.float32))
    drawn = (plain(alpha, np.float64), plain(cuts, np.float64), plain(noise, np.float32))
    width = out.shape[2]
    on_threads(
        lambda user: _draw_row(
            user,
            *histories,
            *side,
            *prior,
            *drawn,
            iterations,
            np.empty((width + 1, width)),
            out,
        ),
        len(out),
    )


@kernel
def _draw_row(
    u,
    indptr,
    items,
    values,
    item_vectors,
    item_offsets,
    prior_mean,
    prior_precision,
    alpha,
    cuts,
    noise,
    iterations,
    scratch,
    out,
) -> None:
    n_samples, width = out.shape[1], out.shape[2]
    matrix, right = scratch[:width], scratch[width]
    rounds = iterations if cuts.shape[1] > 0 else 1
    for s in range(n_samples):
        for f in range(width):
            for g in range(width):
                matrix[f, g] = 0.0
            matrix[f, f] = prior_precision[s, f]
        for n in range(indptr[u], indptr[u + 1]):
            y = item_vectors[items[n], s]
            for f in range(width):
                scaled = alpha[s] * np.float64(y[f])
                for g in range(f + 1):
                    matrix[f, g] += scaled * np.float64(y[g])
        _factorise(matrix)
        p = out[u, s]
        for f in range(width):
            p[f] = prior_mean[u, s, f]
        for _ in range(rounds):
            for f in range(width):
                right[f] = np.float64(prior_precision[s, f]) * np.float64(prior_mean[u, s, f])
            for n in range(indptr[u], indptr[u + 1]):
                y = item_vectors[items[n], s]
                offset = np.float64(item_offsets[items[n], s])
                target = np.float64(values[n])
                if cuts.shape[1] > 0:
                    score = offset
                    for f in range(width):
                        score += np.float64(p[f]) * np.float64(y[f])
                    level = int(values[n])
                    target = latent_mean(score, cuts[s, level], cuts[s, level + 1])
                for f in range(width):
                    right[f] += alpha[s] * (target - offset) * np.float64(y[f])
            _solve_lower(matrix, right)
            _solve_upper(matrix, right)
            for f in range(width):
                p[f] = np.float32(right[f])
        for f in range(width):
            right[f] = np.float64(noise[s, f])
        _solve_upper(matrix, right)
        for f in range(width):
            p[f] += np.float32(right[f])


@helper
def _factorise(matrix) -> None:
    """The lower Cholesky factor in place; the ridge keeps every pivot above zero."""
    for j in range(matrix.shape[0]):
        for k in range(j + 1):
            total = matrix[j, k]
            for f in range(k):
                total -= matrix[j, f] * matrix[k, f]
            matrix[j, k] = total / matrix[k, k] if k < j else math.sqrt(total)


@helper
def _solve_lower(matrix, right) -> None:
    for j in range(right.size):
        total = right[j]
        for f in range(j):
            total -= matrix[j, f] * right[f]
        right[j] = total / matrix[j, j]


@helper
def _solve_upper(matrix, right) -> None:
    for j in range(right.size - 1, -1, -1):
        right[j] /= matrix[j, j]
        for f in range(j):
            right[f] -= matrix[j, f] * right[j]
