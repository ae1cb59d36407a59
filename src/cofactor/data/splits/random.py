"""Random interactions: the usual split for predicting ratings."""

from __future__ import annotations

import numpy as np

from cofactor.base import checks, rng
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut


def by_random(
    data: Interactions, *, test: float = 0.2, validation: float = 0.0, seed: int = 0
) -> Split:
    """Hold out interactions drawn at random from all users.

    Parameters
    ----------
    data
        The interactions.
    test, validation
        The shares of all interactions that are held out; 0 for no validation.
    seed
        Of the draw. The order of lines in the source doesn't matter to it.

    Notes
    -----
    Training then contains events later than the test interactions, so figures are better than those
    of a running system; `by_time` avoids this.
    """
    test_share, validation_share = cut.shares(test, validation)
    seed = checks.seed(seed)
    shuffled = rng.generator(seed, "split", "random").permutation(len(data))
    n_test, n_validation = cut.count(test_share, len(data)), cut.count(validation_share, len(data))
    in_test, in_validation = np.zeros(len(data), bool), np.zeros(len(data), bool)
    in_test[shuffled[:n_test]] = True
    in_validation[shuffled[n_test : n_test + n_validation]] = True
    also = f" and {cut.percent(validation_share)} for validation" if validation_share else ""
    sentence = cut.seeded(
        f"{cut.percent(test_share)} of all interactions drawn at random for test{also}", seed
    )
    return cut.known_users(data, in_test, in_validation if validation_share else None, sentence)
