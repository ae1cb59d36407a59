"""Errors of predicted ratings: over all held-out ratings, and user by user."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from cofactor.base.errors import TrainingError
from cofactor.base.offsets import owners_of, row_offsets
from cofactor.metrics.ranking import mean_by_user, sum_by_user
from cofactor.metrics.rating import rounded
from cofactor.metrics.table import Metric

# More distinct values than this don't count as a scale of steps.
MOST_LEVELS = 100


@dataclass(frozen=True)
class Errors:
    """What was predicted and what was true, pair by pair, by user.

    Parameters
    ----------
    indptr
        int64 [n_users + 1]: user u owns the pairs ``indptr[u]:indptr[u + 1]``.
    predicted, true
        float32 [n].
    levels
        The values that ratings can have, float64 ascending, or None when the scale has no steps.
    """

    indptr: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    levels: np.ndarray | None = None

    def __post_init__(self) -> None:
        bad = np.count_nonzero(~np.isfinite(self.predicted))
        if bad:
            raise TrainingError(
                f"{bad} of {len(self.predicted)} predicted ratings are NaN or infinite."
            )

    def each(self, metric: Metric) -> np.ndarray:
        """Return the error of each pair, float64 [n]."""
        definition, predicted = metric.definition, self.predicted
        if definition.rounded:
            predicted = rounded(predicted.astype(np.float64), self.levels)
        errors: np.ndarray = definition.function(predicted, self.true)
        return errors

    def sums(self, metric: Metric) -> np.ndarray:
        """Return each user's sum of errors, float64 [n_users]."""
        return sum_by_user(self.indptr, self.each(metric))

    def where(self, keep: np.ndarray) -> Errors:
        """Return the pairs for which ``keep`` (bool [n]) holds; the users stay, some perhaps
        without pairs.
        """
        owners = owners_of(np.diff(self.indptr))
        indptr = row_offsets(owners[keep], len(self.indptr) - 1)
        return Errors(indptr, self.predicted[keep], self.true[keep], self.levels)

    def per_user(self, metrics: Iterable[Metric]) -> dict[str, np.ndarray]:
        """Return each user's own error, float64 [n_users]; of RMSE it is the root of the user's
        mean square.
        """
        return {
            str(metric): metric.definition.finish(mean_by_user(self.indptr, self.each(metric)))
            for metric in metrics
        }


def levels_of(values: np.ndarray | None) -> np.ndarray | None:
    """Return the distinct values of a rating scale, float64 ascending; None if there are too
    many to be steps.
    """
    if values is None or len(values) == 0:
        return None
    distinct = np.unique(values).astype(np.float64)
    return distinct if len(distinct) <= MOST_LEVELS else None
