"""Cross-validation: every interaction is in the test part once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cofactor.base import checks, rng
from cofactor.data.conversion import as_interactions
from cofactor.data.interactions import Interactions
from cofactor.data.split import Split
from cofactor.data.splits import cut

if TYPE_CHECKING:
    from cofactor.data.conversion import DataLike


def k_fold(
    data: DataLike, folds: int = 5, *, validation: float = 0.0, seed: int = 0
) -> Iterator[Split]:
    """Yield ``folds`` splits; their test parts are random, disjoint, of equal size up to one, and
    together the data.

    Parameters
    ----------
    data
        The interactions, or what `Recommender.fit` takes.
    folds
        How many, from 2 to the number of interactions.
    validation
        The share of all interactions that is drawn out of each training part; 0 for none.
    seed
        Of the draw.
    """
    data = as_interactions(data)
    folds = checks.integer(folds, "folds", low=2, high=len(data))
    seed = checks.seed(seed)
    _, validation_share = cut.shares(1 / folds, validation)
    return _folds(data, folds, validation_share, seed)


def _folds(data: Interactions, folds: int, validation: float, seed: int) -> Iterator[Split]:
    fold_of = np.empty(len(data), np.int32)
    fold_of[rng.generator(seed, "split", "folds").permutation(len(data))] = (
        np.arange(len(data)) % folds
    )
    also = f", {cut.percent(validation)} drawn for validation" if validation else ""
    for fold in range(folds):
        in_test = fold_of == fold
        in_validation = None
        if validation:
            rest = np.flatnonzero(~in_test)
            drawn = rng.generator(seed, "split", "folds", fold).permutation(rest)[
                : cut.count(validation, len(data))
            ]
            in_validation = cut.marked(drawn, len(data))
        sentence = cut.seeded(
            f"Fold {fold + 1} of {folds} of all interactions, dealt at random{also}", seed
        )
        yield cut.known_users(data, in_test, in_validation, sentence)
