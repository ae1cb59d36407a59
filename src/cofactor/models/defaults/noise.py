"""How much noise interactions hold: what regularization by default follows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cofactor.data.interactions import Interactions
from cofactor.models.defaults.damped_biases import estimated_damping

# Relative noise that regularization is for at the most: with three or four interactions a row, too
# little would be left beyond it.
MOST_NOISE = 0.7


def counts_of_interactions(data: Interactions) -> tuple[float, float]:
    """Return m_u and m_i: how many interactions an interaction's user and its item have on
    average; 1 and 1 if there are none.
    """
    if not len(data):
        return 1.0, 1.0
    sides = (data.user_counts, data.item_counts)
    m_u, m_i = (float(np.square(n, dtype=np.float64).sum() / n.sum()) for n in sides)
    return m_u, m_i


def noise(data: Interactions) -> float:
    """Return ``√m_u + √m_i``, about the largest singular value that interactions without any
    structure would have; see `counts_of_interactions`.

    Notes
    -----
    R. Latała, "Some estimates of norms of random matrices", Proceedings of the AMS 133, 2005.
    """
    m_u, m_i = counts_of_interactions(data)
    return m_u**0.5 + m_i**0.5


def relative_noise(data: Interactions) -> float:
    """Return ``1/√m_u + 1/√m_i``: the noise over √(m_u m_i), the size of the one direction that
    holds all interactions.

    It is about 1 where rows have a handful of interactions, a tenth where they have hundreds.
    """
    m_u, m_i = counts_of_interactions(data)
    return m_u**-0.5 + m_i**-0.5


class RatingPenalties(NamedTuple):
    """L2 in each rating's part of a squared error, for ratings in units of `spread_of`.

    Parameters
    ----------
    vectors
        Of both vectors.
    user_bias, item_bias
        Of the biases, for a row with the mean number of ratings.
    """

    vectors: float
    user_bias: float
    item_bias: float


def rating_penalties(data: Interactions) -> RatingPenalties:
    """Return the penalties that ratings need for their noise, where they are few.

    The deviation of the noise is near the unit in which ratings are learned, so vectors' L2 is the
    `relative_noise`, and shrinks what noise alone would show to nothing; that of biases is the
    damping that they ask for (`estimated_damping`), over the mean number of ratings of a user and
    of an item.
    """
    means = [
        len(data) / max(1, int(np.count_nonzero(n))) for n in (data.user_counts, data.item_counts)
    ]
    dampings = estimated_damping(data)
    users, items = (damping / max(1.0, m) for damping, m in zip(dampings, means, strict=True))
    return RatingPenalties(relative_noise(data), users, items)
