"""One epoch of stochastic gradient descent for SVD++, r_ui ~ mu + b_u + b_i + q_i . (p_u +
|N(u)|^-1/2 sum_{j in N(u)} y_j).

The paper's update moves every y_j of N(u) at every rating, |R(u)| |N(u)| vectors for a user. All of
them move along the same direction, though, so that both the user's implicit vector z_u and what has
to be added to each y_j follow recurrences of one vector each, and the y_j are written once per
user: the same numbers, but for rounding, with |R(u)| + |N(u)| vectors."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from cofactor.kernels.cpu.jit import kernel, on_threads
from cofactor.kernels.cpu.mf_sgd import equal_parts


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
    """
    bounds = equal_parts(indptr, order, n_threads, 1)
    ratings = indptr, indices, values, np.float32(mean)
    implicit = implicit_indptr, implicit_indices, implicit_factors
    parameters = user_bias, item_bias, user_factors, item_factors
    rates = np.float32(learning_rate), np.float32(bias_learning_rate)
    penalties = Penalties(reg_user, reg_item, reg_implicit, reg_user_bias, reg_item_bias)
    problem = order, ratings, implicit, parameters, rates, penalties
    squared = np.zeros(n_threads)

    def walk(thread: int) -> None:
        squared[thread] = _walk(bounds[thread], bounds[thread + 1], *problem)

    on_threads(walk, n_threads, n_threads)
    return float(squared.sum())


class Penalties(NamedTuple):
    """L2 weights by user or item, float32."""

    user: np.ndarray
    item: np.ndarray
    implicit: np.ndarray
    user_bias: np.ndarray
    item_bias: np.ndarray


@kernel(allocates=True)
def _walk(
    first_place: Any,
    end_place: Any,
    order: Any,
    ratings: Any,
    implicit: Any,
    parameters: Any,
    rates: Any,
    penalties: Any,
) -> Any:
    """The users at these places of the order, one after the other; the sum of squared errors."""
    indptr, indices, values, mu = ratings
    implicit_indptr, implicit_indices, implicit_factors = implicit
    user_bias, item_bias, user_factors, item_factors = parameters
    rate, bias_rate = rates
    factors = user_factors.shape[1]
    last = indices.shape[0] - 1
    z = np.empty(factors, np.float32)
    added = np.empty(factors, np.float32)
    loss = 0.0
    for place in range(first_place, end_place):
        u = order[place]
        count = indptr[u + 1] - indptr[u]
        if count == 0:
            continue
        begin, end = implicit_indptr[u], implicit_indptr[u + 1]
        norm = np.float32(1) / np.sqrt(np.float32(max(end - begin, 1)))
        # |N| norm^2 is 1 unless N(u) is empty, where z stays 0.
        has_implicit = np.float32(1) if end > begin else np.float32(0)
        # z_u = |N(u)|^-1/2 sum_j y_j
        z[:], added[:] = np.float32(0), np.float32(0)
        for at in range(begin, end):
            y = implicit_factors[implicit_indices[at]]
            for f in range(factors):
                z[f] += y[f]
        for f in range(factors):
            z[f] *= norm
        p, b_u = user_factors[u], user_bias[u]
        keep_b_u = np.float32(1) - bias_rate * penalties.user_bias[u]
        keep_p = np.float32(1) - rate * penalties.user[u]
        keep_y = np.float32(1) - rate * penalties.implicit[u]
        i = indices[indptr[u]]
        q = item_factors[i]
        dot = np.float32(0)
        for f in range(factors):
            dot += (p[f] + z[f]) * q[f]
        for at in range(indptr[u], indptr[u + 1]):
            b_i = item_bias[i]
            error = values[at] - mu - b_u - b_i - dot
            loss += np.float64(error) * np.float64(error)
            b_u = keep_b_u * b_u + bias_rate * error
            item_bias[i] = b_i + bias_rate * (error - penalties.item_bias[i] * b_i)
            # q_i += gamma (e (p_u + z_u) - lambda q_i),  p_u += gamma (e q_i - lambda p_u), and
            # the paper's y_j += gamma (e |N|^-1/2 q_i - lambda y_j) for all j, summed and
            # scaled: z_u += gamma (e q_i - lambda z_u). The next rating's product is taken in
            # the same pass; after the user's last it isn't used.
            keep_q = np.float32(1) - rate * penalties.item[i]
            step = rate * error
            step_z = step * has_implicit
            i = indices[min(at + 1, last)]
            q_next = item_factors[i]
            dot = np.float32(0)
            for f in range(factors):
                p_f = p[f]
                z_f = z[f]
                q_f = q[f]
                p_new = keep_p * p_f + step * q_f
                z_new = keep_y * z_f + step_z * q_f
                dot += (p_new + z_new) * q_next[f]
                p[f] = p_new
                z[f] = z_new
                added[f] = keep_y * added[f] + step * q_f
                q[f] = keep_q * q_f + step * (p_f + z_f)
            q = q_next
        user_bias[u] = b_u
        keep_all = keep_y ** np.float32(count)
        for at in range(begin, end):
            y = implicit_factors[implicit_indices[at]]
            for f in range(factors):
                y[f] = keep_all * y[f] + norm * added[f]
    return loss
