"""Which levels ratings have: their distinct values, or cells that many values are joined to."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

JOINED = 32  # levels that more distinct values are joined to


class Levels(NamedTuple):
    """Levels of ratings, ascending.

    Parameters
    ----------
    values
        float32 [levels]: what each counts as; the mean of its ratings.
    ends
        float32 [levels, 2]: its lowest and its highest rating.
    """

    values: np.ndarray
    ends: np.ndarray

    @classmethod
    def none(cls) -> Levels:
        """Return no levels."""
        return cls(np.zeros(0, np.float32), np.zeros((0, 2), np.float32))

    @classmethod
    def distinct(cls, ratings: np.ndarray) -> Levels:
        """Return a level for each distinct rating."""
        values = np.unique(ratings).astype(np.float32)
        return cls(values, np.column_stack((values, values)))

    @classmethod
    def joined(cls, ratings: np.ndarray, most: int = JOINED) -> Levels:
        """Return levels that ratings are joined to: about ``most`` with as many ratings each,
        but for ratings that are more frequent, which are levels of their own.
        """
        values, counts = np.unique(ratings, return_counts=True)
        # Where the next cell begins: around whatever fills one alone, and after so many others.
        alone = counts * most >= len(ratings)
        others = np.where(alone, 0, counts)
        cell = (np.cumsum(others) - others) * most // max(1, int(others.sum()))
        begins = np.ones(len(values), bool)
        begins[1:] = (np.diff(cell) > 0) | alone[1:] | alone[:-1]
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(values)) - 1
        sums = np.add.reduceat(values * counts.astype(np.float64), first)
        means = sums / np.add.reduceat(counts, first)
        return cls(means.astype(np.float32), np.column_stack((values[first], values[last])))


def level_of(ratings: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return the number of the level nearest to each rating, int32, by the levels' ends."""
    ends = ends.astype(np.float64)  # float32 rounds the middle of two to one of them
    return np.searchsorted((ends[1:, 0] + ends[:-1, 1]) / 2, ratings).astype(np.int32)
