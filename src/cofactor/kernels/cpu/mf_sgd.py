"""One epoch of stochastic gradient descent for matrix factorisation with biases, r_ui ~ mu + b_u + b_i + q_i . p_u.

Users are cut into P parts and items into P blocks, and an epoch has P rounds: in round s part t is walked over the items of
block (t + s) mod P (Gemulla, Nijkamp, Haas, Sismanis, "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
Descent", KDD 2011). No two walks of a round share a vector: threads lose no update, send no cache line back and forth, and the
result is the same bit for bit on any number of threads, since P doesn't depend on it. Within a walk users come in the order
given, each with the block's ratings: p_u and b_u stay in the first cache, and memory is read in order.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from cofactor.kernels.cpu.jit import helper, kernel


@helper
def equal_parts(indptr: np.ndarray, order: np.ndarray, n_parts: int, rows_each: int = 1) -> np.ndarray:
    """Cut ``order`` into parts with about the same number of ratings; a user owns ``rows_each`` rows of ``indptr``."""
    bounds = np.empty(n_parts + 1, np.int64)
    bounds[0] = 0
    total = indptr[indptr.shape[0] - 1]
    done = 0
    part = 1
    for place in range(order.shape[0]):
        done += indptr[(order[place] + 1) * rows_each] - indptr[order[place] * rows_each]
        while part < n_parts and done * n_parts >= total * part:
            bounds[part] = place + 1
            part += 1
    for rest in range(part, n_parts + 1):
        bounds[rest] = order.shape[0]
    return bounds


@kernel(parallel=True)
def mf_sgd_epoch(
    indptr: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
    order: np.ndarray,
    mean: float,
    user_bias: np.ndarray,
    item_bias: np.ndarray,
    user_factors: np.ndarray,
    item_factors: np.ndarray,
    learning_rate: float,
    bias_learning_rate: float,
    reg_user: np.ndarray,
    reg_item: np.ndarray,
    reg_user_bias: np.ndarray,
    reg_item_bias: np.ndarray,
) -> float:
    """Walk over all ratings once and update the four parameter arrays; see the reference for the equations."""
    rate = np.float32(learning_rate)
    bias_rate = np.float32(bias_learning_rate)
    mu = np.float32(mean)
    factors = user_factors.shape[1]
    last = indices.shape[0] - 1
    n_parts = (indptr.shape[0] - 1) // user_factors.shape[0]
    bounds = equal_parts(indptr, order, n_parts, n_parts)
    # Eight doubles to a part: one cache line each.
    squared = np.zeros((n_parts, 8), np.float64)
    for turn in range(n_parts):
        for part in prange(n_parts):
            block = (part + turn) % n_parts
            loss = 0.0
            for place in range(bounds[part], bounds[part + 1]):
                u = order[place]
                row = u * n_parts + block
                begin = indptr[row]
                end = indptr[row + 1]
                if begin == end:
                    continue
                p = user_factors[u]
                b_u = user_bias[u]
                keep_b_u = np.float32(1) - bias_rate * reg_user_bias[u]
                keep_p = np.float32(1) - rate * reg_user[u]
                i = indices[begin]
                q = item_factors[i]
                dot = np.float32(0)
                for f in range(factors):
                    dot += p[f] * q[f]
                for at in range(begin, end):
                    b_i = item_bias[i]
                    # e_ui = r_ui - mu - b_u - b_i - q_i . p_u
                    error = values[at] - mu - b_u - b_i - dot
                    loss += np.float64(error) * np.float64(error)
                    b_u = keep_b_u * b_u + bias_rate * error
                    item_bias[i] = b_i + bias_rate * (error - reg_item_bias[i] * b_i)
                    # p_u += gamma (e q_i - lambda_u p_u);  q_i += gamma (e p_u - lambda_i q_i), both from the old values.
                    # The next rating's product with the new p_u is taken in the same pass, and from the old p_u and q_i, so
                    # that it needn't wait for this error: p_u(new) . q = (1 - gamma lambda_u) p_u . q + gamma e q_i . q.
                    # After the user's last rating it isn't used.
                    keep_q = np.float32(1) - rate * reg_item[i]
                    step = rate * error
                    i = indices[min(at + 1, last)]
                    q_next = item_factors[i]
                    p_next = np.float32(0)
                    q_q_next = np.float32(0)
                    for f in range(factors):
                        p_f = p[f]
                        q_f = q[f]
                        p_next += p_f * q_next[f]
                        q_q_next += q_f * q_next[f]
                        p[f] = keep_p * p_f + step * q_f
                        q[f] = keep_q * q_f + step * p_f
                    dot = keep_p * p_next + step * q_q_next
                    q = q_next
                user_bias[u] = b_u
            squared[part, 0] += loss
    return squared[:, 0].sum()
