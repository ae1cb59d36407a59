"""A share of each user's interactions: the weak generalisation of the ranking literature."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks
from cofactor.data.conversion import as_interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike

ORDERS = ("random", "time")


def per_user(
    data: DataLike,
    *,
    test: float = 0.2,
    validation: float = 0.0,
    order: str = "random",
    seed: int = 0,
) -> Split:
    """Hold out a share of each user's interactions; at least one of each user's stays in training.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    test, validation
        The shares of each user's interactions, rounded to the nearest whole number, halves up (so
        short histories may give none); 0 for no validation.
    order
        Which: ``"random"``, or ``"time"`` for the latest (by the order of the source where there
        are no times).
    seed
        Of the draw; without meaning for ``"time"``.
    """
    data = as_interactions(data)
    test_share, validation_share = cut.shares(test, validation)
    checks.choice(order, "order", ORDERS)
    seed = checks.seed(seed)
    counts = data.user_counts
    n_test = np.minimum(cut.counts(test_share, counts), np.maximum(counts - 1, 0))
    n_validation = np.minimum(
        cut.counts(validation_share, counts), np.maximum(counts - n_test - 1, 0)
    )
    numbers = [n_test, n_test + n_validation]
    in_test, held_out = cut.among_last(data, numbers, order, seed, "per-user")
    in_validation = held_out & ~in_test
    also = f" and {cut.percent(validation_share)} for validation" if validation_share else ""
    sentence = (
        f"{cut.percent(test_share)} of each user's interactions for test{also},"
        f" {cut.order_words(data, order)}; at least one of each user's stays in training"
    )
    sentence = cut.seeded(sentence, seed) if order == "random" else f"{sentence}."
    return cut.known_users(data, in_test, in_validation if validation_share else None, sentence)
