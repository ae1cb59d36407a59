"""Damped means: where trained biases begin, what answers for users and items without ratings, and
how much damping the ratings ask for.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np

from cofactor.data.interactions import Interactions

_TURNS = 10  # enough for four digits


def damped_biases(
    data: Interactions,
    user_damping: float = 10.0,
    item_damping: float = 5.0,
    *,
    turns: int = _TURNS,
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
    turns
        How often both are computed.

    Returns
    -------
    tuple
        The mean, float32 [n_users], float32 [n_items]; 0 for whom nothing is known.

    Notes
    -----
    Source: Koren, "Factor in the Neighbors", TKDD 2010, section 2.2, iterated.
    """
    ratings, damping = _Ratings.of(data), Damping(user_damping, item_damping)
    users, items = np.zeros(data.n_users), np.zeros(data.n_items)
    for _ in range(turns):
        users, items = ratings.turn(users, damping)
    return ratings.mean, users.astype(np.float32), items.astype(np.float32)


class Damping(NamedTuple):
    """Pseudo-ratings at the mean that the biases of users and of items are damped by."""

    users: float
    items: float


class _Ratings(NamedTuple):
    """What damped means need of the ratings: sums, and which users rated which items."""

    mean: float
    pattern: Any  # SciPy CSR [users, items]: 1 for each rating
    transposed: Any  # the same memory; SciPy takes longer to make it than few ratings take
    user_sums: np.ndarray  # of ratings less the mean, float64 [users]
    item_sums: np.ndarray
    user_counts: np.ndarray
    item_counts: np.ndarray

    @classmethod
    def of(cls, data: Interactions) -> Self:
        """Return those of some data."""
        from scipy.sparse import csr_matrix

        values, shape = data.weights.astype(np.float64), (data.n_users, data.n_items)
        mean = float(values.mean())
        rest = csr_matrix((values - mean, data.item_rows, data.indptr), shape)
        ones = csr_matrix((np.ones(len(values)), rest.indices, rest.indptr), shape)
        sums = rest @ np.ones(data.n_items), rest.T @ np.ones(data.n_users)
        return cls(mean, ones, ones.T, *sums, data.user_counts, data.item_counts)

    def turn(self, users: np.ndarray, damping: Damping) -> tuple[np.ndarray, np.ndarray]:
        """Return the biases of users and items, those of items given the users' before."""
        # Without ratings and damping, 0 / 0 is to be 0.
        items = (self.item_sums - self.transposed @ users) / np.maximum(
            self.item_counts + damping.items, _LEAST
        )
        users = (self.user_sums - self.pattern @ items) / np.maximum(
            self.user_counts + damping.users, _LEAST
        )
        return users, items

    def squared_error(
        self, users: np.ndarray, items: np.ndarray, damping: Damping, squares: float
    ) -> float:
        """Return the sum of squared errors after a `turn`, given the ratings' squares."""
        # Σ (r - b_i)² = Σ r² - Σ_i b_i (2 Σ_u r - n_i b_i). Of that the users' biases explain
        # b_u (2 s_u - n_u b_u), and their sums are s_u = (n_u + λ_u) b_u.
        left = squares - (items * (2 * self.item_sums - self.item_counts * items)).sum()
        left -= (np.square(users) * (self.user_counts + 2 * damping.users)).sum()
        return max(0.0, float(left))


USUAL_DAMPING = Damping(10.0, 5.0)
# Ratings that the damping is estimated from at the most, and the rounds of that: where users or
# items hardly differ, more rounds would go on to more damping that changes nothing.
_MOST, _ROUNDS = 200_000, 25
_LEAST = 0.01


def estimated_damping(data: Interactions) -> Damping:
    """Return the damping of biases that the ratings ask for: the variance of the noise over that
    of users' biases, and of items'.

    Biases are taken as draws from normal distributions with the mean 0, whose variances are found
    by expectation maximisation: ``σ_u² = mean(b_u² + σ² / (n_u + λ_u))``, likewise of the items,
    and ``λ_u = σ² / σ_u²``, in turns with the biases themselves (`damped_biases`). Users who rate
    around means of their own need hardly any damping, ratings that are mostly noise much.

    Parameters
    ----------
    data
        Interactions with values; of many, those of random users are looked at.

    Returns
    -------
    Damping
        At least .01; the usual one where all values are the same.

    Notes
    -----
    Source: Laird and Ware, "Random-effects models for longitudinal data", Biometrics 38, 1982.
    """
    if len(data) > _MOST:
        some = np.random.default_rng(0).random(data.n_users) < _MOST / len(data)
        data = data.where(some[data.user_rows])
    values = data.weights
    if not len(values) or values.min() == values.max():
        return USUAL_DAMPING
    ratings, damping = _Ratings.of(data), USUAL_DAMPING
    squares = float(np.square(values - ratings.mean, dtype=np.float64).sum())
    counts = ratings.user_counts, ratings.item_counts
    users = np.zeros(data.n_users)
    for _ in range(_ROUNDS):
        users, items = ratings.turn(users, damping)
        fitted = sum(float((n / (n + by)).sum()) for n, by in zip(counts, damping, strict=True))
        error = ratings.squared_error(users, items, damping, squares)
        noise = error / max(1.0, len(values) - fitted)
        damping = Damping(
            *(
                max(_LEAST, noise / float((bias[n > 0] ** 2 + noise / (n[n > 0] + by)).mean()))
                for bias, n, by in zip((users, items), counts, damping, strict=True)
            )
        )
    return damping


def damping_of(data: Interactions, users: float | None, items: float | None) -> Damping:
    """Return damping as settings give it; None: what the ratings ask for."""
    if users is not None and items is not None:
        return Damping(users, items)
    found = estimated_damping(data)
    return Damping(found.users if users is None else users, found.items if items is None else items)
