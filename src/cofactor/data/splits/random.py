"""Random interactions: the usual split for predicting ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks
from cofactor.data.conversion import as_interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def by_random(
    data: DataLike, *, test: float = 0.2, validation: float = 0.0, seed: int = 0
) -> Split:
    """Hold out interactions drawn at random from all users.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    test, validation
        The shares of all interactions that are held out; 0 for no validation.
    seed
        Of the draw. The order of lines in the source doesn't matter to it.

    Notes
    -----
    Training then contains events later than the test interactions, so figures are better than those
    of a running system; `by_time` avoids this.
    """
    data = as_interactions(data)
    shares = test_share, validation_share = cut.shares(test, validation)
    seed = checks.seed(seed)
    drawn = cut.held_out(np.arange(len(data)), shares, seed, "random")
    in_test, in_validation = (cut.marked(rows, len(data)) for rows in drawn)
    also = f" and {cut.percent(validation_share)} for validation" if validation_share else ""
    sentence = cut.seeded(
        f"{cut.percent(test_share)} of all interactions drawn at random for test{also}", seed
    )
    return cut.known_users(data, in_test, in_validation if validation_share else None, sentence)
