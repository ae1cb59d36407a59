"""One epoch of stochastic gradient descent for SVD++, r_ui ~ mu + b_u + b_i + q_i . (p_u +
|N(u)|^-1/2 sum_{j in N(u)} y_j).

The paper's update moves every y_j of N(u) at every rating, |R(u)| |N(u)| vectors for a user. All of
them move along the same direction, though, so that z_u = |N(u)|^-1/2 sum_j y_j follows a recurrence
of its own, and its change over all ratings is what has to be added to each y_j, once per user: the
same numbers, but for rounding, with |R(u)| + |N(u)| vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.base.memory import aligned_empty
from cofactor.kernels.cpu.jit import kernel, on_threads
from cofactor.kernels.cpu.llvm.rows import dot_rows, implicit_rating_step
from cofactor.kernels.cpu.mf_sgd import equal_parts, in_whole_blocks


def svdpp_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    implicit_indptr: np.ndarray,
    implicit_indices: np.ndarray,
    order: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    implicit_factors: np.ndarray,
    learning_rate: float,
    bias_learning_rate: float,
    reg_user: np.ndarray,
    reg_item: np.ndarray,
    reg_implicit: np.ndarray,
    reg_user_bias: np.ndarray,
    reg_item_bias: np.ndarray,
    n_threads: int,
) -> float:
    """Walk over all ratings once and update the five parameter arrays; see the reference for the
    equations.

    Notes
    -----
    Vectors whose length isn't a multiple of 16 are copied into rows that are, and back: a caller
    with many epochs does that once, by `padded`.
    """
    with in_whole_blocks(user_factors, item_factors, implicit_factors) as (users, items, others):
        bounds = equal_parts(indptr, order, n_threads, 1)
        ratings = indptr, indices, values, np.float32(mean)
        implicit = implicit_indptr, implicit_indices, others
        parameters = user_bias, item_bias, users, items
        rates = np.float32(learning_rate), np.float32(bias_learning_rate)
        penalties = Penalties(reg_user, reg_item, reg_implicit, reg_user_bias, reg_item_bias)
        problem = order, ratings, implicit, parameters, rates, penalties
        own = aligned_empty((n_threads, 2, users.shape[1]))
        squared = np.zeros(n_threads)

        def walk(thread: int) -> None:
            part = bounds[thread], bounds[thread + 1]
            squared[thread] = _walk(*part, *problem, own[thread, 0], own[thread, 1])

        on_threads(walk, n_threads, n_threads)
    return float(squared.sum())


class Penalties(NamedTuple):
    """L2 weights by user or item, float32."""

    user: np.ndarray
    item: np.ndarray
    implicit: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray


@kernel
def _walk(
    first_place, end_place, order, ratings, implicit, parameters, rates, penalties, z, z_before
):
    """The users at these places of the order, one after the other; the sum of squared errors. Rows
    of the factors are whole blocks of 16 floats; z and z_before are rows to work with.
    """
    indptr, indices, values, mu = ratings
    implicit_indptr, implicit_indices, implicit_factors = implicit
    user_bias, item_bias, user_factors, item_factors = parameters
    rate, bias_rate = rates
    factors = user_factors.shape[1]
    one, last = np.float32(1), indices.shape[0] - 1
    loss = 0.0
    for place in range(first_place, end_place):
        # Unsigned, so that no index is taken for one from the end.
        u = np.uint64(order[place])
        first, after = indptr[u], indptr[u + np.uint64(1)]
        if first == after:
            continue
        begin, end = implicit_indptr[u], implicit_indptr[u + np.uint64(1)]
        norm = one / np.sqrt(np.float32(max(end - begin, 1)))
        # |N| norm^2 is 1 unless N(u) is empty, where z stays 0.
        has_implicit = one if end > begin else np.float32(0)
        # z_u = |N(u)|^-1/2 sum_j y_j
        z_before[:] = np.float32(0)
        for at in range(begin, end):
            j = np.uint64(implicit_indices[at])
            for f in range(factors):
                z_before[f] += implicit_factors[j, f]
        for f in range(factors):
            z_before[f] *= norm
            z[f] = z_before[f]
        b_u = user_bias[u]
        keep_b_u = one - bias_rate * penalties.user_bias[u]
        keep_p, keep_y = one - rate * penalties.user[u], one - rate * penalties.implicit[u]
        i, ahead = np.uint64(indices[first]), np.uint64(indices[min(first + 1, last)])
        dot = dot_rows(user_factors, u, item_factors, i) + dot_rows(
            z, np.uint64(0), item_factors, i
        )
        for at in range(first, after):
            soon = np.uint64(indices[np.uint64(min(at + 2, last))])
            b_i = item_bias[i]
            error = (values[np.uint64(at)] - mu - b_i) - (b_u + dot)
            loss += np.float64(error) * np.float64(error)
            b_u = keep_b_u * b_u + bias_rate * error
            item_bias[i] = b_i + bias_rate * (error - penalties.item_bias[i] * b_i)
            # q_i += gamma (e (p_u + z_u) - lambda q_i),  p_u += gamma (e q_i - lambda p_u), and
            # the paper's y_j += gamma (e |N|^-1/2 q_i - lambda y_j) for all j, summed and
            # scaled: z_u += gamma (e q_i - lambda z_u). The next rating's product is taken in
            # the same pass, and from the old vectors, so that it needn't wait for this error
            # (see `mf_sgd`). After the user's last rating it isn't used.
            step = rate * error
            step_z = step * has_implicit
            keeps = keep_p, keep_y, one - rate * penalties.item[i]
            user_next, item_next = implicit_rating_step(
                user_factors, u, z, item_factors, i, ahead, soon, (step, step_z), keeps
            )
            dot = user_next + (step + step_z) * item_next
            i, ahead = ahead, soon
        user_bias[u] = b_u
        keep_all = keep_y ** np.float32(after - first)
        for f in range(factors):
            z[f] = norm * (z[f] - keep_all * z_before[f])
        for at in range(begin, end):
            j = np.uint64(implicit_indices[at])
            for f in range(factors):
                implicit_factors[j, f] = keep_all * implicit_factors[j, f] + z[f]
    return loss
