"""Bayesian personalised ranking: lock-free ascent of ln σ(x_ui - x_uj), the fast implementation of
`reference.bpr`.

What makes it fast: a negative is tested against a 512-byte filter before any search; the vectors of
a drawn pair are prefetched a round before they are used; `LANES` users are walked side by side, so
that the chain of one user's steps (each needs the vector that the last one wrote) doesn't stall the
core, and their sigmoids are one vector operation; the steps are vector code (`simd`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from cofactor.kernels.cpu.jit import helper, kernel, on_parts, on_threads
from cofactor.kernels.cpu.llvm.rows import (
    EXP_LIMIT,
    dot_difference,
    exp_negative,
    pairwise_step,
    prefetch_row,
    tail_start,
)
from cofactor.kernels.cpu.sampling import (
    FILTER_WORDS,
    advance,
    below,
    draw_negative,
    filter_fill,
    mix,
    stream,
)

LANES = 8  # users in work at once in one thread; part of the definition, see the reference
_LOW = np.uint64(0xFFFFFFFF)
_ONE = np.float32(1.0)


@helper
def coprime_stride(bits, count):
    """Return a stride in [1, count) that is coprime to count: walking by it visits each place
    once.
    """
    if count <= 2:
        return np.int64(1)
    stride = 1 + below((bits & _LOW) << np.uint64(32), count - 1)
    while True:
        a, b = count, stride
        while b > 0:
            a, b = b, a % b
        if a == 1:
            return stride
        stride += 1


@helper
def begun(seed, count):
    """The state of the draws for a history of so many items, the first place, and the stride."""
    state = advance(stream(seed, 0))
    bits = mix(state)
    return state, below(bits, count), coprime_stride(bits, count)


class Keep(NamedTuple):
    """What a step leaves of each parameter: 1 less the learning rate times its L2, float32."""

    user: np.float32
    positive: np.float32
    negative: np.float32
    bias: np.float32

    @classmethod
    def of(cls, learning_rate: float, *regularization: float) -> Keep:
        """Return them for the four L2 weights."""
        return cls(*(np.float32(1.0 - learning_rate * l2) for l2 in regularization))


def _scratch() -> tuple[np.ndarray, ...]:
    """What one thread needs while it walks: filters of the users in work; of each user the row,
    where its interactions begin and end, where the walk over them is, its stride, and how many are
    left; the pairs of this round and of the one before; margins and their exponentials.
    """
    return (
        np.empty((LANES, FILTER_WORDS), np.uint64),
        np.zeros((6, LANES), np.int64),
        np.zeros((3, 2, LANES), np.int64),
        np.zeros((2, LANES), np.float32),
    )


@helper
def _margin(U, V, b, u, i, j):
    """x_uij = x_ui - x_uj."""
    x = b[np.uint64(i)] - b[np.uint64(j)] + dot_difference(U, u, V, i, j)
    for k in range(tail_start(V), V.shape[1]):
        x += U[u, k] * (V[i, k] - V[j, k])
    return x


@helper
def _ascend(U, V, b, u, i, j, z, keep) -> None:
    """Add z times the gradient of x_uij, and decay."""
    pairwise_step(U, u, V, i, j, z, z, z, keep.user, keep.positive, keep.negative)
    for k in range(tail_start(V), V.shape[1]):
        old = U[u, k]
        U[u, k] = keep.user * old + z * (V[i, k] - V[j, k])
        V[i, k] = keep.positive * V[i, k] + z * old
        V[j, k] = keep.negative * V[j, k] - z * old
    b[np.uint64(i)] = keep.bias * b[np.uint64(i)] + z
    b[np.uint64(j)] = keep.bias * b[np.uint64(j)] - z


def bpr_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_order: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray | None,
    learning_rate: float,
    user_regularization: float,
    positive_regularization: float,
    negative_regularization: float,
    bias_regularization: float,
    threshold: np.ndarray,
    alias: np.ndarray,
    seed: int | np.uint64,
    n_threads: int,
) -> tuple[float, float]:
    """Run one epoch in place; see `reference.bpr.bpr_epoch`."""
    l2 = user_regularization, positive_regularization, negative_regularization, bias_regularization
    keep = Keep.of(learning_rate, *l2)
    ratings = indptr, indices, user_order, user_factors, item_factors, item_bias
    how = np.float32(learning_rate), keep, threshold, alias, np.uint64(seed)
    return walked(_walk, _scratch, n_threads, *ratings, *how)


def walked(
    walk: Callable[..., None],
    scratch: Callable[[], tuple[np.ndarray, ...]],
    n_threads: int,
    *problem: Any,
) -> tuple[float, float]:
    """Let threads walk, each with a scratch of its own; return the mean loss, and the share of
    draws that were ranked right.
    """
    tallies = np.zeros((n_threads, 3))
    on_threads(
        lambda thread: walk(thread, n_threads, *problem, tallies, scratch()), n_threads, n_threads
    )
    loss, correct, drawn = tallies.sum(axis=0)
    return float(loss / max(1.0, drawn)), float(correct / max(1.0, drawn))


@kernel
def _walk(
    thread,
    n_threads,
    indptr,
    indices,
    user_order,
    user_factors,
    item_factors,
    item_bias,
    rate,
    keep,
    threshold,
    alias,
    seed,
    tallies,
    scratch,
) -> None:
    """One thread's share of the users, all of their pairs."""
    U, V, b = user_factors, item_factors, item_bias
    n_items, n_order = V.shape[0], user_order.shape[0]
    state = stream(seed, thread)
    words, lanes, rounds, reals = scratch
    user, begin, end = lanes[0], lanes[1], lanes[2]
    place, stride, left = lanes[3], lanes[4], lanes[5]
    us, pos, neg, x, e = rounds[0], rounds[1], rounds[2], reals[0], reals[1]
    logs, correct, drawn = 0.0, np.int64(0), np.int64(0)
    q, last = thread * n_order // n_threads, (thread + 1) * n_order // n_threads
    n_now, n_before, now = np.int64(1), np.int64(0), np.int64(0)
    while n_now + n_before > 0:
        # draw this round: one pair for each lane that still has a user
        n_now = np.int64(0)
        for lane in range(LANES):
            while left[lane] == 0 and q < last:
                u = np.int64(user_order[q])
                m = indptr[u + 1] - indptr[u]
                q += 1
                if 0 < m < n_items:
                    state = advance(state)
                    bits = mix(state)
                    user[lane], left[lane] = u, m
                    begin[lane], end[lane] = indptr[u], indptr[u + 1]
                    place[lane] = begin[lane] + below(bits, m)
                    stride[lane] = coprime_stride(bits, m)
                    filter_fill(words, lane, indices, begin[lane], end[lane])
                    prefetch_row(U, u)
                    soon = np.int64(user_order[min(q + LANES, last - 1)])
                    prefetch_row(indices, indptr[soon])
            if left[lane] > 0:
                first, stop, at = begin[lane], end[lane], place[lane]
                i = np.int64(indices[np.uint64(at)])
                at += stride[lane]
                place[lane] = at if at < stop else at - (stop - first)
                left[lane] -= 1
                state, j = draw_negative(
                    state, words, lane, indices, first, stop, threshold, alias, n_items
                )
                prefetch_row(V, i)
                prefetch_row(V, j)
                us[now, n_now], pos[now, n_now], neg[now, n_now] = user[lane], i, j
                n_now += 1
        now = 1 - now
        # ascend by the round drawn before, whose vectors have arrived by now
        for s in range(n_before):
            x[s] = _margin(U, V, b, us[now, s], pos[now, s], neg[now, s])
        for s in range(LANES):
            e[s] = exp_negative(x[s])
        product = 1.0
        for s in range(n_before):
            product *= 1.0 + np.float64(e[s])
            correct += x[s] > 0
            logs += max(np.float32(0.0), -EXP_LIMIT - x[s])  # what exp_negative cut off
            z = rate * (e[s] / (_ONE + e[s]))  # z = σ(-x_uij)
            _ascend(U, V, b, us[now, s], pos[now, s], neg[now, s], z, keep)
        logs += np.log(product)
        drawn += n_before
        n_before = n_now
    tallies[thread, 0], tallies[thread, 1], tallies[thread, 2] = logs, correct, drawn


