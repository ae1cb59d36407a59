"""Weighted approximate-rank pairwise ascent: lock-free; see `reference.warp`.

The walk and the prefetching are those of `cpu.bpr`. The first candidate of each positive is drawn,
and its vector asked for, a round ahead. Later candidates are drawn `_GROUP` at a time, a group
ahead of the one that is scored, so that their vectors are on the way meanwhile: what was drawn in
vain costs little, since each positive has its own stream of draws. A lane has two filters, by
turns, so that that of the user before is still there in the round after he has gone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.kernels.cpu._ials_rows import dots
from cofactor.kernels.cpu.bpr import begun, coprime_stride, fold_in_parts, walked
from cofactor.kernels.cpu.jit import helper, kernel
from cofactor.kernels.cpu.llvm.rows import dot_rows, pairwise_step, prefetch_row, tail_start
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
_GROUP = 8
_ONE = np.float32(1.0)


@helper
def _score(U, V, b, u, i):
    """x_ui = u_u · v_i + b_i."""
    x = b[np.uint64(i)] + dot_rows(U, u, V, i)
    for k in range(tail_start(V), V.shape[1]):
        x += U[u, k] * V[i, k]
    return x


class Rates(NamedTuple):
    """The learning rate, the L2 weights, and whether each parameter has a rate of its own."""

    learning: np.float32
    user: np.float32
    item: np.float32
    bias: np.float32
    adaptive: bool


@helper
def _squared_entries(U, V, u, i, j):
    """Sum of u_k², and of (v_i - v_j)_k²."""
    of_user = dot_rows(U, u, U, u)
    of_items = dot_rows(V, i, V, i) + dot_rows(V, j, V, j) - np.float32(2.0) * dot_rows(V, i, V, j)
    for k in range(tail_start(V), V.shape[1]):
        of_user += U[u, k] * U[u, k]
        of_items += (V[i, k] - V[j, k]) * (V[i, k] - V[j, k])
    return of_user, max(np.float32(0.0), of_items)


def warp_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_order: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray | None,
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
    seed: int | np.uint64,
    n_threads: int,
    share: int = 1,
) -> tuple[float, float]:
    """Run one epoch in place; see `reference.warp.warp_epoch`."""
    n_items = len(item_factors)
    logs = np.zeros(n_items + 1, np.float32)
    logs[1:] = np.log(share * np.arange(1, n_items + 1))
    given = learning_rate, user_regularization, item_regularization, bias_regularization
    learning, user, item, bias = map(np.float32, given)
    rates = Rates(learning, user, item, bias, adaptive)
    squares = user_squares, item_squares, bias_squares
    ratings = indptr, indices, user_order, user_factors, item_factors, item_bias, squares
    how = rates, np.float32(margin), max_trials, threshold, alias, np.uint64(seed), logs
    return walked(_walk, _scratch, n_threads, *ratings, *how)


def _scratch() -> tuple[np.ndarray, ...]:
    """What one thread needs while it walks, at its beginning."""
    return (
        np.empty((2 * LANES, FILTER_WORDS), np.uint64),
        np.zeros((LANES, 7), np.int64),  # user, begin, end, place, stride, draws left, filter
        np.zeros((2, LANES, 6), np.int64),  # user, begin, end, positive, first candidate, filter
        np.zeros((2, LANES), np.uint64),
        np.zeros((2, _GROUP), np.int32),
        np.zeros(_GROUP, np.float32),
    )


@helper
def _begin_user(walk, words, lane, u, indptr, indices, bits) -> None:
    """Put a user into a lane, whose other filter becomes that of the user's items."""
    first, m = indptr[u], indptr[u + 1] - indptr[u]
    walk[lane, 0], walk[lane, 1], walk[lane, 2], walk[lane, 5] = u, first, indptr[u + 1], m
    walk[lane, 3], walk[lane, 4] = first + below(bits, m), coprime_stride(bits, m)
    walk[lane, 6] = lane if walk[lane, 6] >= LANES else lane + LANES
    filter_fill(words, walk[lane, 6], indices, first, indptr[u + 1])


