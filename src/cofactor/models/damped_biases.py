"""Damped means: where trained biases begin, and what answers for users and items without
ratings.
"""

from __future__ import annotations

import numpy as np

from cofactor.data.interactions import Interactions

_TURNS = 10  # in which both are renewed: enough for four digits


def damped_biases(
    data: Interactions, user_damping: float = 10.0, item_damping: float = 5.0
) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the mean and the damped biases of users and items.

    ``b_i = Σ_u (r_ui − μ − b_u) / (n_i + λ_i)``, ``b_u = Σ_i (r_ui − μ − b_i) / (n_u + λ_u)``, in
    turns.

    Parameters
    ----------
    data
        Interactions with values.
    user_damping, item_damping
        ``λ``: the number of pseudo-ratings at the mean.

    Returns
    -------
    tuple
        The mean, float32 [n_users], float32 [n_items]; 0 for whom nothing is known.

    Notes
    -----
    Source: Koren, "Factor in the Neighbors", TKDD 2010, section 2.2, iterated.
    """
    values = data.weights.astype(np.float64)
    mean = float(values.mean())
    users, items = data.user_rows, data.item_rows
    user_bias, item_bias = np.zeros(data.n_users), np.zeros(data.n_items)
    for _ in range(_TURNS):
        item_bias = np.bincount(items, values - mean - user_bias[users], data.n_items) / (
            data.item_counts + item_damping
        )
        user_bias = np.bincount(users, values - mean - item_bias[items], data.n_users) / (
            data.user_counts + user_damping
        )
    return mean, user_bias.astype(np.float32), item_bias.astype(np.float32)
