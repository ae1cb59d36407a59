"""Bayesian personalised ranking by stochastic ascent, in plain NumPy: the definition of `cpu.bpr`.

Rendle, Freudenthaler, Gantner, Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from
implicit feedback", with an item bias: x_ui = u_u · v_i + b_i, x_uij = x_ui - x_uj, and ln σ(x_uij)
- λ|θ|²/2 is ascended for one pair at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import gcd

import numpy as np

from cofactor.kernels.reference.sampling import advance, below, draw_negative, mix, stream

LANES = 8


def coprime_stride(bits: int, count: int) -> int:
    """Return a stride in [1, count) that is coprime to count: walking by it visits each place
    once.
    """
    if count <= 2:
        return 1
    stride = 1 + below((bits & 0xFFFFFFFF) << 32, count - 1)
    while gcd(stride, count) != 1:
        stride += 1
    return stride


def bpr_gradient(
    user: np.ndarray, positive: np.ndarray, negative: np.ndarray, bias_difference: float
) -> tuple[float, float]:
    """Return -ln σ(x_uij) and σ(-x_uij), the factor of all its gradients.

    d ln σ(x)/du = σ(-x) (v_i - v_j), d/dv_i = σ(-x) u, d/dv_j = -σ(-x) u, d/db_i = σ(-x), d/db_j =
    -σ(-x).

    Parameters
    ----------
    user, positive, negative
        The vectors u, v_i, v_j, float [factors].
    bias_difference
        b_i - b_j.
    """
    x = float(bias_difference) + float(user @ (positive - negative))
    return float(np.logaddexp(0.0, -x)), float(np.exp(-np.logaddexp(0.0, x)))


def bpr_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_order: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray,
    learning_rate: float,
    user_regularization: float,
    positive_regularization: float,
    negative_regularization: float,
    bias_regularization: float,
    threshold: np.ndarray,
    alias: np.ndarray,
    seed: int,
    n_threads: int,
) -> tuple[float, float]:
    """Run one epoch in place: each positive of each listed user once, each against one drawn
    negative.

    θ ← (1 - ηλ_θ) θ + η σ(-x_uij) ∂x_uij/∂θ, for θ = u, v_i, v_j, b_i, b_j.

    Parameters
    ----------
    indptr, indices
        The positives as CSR: int64 [n_users + 1], int32 [n_positives], sorted within a row, no
        duplicates.
    user_order
        int32 [n_walked]: the users in the order in which they are walked, each at most once (two
        lanes or threads must never hold the same user).
    user_factors, item_factors, item_bias
        float32 [n_users, factors], [n_items, factors] and [n_items]; changed in place.
    learning_rate
        The step η, above 0.
    user_regularization, positive_regularization, negative_regularization, bias_regularization
        λ of u, v_i, v_j and both biases, from 0.
    threshold, alias
        The sampling distribution of negatives from `sampling.alias_table`; both empty: uniform.
    seed
        Any 64-bit seed.
    n_threads
        Into how many streams ``user_order`` is cut; here they run one after the other, in the fast
        implementation side by side.

    Returns
    -------
    loss, correct
        The mean of -ln σ(x_uij) and the share of pairs with x_uij > 0, each taken before its step;
        zeros without pairs.

    Notes
    -----
    Users without items or with all items are left out. A user's positives are walked once each,
    from a random place by a random stride that is coprime to their number. `LANES` users are
    walked side by side: a round takes one pair from each, and all margins of a round are taken
    before its steps, which then follow one another (a batch of at most `LANES` pairs of different
    users). Negatives: see `sampling.draw_negatives`; a positive is never drawn.

    With n_threads = 1 the result is reproducible bit for bit. With more, the fast one's threads
    write without locks (Niu, Recht, Ré, Wright 2011, "Hogwild!"), and the result depends on their
    timing."""
    tallies, n_items = np.zeros(3), len(item_factors)
    l2 = user_regularization, positive_regularization, negative_regularization, bias_regularization
    keep_u, keep_i, keep_j, keep_b = (1.0 - learning_rate * each for each in l2)

    def draw(state: int, row: np.ndarray) -> tuple[int, int]:
        return draw_negative(state, row, threshold, alias, n_items)

    for pairs in walked(indptr, indices, user_order, n_items, seed, n_threads, draw):
        margins = [
            bpr_gradient(
                user_factors[u], item_factors[i], item_factors[j], item_bias[i] - item_bias[j]
            )
            for u, i, j in pairs
        ]
        for (u, i, j), (loss, z) in zip(pairs, margins, strict=True):
            tallies += (loss, loss < np.log(2.0), 1.0)
            old_u, old_i = user_factors[u].copy(), item_factors[i].copy()
            old_j, step = item_factors[j].copy(), learning_rate * z
            user_factors[u] = keep_u * old_u + step * (old_i - old_j)
            item_factors[i] = keep_i * old_i + step * old_u
            item_factors[j] = keep_j * old_j - step * old_u
            item_bias[i] = keep_b * item_bias[i] + step
            item_bias[j] = keep_b * item_bias[j] - step
    total = max(1.0, tallies[2])
    return float(tallies[0] / total), float(tallies[1] / total)


def bpr_fold_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    item_factors: np.ndarray,
    item_bias: np.ndarray,
    learning_rate: float,
    user_regularization: float,
    threshold: np.ndarray,
    alias: np.ndarray,
    epochs: int,
    least_draws: int,
    seed: int,
) -> np.ndarray:
    """Fit the vectors of new users with the items held: the same ascent on the same draws, from u =
    0, averaged.

    The step falls linearly from ``learning_rate`` to 0, and the result is the mean of the vector
    over the second half.

    Parameters
    ----------
    indptr, indices
        The histories as CSR: int64 [n_rows + 1], int32 [n_entries], sorted within a row, no
        duplicates.
    item_factors, item_bias
        float32 [n_items, factors] and [n_items].
    learning_rate, user_regularization
        η at the start, and λ of u.
    threshold, alias
        The sampling distribution of negatives, as in `bpr_epoch`.
    epochs, least_draws
        A row of m items takes max(least_draws, epochs * m) draws; above 0.
    seed
        Any 64-bit seed; each row uses the same stream, so that its vector depends on its history
        alone.

    Returns
    -------
    np.ndarray
        float32 [n_rows, factors]; zeros for a row with no items or with all items.
    """
    n_items = len(item_factors)

    def step(u: np.ndarray, i: int, row: np.ndarray, rate: float, state: int) -> Step:
        state, j = draw_negative(state, row, threshold, alias, n_items)
        _, z = bpr_gradient(u, item_factors[i], item_factors[j], item_bias[i] - item_bias[j])
        difference = item_factors[i] - item_factors[j]
        return (1.0 - rate * user_regularization) * u + rate * z * difference, state

    return folded_in(
        indptr, indices, item_factors.shape, learning_rate, epochs, least_draws, seed, step
    )


Step = tuple[np.ndarray, int]  # a user's vector, and the state of the draws


def folded_in(
    indptr: np.ndarray,
    indices: np.ndarray,
    shape: tuple[int, ...],
    learning_rate: float,
    epochs: int,
    least_draws: int,
    seed: int,
    step: Callable[[np.ndarray, int, np.ndarray, float, int], Step],
) -> np.ndarray:
    """Fit the vectors of new users by a step ``(u, positive, row, rate, state)``; ``shape`` is that
    of the item vectors, the rest is as in `bpr_fold_in`.
    """
    n_items, factors = shape
    folded = np.zeros((len(indptr) - 1, factors), np.float32)
    for n in range(len(folded)):
        row = indices[indptr[n] : indptr[n + 1]]
        if not 0 < len(row) < n_items:
            continue
        state = advance(stream(seed, 0))
        place, stride = below(mix(state), len(row)), coprime_stride(mix(state), len(row))
        n_draws = max(least_draws, epochs * len(row))
        u, kept = np.zeros(factors), []
        for t in range(n_draws):
            rate = learning_rate * (1.0 - t / n_draws)
            u, state = step(u, int(row[place]), row, rate, state)
            place = (place + stride) % len(row)
            if t >= n_draws // 2:
                kept.append(u)
        folded[n] = np.mean(kept, axis=0)
    return folded


def walked(
    indptr: np.ndarray,
    indices: np.ndarray,
    user_order: np.ndarray,
    n_items: int,
    seed: int,
    n_threads: int,
    draw: Callable[[int, np.ndarray], tuple[int, int]],
) -> Iterator[list[tuple[int, int, int]]]:
    """Yield the rounds of all threads: lists of (user, positive, what ``draw(state, row)`` gives
    beside the next state).
    """
    n_order = len(user_order)
    for thread in range(n_threads):
        part = user_order[thread * n_order // n_threads : (thread + 1) * n_order // n_threads]
        waiting = [int(u) for u in part if 0 < indptr[u + 1] - indptr[u] < n_items][::-1]
        state = stream(seed, thread)
        lanes: list[list[int] | None] = [None] * LANES  # user, place, stride, draws left
        while True:
            found = []
            for n in range(LANES):
                lane = lanes[n]
                if (lane is None or lane[3] == 0) and waiting:
                    u = waiting.pop()
                    m = int(indptr[u + 1] - indptr[u])
                    state = advance(state)
                    lanes[n] = lane = [u, below(mix(state), m), coprime_stride(mix(state), m), m]
                if lane is None or lane[3] == 0:
                    continue
                row = indices[indptr[lane[0]] : indptr[lane[0] + 1]]
                positive = int(row[lane[1]])
                lane[1] = (lane[1] + lane[2]) % len(row)
                lane[3] -= 1
                state, drawn = draw(state, row)
                found.append((lane[0], positive, drawn))
            if not found:
                break
            yield found