@helper
def _search(V, x_u, b, floor, max_trials, drawn, own, draws):
    """Draw candidates after the first, until one scores above the floor: by how much, which one,
    and the number of trials.
    """
    words, indices, threshold, alias, groups, scores = draws
    first, stop, row = drawn[1], drawn[2], drawn[5]
    trials, which, ready = np.int64(1), 0, np.int64(0)
    j, hinge = drawn[4], np.float32(0)
    while True:
        size = min(np.int64(_GROUP), max_trials - trials - ready)
        for g in range(size):
            own, k = draw_negative(
                own, words, row, indices, first, stop, threshold, alias, V.shape[0]
            )
            groups[which, g] = k
            prefetch_row(V, k)
        which = 1 - which
        if ready > 0:
            dots(V, groups[which], ready, x_u, scores)
            for g in range(ready):
                trials += 1
                j = np.int64(groups[which, g])
                hinge = b[j] + scores[g] - floor
                if hinge > 0:
                    break
        if hinge > 0 or size == 0:
            break
        ready = size
    return hinge, j, trials


@helper
def _ascend(U, V, b, squares, rates, u, i, j, w) -> None:
    """Add w times the gradient of x_uij, each parameter's at its rate, and decay."""
    G_u, G_v, G_b = squares
    rate, f = rates.learning, V.shape[1]
    rate_u, rate_i, rate_j, rate_b, rate_c = rate, rate, rate, rate, rate
    if rates.adaptive:
        of_user, of_items = _squared_entries(U, V, u, i, j)
        square = w * w
        G_u[u] += square * of_items / np.float32(f)
        G_v[i] += square * of_user / np.float32(f)
        G_v[j] += square * of_user / np.float32(f)
        G_b[i] += square
        G_b[j] += square
        rate_u = rate / np.sqrt(_ONE + G_u[u])
        rate_i, rate_j = rate / np.sqrt(_ONE + G_v[i]), rate / np.sqrt(_ONE + G_v[j])
        rate_b, rate_c = rate / np.sqrt(_ONE + G_b[i]), rate / np.sqrt(_ONE + G_b[j])
    keep_u = _ONE - rate_u * rates.user
    keep_i, keep_j = _ONE - rate_i * rates.item, _ONE - rate_j * rates.item
    pairwise_step(U, u, V, i, j, rate_u * w, rate_i * w, rate_j * w, keep_u, keep_i, keep_j)
    for k in range(tail_start(V), f):
        old = U[u, k]
        U[u, k] = keep_u * old + rate_u * w * (V[i, k] - V[j, k])
        V[i, k] = keep_i * V[i, k] + rate_i * w * old
        V[j, k] = keep_j * V[j, k] - rate_j * w * old
    b[i] = (_ONE - rate_b * rates.bias) * b[i] + rate_b * w
    b[j] = (_ONE - rate_c * rates.bias) * b[j] - rate_c * w


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
    squares,
    rates,
    margin,
    max_trials,
    threshold,
    alias,
    seed,
    logs,
    tallies,
    scratch,
) -> None:
    """One thread's share of the users, all of their interactions."""
    U, V, b = user_factors, item_factors, item_bias
    n_items, n_order = V.shape[0], user_order.shape[0]
    state = stream(seed, thread)
    words, walk, drawn, states, groups, scores = scratch
    draws = words, indices, threshold, alias, groups, scores
    loss, correct, total = 0.0, np.int64(0), np.int64(0)
    q, last = thread * n_order // n_threads, (thread + 1) * n_order // n_threads
    n_now, n_before, now = np.int64(1), np.int64(0), np.int64(0)
    while n_now + n_before > 0:
        # draw this round: one positive for each lane that still has a user, and its first
        # candidate
        n_now = np.int64(0)
        for lane in range(LANES):
            while walk[lane, 5] == 0 and q < last:
                u = np.int64(user_order[q])
                q += 1
                if 0 < indptr[u + 1] - indptr[u] < n_items:
                    state = advance(state)
                    _begin_user(walk, words, lane, u, indptr, indices, mix(state))
                    prefetch_row(U, u)
                    prefetch_row(indices, indptr[np.int64(user_order[min(q + LANES, last - 1)])])
            if walk[lane, 5] > 0:
                first, stop, at = walk[lane, 1], walk[lane, 2], walk[lane, 3]
                i = np.int64(indices[np.uint64(at)])
                at += walk[lane, 4]
                walk[lane, 3] = at if at < stop else at - (stop - first)
                walk[lane, 5] -= 1
                state = advance(state)
                row = walk[lane, 6]
                own, j = draw_negative(
                    mix(state), words, row, indices, first, stop, threshold, alias, n_items
                )
                prefetch_row(V, i)
                prefetch_row(V, j)
                pair = drawn[now, n_now]
                pair[0], pair[1], pair[2] = walk[lane, 0], first, stop
                pair[3], pair[4], pair[5], states[now, n_now] = i, j, row, own
                n_now += 1
        now = 1 - now
        for s in range(n_before):
            u, i, j = drawn[now, s, 0], drawn[now, s, 3], drawn[now, s, 4]
            floor = _score(U, V, b, u, i) - margin
            hinge = _score(U, V, b, u, j) - floor
            trials = np.int64(1)
            if hinge <= 0 and trials < max_trials:
                hinge, j, trials = _search(
                    V, U[u], b, floor, max_trials, drawn[now, s], states[now, s], draws
                )
            total += 1
            if hinge <= 0:
                correct += 1
                continue
            w = logs[(n_items - (drawn[now, s, 2] - drawn[now, s, 1])) // trials]
            loss += w * hinge
            _ascend(U, V, b, squares, rates, u, i, j, w)
        n_before = n_now
    tallies[thread, 0], tallies[thread, 1], tallies[thread, 2] = loss, correct, total


def warp_fold_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray | None,
    learning_rate: float,
    user_regularization: float,
    margin: float,
    max_trials: int,
    threshold: np.ndarray,
    alias: np.ndarray,
    epochs: int,
    least_draws: int,
    seed: int | np.uint64,
) -> np.ndarray:
    """Fit the vectors of new users with the items held; see `reference.warp.warp_fold_in`."""
    how = learning_rate, user_regularization, margin, max_trials
    draws = threshold, alias, epochs, least_draws, np.uint64(seed)
    return fold_in_parts(_fold_in, indptr, indices, item_factors, item_bias, *how, *draws)


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
    margin,
    max_trials,
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
    n_items, f = V.shape
    for row in range(begin, end):
        first, stop = indptr[row], indptr[row + 1]
        m = stop - first
        if m == 0 or m >= n_items:
            continue
        U[:], mean[:] = np.float32(0), 0.0
        filter_fill(words, 0, indices, first, stop)
        state, place, stride = begun(seed, m)
        n_draws = max(least_draws, epochs * m)
        for t in range(n_draws):
            i = np.int64(indices[first + place])
            place = (place + stride) % m
            rate = np.float32(learning_rate * (1.0 - t / n_draws))
            floor = _score(U, V, b, 0, i) - np.float32(margin)
            for trial in range(1, max_trials + 1):
                state, j = draw_negative(
                    state, words, 0, indices, first, stop, threshold, alias, n_items
                )
                if _score(U, V, b, 0, j) > floor:
                    step = rate * np.float32(np.log(max(1, (n_items - m) // trial)))
                    keep = _ONE - rate * np.float32(user_regularization)
                    for k in range(f):
                        U[0, k] = keep * U[0, k] + step * (V[i, k] - V[j, k])
                    break
            if t >= n_draws // 2:
                for k in range(f):
                    mean[k] += U[0, k]
        for k in range(f):
            folded[row, k] = mean[k] / (n_draws - n_draws // 2)
