"""One epoch of stochastic gradient descent for matrix factorisation with biases, r_ui ~ mu + b_u
+ b_i + q_i . p_u.
"""

from __future__ import annotations

import numpy as np


def equal_parts(
    indptr: np.ndarray, order: np.ndarray, n_parts: int, rows_each: int = 1
) -> np.ndarray:
    """Cut ``order`` into parts with about the same number of ratings.

    Parameters
    ----------
    indptr
        CSR offsets, int64 [n_users * rows_each + 1].
    order
        The users to walk, int64 [n_walked].
    n_parts
        Number of parts, at least 1.
    rows_each
        Rows that each user owns.

    Returns
    -------
    np.ndarray
        Places in ``order`` where the parts begin, and its length, int64 [n_parts + 1]. Part n ends
        with the first user at whom n + 1 n_parts-ths of the ratings are done.
    """
    done = np.cumsum(np.diff(indptr[::rows_each])[order]) * n_parts
    inner = np.searchsorted(done, indptr[-1] * np.arange(1, n_parts), side="left") + 1
    return np.concatenate([[0], np.minimum(inner, len(order)), [len(order)]]).astype(np.int64)


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
    """Walk over all ratings once, user by user, and update the four parameter arrays in place.

    For each rating, with ``e = r_ui - mu - b_u - b_i - q_i . p_u`` (all right sides from before the
    step)::

        b_u += gamma_b (e - lambda_bu b_u)        p_u += gamma (e q_i - lambda_u p_u)
        b_i += gamma_b (e - lambda_bi b_i)        q_i += gamma (e p_u - lambda_i q_i)

    Parameters
    ----------
    indptr, indices, values
        The ratings by user and item block, int64 [n_users P + 1], int32 [nnz], float32 [nnz]: row
        ``u P + b`` holds those of user u in block b, in any order (a random one, drawn once, is
        best). Users are cut into P parts with about as many ratings each; in round s part t is
        walked over block (t + s) mod P. The parts of a round may run side by side: no two share a
        user or an item. With P = 1 it is the ratings' CSR.
    order
        The users to walk, int64 [n_walked], each at most once.
    mean
        mu.
    user_bias, item_bias
        b, float32 [n_users] and [n_items]; updated.
    user_factors, item_factors
        P and Q, float32 [n_users, factors] and [n_items, factors]; updated.
    learning_rate, bias_learning_rate
        gamma and gamma_b.
    reg_user, reg_item, reg_user_bias, reg_item_bias
        lambda, one for each row of each parameter, float32: as many as rows, so that rare rows may
        be held harder.

    Returns
    -------
    float
        The sum of e^2, each taken before its step.

    References
    ----------
    Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender Systems", IEEE
    Computer 42(8), 2009.
    """
    n_parts = (len(indptr) - 1) // len(user_factors)
    parts = equal_parts(indptr, order, n_parts, n_parts)
    loss = 0.0
    for turn in range(n_parts):
        for part in range(n_parts):
            block = (part + turn) % n_parts
            for u in order[parts[part] : parts[part + 1]]:
                row = int(u * n_parts + block)
                for at in range(indptr[row], indptr[row + 1]):
                    i = indices[at]
                    p, q = user_factors[u].copy(), item_factors[i].copy()
                    error = np.float32(
                        values[at] - np.float32(mean) - user_bias[u] - item_bias[i] - p @ q
                    )
                    loss += float(error) ** 2
                    user_bias[u] += bias_learning_rate * (error - reg_user_bias[u] * user_bias[u])
                    item_bias[i] += bias_learning_rate * (error - reg_item_bias[i] * item_bias[i])
                    user_factors[u] += np.float32(learning_rate) * (error * q - reg_user[u] * p)
                    item_factors[i] += np.float32(learning_rate) * (error * p - reg_item[i] * q)
    return loss