def bpr_fold_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray | None,
    learning_rate: float,
    user_regularization: float,
    threshold: np.ndarray,
    alias: np.ndarray,
    epochs: int,
    least_draws: int,
    seed: int | np.uint64,
) -> np.ndarray:
    """Fit the vectors of new users with the items held; see `reference.bpr.bpr_fold_in`."""
    how = learning_rate, user_regularization, threshold, alias, epochs, least_draws
    return fold_in_parts(_fold_in, indptr, indices, item_factors, item_bias, *how, np.uint64(seed))


def fold_in_parts(
    kernel: Callable[..., None],
    indptr: np.ndarray,
    indices: np.ndarray,
    item_factors: np.ndarray,
    *problem: Any,
) -> np.ndarray:
    """Return the vectors of new users, fitted by a kernel to parts of them at the same time."""
    n, f = len(indptr) - 1, item_factors.shape[1]
    folded = np.zeros((n, f), np.float32)

    def fit(begin: int, end: int) -> None:
        # The vector, the sum of its later values, a filter.
        vector, mean = np.empty((1, f), np.float32), np.empty(f, np.float64)
        scratch = vector, mean, np.empty((1, FILTER_WORDS), np.uint64)
        kernel(begin, end, indptr, indices, item_factors, *problem, folded, scratch)

    on_parts(fit, n)
    return folded


@kernel
def _fold_in(
    begin,
    end,
    indptr,
    indices,
    item_factors,
    item_bias,
    learning_rate,
    user_regularization,
    threshold,
    alias,
    epochs,
    least_draws,
    seed,
    folded,
    scratch,
) -> None:
    V, b = item_factors, item_bias
    U, mean, words = scratch
    u = U[0]
    n_items, f = V.shape
    for row in range(begin, end):
        first, stop = indptr[row], indptr[row + 1]
        m = stop - first
        if m == 0 or m >= n_items:
            continue
        u[:], mean[:] = np.float32(0), 0.0
        filter_fill(words, 0, indices, first, stop)
        state, place, stride = begun(seed, m)
        n_draws = max(least_draws, epochs * m)
        for t in range(n_draws):
            i = np.int64(indices[first + place])
            place = (place + stride) % m
            state, j = draw_negative(
                state, words, 0, indices, first, stop, threshold, alias, n_items
            )
            rate = np.float32(learning_rate * (1.0 - t / n_draws))
            x = b[i] - b[j]
            for k in range(f):
                x += u[k] * (V[i, k] - V[j, k])
            e = exp_negative(x)
            z = rate * (e / (_ONE + e))
            keep = _ONE - rate * np.float32(user_regularization)
            for k in range(f):
                u[k] = keep * u[k] + z * (V[i, k] - V[j, k])
            if t >= n_draws // 2:
                for k in range(f):
                    mean[k] += u[k]
        for k in range(f):
            folded[row, k] = mean[k] / (n_draws - n_draws // 2)
