"""One epoch of stochastic gradient descent for SVD++, r_ui ~ mu + b_u + b_i + q_i . (p_u +
|N(u)|^-1/2 sum_{j in N(u)} y_j).
"""

from __future__ import annotations

import numpy as np


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
    """Walk over all ratings once, user by user, and update the five parameter arrays in place.

    With ``z_u = |N(u)|^-1/2 sum_{j in N(u)} y_j`` and ``e = r_ui - mu - b_u - b_i - q_i . (p_u +
    z_u)``, for each rating::

        b_u += gamma_b (e - lambda_bu b_u)        p_u += gamma (e q_i - lambda_u p_u)
        b_i += gamma_b (e - lambda_bi b_i)        q_i += gamma (e (p_u + z_u) - lambda_i q_i)
        for all j in N(u):                        y_j += gamma (e |N(u)|^-1/2 q_i - lambda_yu y_j)

    Here it is written as the paper has it, with every y_j moved at every rating.

    Parameters
    ----------
    indptr, indices, values
        The ratings by user: int64 [n_users + 1], int32 [nnz], float32 [nnz]; in any order within a
        user (a random one, drawn once, is best).
    implicit_indptr, implicit_indices
        N(u), the items that a user has touched in any way, as CSR: int64 [n_users + 1], int32
        [n_pairs]. The rated ones' own arrays may be passed.
    order
        The users to walk, int64 [n_walked], each at most once.
    mean
        mu.
    user_bias, item_bias
        b, float32 [n_users] and [n_items]; updated.
    user_factors, item_factors, implicit_factors
        P, Q and Y, float32 [n_users, factors] and twice [n_items, factors]; updated.
    learning_rate, bias_learning_rate
        gamma and gamma_b.
    reg_user, reg_item, reg_user_bias, reg_item_bias
        lambda, one for each row of each parameter, float32.
    reg_implicit
        lambda_yu, float32 [n_users]: by the user who walks and not by the item, which is what keeps
        the update of all y_j along one direction.
    n_threads
        Into how many parts the users are cut. With more than one, item rows are written without
        locks.

    Returns
    -------
    float
        The sum of e^2, each taken before its step.

    References
    ----------
    Y. Koren, "Factorization Meets the Neighborhood", KDD 2008, equation 15 and the updates below
    it.
    """
    rate = np.float32(learning_rate)
    loss = 0.0
    for u in order:
        touched = implicit_indices[implicit_indptr[u] : implicit_indptr[u + 1]]
        norm = np.float32(1 / np.sqrt(max(touched.size, 1)))
        for at in range(indptr[u], indptr[u + 1]):
            i = indices[at]
            p, q = user_factors[u].copy(), item_factors[i].copy()
            z = norm * implicit_factors[touched].sum(axis=0)
            error = np.float32(
                values[at] - np.float32(mean) - user_bias[u] - item_bias[i] - q @ (p + z)
            )
            loss += float(error) ** 2
            user_bias[u] += bias_learning_rate * (error - reg_user_bias[u] * user_bias[u])
            item_bias[i] += bias_learning_rate * (error - reg_item_bias[i] * item_bias[i])
            user_factors[u] += rate * (error * q - reg_user[u] * p)
            item_factors[i] += rate * (error * (p + z) - reg_item[i] * q)
            implicit_factors[touched] += rate * (
                error * norm * q - reg_implicit[u] * implicit_factors[touched]
            )
    return loss
