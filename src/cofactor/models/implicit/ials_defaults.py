"""What iALS's settings are by default: rules that follow the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.models.defaults.noise import MOST_NOISE, relative_noise

# Chosen on validation parts of the panel (benchmarks/panel.py), where the best shares lie between
# .3 (sessions) and 1.1 (a few very popular items), most between .6 and .8.
NOISE_SHARE = 0.7
UNOBSERVED = 10.0  # how much more all pairs weigh than the observed ones
FEWEST, MOST = 32, 256  # factors
MOST_BYTES = 2**31  # of both sides' vectors


def n_factors(data: Interactions) -> int:
    """Return √interactions / 2 in sixteens, from 32 to 256, or fewer where both sides' vectors
    would take more than 2 GiB.

    With the regularization that follows the data, more factors are hardly ever worse, and better
    on large sparse data.
    """
    wanted = np.clip(np.sqrt(len(data)) / 2, FEWEST, MOST)
    fitting = MOST_BYTES / (4 * max(1, data.n_users + data.n_items))
    return max(16, int(min(wanted, fitting)) // 16 * 16)


def mean_pair_weight(data: Interactions, weights: np.ndarray) -> float:
    """Return the observed pairs' weights over the number of all pairs of users and items that
    have any interaction.
    """
    # A catalogue may hold any number of others, which keep zero vectors.
    pairs = np.count_nonzero(data.user_counts) * np.count_nonzero(data.item_counts)
    return float(weights.sum(dtype=np.float64) / max(1, pairs))


def regularization(
    config: Any,
    data: Interactions,
    weights: np.ndarray,
    beta0: float,
    noise_share: float = NOISE_SHARE,
) -> float:
    """Return the L2 that leaves out what noise alone would show.

    L2 of λ_u and λ_i on both sides shrinks singular values below √(λ_u λ_i) to nothing, so a mean
    row's L2 is such that (for nu = 1)::

        reg = s w e / (1 + beta0 / density)

    with s the share of the noise, w the mean weight of an observed pair, and e the
    `relative_noise`, .7 at most: the sparser the data, the more.

    Notes
    -----
    N. Srebro, J. Rennie, T. Jaakkola, "Maximum-Margin Matrix Factorization", NIPS 2004.
    """
    if not len(data):
        return 0.01
    sides = (data.user_counts, data.item_counts)
    density = mean_pair_weight(data, np.ones(1, np.float32)) * len(data)
    pairs = [len(data) / np.count_nonzero(n) * (1 + beta0 / density) for n in sides]
    as_if_one = float(np.prod(pairs)) ** ((1 - config.frequency_exponent) / 2)
    weight = float(weights.mean(dtype=np.float64))
    return (
        noise_share
        * weight
        * min(relative_noise(data), MOST_NOISE)
        / (1 + beta0 / density)
        * as_if_one
    )
